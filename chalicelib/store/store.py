"""The ``Store`` port: units of work, run until they are committed or cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.errors import Unavailable
from chalicelib.store.driver import Driver, Link
from chalicelib.store.failures import CommitLost, Full, Repeat
from chalicelib.store.migrations import check_schema, migrate, newest, schema_version
from chalicelib.store.reader import SqlReader
from chalicelib.store.session import Session
from chalicelib.store.transaction import SqlTransaction

T = TypeVar("T")

PAUSES_S = (0.0, 0.01, 0.05, 0.25)
"""How long to wait before each repetition of a unit; after the last one the store is unavailable."""
FULL_S = 0.5
"""At least, where there was no connection to be had: a unit takes some hundredths of a second."""


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


class SqlStore:
    """Jobs, instances and all that stands beside them, in one SQL database. Safe for threads.

    A unit may be run several times, and what it did is undone each time but the last: deadlocks and
    lost connections repeat the whole of it.
    """

    def __init__(self, driver: Driver, *, pause: Callable[[float], None] = _pause) -> None:
        self._driver = driver
        self._pause = pause
        self._schema_fits = False
        self._inside = threading.local()

    def __repr__(self) -> str:
        return f"SqlStore({self.describe()})"

    @property
    def inside(self) -> bool:
        """Whether this thread is in a unit, which has a connection to itself."""
        return bool(getattr(self._inside, "unit", False))

    def describe(self) -> str:
        """The database's URL, for people; it never holds a secret."""
        return self._driver.describe()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self._repeated(lambda: self._write(work))

    def read(self, work: Callable[[Reader], T]) -> T:
        return self._repeated(lambda: self._read(work))

    def database_now_ms(self) -> int:
        def ask() -> int:
            with self._driver.reading() as link:
                [[now_ms]] = link.query(self._driver.statements.text("database_now", {}), {})
                return int(now_ms)

        return self._repeated(ask)

    def migrate(self, now_ms: int) -> Sequence[str]:
        """Bring the schema up to this program; the names of the files that were applied.

        Raises:
            Unavailable: the database cannot be reached.
        """
        return self._repeated(lambda: migrate(self._driver, now_ms))

    def schema(self) -> tuple[int, int]:
        """The version of the schema, and the one that this program makes; 0 where there is none."""

        def ask() -> tuple[int, int]:
            with self._driver.reading() as link:
                return schema_version(self._driver, link), newest(self._driver)

        return self._repeated(ask)

    def close(self) -> None:
        """Give the connections back. A unit that comes later finds the store unavailable, or opens anew."""
        self._driver.close()

    def _write(self, work: Callable[[Transaction], T]) -> T:
        result: list[T] = []
        try:
            with self._driver.writing() as link:
                self._commit(link, work, result)
        except CommitLost as lost:
            if not self._driver.was_committed(lost):
                raise
        return result[0]

    def _commit(self, link: Link, work: Callable[[Transaction], T], result: list[T]) -> None:
        try:
            link.begin(write=True)
            self._check_schema(link)
            session = Session(link, self._driver.statements)
            result.append(work(SqlTransaction(session)))
            session.check()
            link.commit()
        except BaseException:
            link.rollback()
            raise

    def _read(self, work: Callable[[Reader], T]) -> T:
        with self._driver.reading() as link:
            try:
                link.begin(write=False)
                self._check_schema(link)
                session = Session(link, self._driver.statements)
                result = work(SqlReader(session))
                session.check()
            finally:
                link.rollback()
        return result

    def _check_schema(self, link: Link) -> None:
        """Once it fits, it stays so: later versions expand before they contract."""
        if not self._schema_fits:
            check_schema(self._driver, link)
            self._schema_fits = True

    def _repeated(self, attempt: Callable[[], T]) -> T:
        with self._alone():
            for pause_s in PAUSES_S:
                try:
                    return attempt()
                except Full:
                    self._pause(max(pause_s, FULL_S))
                except Repeat:
                    self._pause(pause_s)
            try:
                return attempt()
            except Repeat as failure:
                raise Unavailable(f"{self.describe()}: {failure}; nothing was changed") from failure

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A unit inside a unit would wait for the locks of the outer one for ever."""
        if self.inside:
            raise RuntimeError("a unit of work uses the transaction it was given, not the store")
        self._inside.unit = True
        try:
            yield
        finally:
            self._inside.unit = False
