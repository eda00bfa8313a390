"""Backfills: ranges of nominal times run beside the schedule, within limits of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.commands import Wish
from chalicelib.engine.disposition import new_instance
from chalicelib.engine.facts import BackfillSetAside
from chalicelib.engine.filters import BackfillFilter, EventFilter
from chalicelib.engine.once import Once
from chalicelib.engine.outcomes import Failed, Stopped, Succeeded
from chalicelib.engine.ports import Remembered
from chalicelib.engine.views import BackfillView
from chalicelib.model.backfill import Action, Backfill, BackfillState
from chalicelib.model.calendar import Calendar
from chalicelib.model.errors import Forbidden, InvalidInput, NotFound, QuotaExceeded, WrongState
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceKind, InstanceState, JobState, Reason, Role
from chalicelib.store import SqlStore
from tests.engine.history import instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

HOUR = 60 * MINUTE
S = InstanceState
START = "2026-01-01T08:00:00Z"
MORNING = NOON - 4 * HOUR


def a_past(world: World, *, scheduled: bool = True, **changes: Any) -> Job:
    """An hourly job that began at eight, and of whose past nothing was launched."""
    document: dict[str, Any] = {
        "schedule": {"every": "PT1H", "start": START},
        "policies": {"catch_up": "none"},
        "target": {"kind": "started"},
    }
    document.update(changes)
    made = commands.submit(world.engine, ADMIN, a_definition(**document), schedule=scheduled)
    assert isinstance(made, Job)
    world.deliver()
    return made


def backfill(world: World, job: Job, **wish: Any) -> Backfill:
    given = {"from_ms": MORNING, "to_ms": NOON, **wish}
    view = commands.create_backfill(world.engine, ADMIN, job.id, Wish(**given))
    assert isinstance(view, BackfillView)
    world.deliver()
    return view.backfill


def seen(world: World, one: Backfill) -> BackfillView:
    return queries.backfill(world.engine, ADMIN, one.id)


def its(world: World, one: Backfill) -> list[Instance]:
    store = world.engine.store
    return [i for i in instances_of(store, one.job_id) if i.backfill == one.id]


def run_out(world: World, rounds: int = 20) -> None:
    for _ in range(rounds):
        world.advance(MINUTE)


def in_states(view: BackfillView) -> Mapping[str, int]:
    return {state.value: count for state, count in view.counts.items()}


def launched(world: World) -> list[int]:
    """Nominal times in the order in which their runs began."""
    return [
        int(request.bindings["nominal_ms"] or 0)
        for verb, request in world.targets.calls
        if verb in ("launch", "run")
    ]


@pytest.fixture
def job(world: World) -> Job:
    return a_past(world)


def test_what_has_passed_is_run(world: World, job: Job) -> None:
    one = backfill(world, job)
    assert one.state is BackfillState.RUNNING
    run_out(world)
    view = seen(world, one)
    assert view.backfill.state is BackfillState.COMPLETED
    assert (view.backfill.total, view.backfill.made) == (4, 4)
    assert in_states(view) == {"SUCCEEDED": 4}
    assert view.finished == 4
    assert {i.kind for i in its(world, one)} == {InstanceKind.BACKFILL}
    assert [at for at in launched(world) if at < NOON] == [MORNING + k * HOUR for k in range(4)]
    events = queries.events(world.engine, ADMIN, EventFilter(limit=500)).items
    assert {"BACKFILL", "BACKFILL_COMPLETE"} <= {event.verb for event in events}


@pytest.mark.parametrize("newest_first", [False, True])
def test_it_runs_in_its_order_and_no_more_at_once_than_it_may(
    world: World, newest_first: bool
) -> None:
    job = a_past(world, schedule={"every": "PT1M", "start": START})
    one = backfill(world, job, to_ms=NOON - 2 * HOUR, max_active=2, newest_first=newest_first)
    most = 0
    for _ in range(130):
        open_now = [i for i in its(world, one) if i.ended_ms is None]
        most = max(most, sum(i.active for i in open_now))
        assert len(open_now) <= 2 + 50
        world.advance(30_000)
    assert most == 2
    assert seen(world, one).backfill.state is BackfillState.COMPLETED
    expected = [MORNING + k * MINUTE for k in range(120)]
    began = [at for at in launched(world) if at < NOON - 2 * HOUR]
    wanted = expected[::-1] if newest_first else expected
    assert sorted(began) == expected
    # Two that begin at once may begin in either order.
    assert all(abs(wanted.index(at) - place) < 2 for place, at in enumerate(began))


def at(world: World, job: Job, nominal_ms: int) -> Instance:
    [one] = [i for i in instances_of(world.engine.store, job.id) if i.nominal_ms == nominal_ms]
    return one


def mixed(world: World, job: Job) -> None:
    """Of eight, nine and ten, one each has succeeded, failed and been skipped; eleven has nothing."""
    world.targets.launch_outcomes = [Succeeded(), Failed("no such table", retry=False)]
    for hour in (0, 1, 2):
        commands.trigger(world.engine, ADMIN, job.id, nominal_ms=MORNING + hour * HOUR)
        if hour == 2:
            commands.skip(world.engine, ADMIN, at(world, job, MORNING + 2 * HOUR).id)
        world.deliver()
    states = [at(world, job, MORNING + hour * HOUR).state for hour in (0, 1, 2)]
    assert states == [S.SUCCEEDED, S.FAILED, S.SKIPPED]


@pytest.mark.parametrize(
    ("reprocess", "actions", "counts"),
    [
        ("none", ["exists", "exists", "exists", "create"], (1, 0, 3)),
        ("failed", ["exists", "rerun", "exists", "create"], (1, 1, 2)),
        ("all", ["rerun", "rerun", "rerun", "create"], (1, 3, 0)),
    ],
)
def test_what_exists_stays_or_is_run_again(
    world: World, reprocess: Any, actions: list[str], counts: tuple[int, int, int]
) -> None:
    retries = {"launch": {"max_attempts": 1}}
    job = a_past(world, policies={"catch_up": "none", "retries": retries})
    mixed(world, job)
    wish = Wish(from_ms=MORNING, to_ms=NOON, reprocess=reprocess)
    plan = commands.plan_backfill(world.engine, ADMIN, job.id, wish)
    assert [item.action.value for item in plan.items] == actions
    assert tuple(plan.counts[action] for action in Action) == counts
    one = backfill(world, job, reprocess=reprocess)
    run_out(world)
    done = seen(world, one).backfill
    assert (done.made, done.rerun, done.existing) == counts
    assert done.state is BackfillState.COMPLETED
    again = [at(world, job, MORNING + k * HOUR) for k in range(4)]
    for instance, action in zip(again, actions, strict=True):
        assert instance.run == (2 if action == "rerun" else 1)
        assert (instance.backfill == one.id) == (action != "exists")
        assert instance.kind is (
            InstanceKind.BACKFILL if action == "create" else InstanceKind.MANUAL
        )
    if reprocess == "all":
        assert {instance.state for instance in again} == {S.SUCCEEDED}
        [first, _] = queries.instance(world.engine, ADMIN, again[1].id).runs
        assert first.state is S.FAILED


def test_purged_times_may_have_run_and_skipped_ones_have_not(world: World, job: Job) -> None:
    [skipped] = skips_of(world.engine.store, job.id)
    assert skipped.reason == Reason.CATCH_UP_NONE
    other = a_past(world, name="other", scheduled=False)
    purged = SkipRange(other.id, MORNING, MORNING + 2 * HOUR, Reason.PURGED, 1)
    world.engine.store.transact(lambda tx: tx.insert_skip_ranges([purged]))
    wish = Wish(from_ms=MORNING, to_ms=NOON)
    plan = commands.plan_backfill(world.engine, ADMIN, other.id, wish)
    assert [item.action for item in plan.items] == [Action.EXISTS] * 2 + [Action.CREATE] * 2


def test_the_plan_is_what_happens_also_with_what_the_schedule_still_owes(world: World) -> None:
    job = a_past(world, scheduled=False, policies={"catch_up": {"mode": "all", "limit": 2}})
    job = commands.schedule(world.engine, ADMIN, job.id)
    world.clock.now += 3 * HOUR  # an outage: ten to two are not disposed of
    wish = Wish(from_ms=MORNING, to_ms=world.clock.now)
    plan = commands.plan_backfill(world.engine, ADMIN, job.id, wish)
    made = commands.create_backfill(world.engine, ADMIN, job.id, wish)
    assert isinstance(made, BackfillView)
    run_out(world)
    done = seen(world, made.backfill).backfill
    assert (done.made, done.existing) == (plan.counts[Action.CREATE], plan.counts[Action.EXISTS])
    assert [i.nominal_ms for i in its(world, done)] == [
        item.nominal_ms for item in plan.items if item.action is Action.CREATE
    ]


def test_the_revision_and_its_calendars_are_those_of_its_creation(world: World) -> None:
    nines = Calendar.model_validate({"spans": ["2026-01-01T09:00:00/2026-01-01T10:00:00"]})
    commands.set_calendar(world.engine, ADMIN, "nines", nines)
    schedule = {"every": "PT1H", "start": START, "exclude": ["nines"]}
    job = a_past(world, schedule=schedule, parameters={"country": "all", "year": 1})
    wish = Wish(from_ms=MORNING, to_ms=NOON, parameters={"country": "de"})
    made = commands.create_backfill(world.engine, ADMIN, job.id, wish)
    assert isinstance(made, BackfillView)
    change = {"schedule": {"every": "PT1M", "exclude": None}, "parameters": {"year": 2}}
    commands.patch(world.engine, ADMIN, job.id, change)
    run_out(world)
    found = its(world, made.backfill)
    assert [i.nominal_ms for i in found] == [MORNING, MORNING + 2 * HOUR, MORNING + 3 * HOUR]
    assert {i.revision for i in found} == {1}
    requests = [
        r for verb, r in world.targets.calls if verb == "launch" and r.instance_id == found[0].id
    ]
    assert [(r.bindings["country"], r.bindings["year"]) for r in requests] == [("de", 1)]


def test_a_rerun_takes_the_parameters_and_the_revision_of_the_backfill(world: World) -> None:
    job = a_past(world, parameters={"country": "all", "year": 1})
    commands.trigger(world.engine, ADMIN, job.id, nominal_ms=MORNING, parameters={"year": 7})
    world.deliver()
    run_out(world, 2)
    commands.patch(world.engine, ADMIN, job.id, {"description": "better"})
    one = backfill(world, job, to_ms=MORNING + 1, reprocess="all", parameters={"country": "de"})
    run_out(world, 3)
    instance = at(world, job, MORNING)
    assert (instance.run, instance.revision, instance.state) == (2, 2, S.SUCCEEDED)
    request = [r for verb, r in world.targets.calls if verb == "launch"][-1]
    assert (request.bindings["country"], request.bindings["year"]) == ("de", 7)
    assert seen(world, one).backfill.rerun == 1
    verbs = [
        e.verb
        for e in queries.events(world.engine, ADMIN, EventFilter(instance_id=instance.id)).items
    ]
    assert "RERUN" in verbs


def test_new_and_expired_jobs_have_a_past_deleted_ones_do_not(world: World) -> None:
    new = a_past(world, scheduled=False)
    one = backfill(world, new)
    run_out(world)
    assert seen(world, one).backfill.state is BackfillState.COMPLETED
    commands.schedule(world.engine, ADMIN, new.id)
    assert len({i.nominal_ms for i in instances_of(world.engine.store, new.id)}) >= 4
    commands.expire(world.engine, ADMIN, new.id)
    again = backfill(world, new, reprocess="all")
    run_out(world)
    assert seen(world, again).backfill.rerun == 4
    commands.delete(world.engine, ADMIN, new.id)
    with pytest.raises(WrongState, match="deleted"):
        backfill(world, new)


def test_a_suspension_holds_a_backfill_and_its_end_goes_on(world: World) -> None:
    job = a_past(world, schedule={"every": "PT1M", "start": START})
    one = backfill(world, job, to_ms=MORNING + HOUR, max_active=1)
    commands.suspend(world.engine, ADMIN, job.id, reason="a leak", until_ms=NOON + 30 * MINUTE)
    run_out(world, 10)
    begun = len(launched(world))
    view = seen(world, one)
    assert view.backfill.state is BackfillState.RUNNING
    assert view.waiting_on is not None
    assert "a leak" in view.waiting_on
    assert view.eta_ms(world.clock.now) is None
    run_out(world, 15)
    assert len(launched(world)) == begun
    run_out(world, 60)
    assert seen(world, one).backfill.state is BackfillState.COMPLETED
    assert in_states(seen(world, one)) == {"SUCCEEDED": 60}


def test_what_a_person_triggered_is_held_too_when_a_backfill_reran_it(world: World) -> None:
    job = a_past(world)
    commands.trigger(world.engine, ADMIN, job.id, nominal_ms=MORNING)
    run_out(world, 2)
    world.targets.otherwise = world.targets.when_cancelled  # runs go on
    one = backfill(world, job, to_ms=MORNING + 2 * HOUR, reprocess="all", overlap="queue")
    commands.suspend(world.engine, ADMIN, job.id)
    run_out(world, 3)
    commands.resume(world.engine, ADMIN, job.id)
    world.targets.otherwise = Succeeded()
    run_out(world, 5)
    assert in_states(seen(world, one)) == {"SUCCEEDED": 2}


def test_it_counts_against_its_own_limit_beside_the_schedule(world: World) -> None:
    job = a_past(
        world,
        schedule={"every": "PT1M", "start": START},
        policies={"catch_up": "none", "overlap": "skip"},
    )
    one = backfill(world, job, to_ms=MORNING + 30 * MINUTE, max_active=3)
    run_out(world, 1)
    active = [i for i in instances_of(world.engine.store, job.id) if i.active]
    assert sum(i.backfill == one.id for i in active) == 3
    assert sum(i.backfill is None for i in active) == 1
    run_out(world, 30)
    assert in_states(seen(world, one)) == {"SUCCEEDED": 30}
    own = [i for i in instances_of(world.engine.store, job.id) if i.backfill is None]
    assert S.SUCCEEDED in {i.state for i in own}


@pytest.mark.parametrize(
    ("overlap", "ended"),
    [
        ("skip", {"SUCCEEDED": 1, "SKIPPED": 3}),
        ("queue", {"SUCCEEDED": 4}),
        ("queue_one", {"SUCCEEDED": 2, "SKIPPED": 2}),
        ("replace", {"SUCCEEDED": 1, "KILLED": 1, "SKIPPED": 2}),
        ("allow", {"SUCCEEDED": 4}),
    ],
)
def test_it_has_an_overlap_of_its_own(world: World, overlap: str, ended: dict[str, int]) -> None:
    job = a_past(world)
    world.targets.when_cancelled = Stopped()
    one = backfill(world, job, overlap=overlap)
    run_out(world)
    view = seen(world, one)
    assert view.backfill.state is BackfillState.COMPLETED
    assert in_states(view) == ended


def insert_group(world: World, name: str, size: int) -> None:
    store = world.engine.store
    assert isinstance(store, SqlStore)
    with store._driver.writing() as link:
        link.begin(write=True)
        link.change(
            "INSERT INTO scheduler_groups VALUES ('default', :name, :size, '', 1, 0, 'ada', 0, 'ada')",
            {"name": name, "size": size},
        )
        link.commit()


def test_it_shares_the_slots_of_the_group(world: World) -> None:
    insert_group(world, "db", 2)
    job = a_past(world, policies={"catch_up": "none", "group": "db"})
    one = backfill(world, job, max_active=4)
    for _ in range(30):
        held = [i for i in instances_of(world.engine.store, job.id) if i.place == 1]
        assert len(held) <= 2
        world.advance(MINUTE // 2)
    assert in_states(seen(world, one)) == {"SUCCEEDED": 4}


def test_the_queue_does_not_time_out_before_its_turn(world: World) -> None:
    timeouts = {"wait": "PT10M"}
    job = a_past(world, policies={"catch_up": "none", "timeouts": timeouts})
    world.targets.otherwise = world.targets.when_cancelled  # each takes until we say so
    one = backfill(world, job, overlap="queue")
    run_out(world, 30)
    world.targets.otherwise = Succeeded()
    run_out(world, 10)
    assert in_states(seen(world, one)) == {"SUCCEEDED": 4}


def test_the_queue_of_a_resumed_job_does_not_time_out_either(world: World) -> None:
    timeouts = {"wait": "PT10M"}
    job = a_past(world, policies={"catch_up": "none", "timeouts": timeouts})
    world.targets.otherwise = world.targets.when_cancelled
    one = backfill(world, job, overlap="queue")
    commands.suspend(world.engine, ADMIN, job.id)
    commands.resume(world.engine, ADMIN, job.id)
    run_out(world, 30)
    world.targets.otherwise = Succeeded()
    run_out(world, 40)
    assert in_states(seen(world, one)) == {"SUCCEEDED": 4}


@pytest.mark.parametrize("kill", [False, True])
def test_cancelling_skips_what_waits_and_may_stop_what_runs(world: World, kill: bool) -> None:
    job = a_past(world)
    world.targets.otherwise = world.targets.when_cancelled
    world.targets.when_cancelled = Stopped()
    one = backfill(world, job, overlap="queue")
    run_out(world, 2)
    view = commands.cancel_backfill(world.engine, ADMIN, one.id, kill=kill, reason="wrong range")
    assert view.backfill.state is BackfillState.CANCELLED
    assert view.backfill.end_reason == "wrong range"
    again = commands.cancel_backfill(world.engine, ADMIN, one.id, kill=kill)
    assert again.backfill == view.backfill
    world.targets.otherwise = Succeeded()
    run_out(world, 5)
    ended = in_states(seen(world, one))
    assert ended == {"SKIPPED": 3, "KILLED" if kill else "SUCCEEDED": 1}
    reasons = {i.reason for i in its(world, one) if i.state is S.SKIPPED}
    assert reasons == {Reason.BACKFILL_CANCELLED}
    assert seen(world, one).backfill.state is BackfillState.CANCELLED


def test_a_retry_after_the_cancellation_does_not_begin(world: World) -> None:
    job = a_past(world, policies={"catch_up": "none", "retries": {"max_attempts": 3}})
    world.targets.otherwise = world.targets.when_cancelled
    one = backfill(world, job, to_ms=MORNING + 1)
    commands.cancel_backfill(world.engine, ADMIN, one.id)
    world.targets.otherwise = Failed("no such table")
    run_out(world, 10)
    [left] = its(world, one)
    assert (left.state, left.reason, left.run) == (S.SKIPPED, Reason.BACKFILL_CANCELLED, 2)


def test_a_completed_one_cannot_be_cancelled(world: World, job: Job) -> None:
    one = backfill(world, job)
    run_out(world)
    with pytest.raises(WrongState, match="COMPLETED"):
        commands.cancel_backfill(world.engine, ADMIN, one.id)


def test_deleting_the_job_cancels_its_backfills(world: World) -> None:
    job = a_past(world)
    world.targets.otherwise = world.targets.when_cancelled
    one = backfill(world, job, overlap="queue")
    commands.delete(world.engine, ADMIN, job.id)
    view = seen(world, one)
    assert (view.backfill.state, view.backfill.end_reason) == (
        BackfillState.CANCELLED,
        "JOB_DELETED",
    )
    assert view.counts[S.SKIPPED] == 3
    assert view.job.state is JobState.DELETED
    world.targets.otherwise = Succeeded()
    run_out(world, 5)
    assert all(i.ended_ms for i in its(world, one))


def test_what_is_rerun_by_hand_leaves_the_backfill(world: World, job: Job) -> None:
    one = backfill(world, job)
    run_out(world)
    commands.rerun(world.engine, ADMIN, at(world, job, MORNING).id)
    run_out(world, 3)
    assert len(its(world, one)) == 3
    assert seen(world, one).finished == 4


def test_a_long_range_of_what_exists_is_passed_over_in_one_go(world: World) -> None:
    job = a_past(world, schedule={"every": "PT1S", "start": "2026-01-01T11:00:00Z"})
    first = backfill(world, job, from_ms=NOON - HOUR, to_ms=NOON - HOUR + 2500 * 1000)
    commands.cancel_backfill(world.engine, ADMIN, first.id)
    many = [
        new_instance(job, NOON - HOUR + k * 1000, NOON, InstanceKind.BACKFILL) for k in range(2500)
    ]
    ended = [
        replace(i, state=S.SUCCEEDED, wake_ms=None, deadline_ms=None, ended_ms=NOON) for i in many
    ]
    world.engine.store.transact(lambda tx: tx.insert_instances(ended))
    one = backfill(world, job, from_ms=NOON - HOUR, to_ms=NOON - HOUR + 2500 * 1000)
    done = seen(world, one).backfill
    assert done.state is BackfillState.COMPLETED
    assert (done.made, done.existing) == (0, 2500)


def test_a_backfill_that_raises_is_set_aside_alone(world: World) -> None:
    good, bad = a_past(world), a_past(world, name="bad", scheduled=False)
    one = commands.create_backfill(world.engine, ADMIN, bad.id, Wish(from_ms=MORNING, to_ms=NOON))
    assert isinstance(one, BackfillView)
    broken = replace(bad, revision=2, definition_json="{}")
    moved = replace(one.backfill, id="f" * 32, revision=2)
    world.engine.store.transact(lambda tx: tx.revise_job(broken))
    world.engine.store.transact(lambda tx: tx.insert_backfill(moved))
    fine = backfill(world, good)
    run_out(world, 10)
    assert seen(world, fine).backfill.state is BackfillState.COMPLETED
    assert seen(world, one.backfill).backfill.state is BackfillState.COMPLETED
    aside = seen(world, moved)
    assert aside.backfill.failures >= 2
    assert "tried again" in str(aside.waiting_on)
    assert any(isinstance(fact, BackfillSetAside) for fact in world.facts)


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        ({"from_ms": NOON, "to_ms": NOON}, "from", "before the end"),
        ({"to_ms": NOON + 1}, "to", "lies ahead"),
        ({"from_ms": MORNING - 9 * HOUR, "to_ms": MORNING}, "from", "no nominal time"),
        ({"overlap": "queue", "max_active": 2}, "max_active", "one at a time"),
        ({"parameters": {"nope": 1}}, "parameters.nope", "no parameter"),
    ],
)
def test_what_cannot_be_had_is_refused_by_field(
    world: World, job: Job, wish: dict[str, Any], field: str, says: str
) -> None:
    for attempt in (commands.plan_backfill, commands.create_backfill):
        with pytest.raises(InvalidInput, match=says) as refused:
            attempt(
                world.engine, ADMIN, job.id, Wish(**{"from_ms": MORNING, "to_ms": NOON, **wish})
            )
        assert [problem.field for problem in refused.value.problems] == [field]


def test_too_many_times_are_refused(world: World) -> None:
    job = a_past(world, schedule={"every": "PT1S", "start": START})
    with pytest.raises(QuotaExceeded, match="more than the 10000"):
        backfill(world, job)


def test_who_may_do_what(world: World, job: Job) -> None:
    viewer = Principal("vera", roles={"default": Role.VIEWER})
    stranger = Principal("sam", roles={"elsewhere": Role.OWNER})
    wish = Wish(from_ms=MORNING, to_ms=NOON)
    assert commands.plan_backfill(world.engine, viewer, job.id, wish).items
    with pytest.raises(Forbidden):
        commands.create_backfill(world.engine, viewer, job.id, wish)
    one = backfill(world, job)
    assert queries.backfill(world.engine, viewer, one.id).backfill.id == one.id
    with pytest.raises(Forbidden):
        commands.cancel_backfill(world.engine, viewer, one.id)
    for ask in (queries.backfill, commands.cancel_backfill):
        with pytest.raises(NotFound):
            ask(world.engine, stranger, one.id)
    assert queries.backfills(world.engine, stranger, BackfillFilter()).items == []


def test_a_repeat_of_the_request_makes_one_backfill(world: World, job: Job) -> None:
    once = Once("key", "the same", 201, lambda view: str(view.backfill.id))
    wish = Wish(from_ms=MORNING, to_ms=NOON)
    first = commands.create_backfill(world.engine, ADMIN, job.id, wish, once=once)
    again = commands.create_backfill(world.engine, ADMIN, job.id, wish, once=once)
    assert isinstance(first, BackfillView)
    assert isinstance(again, Remembered)
    assert again.body == first.backfill.id


def test_the_end_can_be_told_once_something_has_ended(world: World) -> None:
    job = a_past(world, schedule={"every": "PT1M", "start": START})
    one = backfill(world, job, to_ms=MORNING + 100 * MINUTE, overlap="queue")
    assert seen(world, one).eta_ms(world.clock.now) is None
    run_out(world, 25)
    eta_ms = seen(world, one).eta_ms(world.clock.now)
    assert eta_ms is not None
    while seen(world, one).backfill.state is BackfillState.RUNNING:
        world.advance(MINUTE)
    assert abs(world.clock.now - eta_ms) < 10 * MINUTE
