"""``noonday job``: one command a verb, in a module for each kind of verb."""

from __future__ import annotations

from cli.commands.job.change import delete, expire, resume, schedule, suspend
from cli.commands.job.edit import edit, update
from cli.commands.job.group import job
from cli.commands.job.look import history, list_jobs, next_fires, revisions, show, why
from cli.commands.job.patch import patch
from cli.commands.job.submit import submit
from cli.commands.job.trigger import trigger

__all__ = [
    "delete",
    "edit",
    "expire",
    "history",
    "job",
    "list_jobs",
    "next_fires",
    "patch",
    "resume",
    "revisions",
    "schedule",
    "show",
    "submit",
    "suspend",
    "trigger",
    "update",
    "why",
]
