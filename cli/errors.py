"""What can go wrong for the person at the terminal, and the exit code of each.

The codes are a promise to scripts: 0 ok, 1 error, 2 usage, 3 not found, 4 conflict, 5 run failed,
6 there are differences (only where --exit-code asks for it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# No failure, so nothing is said.
DIFFERS = 6


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field; ``field`` is a dotted path, ``""`` the whole document."""

    field: str
    message: str
    value: object = None


class Failure(Exception):
    """The root: a sentence, what is wrong in detail, and what to do about it."""

    exit_code = 1

    def __init__(
        self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.hint = hint


class Misused(Failure):
    """The command line does not make sense."""

    exit_code = 2


class Missing(Failure):
    """There is no such job, instance or owner, or it belongs to somebody else."""

    exit_code = 3


class Clash(Failure):
    """The command does not fit the present state: wrong state, name taken, stale edit."""

    exit_code = 4


class RunFailed(Failure):
    """The run that was waited for did not succeed."""

    exit_code = 5


class Unreadable(Failure):
    """A file is not what it should be; the message says where in it."""


class Unreachable(Failure):
    """Nobody answers at the server's address."""


class Stopped(Failure):
    """The person pressed Ctrl-C."""

    exit_code = 130
