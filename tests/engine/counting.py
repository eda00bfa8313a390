"""A driver that counts the statements that pass through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chalicelib.store import SqlStore
from chalicelib.store.driver import Driver, Link, Parameters, Row
from chalicelib.store.failures import CommitLost


class _Counted:
    def __init__(self, link: Link, driver: CountingDriver) -> None:
        self._link = link
        self._driver = driver
        self.begin = link.begin
        self.commit = link.commit
        self.rollback = link.rollback
        self.script = link.script

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        self._driver.count += 1
        return self._link.query(sql, parameters)

    def change(self, sql: str, parameters: Parameters) -> int:
        self._driver.count += 1
        return self._link.change(sql, parameters)


class CountingDriver:
    """``count``: statements since it was last set to nought. BEGIN and COMMIT are none."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.count = 0
        self.dialect = driver.dialect
        self.statements = driver.statements

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with self._driver.writing() as link:
            yield _Counted(link, self)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        with self._driver.reading() as link:
            yield _Counted(link, self)

    def migrating(self) -> Any:
        return self._driver.migrating()

    def was_committed(self, lost: CommitLost) -> bool:
        return self._driver.was_committed(lost)

    def describe(self) -> str:
        return self._driver.describe()

    def close(self) -> None:
        self._driver.close()


def counted(store: SqlStore) -> tuple[SqlStore, CountingDriver]:
    """The same database behind a driver that counts."""
    driver = CountingDriver(store._driver)
    counting = SqlStore(driver)
    counting.read(lambda _: None)
    return counting, driver
