"""What the kind ``sql`` needs of a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Bound = Mapping[str, str | int | float | bool | None]
Rows = Sequence[Sequence[object]]


class SqlFailure(Exception):
    """What the database said. ``retry``: whether another attempt could help."""

    def __init__(self, message: str, *, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class EarlierSession(SqlFailure):
    """Nobody can tell whether the session of an earlier claim is still at work."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``columns``: empty for a statement that returns no rows. ``fetch`` gives the next rows, then none."""

    columns: Sequence[str]
    fetch: Callable[[], Rows]


class Session(ABC):
    """One connection for one run. All methods but ``cancel`` belong to one thread.

    They raise SqlFailure.
    """

    @property
    @abstractmethod
    def handle(self) -> Mapping[str, object]:
        """By which a later claim finds this session."""

    @abstractmethod
    def execute(self, query: str, bindings: Bound) -> Answer:
        """Begin a transaction and the statement."""

    @property
    @abstractmethod
    def affected(self) -> int:
        """Rows that the statement changed."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def cancel(self) -> None:
        """From any thread, at any time, at once: whatever goes on ends with an error."""

    @abstractmethod
    def close(self) -> None:
        """What was not committed is undone. Raises nothing."""
