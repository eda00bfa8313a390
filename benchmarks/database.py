"""What a run costs the database server: its processor, its log and its space, from the sweep to the end.

    python -m benchmarks.database mysql://root@127.0.0.1:3306/bench [JOBS]

The database is made anew. Time of the server's processor is read from /proc, so the server runs on this
machine; it hardly depends on what else runs there, which speeds do. Targets do nothing here, and what they
and their clients cost is another matter: what is left is what a class of RDS has to bear.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql

from benchmarks.engine import insert
from chalicelib.engine.housekeeping import tidy_tonight
from chalicelib.engine.launch import launch_started
from chalicelib.engine.ports import HandedOut
from chalicelib.store import open_store
from tests.engine.builders import a_job
from tests.engine.world import MINUTE, NOON, World

JOBS = 5_000
LAUNCHED = 50
"""Of one event of the queue: five messages of ten."""
ENDED = 5
"""Of one event: five messages of one, for each end is announced by an event of its own."""
AT_A_TIME = 1_000
YEAR = 366 * 24 * 60 * MINUTE
NIGHT_S = 900


@dataclass(frozen=True, slots=True)
class Spent:
    """``cpu_s``: of the server; ``log_bytes``: written to its redo log."""

    seconds: float
    cpu_s: float
    statements: int
    log_bytes: int


class Server:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.database = parts.path.strip("/")
        self._at: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or 3306,
            "user": parts.username or "root",
            "password": parts.password or "",
            "autocommit": True,
            "ssl_disabled": True,
        }
        self._pid = int(Path(self.ask("SELECT @@pid_file")[0][0]).read_text("ascii"))

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        with closing(pymysql.connect(**self._at)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def spent(self) -> Spent:
        fields = Path(f"/proc/{self._pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        rows = self.ask("SHOW GLOBAL STATUS")
        status = {str(name): value for name, value in rows}
        return Spent(
            time.perf_counter(),
            ticks / os.sysconf("SC_CLK_TCK"),
            int(status["Questions"]),
            int(status["Innodb_os_log_written"]),
        )

    def measure(self, work: Callable[[], None]) -> Spent:
        before = self.spent()
        work()
        after = self.spent()
        return Spent(
            after.seconds - before.seconds,
            after.cpu_s - before.cpu_s,
            after.statements - before.statements,
            after.log_bytes - before.log_bytes,
        )

    def stored(self) -> int:
        for (table,) in self.ask(f"SHOW TABLES FROM {self.database}"):
            self.ask(f"ANALYZE TABLE {self.database}.{table}")
        rows = self.ask(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables"  # noqa: S608
            f" WHERE table_schema = '{self.database}'"
        )
        return int(rows[0][0])


def jobs(world: World, number: int) -> None:
    """All due at the same minute, as at a full hour."""
    for first in range(0, number, AT_A_TIME):
        rows = [
            a_job(
                {
                    "name": f"job-{one}",
                    "schedule": {"frequency": "DAILY", "start": "2026-01-01T12:01:00Z"},
                    "target": {"kind": "started"},
                    "policies": {"retention": {"age": "P30D"}},
                },
                id=f"{one:032x}",
                name=f"job-{one}",
                wake_ms=NOON + MINUTE,
            )
            for one in range(first, min(first + AT_A_TIME, number))
        ]
        world.engine.store.transact(lambda tx, rows=rows: insert(tx, rows))  # type: ignore[misc]


def events(world: World, size: int) -> Iterator[Sequence[HandedOut]]:
    handed = [one for _, one in world.queue.messages]
    world.queue.messages.clear()
    for first in range(0, len(handed), size):
        yield handed[first : first + size]


def main(arguments: Sequence[str]) -> int:
    url = arguments[0]
    number = int(arguments[1]) if len(arguments) > 1 else JOBS
    server = Server(url)
    server.ask(f"DROP DATABASE IF EXISTS {server.database}")
    server.ask(f"CREATE DATABASE {server.database} CHARACTER SET utf8mb4")
    with closing(open_store(url)) as store:
        store.migrate(NOON)
        world = World(store)
        jobs(world, number)
        world.clock.now = NOON + MINUTE
        before = server.stored()
        say("", "runs a second", "server ms a run", "statements a run", "log bytes a run")
        total, kept = 0.0, 0.0
        for name, work in (
            ("sweep", world.minute),
            ("launch", lambda: launched(world, LAUNCHED)),
            ("poll: sweep", lambda: later(world)),
            ("end", lambda: launched(world, ENDED)),
            ("purge, a job each", lambda: purged(world)),
        ):
            spent = server.measure(work)
            total += spent.cpu_s
            kept = max(kept, (server.stored() - before) / number)
            say(
                name,
                f"{number / spent.seconds:,.0f}",
                f"{spent.cpu_s / number * 1000:.2f}",
                f"{spent.statements / number:.2f}",
                f"{spent.log_bytes / number:,.0f}",
            )
        version = server.ask("SELECT VERSION()")[0][0]
    say("together", "", f"{total / number * 1000:.2f}")
    sys.stdout.write(f"\n{number:,} runs on {version}; each keeps {kept:,.0f} bytes\n")
    return 0


def launched(world: World, size: int) -> None:
    for event in events(world, size):
        launch_started(world.engine, event)


def purged(world: World) -> None:
    """The night after next year's retention: every job has one run that goes."""
    world.clock.now += YEAR
    if not tidy_tonight(world.engine, seconds=NIGHT_S):
        raise RuntimeError("nothing was purged")


def later(world: World) -> None:
    world.clock.now += MINUTE
    world.minute()


def say(*cells: str) -> None:
    sys.stdout.write("  ".join(f"{cell:>17}" for cell in cells) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
