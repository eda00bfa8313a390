"""``noonday job``: one command a verb, in a module for each kind of verb."""

from __future__ import annotations

from cli.commands.job.apply import apply
from cli.commands.job.change import delete, expire, resume, schedule, suspend
from cli.commands.job.edit import edit, update
from cli.commands.job.group import job
from cli.commands.job.look import history, list_jobs, next_fires, show, skips, why
from cli.commands.job.patch import patch
from cli.commands.job.revisions import diff, revisions, rollback
from cli.commands.job.submit import submit
from cli.commands.job.trigger import trigger

__all__ = [
    "apply",
    "delete",
    "diff",
    "edit",
    "expire",
    "history",
    "job",
    "list_jobs",
    "next_fires",
    "patch",
    "resume",
    "revisions",
    "rollback",
    "schedule",
    "show",
    "skips",
    "submit",
    "suspend",
    "trigger",
    "update",
    "why",
]
