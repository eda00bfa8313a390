"""After an outage of any length nothing is lost, no storm follows, and it costs what a short one costs."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.sweep import sweep_second
from chalicelib.model.errors import InvalidInput
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState, JobState
from chalicelib.store import SqlStore
from tests.engine.counting import CountingDriver, counted
from tests.engine.history import assert_accounted, instances_of, skips_of
from tests.engine.test_commands import submit
from tests.engine.world import ADMIN, MINUTE, NOON, World

HOUR = 60 * MINUTE
DAY = 24 * HOUR
TEN_YEARS = 3653 * DAY
STATEMENTS = 16  # of a sweep that accounts for any span and hands out what came of it


def minutely(start_ms: int, **catch_up: Any) -> dict[str, Any]:
    return {
        "schedule": {"every": "PT1M", "start": format_instant(start_ms)},
        "policies": {"catch_up": catch_up, "overlap": "queue"},
    }


def sweep_after(
    outage_ms: int, store: SqlStore, name: str, **catch_up: Any
) -> tuple[Job, int, World]:
    """A minutely job, fired once; then nobody is there for so long. What its next sweep cost."""
    counting, driver = counted(store)
    world = World(counting, now_ms=NOON, ids_from=1 + outage_ms)
    job = submit(world, name=name, **minutely(NOON, **catch_up))
    world.advance(MINUTE // 2)
    world.clock.now += outage_ms
    return job, _statements(driver, world), world


def _statements(driver: CountingDriver, world: World) -> int:
    """Of a wake-up: what the minute hand does besides, to forget what is old, is not counted."""
    driver.count = 0
    sweep_second(world.engine, arm_until_ms=world.clock.now + MINUTE, seconds_left=30)
    return driver.count


@pytest.mark.parametrize(
    ("catch_up", "kept", "reasons"),
    [
        ({"mode": "all"}, 100, ["CATCH_UP_LIMIT"]),
        ({"mode": "all", "limit": 7, "window": "PT1H"}, 7, ["CATCH_UP_WINDOW", "CATCH_UP_LIMIT"]),
        ({"mode": "all", "limit": 90, "window": "PT1H"}, 60, ["CATCH_UP_WINDOW"]),
        ({"mode": "latest"}, 1, ["CATCH_UP_LATEST"]),
        ({"mode": "latest", "window": "PT1H"}, 1, ["CATCH_UP_WINDOW", "CATCH_UP_LATEST"]),
        ({"mode": "latest", "window": "PT1S"}, 0, ["CATCH_UP_WINDOW"]),
        ({"mode": "none"}, 1, ["CATCH_UP_NONE"]),
    ],
    ids=["all", "window-limit", "window", "latest", "latest-window", "too-old", "none"],
)
@pytest.mark.parametrize("kind", ["sqlite-memory", "mariadb"])
def test_ten_years_of_a_minutely_job_cost_what_a_day_costs(
    kind: str,
    catch_up: dict[str, Any],
    kept: int,
    reasons: list[str],
    open_empty: Callable[[str], SqlStore],
) -> None:
    store = open_empty(kind)
    costs = {}
    for outage_ms in (DAY, TEN_YEARS):
        job, cost, world = sweep_after(outage_ms, store, f"after-{outage_ms}", **catch_up)
        costs[outage_ms] = cost
        late = [one for one in instances_of(store, job.id) if one.nominal_ms > NOON]
        assert len(late) == kept
        assert [one.reason for one in skips_of(store, job.id)] == reasons
        nominal = range(NOON, world.clock.now + 1, MINUTE)
        assert_accounted(store, job.id, [*nominal[:500], *nominal[-500:]])
        commands.delete(world.engine, ADMIN, job.id)
    assert costs[TEN_YEARS] == costs[DAY] <= STATEMENTS


def test_a_start_ten_years_ago_is_an_outage_as_any_other(
    open_empty: Callable[[str], SqlStore],
) -> None:
    store, driver = counted(open_empty("sqlite-memory"))
    world = World(store)
    job = submit(world, **minutely(NOON - TEN_YEARS, limit=5))
    assert _statements(driver, world) <= STATEMENTS
    assert len(instances_of(store, job.id)) == 5
    [skip] = skips_of(store, job.id)
    assert (skip.from_ms, skip.to_ms) == (NOON - TEN_YEARS, NOON - 4 * MINUTE)


@pytest.mark.parametrize(
    "schedule",
    [
        {"every": "PT1S"},
        {"cron": "* * * * * ?", "timezone": "Europe/Berlin"},
        {"cron": "0 * * ? * MON-FRI", "timezone": "America/New_York"},
        {"frequency": "DAILY", "timezone": "Pacific/Apia"},
    ],
    ids=["every", "cron", "weekdays", "daily"],
)
def test_ten_years_take_no_memory(world: World, schedule: dict[str, str]) -> None:
    start = {"start": "2016-01-01T00:00:00Z"}
    submit(world, name="warm", schedule={**schedule, **start})
    world.minute()
    submit(world, schedule={**schedule, **start})
    tracemalloc.start()
    try:
        world.minute()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_no_storm_follows(world: World) -> None:
    """What is caught up goes through the job's own limit, and ends as everything else."""
    job = submit(
        world, target={"kind": "started"}, **minutely(NOON - TEN_YEARS, limit=30), name="calm"
    )
    most = 0
    for _ in range(40):
        world.minute()
        while world.step():
            flying = Counter(one.active for one in instances_of(world.engine.store, job.id))
            most = max(most, flying[True])
        world.clock.now += MINUTE
    assert most == 1
    first = [one.state for one in instances_of(world.engine.store, job.id)][:30]
    assert first == [InstanceState.SUCCEEDED] * 30


# ---- resume


def suspended(world: World, **catch_up: Any) -> Job:
    """A minutely job that ran at noon, and was suspended for the three hours since half past twelve."""
    job = submit(world, **minutely(NOON, **catch_up))
    world.advance(MINUTE // 2)
    commands.suspend(world.engine, ADMIN, job.id)
    world.advance(3 * HOUR)
    return job


def nominal(world: World, job: Job) -> list[int]:
    return [one.nominal_ms for one in instances_of(world.engine.store, job.id)]


@pytest.mark.parametrize("catch_up", [None, "none"])
def test_a_resume_launches_nothing_of_the_suspension_unless_it_is_asked_to(
    world: World, catch_up: str | None
) -> None:
    job = suspended(world)
    commands.resume(world.engine, ADMIN, job.id, catch_up=catch_up)
    world.deliver()
    assert nominal(world, job) == [NOON]
    [skip] = skips_of(world.engine.store, job.id)
    assert (skip.reason, skip.to_ms) == ("SUSPENDED", world.clock.now)
    world.advance(MINUTE)
    assert nominal(world, job) == [NOON, NOON + 3 * HOUR + MINUTE]


@pytest.mark.parametrize(("catch_up", "kept"), [("all", 4), ("latest", 1)])
def test_a_resume_that_is_asked_to_launches_the_newest_whatever_the_policy(
    world: World, catch_up: str, kept: int
) -> None:
    """The limit keeps a storm away; the window and the mode are for when nobody says anything."""
    job = suspended(world, mode="none", limit=4, window="PT1M")
    now = world.clock.now
    commands.resume(world.engine, ADMIN, job.id, catch_up=catch_up)
    world.deliver()
    newest = NOON + 3 * HOUR
    assert nominal(world, job) == [NOON, *(newest - k * MINUTE for k in reversed(range(kept)))]
    [skip] = skips_of(world.engine.store, job.id)
    assert skip.reason == ("CATCH_UP_LIMIT" if catch_up == "all" else "CATCH_UP_LATEST")
    assert_accounted(world.engine.store, job.id, range(NOON, now, MINUTE))


def test_a_resume_reaches_behind_an_update_in_the_midst_of_the_suspension(world: World) -> None:
    """What was mended during the suspension runs for the whole of it, mended."""
    job = suspended(world, limit=100)
    updated_at = world.clock.now
    commands.patch(world.engine, ADMIN, job.id, {"description": "mended"})
    world.advance(30 * MINUTE)
    commands.resume(world.engine, ADMIN, job.id, catch_up="all")
    late = [one for one in instances_of(world.engine.store, job.id) if one.nominal_ms > NOON]
    assert len(late) == 100
    assert late[0].nominal_ms < updated_at < late[-1].nominal_ms
    assert {one.revision for one in late} == {2}
    assert [one.reason for one in skips_of(world.engine.store, job.id)] == ["SUSPENDED"]
    assert_accounted(world.engine.store, job.id, range(NOON, world.clock.now, MINUTE))


def test_an_earlier_suspension_is_not_reopened(world: World) -> None:
    job = suspended(world, limit=1000)
    commands.resume(world.engine, ADMIN, job.id)
    world.advance(30_000)
    commands.suspend(world.engine, ADMIN, job.id)
    since = world.clock.now
    world.advance(10 * MINUTE)
    commands.patch(world.engine, ADMIN, job.id, {"description": "other"})
    commands.resume(world.engine, ADMIN, job.id, catch_up="all")
    late = [at for at in nominal(world, job) if at > NOON]
    assert len(late) == 10
    assert min(late) >= since


def test_a_time_that_was_triggered_meanwhile_keeps_its_instance(world: World) -> None:
    job = suspended(world, limit=3)
    newest = NOON + 3 * HOUR
    commands.trigger(world.engine, ADMIN, job.id, nominal_ms=newest)
    world.deliver()
    commands.resume(world.engine, ADMIN, job.id, catch_up="all")
    world.deliver()
    assert nominal(world, job) == [NOON, newest - 2 * MINUTE, newest - MINUTE, newest]
    assert len(world.targets.executions) == 4


def test_a_resume_wants_a_mode_that_there_is(world: World) -> None:
    job = suspended(world)
    with pytest.raises(InvalidInput, match="catch_up"):
        commands.resume(world.engine, ADMIN, job.id, catch_up="some")


# ---- suspensions with an end


def past_its_end(world: World) -> Job:
    """Suspended for an hour, and nobody was there for the two hours after that."""
    job = submit(world, **minutely(NOON, limit=1000))
    world.advance(MINUTE // 2)
    commands.suspend(world.engine, ADMIN, job.id, until_ms=NOON + HOUR)
    world.clock.now = NOON + 3 * HOUR + 1
    return job


@pytest.mark.parametrize("first", ["sweep", "resume", "update", "expire", "suspend"])
def test_a_suspension_ends_when_it_was_said_to_whoever_comes_by_first(
    world: World, first: str
) -> None:
    job = past_its_end(world)
    match first:
        case "sweep":
            world.minute()
        case "resume":
            commands.resume(world.engine, ADMIN, job.id)
        case "update":
            commands.patch(world.engine, ADMIN, job.id, {"description": "new"})
        case "expire":
            commands.expire(world.engine, ADMIN, job.id)
        case _:
            assert commands.suspend(world.engine, ADMIN, job.id).state is JobState.SUSPENDED
    late = [at for at in nominal(world, job) if at > NOON]
    assert late == list(range(NOON + HOUR, NOON + 3 * HOUR + 1, MINUTE))
    [skip] = skips_of(world.engine.store, job.id)
    assert (skip.reason, skip.to_ms) == ("SUSPENDED", NOON + HOUR)


def test_a_resume_that_catches_up_a_suspension_that_has_ended(world: World) -> None:
    """What is asked for is meant for the suspension; since its end the job's own policy counts."""
    job = past_its_end(world)
    commands.resume(world.engine, ADMIN, job.id, catch_up="latest")
    late = [at for at in nominal(world, job) if at > NOON]
    assert late == list(range(NOON + HOUR - MINUTE, NOON + 3 * HOUR + 1, MINUTE))
    assert_accounted(world.engine.store, job.id, range(NOON, world.clock.now, MINUTE))


def test_a_suspension_can_be_made_longer_and_shorter(world: World) -> None:
    job = submit(world)
    world.advance(MINUTE // 2)
    since = world.clock.now
    first = commands.suspend(world.engine, ADMIN, job.id, until_ms=NOON + HOUR, reason="a move")
    again = commands.suspend(world.engine, ADMIN, job.id, until_ms=NOON + HOUR)
    assert again == first
    world.advance(10 * MINUTE)
    longer = commands.suspend(world.engine, ADMIN, job.id, until_ms=NOON + 2 * HOUR)
    assert longer.suspension is not None
    assert (longer.suspension.since_ms, longer.suspension.reason) == (since, "a move")
    world.advance_to(NOON + HOUR + MINUTE)
    assert nominal(world, job) == [NOON]
    for_ever = commands.suspend(world.engine, ADMIN, job.id)
    assert for_ever.wake_ms is None
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + MINUTE)
    world.advance(2 * MINUTE)
    found = world.engine.store.read(lambda reader: reader.job(job.id, None))
    assert found is not None
    assert found.state is JobState.SCHEDULED
    assert len(nominal(world, job)) == 3
    assert_accounted(world.engine.store, job.id, range(NOON, world.clock.now + 1, MINUTE))
