"""SQLite: one connection writes, behind a lock that is fair; readers have their own.

WAL lets readers see the last commit while a unit writes; ``synchronous = FULL`` makes an acknowledged
commit survive the power. In memory there is one connection for all, behind the same lock.
A COMMIT cannot lose its answer here: it is a call in this process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from chalicelib.model.errors import Unavailable
from chalicelib.store.address import Sqlite
from chalicelib.store.driver import Link, Parameters, Row
from chalicelib.store.failures import (
    CommitLost,
    ConstraintViolated,
    Duplicate,
    NoSuchTable,
    Repeat,
)
from chalicelib.store.fair_lock import FairLock
from chalicelib.store.pool import Pool
from chalicelib.store.statements import named, statements_of

OLDEST = (3, 37, 0)  # STRICT tables
BUSY_MS = 2_000
TURN_S = 30.0
READERS = 8

R = TypeVar("R")
_KEYS = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})


class SqliteLink:
    """One connection. ``address`` is for error messages."""

    def __init__(self, address: Sqlite, *, read_only: bool = False) -> None:
        self._address = address
        self.usable = True
        target = ":memory:" if address.path is None else str(address.path)
        self._connection = self._run(
            lambda: sqlite3.connect(
                target, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
            )
        )
        try:
            self._run(lambda: self._configure(read_only=read_only))
        except BaseException:
            self._connection.close()
            raise

    def _configure(self, *, read_only: bool) -> None:
        execute = self._connection.execute
        if not read_only and self._address.path is not None:
            execute("PRAGMA journal_mode = WAL").fetchall()
        execute("PRAGMA synchronous = FULL")
        if read_only:
            execute("PRAGMA query_only = ON")

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        return self._run(lambda: self._connection.execute(sql, parameters).fetchall())

    def change(self, sql: str, parameters: Parameters) -> int:
        return self._run(lambda: self._connection.execute(sql, parameters).rowcount)

    def script(self, sql: str) -> None:
        for statement in split(sql):
            self.change(statement, {})

    def begin(self, *, write: bool) -> None:
        self._execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def begin_exclusive(self) -> None:
        self._execute("BEGIN EXCLUSIVE")

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.usable = False

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        self._connection.close()

    def _execute(self, sql: str) -> None:
        self._run(lambda: self._connection.execute(sql))

    def _run(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except sqlite3.Error as error:
            raise translated(error, self._address) from error


class SqliteDriver:
    """All connections to one SQLite database."""

    dialect = "sqlite"

    def __init__(self, address: Sqlite) -> None:
        _check_version()
        self._address = address
        self.statements = statements_of(self.dialect, named)
        self._turn = FairLock()
        self._writer: SqliteLink | None = None
        self._closed = False
        self._readers = Pool(lambda: SqliteLink(address, read_only=True), READERS)

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with self._turn.held(TURN_S) as had:
            if not had:
                raise Unavailable(f"{self.describe()} was busy for {TURN_S:.0f} seconds")
            yield self._open_writer()

    @contextmanager
    def reading(self) -> Iterator[Link]:
        if self._address.path is None:
            with self.writing() as link:
                yield link
            return
        self._check_open()
        with self._readers.lend() as link:
            yield link

    @contextmanager
    def migrating(self) -> Iterator[Link]:
        with self._turn.held(TURN_S) as had:
            if not had:
                raise Unavailable(f"{self.describe()} was busy for {TURN_S:.0f} seconds")
            link = self._open_writer()
            link.begin_exclusive()
            try:
                yield link
                link.commit()
            except BaseException:
                link.rollback()
                raise

    def was_committed(self, lost: CommitLost) -> bool:
        raise lost

    def describe(self) -> str:
        return str(self._address)

    def close(self) -> None:
        self._readers.close()
        with self._turn.held(TURN_S):
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _open_writer(self) -> SqliteLink:
        """Under the lock. A file's connection that could not roll back is replaced."""
        self._check_open()
        if self._writer is not None and not self._writer.usable:
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._writer = SqliteLink(self._address)
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"{self.describe()} is closed")


def split(sql: str) -> Iterator[str]:
    """The statements of a file."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def translated(error: sqlite3.Error, address: Sqlite) -> Exception:
    """What the error means for the unit."""
    name: str = getattr(error, "sqlite_errorname", "")
    if name in _KEYS:
        return Duplicate(str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintViolated(str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Repeat(f"{address} is locked by another process")
    if "no such table" in str(error):
        return NoSuchTable(str(error))
    if name == "SQLITE_CANTOPEN":
        return Unavailable(
            f"{address} cannot be opened; does its folder exist, and may this user write there?"
        )
    if isinstance(error, sqlite3.DatabaseError) and name != "SQLITE_ERROR":
        return Unavailable(f"{address} does not work: {error}")
    return ConstraintViolated(str(error))


def _check_version() -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise Unavailable(
            f"this Python has SQLite {sqlite3.sqlite_version}, Noonday needs {wanted} or newer; "
            "use a newer Python, or MySQL"
        )
