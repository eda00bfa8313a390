"""Two threads on one database, one of them held right before its n-th statement while the other runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.model.errors import NoondayError, Unavailable
from chalicelib.store.driver import Driver, Link, Parameters, Row
from chalicelib.store.failures import CommitLost

BLOCKED_S = 0.05
"""Who has not ended by then is taken to wait for a lock; if it was only slow, no harm is done."""
PATIENCE_S = 60
Action = Callable[[], object]


@dataclass
class Gate:
    """Counts the moments of its thread: before each statement of a transaction, and before its commit."""

    moment: int | None = None
    count: int = 0
    units: int = 0
    commits: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def walk_through(self) -> None:
        here, self.count = self.count, self.count + 1
        if here == self.moment:
            self.reached.set()
            assert self.go_on.wait(PATIENCE_S), "nobody lets it go on"


class GatedLink:
    def __init__(self, link: Link, gate: Gate) -> None:
        self._link = link
        self._gate = gate
        self.begin = link.begin
        self.rollback = link.rollback
        self.script = link.script

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        self._gate.walk_through()
        return self._link.query(sql, parameters)

    def change(self, sql: str, parameters: Parameters) -> int:
        self._gate.walk_through()
        return self._link.change(sql, parameters)

    def commit(self) -> None:
        self._gate.walk_through()
        self._link.commit()
        self._gate.commits += 1


class GatedDriver:
    """A driver whose writing threads pass the gates that they brought."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.mine = threading.local()
        self.dialect = driver.dialect
        self.statements = driver.statements
        self.reading = driver.reading
        self.migrating = driver.migrating
        self.describe = driver.describe
        self.close = driver.close

    @contextmanager
    def writing(self) -> Iterator[Link]:
        gate: Gate | None = getattr(self.mine, "gate", None)
        with self._driver.writing() as link:
            if gate is None:
                yield link
            else:
                gate.units += 1
                yield GatedLink(link, gate)

    def was_committed(self, lost: CommitLost) -> bool:
        return self._driver.was_committed(lost)


class Actor:
    """A thread that does one thing. ``said``: done, or the code of the refusal."""

    def __init__(self, driver: GatedDriver, action: Action, moment: int | None = None) -> None:
        self.gate = Gate(moment)
        self.said = ""
        self.broken: BaseException | None = None
        self.ended = threading.Event()
        self._driver = driver
        self._action = action
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "it hangs"

    @property
    def repeats(self) -> int:
        """How often a unit was begun anew, after a deadlock."""
        return self.gate.units - self.gate.commits - (self.said != "done")

    def _run(self) -> None:
        self._driver.mine.gate = self.gate
        try:
            self._action()
            self.said = "done"
        except Unavailable as error:
            self.broken = error
        except NoondayError as error:
            self.said = error.code
        except BaseException as error:  # noqa: BLE001 - told by the other thread
            self.broken = error
        finally:
            self.ended.set()
            self.gate.reached.set()


def together(
    driver: GatedDriver, first: Action, second: Action, moment: int
) -> tuple[Actor, Actor]:
    """Hold the first before that moment, run the second until it ends or waits, let the first go on."""
    one, other = Actor(driver, first, moment), Actor(driver, second)
    one.start()
    assert one.gate.reached.wait(PATIENCE_S)
    other.start()
    other.ended.wait(BLOCKED_S)
    one.gate.go_on.set()
    one.join()
    other.join()
    return one, other


def in_turn(driver: GatedDriver, *actions: Action) -> list[Actor]:
    """One after the other."""
    actors = [Actor(driver, action) for action in actions]
    for actor in actors:
        actor.start()
        actor.join()
    return actors


class Snapshot:
    """All rows of all tables, to begin from the same again."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        with driver.reading() as link:
            tables = link.query(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name <> 'scheduler_writers'",
                {},
            )
            self._rows: dict[str, Sequence[Row]] = {
                str(name): link.query(f"SELECT * FROM {name}", {}) for (name,) in tables
            }

    def restore(self) -> None:
        with self._driver.writing() as link:
            link.begin(write=True)
            for name, rows in self._rows.items():
                link.change(f"DELETE FROM {name}", {})
                if rows:
                    self._insert(link, name, rows)
            link.commit()

    @staticmethod
    def _insert(link: Link, name: str, rows: Sequence[Row]) -> None:
        parameters: dict[str, Any] = {}
        lines = []
        for number, row in enumerate(rows):
            names = [f"v{number}_{place}" for place in range(len(row))]
            parameters |= dict(zip(names, row, strict=True))
            lines.append("(" + ", ".join(f"%({one})s" for one in names) + ")")
        link.change(f"INSERT INTO {name} VALUES {', '.join(lines)}", parameters)
