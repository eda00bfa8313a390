"""What a database has to offer the store: links that run statements, and a lock for migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from chalicelib.store.failures import CommitLost
from chalicelib.store.statements import Statements

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class Link(Protocol):
    """One connection. Failures are those of ``failures``, or Unavailable; never the driver's own."""

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]: ...

    def change(self, sql: str, parameters: Parameters) -> int:
        """How many rows matched, whether or not a value differs."""
        ...

    def script(self, sql: str) -> None:
        """One file of a migration, as it is."""
        ...

    def begin(self, *, write: bool) -> None: ...

    def commit(self) -> None:
        """Raises CommitLost when the answer did not arrive."""
        ...

    def rollback(self) -> None:
        """Never raises; a link that cannot roll back is not used again."""
        ...


class Driver(Protocol):
    """All links to one database, safe for threads."""

    @property
    def dialect(self) -> str: ...

    @property
    def statements(self) -> Statements: ...

    def writing(self) -> AbstractContextManager[Link]: ...

    def reading(self) -> AbstractContextManager[Link]: ...

    def migrating(self) -> AbstractContextManager[Link]:
        """A link under a lock that excludes every other migrator. Commits by itself where DDL does."""
        ...

    def was_committed(self, lost: CommitLost) -> bool:
        """Ask the database what became of that COMMIT; waits until it is decided."""
        ...

    def describe(self) -> str:
        """Where the database is, without any secret."""
        ...

    def close(self) -> None: ...
