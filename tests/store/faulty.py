"""A driver that fails on demand: before or after its n-th step, whatever the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from chalicelib.store.driver import Driver, Link, Parameters, Row
from chalicelib.store.failures import CommitLost
from chalicelib.store.statements import Statements

R = TypeVar("R")


class Faults:
    """Counts the steps of all links; raises ``failure`` at step ``at``, once, after doing it or instead."""

    def __init__(self, at: int, failure: Callable[[], BaseException], *, after: bool) -> None:
        self._at = at
        self._failure = failure
        self._after = after
        self.steps = 0

    def step(self, call: Callable[[], R]) -> R:
        self.steps += 1
        if self.steps != self._at:
            return call()
        if self._after:
            call()
        raise self._failure()


class FaultyLink:
    def __init__(self, link: Link, faults: Faults) -> None:
        self._link = link
        self._faults = faults

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        return self._faults.step(lambda: self._link.query(sql, parameters))

    def change(self, sql: str, parameters: Parameters) -> int:
        return self._faults.step(lambda: self._link.change(sql, parameters))

    def script(self, sql: str) -> None:
        self._faults.step(lambda: self._link.script(sql))

    def begin(self, *, write: bool) -> None:
        self._faults.step(lambda: self._link.begin(write=write))

    def commit(self) -> None:
        self._link.commit()

    def rollback(self) -> None:
        self._link.rollback()


class FaultyDriver:
    """The driver it is given, with faults in every statement but COMMIT."""

    def __init__(self, driver: Driver, faults: Faults) -> None:
        self._driver = driver
        self._faults = faults
        self.dialect = driver.dialect
        self.statements: Statements = driver.statements

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with self._driver.writing() as link:
            yield FaultyLink(link, self._faults)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        with self._driver.reading() as link:
            yield FaultyLink(link, self._faults)

    @contextmanager
    def migrating(self) -> Iterator[Link]:
        with self._driver.migrating() as link:
            yield FaultyLink(link, self._faults)

    def was_committed(self, lost: CommitLost) -> bool:
        return self._driver.was_committed(lost)

    def describe(self) -> str:
        return self._driver.describe()

    def close(self) -> None:
        self._driver.close()
