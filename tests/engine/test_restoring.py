"""A backup is restored after time went on: by the procedure of docs/operating-on-aws.md nothing runs twice.

The outside world is one for both lives: what targets were asked before the restore they remember after it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.engine import commands
from chalicelib.engine.outcomes import Running
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore, open_store
from tests.databases import Server
from tests.engine.history import assert_accounted, instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

HOUR = 60 * MINUTE
DUMP = shutil.which("mariadb-dump") or shutil.which("mysqldump")
CLIENT = shutil.which("mariadb") or shutil.which("mysql")

pytestmark = pytest.mark.skipif(
    DUMP is None or CLIENT is None,
    reason="there is no mariadb-dump: apt-get install mariadb-client",
)


class Backup:
    """Of one database, by the programs that administrators use."""

    def __init__(self, server: Server, url: str, file: Path) -> None:
        self._server = server
        self._database = urlsplit(url).path.strip("/")
        self._file = file

    def take(self) -> None:
        with self._file.open("wb") as out:
            command = [str(DUMP), *self._login(), "--single-transaction", self._database]
            subprocess.run(command, stdout=out, check=True)

    def restore(self) -> None:
        self._server.create(self._database)
        with self._file.open("rb") as given:
            subprocess.run([str(CLIENT), *self._login(), self._database], stdin=given, check=True)

    def _login(self) -> list[str]:
        return ["-h", self._server.host, "-P", str(self._server.port), "-u", "root", "--skip-ssl"]


@pytest.fixture
def url(empty_url: Callable[[str], str]) -> str:
    return empty_url("mariadb")


@pytest.fixture
def backup(mariadb: Server, url: str, tmp_path: Path) -> Backup:
    return Backup(mariadb, url, tmp_path / "backup.sql")


@pytest.fixture
def first(url: str) -> Iterator[World]:
    with closing(open_store(url)) as store:
        yield World(store)


def second_life(store: SqlStore, first: World) -> World:
    """Other processes, with empty queues, in the same outside world."""
    world = World(store, now_ms=first.clock.now, ids_from=1_000_000)
    world.targets = first.targets
    object.__setattr__(world.engine, "targets", first.targets)
    return world


def submitted(world: World, name: str, **changes: Any) -> Job:
    definition = a_definition(
        name=name, schedule={"every": "PT10M"}, target={"kind": "started"}, **changes
    )
    job = commands.submit(world.engine, ADMIN, definition, schedule=True)
    assert isinstance(job, Job)
    return job


def launches(world: World, job: Job) -> Counter[str]:
    """How often the target was asked to begin each run of the job."""
    return Counter(
        request.token
        for what, request in world.targets.calls
        if what == "launch" and request.job_id == job.id
    )


def test_nothing_runs_twice_after_a_restore(first: World, backup: Backup, url: str) -> None:
    """``careful`` goes to a target that knows its tokens, ``careless`` to one that does not."""
    careful, careless = submitted(first, "careful"), submitted(first, "careless")
    first.advance(HOUR)
    first.targets.otherwise = Running()  # some are on their way while the backup is taken
    first.advance(10 * MINUTE)
    backup.take()
    taken_ms = first.clock.now
    first.targets.otherwise = type(first.targets)().otherwise
    first.advance(HOUR)  # the lost time: six more of each are launched, and end
    executions = dict(first.targets.executions)
    done = launches(first, careless)
    assert len(done) > 6
    backup.restore()
    with closing(open_store(url)) as store:
        world = second_life(store, first)
        # Paused before anything is connected; nothing begins, whatever rings.
        commands.pause(world.engine, ADMIN, reason="a restored backup")
        before = launches(world, careful) + launches(world, careless)
        world.advance(5 * MINUTE)
        assert launches(world, careful) + launches(world, careless) == before
        # The job whose target knows no tokens: suspended, looked at, skipped, before all goes on.
        commands.suspend(world.engine, ADMIN, careless.id)
        owed = [
            one
            for one in instances_of(store, careless.id)
            if one.state is InstanceState.WAITING and one.nominal_ms <= first.clock.now
        ]
        assert [one.nominal_ms for one in owed] == [
            at for at in range(NOON, first.clock.now + 1, 10 * MINUTE) if at > taken_ms
        ]
        for one in owed:
            commands.skip(world.engine, ADMIN, one.id, reason="it ran before the restore")
        commands.resume_all(world.engine, ADMIN)
        world.deliver()
        world.advance(MINUTE)
        # What the target knows already it was asked for again, and began nothing new.
        again = launches(world, careful)
        assert max(again.values()) == 2
        assert set(world.targets.executions) == set(executions)
        # Nothing of the other was asked for twice.
        assert launches(world, careless) == done
        commands.resume(world.engine, ADMIN, careless.id)
        world.advance(20 * MINUTE)
        assert set(launches(world, careless).values()) == {1}
        fires = range(NOON, world.clock.now + 1, 10 * MINUTE)
        assert_accounted(store, careful.id, list(fires))
        assert_accounted(store, careless.id, list(fires))


def test_without_the_procedure_it_would(first: World, backup: Backup, url: str) -> None:
    """What the pause is for: a restored database that is simply connected asks for all of it again."""
    careless = submitted(first, "careless")
    first.advance(HOUR)
    backup.take()
    first.advance(HOUR)
    backup.restore()
    with closing(open_store(url)) as store:
        world = second_life(store, first)
        world.advance(MINUTE)
        assert max(launches(world, careless).values()) == 2
