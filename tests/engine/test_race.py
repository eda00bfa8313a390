"""Eight processes race for one slot of a job, and for one of a group that several jobs share: never two in
it, nobody forgotten; also when all of them are killed at any moment, again and again.

``make test-race`` races ten thousand times.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.commands import schedule, set_group, submit
from chalicelib.engine.filters import InstanceFilter
from chalicelib.model.identity import run_token
from chalicelib.model.instance import Instance
from chalicelib.model.states import IN_FLIGHT
from chalicelib.store import SqlStore, open_store
from tests.engine.racer import PROCESSES, STAGE_MS, Racer
from tests.engine.world import ADMIN, World, a_definition

ROOT = Path(__file__).resolve().parents[2]
RACES = int(os.environ.get("NOONDAY_TEST_RACE", "80"))
STAGES = 3 if RACES < 1000 else 30
KINDS = ("sqlite-file", "mariadb", "mysql")
# All asked for what one at a time may have: of a job, and of a group.
ALONE = ("alone",)
SHARED = tuple(f"shared-{number}" for number in range(PROCESSES))


def submit_jobs(store: SqlStore) -> None:
    """Jobs that fire only when they are asked to; half of those that share the group are inline."""
    world = World(store)
    set_group(world.engine, ADMIN, "one", 1)
    for number, name in enumerate((*ALONE, *SHARED)):
        kind = "inline" if number % 2 == 0 else "started"
        alone: dict[str, Any] = {"overlap": "queue"}
        definition = a_definition(
            name=name,
            schedule={"at": "2126-01-01T00:00:00"},
            target={"kind": kind, "place": "job" if name in ALONE else "group"},
            policies=alone if name in ALONE else {"overlap": "allow", "group": "one"},
        )
        submit(world.engine, ADMIN, definition)
        schedule(world.engine, ADMIN, name)


def race(url: str, folder: Path, *, rounds: int, stages: int) -> None:
    command = [sys.executable, "-m", "tests.engine.racer", url, str(folder), str(rounds)]
    done = subprocess.run(
        [*command, str(stages), ",".join(ALONE), ",".join(SHARED)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=7200,
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Record:
    """What the places saw, and nothing that the scheduler says of itself."""

    met: Sequence[str]
    ran: Counter[str]

    @classmethod
    def of(cls, folder: Path) -> Record:
        return cls(_lines(folder / "met"), Counter(_lines(folder / "ran")))

    @property
    def repeated(self) -> int:
        return sum(count - 1 for count in self.ran.values())


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def drain(store: SqlStore, folder: Path, later_ms: int) -> None:
    """Whatever is left, by one who comes after all of them, and after the server has seen who is dead."""
    unended = InstanceFilter(state=("WAITING", *IN_FLIGHT), limit=10_000)
    ids = [one.id for one in _page(store, unended)]
    store.transact(
        lambda tx: tx.lock_instances(ids)
    )  # what the dead have locked is skipped, not waited for
    last = Racer(store, folder, 10_000, later_ms=later_ms)
    while last.work():
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_one_slot_holds_one(kind: str, empty_url: Callable[[str], str], tmp_path: Path) -> None:
    url = empty_url(kind)
    rounds = max(1, RACES // PROCESSES)
    with closing(open_store(url)) as store:
        submit_jobs(store)
        began = time.monotonic()
        race(url, tmp_path, rounds=rounds, stages=0)
        seconds = time.monotonic() - began
        drain(store, tmp_path, 0)
        record = Record.of(tmp_path)
        waited = sum(map(int, _lines(tmp_path / "waited")))
        asked = 2 * rounds * PROCESSES
        print(f"{kind}: {asked} runs in {seconds:.0f} s, {waited} had to wait")  # noqa: T201
        assert record.met == []
        assert (len(record.ran), record.repeated) == (asked, 0)
        assert ended(store, record) == {"SUCCEEDED": asked}
        assert waited > asked / 10, "hardly anybody was in anybody's way: that was no race"


@pytest.mark.parametrize("kind", KINDS)
def test_the_killed_leave_the_slot_to_one(
    kind: str, empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = empty_url(kind)
    with closing(open_store(url)) as store:
        submit_jobs(store)
        race(url, tmp_path, rounds=0, stages=STAGES)
        drain(store, tmp_path, STAGES * STAGE_MS)
        record = Record.of(tmp_path)
        killed = STAGES * PROCESSES
        print(f"{kind}: {killed} killed, {len(record.ran)} runs, {record.repeated} repeated")  # noqa: T201
        assert record.met == []
        assert record.repeated <= killed
        assert set(ended(store, record)) == {"SUCCEEDED"}


def ended(store: SqlStore, record: Record) -> dict[str, int]:
    """How many ended how; all that succeeded were in their place, and nobody else was."""
    counts: Counter[str] = Counter()
    tokens = set()
    wanted = InstanceFilter(limit=500)
    while page := _page(store, wanted):
        counts.update(one.state for one in page)
        tokens |= {run_token(one.id, one.run) for one in page}
        wanted = replace(wanted, after=page[-1].id)
    assert {line.split()[1] for line in record.ran} == tokens
    return dict(counts)


def _page(store: SqlStore, wanted: InstanceFilter) -> Sequence[Instance]:
    return store.read(lambda reader: reader.instances(wanted, None))
