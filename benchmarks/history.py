"""What statistics cost over a million instances, as a multiple of what they cost over a tenth of them.

They are made of the newest ten thousand that ended, so that the multiple has nothing to do with ten: what
grows is the file around them, and with it what is read from the disk instead of from memory.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.counting import Counts, counting_store
from chalicelib.engine import history
from chalicelib.engine.statistics import By
from chalicelib.model.identity import instance_id
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore
from chalicelib.store.address import Sqlite
from tests.engine.builders import a_job, an_instance
from tests.engine.world import ADMIN, MINUTE, NOON, World

JOBS = 10
EACH = 1000  # minutes of history of each job, in one piece
FEW, MANY = 10, 100  # pieces: a hundred thousand instances, and a million
TIMES = 5


@dataclass(frozen=True)
class Question:
    """What somebody asks of the whole history."""

    name: str
    asked: history.Asked
    job: str | None = None


def questions(pieces: int) -> list[Question]:
    whole = history.Asked(from_ms=NOON - pieces * EACH * MINUTE, to_ms=NOON + EACH * MINUTE)
    return [
        Question("of all", whole),
        Question("by job", replace(whole, by=By.JOB)),
        Question("by day", replace(whole, by=By.DAY)),
        Question("of an owner", replace(whole, owner="default")),
        Question("of a tag", replace(whole, tags=(("tier", "gold"),))),
        Question("of a job", whole, "job-3"),
    ]


@contextmanager
def filled(folder: Path, pieces: int) -> Iterator[tuple[SqlStore, Counts]]:
    """A store with so many pieces of history: one is written, the others are earlier copies of it."""
    file = folder / f"history-{pieces}.db"
    store, counts = counting_store(Sqlite(file))
    with closing(store):
        store.migrate(NOON)
        for number in range(JOBS):
            insert_job(store, number)
        with closing(sqlite3.connect(file)) as database, database:
            copy(database, pieces)
        yield store, counts


def insert_job(store: SqlStore, number: int) -> None:
    name, tags = f"job-{number}", {"tier": "gold"} if number < JOBS // 2 else {}
    job = a_job({"name": name, "tags": tags}, id=f"{number:032x}", name=name, wake_ms=None)
    times = [NOON + minute * MINUTE for minute in range(EACH)]
    made = [
        an_instance(
            InstanceState.SUCCEEDED if at % 7 else InstanceState.FAILED,
            id=instance_id(job.id, at),
            job_id=job.id,
            nominal_ms=at,
        )
        for at in times
    ]
    store.transact(lambda tx: tx.insert_job(job))
    store.transact(lambda tx: tx.insert_instances(made))


def copy(database: sqlite3.Connection, pieces: int) -> None:
    """All times of a copy are as much earlier as its nominal time, which its id begins with."""
    names = [row[1] for row in database.execute("PRAGMA table_info(scheduler_job_instances)")]
    shifted = {name: f"{name} - :shift" for name in names if name.endswith("_ms")}
    shifted["id"] = "printf('%012x', nominal_ms - :shift) || substr(id, 13)"
    values = ", ".join(shifted.get(name, name) for name in names)
    for piece in range(1, pieces):
        database.execute(
            f"INSERT INTO scheduler_job_instances ({', '.join(names)}) SELECT {values}"  # noqa: S608
            " FROM scheduler_job_instances WHERE nominal_ms >= :first",
            {"shift": piece * EACH * MINUTE, "first": NOON},
        )


def asked(world: World, counts: Counts, question: Question) -> tuple[int, int, float]:
    """How many instances the answer is made of, its statements, and the median of its seconds."""
    taken = []
    for _ in range(TIMES):
        before, begin = counts.copy(), time.perf_counter()
        answer = history.statistics(world.engine, ADMIN, question.asked, question.job)
        taken.append(time.perf_counter() - begin)
    return answer.statistics.sampled, counts.since(before).statements, statistics.median(taken)


def measured(pieces: int) -> dict[str, tuple[int, int, float]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        filled(Path(folder), pieces) as (store, counts),
    ):
        world = World(store)
        world.clock.now = NOON + EACH * MINUTE
        return {one.name: asked(world, counts, one) for one in questions(pieces)}


def say(*cells: object) -> None:
    sys.stdout.write("  ".join(f"{cell!s:>20}" for cell in cells) + "\n")


def main() -> int:
    few, many = f"{JOBS * EACH * FEW:,}", f"{JOBS * EACH * MANY:,}"
    sys.stdout.write(f"\nstatistics over {many} instances\n\n")
    say("statistics", "made of", "statements", "ms", f"times {few}'s")
    before, after = measured(FEW), measured(MANY)
    for name, (sampled, statements, seconds) in after.items():
        say(
            name,
            f"{sampled:,}",
            statements,
            f"{seconds * 1000:.0f}",
            f"{seconds / before[name][2]:.2f}",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
