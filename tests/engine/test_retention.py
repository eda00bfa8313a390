"""Retention: what ended long ago goes, what protects from doubles stays, whatever dies when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from chalicelib.api.backfill_documents import plan_document
from chalicelib.engine import commands, queries
from chalicelib.engine.commands import Wish
from chalicelib.engine.engine import Chores
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.housekeeping import tidy, tidy_tonight
from chalicelib.engine.outcomes import Failed, Pending, Succeeded
from chalicelib.model.errors import AlreadyExists, NotFound
from chalicelib.model.identity import instance_id, run_token
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.retention import DAY_MS, Retention
from chalicelib.model.states import IN_FLIGHT, JobState
from chalicelib.store import SqlStore
from tests.engine.crashing import Crash, CrashingStore, Fuse
from tests.engine.history import instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, NoArtifacts, World, a_definition

HOUR = 60 * MINUTE
SPAN = {"every": "PT1M", "start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:05:00Z"}
TIMES = [NOON + k * MINUTE for k in range(5)]


@dataclass
class Folders(NoArtifacts):
    """``stuck``: programs that are still at work."""

    there: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    fuse: Fuse = field(default_factory=Fuse)

    def forget(self, tokens: Sequence[str]) -> Sequence[str]:
        self.fuse.burn()
        self.there -= set(tokens) - self.stuck
        self.fuse.burn(done=True)
        return [token for token in tokens if token not in self.stuck]


def with_retention(world: World, *, days: int | None = None, count: int | None = None) -> Folders:
    folders = Folders()
    chores = Chores(Retention(days and days * DAY_MS, count))
    world.engine = replace(world.engine, artifacts=folders, chores=chores)
    return folders


def ran(world: World, **changes: object) -> Job:
    """A job of five minutes, all of them over."""
    job = commands.submit(
        world.engine, ADMIN, a_definition(schedule=SPAN, **changes), schedule=True
    )
    assert isinstance(job, Job)
    world.advance_to(NOON + 6 * MINUTE)
    return job


def nights(world: World, days: int) -> None:
    """The same hour so many days later; then as many minutes as housekeeping needs."""
    world.clock.now = NOON + days * DAY_MS
    world.minute()
    while world.engine.chores.unfinished:
        world.clock.now += MINUTE
        world.minute()


def left(world: World, job: Job) -> list[int]:
    return [one.nominal_ms for one in instances_of(world.engine.store, job.id)]


def purged(world: World, job: Job) -> list[tuple[int, int]]:
    found = skips_of(world.engine.store, job.id)
    return [(one.from_ms, one.to_ms) for one in found if one.reason == "PURGED"]


def leftovers(store: SqlStore) -> Sequence[str]:
    return store.read(lambda reader: reader.leftovers("", 1000))


def test_by_age_all_goes_but_the_last_success(world: World) -> None:
    folders = with_retention(world, days=30)
    job = ran(world)
    folders.there = {run_token(instance_id(job.id, at), 1) for at in TIMES}
    nights(world, 30)
    assert left(world, job) == TIMES
    nights(world, 31)
    assert left(world, job) == TIMES[-1:]
    assert purged(world, job) == [(TIMES[0], TIMES[3] + 1)]
    assert folders.there == {run_token(instance_id(job.id, TIMES[-1]), 1)}
    assert leftovers(world.engine.store) == []  # type: ignore[arg-type]


def test_a_failure_is_no_reason_to_lose_the_last_success(world: World) -> None:
    with_retention(world, days=30)
    world.targets.run_outcomes = [Succeeded(), Succeeded(), *[Failed("no", retry=False)] * 3]
    job = ran(world)
    nights(world, 31)
    assert left(world, job) == [TIMES[1]]


def test_by_count_the_newest_stay_and_whatever_ended_today(world: World) -> None:
    with_retention(world, count=2)
    job = ran(world)
    world.clock.now = NOON + HOUR
    world.minute()
    assert left(world, job) == TIMES
    nights(world, 2)
    assert left(world, job) == TIMES[-2:]


def test_the_jobs_own_words_come_first(world: World) -> None:
    with_retention(world, days=1, count=1)
    job = ran(world, policies={"retention": {"age": "P90D", "count": 4}})
    nights(world, 60)
    assert left(world, job) == TIMES[1:]
    nights(world, 91)
    assert left(world, job) == TIMES[-1:]


def test_without_retention_nothing_goes(world: World) -> None:
    job = ran(world)
    nights(world, 5000)
    assert left(world, job) == TIMES


def test_what_was_purged_is_not_launched_again_unless_all_is_asked_for(world: World) -> None:
    with_retention(world, days=1)
    world.targets.run_outcomes = [Failed("no", retry=False)]
    job = ran(world)
    commands.rerun(world.engine, ADMIN, instance_id(job.id, TIMES[0]))
    world.deliver()
    nights(world, 3)
    with pytest.raises(AlreadyExists, match="was purged"):
        commands.trigger(world.engine, ADMIN, job.id, nominal_ms=TIMES[0])
    wish = Wish(from_ms=TIMES[0], to_ms=TIMES[3] + 1, reprocess="failed")
    plan = commands.plan_backfill(world.engine, ADMIN, job.id, wish)
    assert [one.action for one in plan.items] == ["exists"] * 4
    assert [one.purged_run for one in plan.items] == [2] * 4
    told = plan_document(plan, limit=10, cursor=None)
    assert (told.exists, told.purged) == (4, 4)
    assert [(one.state, one.purged) for one in told.items] == [(None, True)] * 4
    before = dict(world.targets.executions)
    again = replace(wish, reprocess="all")
    commands.create_backfill(world.engine, ADMIN, job.id, again)
    world.advance(5 * MINUTE)
    assert left(world, job) == TIMES
    assert {one.run for one in instances_of(world.engine.store, job.id)[:4]} == {3}
    new = set(world.targets.executions) - set(before)
    assert new == {run_token(instance_id(job.id, at), 3) for at in TIMES[:4]}
    nights(world, 9)
    [span] = skips_of(world.engine.store, job.id)
    assert (span.from_ms, span.to_ms, span.run) == (TIMES[0], TIMES[3] + 1, 3)


def test_what_a_backfill_is_about_stays_until_it_has_ended(world: World) -> None:
    with_retention(world, days=1)
    job = ran(world)
    wish = Wish(from_ms=TIMES[0], to_ms=TIMES[1] + 1, reprocess="all", overlap="queue")
    view = commands.create_backfill(world.engine, ADMIN, job.id, wish)
    world.clock.now = NOON + 3 * DAY_MS
    tidy(world.engine)  # before the sweep looks at the backfill
    assert left(world, job) == [*TIMES[:2], TIMES[-1]]
    world.minute()
    world.advance(5 * MINUTE)
    assert view is not None
    nights(world, 5)
    assert left(world, job) == TIMES[-1:]


def test_open_instances_stay(world: World) -> None:
    with_retention(world, days=1)
    world.targets.otherwise = Pending()
    job = ran(world, target={"kind": "started"}, policies={"timeouts": {"run": "P300D"}})
    nights(world, 5)
    assert left(world, job) == TIMES
    assert {one.state for one in instances_of(world.engine.store, job.id)} <= IN_FLIGHT


def test_a_deleted_job_goes_as_a_whole(world: World) -> None:
    with_retention(world, days=10)
    job = ran(world)
    commands.delete(world.engine, ADMIN, job.id)
    nights(world, 9)
    assert queries.job(world.engine, ADMIN, job.id).state is JobState.DELETED
    nights(world, 11)
    with pytest.raises(NotFound):
        queries.job(world.engine, ADMIN, job.id)
    store = world.engine.store
    wanted = EventFilter(job_id=job.id, limit=10)
    assert store.read(lambda reader: reader.events(wanted, None)) == []
    assert skips_of(store, job.id) == []
    assert store.read(lambda reader: reader.revisions(job.id, None, 100)) == []


def test_files_that_cannot_go_yet_go_later(world: World) -> None:
    folders = with_retention(world, days=1)
    job = ran(world)
    token = run_token(instance_id(job.id, TIMES[0]), 1)
    folders.there = folders.stuck = {token}
    nights(world, 3)
    assert leftovers(world.engine.store) == [token]  # type: ignore[arg-type]
    folders.stuck = set()
    nights(world, 4)
    assert folders.there == set()
    assert leftovers(world.engine.store) == []  # type: ignore[arg-type]


def test_much_is_done_bit_by_bit_and_an_idle_minute_asks_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.engine.housekeeping.Budget.__init__.__defaults__", (2, 1))
    with_retention(world, days=1)
    job = ran(world)
    world.clock.now = NOON + 3 * DAY_MS
    counts = []
    for _ in range(9):
        world.minute()
        counts.append(len(left(world, job)))
        world.clock.now += MINUTE
    assert counts[0] > 1
    assert counts[-1] == 1
    assert not world.engine.chores.unfinished


def test_jobs_with_nothing_to_purge_cost_no_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.engine.housekeeping.Budget.__init__.__defaults__", (4, 10))
    with_retention(world, days=1)
    idle = {"schedule": {"every": "PT1H", "start": "2030-01-01T00:00:00Z"}}
    for number in range(20):
        commands.submit(world.engine, ADMIN, a_definition(name=f"idle-{number}", **idle))
    job = ran(world)
    world.clock.now = NOON + 3 * DAY_MS
    world.minute()
    assert left(world, job) == TIMES[-1:]
    assert not world.engine.chores.unfinished


def test_a_long_backfill_does_not_keep_what_lies_behind_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one row a batch and few batches a minute: what stays is passed over, not walked through."""
    monkeypatch.setattr("chalicelib.engine.housekeeping.Budget.__init__.__defaults__", (4, 1))
    with_retention(world, days=1)
    job = ran(world)
    wish = Wish(from_ms=TIMES[0], to_ms=TIMES[2] + 1, reprocess="none", overlap="queue")
    commands.create_backfill(world.engine, ADMIN, job.id, wish)
    world.clock.now = NOON + 3 * DAY_MS
    tidy(world.engine)
    assert left(world, job) == [*TIMES[:3], TIMES[-1]]


@pytest.mark.parametrize("scheduled", [False, True], ids=["never scheduled", "suspended"])
def test_what_the_schedule_has_yet_to_pass_stays(world: World, scheduled: bool) -> None:
    """A range of what was purged would lie where the schedule then puts ranges of its own, or it would run
    what has run."""
    with_retention(world, days=1)
    definition = a_definition(schedule={**SPAN, "end": None}, policies={"catch_up": {"limit": 1}})
    world.clock.now = NOON - MINUTE
    job = commands.submit(world.engine, ADMIN, definition, schedule=scheduled)
    assert isinstance(job, Job)
    if scheduled:
        commands.suspend(world.engine, ADMIN, job.id)
    world.advance_to(NOON + 6 * MINUTE)
    commands.trigger(world.engine, ADMIN, job.id, nominal_ms=TIMES[0])
    commands.trigger(world.engine, ADMIN, job.id, nominal_ms=TIMES[2])
    commands.trigger(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    nights(world, 3)
    assert left(world, job)[:2] == [TIMES[0], TIMES[2]]
    verb = commands.resume if scheduled else commands.schedule
    verb(world.engine, ADMIN, job.id)
    world.advance(2 * MINUTE)
    runs = {one.nominal_ms: one.run for one in instances_of(world.engine.store, job.id)}
    assert (runs[TIMES[0]], runs[TIMES[2]]) == (1, 1)
    nights(world, 6)
    assert TIMES[0] not in left(world, job)
    ranges = sorted((one.from_ms, one.to_ms) for one in skips_of(world.engine.store, job.id))
    assert all(first[1] <= second[0] for first, second in pairwise(ranges))
    assert (TIMES[0], TIMES[0] + 1) in purged(world, job)


@pytest.mark.parametrize("database", ["sqlite-memory", "mariadb"])
def test_dying_anywhere_loses_no_mark_and_leaves_no_file(
    database: str, open_empty: Callable[[str], SqlStore]
) -> None:
    store = open_empty(database)

    def live(number: int, fuse: Fuse) -> None:
        world = World(store, ids_from=1 + number * 1_000_000)
        folders = with_retention(world, days=1)
        job = ran(world, name=f"job-{number}")
        tokens = {run_token(instance_id(job.id, at), 1) for at in TIMES}
        folders.there, folders.fuse = set(tokens), fuse
        whole = world.engine
        world.engine = replace(whole, store=CrashingStore(store, fuse))
        world.clock.now = NOON + (3 + 3 * number) * DAY_MS
        try:
            world.minute()
        except Crash:
            folders.fuse = Fuse()
            world.engine = replace(whole, chores=Chores(whole.chores.retention))
            world.clock.now += HOUR
            world.minute()
        world.engine = replace(whole, chores=Chores(whole.chores.retention))
        folders.fuse = Fuse()
        nights(world, 3 + 3 * number + 1)
        assert left(world, job) == TIMES[-1:]
        assert skips_of(store, job.id) == [
            SkipRange(job.id, TIMES[0], TIMES[3] + 1, "PURGED", 1, 1)
        ]
        assert folders.there == {run_token(instance_id(job.id, TIMES[-1]), 1)}
        assert leftovers(store) == []

    calm = Fuse()
    live(0, calm)
    assert calm.count > 8
    for moment in range(calm.count):
        live(1 + moment, Fuse(moment))


def test_a_night_of_its_own_does_it_in_one_go(world: World) -> None:
    """Where there is more than one minute's share: many small stretches, one after the other."""
    folders = with_retention(world, days=7)
    jobs = [ran(world, name=f"job-{number}") for number in range(3)]
    world.clock.now = NOON + 9 * DAY_MS
    assert tidy_tonight(world.engine, seconds=60)
    assert [left(world, job) for job in jobs] == [[TIMES[-1]]] * 3
    assert tidy_tonight(world.engine, seconds=60)  # again, and there is nothing to do
    assert not folders.there


class Running:
    """A clock that goes on by a quarter of a second each time it is read."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        self._now_ms += 250
        return self._now_ms


def test_what_a_night_has_no_time_for_the_next_one_goes_on_with(world: World) -> None:
    with_retention(world, days=7)
    jobs = [ran(world, name=f"job-{number}") for number in range(6)]
    world.engine = replace(world.engine, clock=Running(NOON + 9 * DAY_MS))
    assert not tidy_tonight(world.engine, seconds=0)
    assert not tidy_tonight(world.engine, seconds=-20)
    assert all(len(left(world, job)) == 5 for job in jobs)
    tries = 0
    while not tidy_tonight(world.engine, seconds=1):
        tries += 1
        assert tries < 50
    assert tries > 1
    assert [left(world, job) for job in jobs] == [[TIMES[-1]]] * 6
