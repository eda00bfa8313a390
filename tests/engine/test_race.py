"""Processes that race for one slot: never two in it, nobody forgotten.

``NOONDAY_TEST_RACE=10000 pytest tests/engine/test_race.py`` races so many times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.commands import schedule, set_group, submit
from chalicelib.engine.filters import InstanceFilter
from chalicelib.model.instance import Instance
from chalicelib.store import SqlStore, open_store
from tests.engine.racer import Racer
from tests.engine.world import ADMIN, World, a_definition

PROCESSES = 8
RACES = int(os.environ.get("NOONDAY_TEST_RACE", "80"))

LIMITS: dict[str, tuple[int, dict[str, Any]]] = {
    "job": (1, {"overlap": "queue"}),
    "group": (PROCESSES, {"overlap": "allow", "group": "one"}),
}


def submitted(store: SqlStore, count: int, policies: dict[str, Any]) -> list[str]:
    """Jobs that fire only when they are asked to."""
    world = World(store)
    set_group(world.engine, ADMIN, "one", 1)
    names = [f"job-{number}" for number in range(count)]
    for name in names:
        definition = a_definition(
            name=name,
            schedule={"at": "2126-01-01T00:00:00"},
            target={"kind": "started"},
            policies=policies,
        )
        submit(world.engine, ADMIN, definition)
        schedule(world.engine, ADMIN, name)
    return names


def race(url: str, folder: Path, jobs: list[str]) -> int:
    """How many instances were asked for."""
    rounds = max(1, RACES // PROCESSES)
    with ExitStack() as racing:
        racers = [
            racing.enter_context(_racer(url, folder, number, rounds, jobs))
            for number in range(1, PROCESSES + 1)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        assert [racer.wait(timeout=3000) for racer in racers] == [0] * PROCESSES
    return rounds * PROCESSES


def _racer(
    url: str, folder: Path, number: int, rounds: int, jobs: list[str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.engine.racer", url, str(folder)]
    return subprocess.Popen(
        [*command, str(number), str(rounds), *jobs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("kind", ["sqlite-file", "mariadb", "mysql"])
def test_one_slot_holds_one(
    kind: str, limit: str, empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = empty_url(kind)
    with closing(open_store(url)) as store:
        store.migrate(0)
        jobs = submitted(store, *LIMITS[limit])
        asked = race(url, tmp_path, jobs)
        last = Racer(store, tmp_path, PROCESSES + 1)
        while last.work():
            pass
        ran = (tmp_path / "ran").read_text().splitlines()
        assert not (tmp_path / "met").exists()
        assert [token for token, count in Counter(ran).items() if count > 1] == []
        assert len(ran) == asked
        assert states(store) == {"SUCCEEDED": asked}


def states(store: SqlStore) -> dict[str, int]:
    counts: Counter[str] = Counter()
    wanted = InstanceFilter(limit=500)
    while page := _page(store, wanted):
        counts.update(one.state for one in page)
        wanted = replace(wanted, after=page[-1].id)
    return dict(counts)


def _page(store: SqlStore, wanted: InstanceFilter) -> Sequence[Instance]:
    return store.read(lambda reader: reader.instances(wanted, None))
