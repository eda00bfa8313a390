"""What the engine costs: statements and commits of a sweep and of a launch, and launches a second.

Statements and commits are the same on every machine. Speeds are shown beside what a bare commit costs on
the same disk, since a launch is made of commits. Targets do nothing here.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.counting import Counts, counting_store
from chalicelib.engine.inline import run_inline
from chalicelib.engine.launch import launch_started
from chalicelib.engine.ports import Lane, Transaction
from chalicelib.model.instants import parse_instant, zone
from chalicelib.model.job import Job
from chalicelib.store.address import Sqlite
from tests.engine.builders import a_job
from tests.engine.world import MINUTE, NOON, World

MANY = 1000
BATCH = 100


@dataclass
class Measured:
    seconds: float
    counts: Counts


class Bench:
    """A world on a file, with jobs in it that are all due a minute from now."""

    def __init__(self, folder: Path, jobs: int, kind: str = "inline", *, due: bool = True) -> None:
        self.jobs = jobs
        store, self.counts = counting_store(Sqlite(folder / f"{kind}-{jobs}-{due}.db"))
        store.migrate(NOON)
        self.store = store
        self.world = World(store)
        start = "2026-01-01T12:01:00Z" if due else "2026-06-01T00:00:00Z"
        wake_ms = NOON + MINUTE if due else parse_instant(start, zone("UTC"))
        rows = [
            a_job(
                {
                    "name": f"job-{number}",
                    "schedule": {"frequency": "DAILY", "start": start},
                    "target": {"kind": kind},
                },
                id=f"{number:032x}",
                name=f"job-{number}",
                wake_ms=wake_ms,
            )
            for number in range(jobs)
        ]
        store.transact(lambda tx: insert(tx, rows))
        self.world.clock.now = NOON + MINUTE

    def deliver(self) -> None:
        """As the queues do: started kinds in batches, inline ones alone."""
        messages = self.world.queue.messages
        while messages:
            batch = [handed for lane, handed in messages[:BATCH] if lane is Lane.LAUNCH]
            if batch:
                launch_started(self.world.engine, batch)
                del messages[: len(batch)]
            else:
                run_inline(self.world.engine, messages.pop(0)[1])

    def measure(self, work: Callable[[], None]) -> Measured:
        before, begin = self.counts.copy(), time.perf_counter()
        work()
        return Measured(time.perf_counter() - begin, self.counts.since(before))


def insert(tx: Transaction, rows: Sequence[Job]) -> None:
    for row in rows:
        tx.insert_job(row)


@contextmanager
def bench(jobs: int, kind: str = "inline", *, due: bool = True) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder), jobs, kind, due=due)
        try:
            yield made
        finally:
            made.store.close()


def bare_commit_s(folder: Path) -> float:
    """One row, one durable commit, by SQLite alone, set up as the store sets it up: the median of many."""
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
    taken = []
    for number in range(MANY):
        begin = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 200))
        database.execute("COMMIT")
        taken.append(time.perf_counter() - begin)
    database.close()
    return statistics.median(taken)


def sweeps() -> None:
    say("a sweep", "jobs stored", "jobs due", "statements", "commits", "ms")
    for jobs, due in (
        (0, False),
        (MANY, False),
        (10 * MANY, False),
        (1, True),
        (100, True),
        (MANY, True),
    ):
        with bench(jobs, due=due) as made:
            measured = made.measure(made.world.minute)
            say(
                "idle" if not due else "busy",
                jobs,
                jobs if due else 0,
                measured.counts.statements,
                measured.counts.commits,
                f"{measured.seconds * 1000:.1f}",
            )


def launches(commit_s: float) -> None:
    say(
        "An instance",
        "at once",
        "statements each",
        "commits each",
        "a second",
        "bare commits' worth",
    )
    for kind in ("inline", "started"):
        for jobs in (1, MANY):
            with bench(jobs, kind) as made:
                made.world.minute()
                measured = made.measure(made.deliver)
                each = measured.seconds / jobs
                say(
                    kind,
                    jobs,
                    f"{measured.counts.statements / jobs:.1f}",
                    f"{measured.counts.commits / jobs:.2f}",
                    f"{1 / each:,.0f}",
                    f"{each / commit_s:.1f}",
                )


def say(*cells: object) -> None:
    sys.stdout.write("  ".join(f"{cell!s:>20}" for cell in cells) + "\n")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        commit_s = bare_commit_s(Path(folder))
    sys.stdout.write(f"a bare commit takes {commit_s * 1000:.2f} ms here\n\n")
    sweeps()
    sys.stdout.write("\n")
    launches(commit_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
