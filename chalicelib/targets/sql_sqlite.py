"""SQLite files as databases of ``sql`` targets."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TypeVar
from urllib.parse import quote

from chalicelib.targets.configuration import Connection
from chalicelib.targets.sql_session import Answer, Bound, Rows, Session, SqlFailure
from chalicelib.targets.sql_statement import SQLITE, names

BATCH = 500
BUSY_SECONDS = 30.0
LARGEST_LOOK = 16_000_000  # bytes of a row of who only looks
_LOOK_SECONDS = 0.2  # SQLite waits for a lock without looking at anything else
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY})
_STEPS = 10_000  # of SQLite's machine between two looks at the stop: well under a millisecond
_DENIED: Mapping[int, str] = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_TRANSACTION: "BEGIN, COMMIT and ROLLBACK",
    sqlite3.SQLITE_SAVEPOINT: "SAVEPOINT",
}
_R = TypeVar("_R")
_DENIED_PRAGMAS = frozenset({"writable_schema", "temp_store_directory", "data_store_directory"})


class SqliteSession(Session):
    """Opened for reading and writing, never created: a missing file is an error."""

    def __init__(self, connection: Connection, *, looks_only: bool = False) -> None:
        """``looks_only``: nothing is written, and rows are fetched one by one."""
        self._name = connection.name
        self._stopped = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        self._refused: str | None = None
        self._cursor: sqlite3.Cursor | None = None
        path = connection.sqlite_path
        if not path.is_file():
            raise SqlFailure(f"connection {self._name!r}: there is no SQLite file {path}")
        mode = "ro" if connection.options.get("mode") == "ro" else "rw"
        with self._explained():
            self._db = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={mode}",
                uri=True,
                timeout=_LOOK_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        self._db.text_factory = _text
        self._db.set_progress_handler(self._stopped.is_set, _STEPS)
        self._batch = 1 if looks_only else BATCH
        if looks_only:
            self._db.execute("PRAGMA query_only = ON")
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_LOOK)

    @property
    def handle(self) -> Mapping[str, object]:
        return {"connection": self._name, "pid": os.getpid()}

    def execute(self, query: str, bindings: Bound) -> Answer:
        with self._explained():
            self._db.execute("BEGIN")
            self._db.set_authorizer(self._authorize)
            try:
                used = {name: bindings[name] for name in names(query, SQLITE)}
                cursor = self._patiently(lambda: self._db.execute(query, used))
            finally:
                self._db.set_authorizer(None)
        self._cursor = cursor
        return Answer([column[0] for column in cursor.description or ()], self._fetch)

    @property
    def affected(self) -> int:
        return max(0, self._cursor.rowcount) if self._cursor else 0

    def commit(self) -> None:
        if self._stopped.is_set():
            raise SqlFailure(f"connection {self._name!r}: stopped before the commit")
        with self._explained():
            self._patiently(lambda: self._db.execute("COMMIT"))

    def cancel(self) -> None:
        """SQLite must not be interrupted while it is closed, nor afterwards."""
        self._stopped.set()
        with self._closing:
            if not self._closed:
                self._db.interrupt()

    def close(self) -> None:
        with self._closing, suppress(sqlite3.Error):
            self._closed = True
            self._db.close()

    def _patiently(self, call: Callable[[], _R]) -> _R:
        """What finds the file locked comes to nothing and can be asked again, unless a stop came first."""
        end = monotonic() + BUSY_SECONDS
        while True:
            try:
                return call()
            except sqlite3.OperationalError as error:
                waits = error.sqlite_errorcode in _LOCKED and monotonic() < end
                if not waits or self._stopped.is_set():
                    raise

    def _fetch(self) -> Rows:
        if self._cursor is None:
            return ()
        with self._explained():
            return self._cursor.fetchmany(self._batch)

    def _authorize(self, action: int, first: str | None, *_: str | None) -> int:
        """A definition gets the database that the operator named, not all files of this machine."""
        if action in _DENIED:
            self._refused = _DENIED[action]
        elif action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _DENIED_PRAGMAS:
            self._refused = f"PRAGMA {first}"
        else:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._refused:
                message = f"{self._refused} is not for definitions"
                raise SqlFailure(f"connection {self._name!r}: {message}", retry=False) from error
            permanent = isinstance(error, sqlite3.ProgrammingError) or "syntax error" in str(error)
            raise SqlFailure(f"connection {self._name!r}: {error}", retry=not permanent) from error


def _text(data: bytes) -> str | bytes:
    """SQLite does not check that its texts are UTF-8; what is not stays bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
