"""A SQLite store that counts what it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

from chalicelib.store import SqlStore
from chalicelib.store.address import Sqlite
from chalicelib.store.driver import Link, Parameters, Row
from chalicelib.store.sqlite import SqliteDriver


@dataclass
class Counts:
    statements: int = 0
    commits: int = 0

    def since(self, before: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    def copy(self) -> Counts:
        return Counts(self.statements, self.commits)


class CountingLink:
    def __init__(self, link: Link, counts: Counts) -> None:
        self._link = link
        self._counts = counts
        self._writes = False

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        self._counts.statements += 1
        return self._link.query(sql, parameters)

    def change(self, sql: str, parameters: Parameters) -> int:
        self._counts.statements += 1
        return self._link.change(sql, parameters)

    def script(self, sql: str) -> None:
        self._link.script(sql)

    def begin(self, *, write: bool) -> None:
        self._link.begin(write=write)

    def commit(self) -> None:
        self._counts.commits += 1
        self._link.commit()

    def rollback(self) -> None:
        self._link.rollback()


class CountingDriver(SqliteDriver):
    def __init__(self, address: Sqlite, counts: Counts) -> None:
        super().__init__(address)
        self._counts = counts

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with super().writing() as link:
            yield CountingLink(link, self._counts)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        with super().reading() as link:
            yield CountingLink(link, self._counts)


def counting_store(address: Sqlite) -> tuple[SqlStore, Counts]:
    counts = Counts()
    return SqlStore(CountingDriver(address, counts)), counts
