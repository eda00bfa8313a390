"""The states as the CLI knows them: which end a run, and which colour says what they mean."""

from __future__ import annotations

JOB_STATES = ("NEW", "SCHEDULED", "SUSPENDED", "EXPIRED", "DELETED")
INSTANCE_STATES = (
    "WAITING",
    "LAUNCHING",
    "LAUNCHED",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "KILLED",
    "SKIPPED",
)
BACKFILL_STATES = ("RUNNING", "COMPLETED", "CANCELLED")
NOTIFICATION_STATES = ("PENDING", "DELIVERED", "FAILED")
UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "KILLED")
INSTANCE_KINDS = ("SCHEDULED", "MANUAL", "BACKFILL")
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "KILLED", "SKIPPED"})

_COLOURS = {
    "SCHEDULED": "green",
    "SUSPENDED": "yellow",
    "EXPIRED": "bright_black",
    "DELETED": "bright_black",
    "COMPLETED": "green",
    "CANCELLED": "magenta",
    "PENDING": "yellow",
    "DELIVERED": "green",
    "WAITING": "yellow",
    "LAUNCHING": "cyan",
    "LAUNCHED": "cyan",
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "KILLED": "magenta",
    "SKIPPED": "bright_black",
}


def colour_of(state: str) -> str | None:
    return _COLOURS.get(state)
