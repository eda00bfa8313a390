"""Everything Noonday refuses, as one tree: a stable ``code`` on every leaf, words where the fact is known.

The statuses of HTTP and the exit codes of the CLI are chosen at the edges, from these classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field: where, what it was, and what would be right.

    ``field`` is a dotted path into the document, ``schedule.cron`` or ``tags.tier``; ``""`` is the document.
    """

    field: str
    message: str
    value: object = None


class NoondayError(Exception):
    """The root. ``code`` is part of the API and never changes its meaning."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(NoondayError):
    """The request or the definition cannot be accepted; nothing was changed."""

    code = "invalid_input"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(_sentence(problem) for problem in self.problems))


class Malformed(NoondayError):
    """The body is no JSON document that Noonday reads."""

    code = "malformed"


class Unauthenticated(NoondayError):
    """Nobody is named by the request."""

    code = "unauthenticated"


class Forbidden(NoondayError):
    """The principal sees the thing but its role does not allow this."""

    code = "forbidden"


class NotFound(NoondayError):
    """There is none, or it belongs to somebody else."""

    code = "not_found"


class Conflict(NoondayError):
    """The request is sound but does not fit the present state."""

    code = "conflict"


class WrongState(Conflict):
    """The state machine has no such move; the message names what is allowed, and ``allowed`` lists it."""

    code = "wrong_state"

    def __init__(self, message: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class RunOver(Conflict):
    """The run is over, or another took its place: its target has nothing left to do."""

    code = "run_over"


class NameTaken(Conflict):
    """The owner already has a job of that name."""

    code = "name_taken"


class CalendarInUse(Conflict):
    """Jobs name the calendar; the message names them."""

    code = "calendar_in_use"


class GroupInUse(Conflict):
    """Jobs name the concurrency group, or instances of it have not ended; the message says which."""

    code = "group_in_use"


class AlreadyExists(Conflict):
    """That nominal time already has its instance; rerun it instead."""

    code = "already_exists"


class QuotaExceeded(Conflict):
    """The owner has as much as it may have; the message names the limit and who can raise it."""

    code = "quota_exceeded"


class StaleEdit(Conflict):
    """If-Match named an older edit than the present one."""

    code = "stale_edit"


class KeyReused(NoondayError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class Unavailable(NoondayError):
    """The store cannot serve now; the same request may be sent again after ``retry_after`` seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def _sentence(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message
