"""What an owner may have waiting holds for all that makes instances: nothing is lost, nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.engine import commands, history, queries
from chalicelib.engine.backfilling import LOOK_FOR_ROOM_MS
from chalicelib.engine.commands import Wish
from chalicelib.engine.explaining_jobs import why_job
from chalicelib.engine.facts import OverQuota
from chalicelib.engine.filters import InstanceFilter
from chalicelib.engine.materialise import materialise
from chalicelib.engine.outcomes import Failed
from chalicelib.engine.ports import Store
from chalicelib.engine.sweep import sweep_second
from chalicelib.engine.views import BackfillView, InstanceView
from chalicelib.model.backfill import Action
from chalicelib.model.calendar import Calendar
from chalicelib.model.errors import NoondayError, QuotaExceeded, Unavailable
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState, JobState
from chalicelib.store import SqlStore
from chalicelib.store.failures import Repeat
from tests.engine.counting import counted
from tests.engine.history import assert_accounted, instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition
from tests.store.faulty import Faults, FaultyDriver

S = InstanceState
MINUTELY = {"every": "PT1M", "start": "2026-01-01T12:00:00Z"}
KINDS = ("sqlite-file", "mariadb", "mysql")


def submit(world: World, name: str, owner: str = "red", **changes: Any) -> Job:
    definition = a_definition(name=name, **{"schedule": MINUTELY, **changes})
    job = commands.submit(world.engine, ADMIN, definition, owner=owner, schedule=True)
    assert isinstance(job, Job)
    return job


def limit(world: World, most: int | None, owner: str = "red") -> None:
    commands.set_quotas(world.engine, ADMIN, owner, {"max_waiting": most})


def a_world(store: Store, most: int, **options: Any) -> World:
    world = World(store, **options)
    for owner in ("red", "blue"):
        commands.create_owner(world.engine, ADMIN, owner)
    limit(world, most)
    return world


def waiting(store: Store, owner: str = "red") -> int:
    return store.read(lambda reader: reader.waiting([owner])[owner].count)


def outage(world: World, ms: int) -> None:
    world.clock.now += ms


def nominal(world: World) -> range:
    return range(NOON, world.clock.now + 1, MINUTE)


def sweep(world: World) -> None:
    """Without what follows: what was handed out stays where it is."""
    world.minute()
    world.queue.messages.clear()
    world.alarm.wakes.clear()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_schedule_makes_beyond_the_limit_is_on_record(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    store = open_empty(kind)
    world = a_world(store, 3)
    job, other = submit(world, "a"), submit(world, "b", "blue")
    outage(world, 10 * MINUTE)
    sweep(world)
    kept = [one.nominal_ms for one in instances_of(store, job.id)]
    assert kept == [NOON + n * MINUTE for n in (8, 9, 10)]
    [skip] = skips_of(store, job.id)
    assert (skip.reason, skip.from_ms, skip.to_ms) == ("QUOTA", NOON, NOON + 8 * MINUTE)
    assert len(instances_of(store, other.id)) == 11
    outage(world, MINUTE)
    sweep(world)
    assert waiting(store) == 3
    assert_accounted(store, job.id, nominal(world))
    assert OverQuota(at_ms=world.clock.now, owner="red", jobs=1) in world.facts
    told = why_job(world.engine, ADMIN, job.id).lately
    assert any("quota" in line and "noonday backfill create a --from" in line for line in told)
    asked = history.Asked(from_ms=NOON, to_ms=world.clock.now + 1)
    found = history.statistics(world.engine, ADMIN, asked, job.id)
    assert found.statistics.total.skip_times == {"QUOTA": 9}


def test_after_a_raise_of_the_limit_a_backfill_runs_what_was_skipped(world: World) -> None:
    world = a_world(world.engine.store, 1)
    job = submit(world, "a", policies={"overlap": "queue"})
    outage(world, 10 * MINUTE)
    sweep(world)
    limit(world, None)
    world.advance(MINUTE)
    wish = Wish(from_ms=NOON, to_ms=NOON + 10 * MINUTE)
    plan = commands.plan_backfill(world.engine, ADMIN, job.id, wish)
    assert plan.counts[Action.CREATE] == 10
    commands.create_backfill(world.engine, ADMIN, job.id, wish)
    world.advance(10 * MINUTE)
    assert {one.state for one in instances_of(world.engine.store, job.id)} == {S.SUCCEEDED}
    assert len(instances_of(world.engine.store, job.id)) == 22


def test_nobody_goes_without_every_time(world: World) -> None:
    """Three jobs fire together, and there is room for one."""
    world = a_world(world.engine.store, 1)
    jobs = [submit(world, name) for name in "abc"]
    for _ in range(30):
        world.advance(MINUTE)
    ran = [len(instances_of(world.engine.store, job.id)) for job in jobs]
    assert sum(ran) == 31
    assert min(ran) >= 3
    for job in jobs:
        assert_accounted(world.engine.store, job.id, nominal(world))


def suspend_twice(world: World, job: Job) -> None:
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + MINUTE)
    outage(world, 10 * MINUTE)
    commands.suspend(world.engine, ADMIN, job.id)


def resume_with_all(world: World, job: Job) -> None:
    commands.suspend(world.engine, ADMIN, job.id)
    outage(world, 5 * MINUTE)
    commands.patch(world.engine, ADMIN, job.id, {"description": "new"})
    outage(world, 5 * MINUTE)
    limit(world, 9)
    commands.resume(world.engine, ADMIN, job.id, catch_up="all")


def suspended_until(world: World, job: Job) -> None:
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + MINUTE)
    outage(world, 10 * MINUTE)
    sweep(world)


COMMANDS: dict[str, Callable[[World, Job], object]] = {
    "suspend": lambda w, job: commands.suspend(w.engine, ADMIN, job.id),
    "expire": lambda w, job: commands.expire(w.engine, ADMIN, job.id),
    "patch": lambda w, job: commands.patch(w.engine, ADMIN, job.id, {"description": "new"}),
    "calendar": lambda w, _: commands.set_calendar(
        w.engine, ADMIN, "c", Calendar(dates=["2026-02-02"]), owner="red"
    ),
    "backfill": lambda w, job: commands.create_backfill(
        w.engine, ADMIN, job.id, Wish(from_ms=NOON, to_ms=NOON + MINUTE)
    ),
    "suspend twice": suspend_twice,
    "resume with all": resume_with_all,
    "suspended until": suspended_until,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_settles_fits_too(world: World, command: str) -> None:
    world = a_world(world.engine.store, 3)
    commands.set_calendar(world.engine, ADMIN, "c", Calendar(dates=["2026-03-03"]), owner="red")
    job = submit(world, "a", schedule={**MINUTELY, "exclude": ["c"]})
    outage(world, 10 * MINUTE)
    COMMANDS[command](world, job)
    store = world.engine.store
    assert waiting(store) == (9 if command == "resume with all" else 3)
    after = queries.job(world.engine, ADMIN, job.id)
    assert_accounted(store, job.id, range(NOON, after.cursor_ms, MINUTE))


def test_a_resume_takes_the_newest_of_its_span_and_leaves_the_rest_on_record(world: World) -> None:
    world = a_world(world.engine.store, 4)
    store = world.engine.store
    job = submit(world, "a")
    commands.suspend(world.engine, ADMIN, job.id)
    outage(world, 5 * MINUTE)
    commands.patch(world.engine, ADMIN, job.id, {"description": "mended"})
    outage(world, 2 * MINUTE)
    commands.resume(world.engine, ADMIN, job.id, catch_up="all")
    assert [one.nominal_ms for one in instances_of(store, job.id)] == [
        NOON + n * MINUTE for n in (3, 4, 5, 6)
    ]
    assert [one.reason for one in skips_of(store, job.id)] == ["SUSPENDED"]
    sweep(world)
    assert_accounted(store, job.id, nominal(world))


def test_failures_that_suspend_a_job_settle_within_the_limit(world: World) -> None:
    world = a_world(world.engine.store, 2)
    job = submit(world, "a", policies={"on_failure": {"suspend_after": 1}})
    world.minute()
    outage(world, 10 * MINUTE)
    world.targets.run_outcomes = [Failed("no")]
    world.step()
    while queries.job(world.engine, ADMIN, job.id).state is not JobState.SUSPENDED:
        assert world.step()
    assert waiting(world.engine.store) <= 2
    after = queries.job(world.engine, ADMIN, job.id)
    assert_accounted(world.engine.store, job.id, range(NOON, after.cursor_ms, MINUTE))


# ---- backfills


def a_backfill(world: World, job: Job, minutes: int, **wish: Any) -> str:
    wanted = Wish(from_ms=NOON, to_ms=NOON + minutes * MINUTE, **wish)
    view = commands.create_backfill(world.engine, ADMIN, job.id, wanted)
    assert isinstance(view, BackfillView)
    return view.backfill.id


@pytest.mark.parametrize("kind", KINDS)
def test_a_backfill_makes_what_there_is_room_for_and_goes_on(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    store = open_empty(kind)
    world = a_world(store, 10)
    world.clock.now = NOON + 60 * MINUTE
    past = {**MINUTELY, "end": "2026-01-01T12:40:00Z"}
    commands.set_group(world.engine, ADMIN, "none", 0, owner="red")
    held = submit(world, "held", schedule={"at": "2027-01-01T00:00:00"}, policies={"group": "none"})
    policies = {"catch_up": {"mode": "latest"}, "overlap": "queue"}
    job = submit(world, "a", schedule=past, policies=policies)
    world.advance(MINUTE)
    stuck = [commands.trigger(world.engine, ADMIN, held.id) for _ in range(9)]
    one = a_backfill(world, job, 40)
    world.minute()
    view = queries.backfill(world.engine, ADMIN, one)
    assert (view.backfill.made, waiting(store)) == (1, 10)
    assert "no room for the next: red has 10 of at most 10" in str(view.waiting_on)
    world.advance(5 * MINUTE)
    assert waiting(store) <= 10
    for each in stuck[:5]:
        assert isinstance(each, InstanceView)
        commands.skip(world.engine, ADMIN, each.instance.id)
    world.advance(60 * MINUTE)
    view = queries.backfill(world.engine, ADMIN, one)
    assert (view.backfill.state, view.waiting_on) == ("COMPLETED", None)
    assert view.backfill.made == 39
    assert_accounted(store, job.id, range(NOON, NOON + 40 * MINUTE, MINUTE))


def test_a_backfill_without_room_costs_a_few_statements_a_minute(
    open_empty: Callable[[str], SqlStore],
) -> None:
    store, driver = counted(open_empty("sqlite-memory"))
    world = a_world(store, 1)
    world.clock.now = NOON + 60 * MINUTE
    job = submit(
        world,
        "a",
        schedule={**MINUTELY, "end": "2026-01-01T12:40:00Z"},
        policies={"catch_up": "none"},
    )
    world.advance(MINUTE)
    one = a_backfill(world, job, 40)
    commands.set_group(world.engine, ADMIN, "none", 0, owner="red")
    held = submit(world, "held", schedule={"at": "2027-01-01T00:00:00"}, policies={"group": "none"})
    commands.trigger(world.engine, ADMIN, held.id)
    world.advance(MINUTE)
    costs = []
    for _ in range(20):
        world.clock.now += MINUTE
        driver.count = 0
        wakes = len(world.alarm.wakes)
        sweep_second(world.engine, arm_until_ms=world.clock.now + MINUTE, seconds_left=30)
        costs.append(driver.count)
        assert len(world.alarm.wakes) == wakes, "nothing is due before the next minute"
        world.queue.messages.clear()
    assert max(costs) <= 20, costs
    assert queries.backfill(world.engine, ADMIN, one).backfill.made == 0
    assert queries.backfill(world.engine, ADMIN, one).backfill.wake_ms == world.clock.now + (
        LOOK_FOR_ROOM_MS
    )


def test_a_backfill_over_what_exists_needs_no_room(world: World) -> None:
    world = a_world(world.engine.store, 100)
    job = submit(world, "a")
    world.advance(10 * MINUTE)
    one = a_backfill(world, job, 10)
    limit(world, 0)
    world.advance(2 * MINUTE)
    assert queries.backfill(world.engine, ADMIN, one).backfill.state == "COMPLETED"


# ---- what it costs


@pytest.mark.parametrize("jobs", [1, 60])
def test_the_limit_costs_a_batch_three_statements_however_many_jobs(
    jobs: int, open_empty: Callable[[str], SqlStore]
) -> None:
    store, driver = counted(open_empty("sqlite-memory"))
    world = a_world(store, 1000)
    for number in range(jobs):
        submit(world, f"job-{number}", "red" if number % 2 else "blue")
    driver.count = 0
    materialise(world.engine, 500)
    # pause, due owners, their locks, due jobs, their locks, what waits, instances, jobs
    assert driver.count == 8
    driver.count = 0
    sweep_second(world.engine, arm_until_ms=world.clock.now + 1, seconds_left=30)
    world.queue.messages.clear()
    world.clock.now += 1
    driver.count = 0
    sweep_second(world.engine, arm_until_ms=world.clock.now + 1, seconds_left=30)
    assert driver.count == 1, "an idle sweep asks one question"


# ---- many at once, and failures


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_holds_against_64_at_once(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    """Triggers, commands that settle, sweeps and turns of backfills, all of one owner."""
    store = open_empty(kind)
    most = 20
    calm = a_world(store, most)
    jobs = [submit(calm, f"job-{n}") for n in range(8)]
    later = NOON + 10 * MINUTE
    start = threading.Barrier(64)

    def one(number: int) -> str:
        world = World(store, now_ms=later, ids_from=1 + (number + 1) * 10**9)
        job = jobs[number % len(jobs)]
        start.wait(60)
        try:
            match number % 4:
                case 0:
                    commands.trigger(world.engine, ADMIN, job.id)
                case 1:
                    materialise(world.engine, 500)
                case 2:
                    commands.patch(world.engine, ADMIN, job.id, {"description": str(number)})
                case _:
                    commands.suspend(world.engine, ADMIN, job.id)
                    commands.resume(world.engine, ADMIN, job.id, catch_up="all")
        except QuotaExceeded:
            return "full"
        except NoondayError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(one, range(64)))
    assert set(answers) <= {"done", "full", "WrongState", "Conflict"}, answers
    assert waiting(store) == most
    calm.clock.now = later
    materialise(calm.engine, 500)
    for job in jobs:
        after = queries.job(calm.engine, ADMIN, job.id)
        assert after.cursor_ms >= later
        assert_accounted(store, job.id, range(NOON, after.cursor_ms, MINUTE))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("failure", [Repeat, Unavailable])
def test_a_database_that_fails_midway_makes_none_too_many_and_loses_none(
    kind: str,
    after: bool,
    failure: type[Exception],
    open_empty: Callable[[str], SqlStore],
) -> None:
    """Each statement of a sweep, and of a backfill's turn, fails in turn."""
    plain = open_empty(kind)
    calm = a_world(plain, 4)
    job = submit(calm, "a")
    step = 0
    while step < 60:
        step += 1
        faults = Faults(step, lambda: failure("the connection was killed"), after=after)
        store = SqlStore(FaultyDriver(plain._driver, faults), pause=lambda _: None)
        world = World(store, now_ms=calm.clock.now, ids_from=step * 10_000)
        calm.clock.now += 3 * MINUTE
        world.clock.now = calm.clock.now
        with suppress(Unavailable):
            sweep(world)
        assert waiting(plain) <= 4
        if faults.steps < step:
            break
        for one in instances_of(plain, job.id)[-3:]:  # room again
            if one.state is S.WAITING:
                commands.skip(calm.engine, ADMIN, one.id)
        if step == 1:
            a_backfill(calm, job, 3)
    sweep(calm)
    assert_accounted(plain, job.id, nominal(calm))
    assert 8 < step < 60


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_an_owner_that_somebody_keeps_locked_delays_no_other(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    store = open_empty(kind)
    world = a_world(store, 10)
    red, blue = submit(world, "a"), submit(world, "b", "blue")
    with store._driver.writing() as link:
        link.begin(write=True)
        link.query("SELECT name FROM scheduler_owners WHERE name = 'red' FOR UPDATE", {})
        sweep(world)
        link.rollback()
    assert (len(instances_of(store, red.id)), len(instances_of(store, blue.id))) == (0, 1)
    sweep(world)
    assert len(instances_of(store, red.id)) == 1


def test_all_that_wait_are_counted_also_those_that_wait_for_something(world: World) -> None:
    world = a_world(world.engine.store, 2)
    job = submit(world, "a", prerequisites=[{"data": "orders/ready"}])
    world.advance(5 * MINUTE)
    wanted = InstanceFilter(job_id=job.id, state=("WAITING",), limit=100)
    assert len(world.engine.store.read(lambda reader: reader.instances(wanted, None))) == 2
    world.places.there.add("orders/ready")
    world.advance(10 * MINUTE)
    assert_accounted(world.engine.store, job.id, nominal(world))
    newest = instances_of(world.engine.store, job.id)[-1]
    assert (newest.nominal_ms, newest.state) == (NOON + 15 * MINUTE, S.SUCCEEDED)
