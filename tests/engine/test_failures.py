"""Runs that fail, launches that fail, and series of failures: each budget and each count for itself."""

from __future__ import annotations

import pytest

from chalicelib.engine import commands
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Refused,
    Running,
    Stopped,
    Succeeded,
)
from chalicelib.engine.settle import result_of, settle
from chalicelib.model.job import Job
from chalicelib.model.states import IN_FLIGHT, InstanceKind, InstanceState, JobState
from tests.engine.history import assert_settled, instances_of, skips_of
from tests.engine.test_commands import states, submit
from tests.engine.world import ADMIN, MINUTE, World

NO_LAUNCH = Failed("no such function")


def once(world: World, **policies: object) -> Job:
    return submit(world, target={"kind": "started"}, schedule={"every": "P1D"}, policies=policies)


def runs(world: World, job: Job) -> list[tuple[int, str, str | None]]:
    """Of the one instance: number, state and reason of each run."""
    [one] = instances_of(world.engine.store, job.id)
    archived = world.engine.store.read(lambda reader: reader.runs([one.id])).get(one.id, ())
    return [(run.number, run.state.value, run.reason) for run in (*archived, one.latest_run)]


# ---- the two budgets


def test_launches_have_a_budget_of_their_own(world: World) -> None:
    world.targets.launch_outcomes = [NO_LAUNCH] * 10
    job = once(world, retries={"max_attempts": 1, "launch": {"max_attempts": 3}})
    world.advance(60 * MINUTE)
    assert runs(world, job) == [(n, "FAILED", "LAUNCH_FAILED") for n in (1, 2, 3)]
    assert len(world.targets.launch_outcomes) == 7
    assert len({request.token for _, request in world.targets.calls}) == 3


def test_the_launch_budget_begins_anew_with_each_run_that_began(world: World) -> None:
    began: Outcome = Launched("x")
    world.targets.launch_outcomes = [NO_LAUNCH, began, NO_LAUNCH, NO_LAUNCH]
    world.targets.otherwise = Failed("broken")
    job = once(world, retries={"max_attempts": 2, "launch": {"max_attempts": 2}})
    world.advance(120 * MINUTE)
    assert runs(world, job) == [
        (1, "FAILED", "LAUNCH_FAILED"),
        (2, "FAILED", "RUN_FAILED"),
        (3, "FAILED", "LAUNCH_FAILED"),
        (4, "FAILED", "LAUNCH_FAILED"),
    ]


def test_launches_that_failed_use_up_no_attempt_of_the_run(world: World) -> None:
    world.targets.launch_outcomes = [NO_LAUNCH, NO_LAUNCH]
    world.targets.otherwise = Failed("broken")
    job = once(world, retries={"max_attempts": 3, "launch": {"max_attempts": 3}})
    world.advance(240 * MINUTE)
    assert [reason for *_, reason in runs(world, job)] == ["LAUNCH_FAILED"] * 2 + ["RUN_FAILED"] * 3


def test_a_refusal_uses_up_nothing(world: World) -> None:
    world.targets.launch_outcomes = [Refused("busy")] * 20
    job = once(world, retries={"max_attempts": 1, "launch": {"max_attempts": 1}})
    world.advance(60 * MINUTE)
    assert runs(world, job) == [(1, "SUCCEEDED", None)]


def test_a_rerun_begins_with_all_of_its_budgets(world: World) -> None:
    world.targets.otherwise = Failed("broken")
    job = once(world, retries={"max_attempts": 2})
    world.advance(60 * MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    commands.rerun(world.engine, ADMIN, one.id)
    world.advance(60 * MINUTE)
    assert len(runs(world, job)) == 4


def test_delays_grow_by_the_budget_that_is_used(world: World) -> None:
    world.targets.launch_outcomes = [NO_LAUNCH, NO_LAUNCH]
    launch = {"max_attempts": 3, "delay": "PT10S", "factor": 3, "jitter": 0}
    job = once(world, retries={"delay": "PT1H", "launch": launch})
    world.advance(10 * MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    archived = world.engine.store.read(lambda reader: reader.runs([one.id]))[one.id]
    first, second, third = (*archived, one.latest_run)
    assert (second.launched_ms, third.launched_ms is None) == (None, False)
    assert (third.created_ms or 0) - (first.created_ms or 0) == 10_000
    assert (third.launched_ms or 0) - third.created_ms == 30_000


# ---- series of failures


def minutely(world: World, after: int, **policies: object) -> Job:
    return submit(
        world,
        target={"kind": "started"},
        policies={"on_failure": {"suspend_after": after}, **policies},
    )


def look(world: World, job: Job) -> Job:
    found = world.engine.store.read(lambda reader: reader.job(job.id, None))
    assert found is not None
    return found


def end_all(world: World, job: Job, *outcomes: Outcome) -> None:
    """One minute each: the newest run ends so."""
    for outcome in outcomes:
        world.advance(MINUTE)
        [*_, one] = [
            one for one in instances_of(world.engine.store, job.id) if one.state in IN_FLIGHT
        ]
        settle(world.engine, [result_of(one, outcome)])


@pytest.fixture
def busy(world: World) -> World:
    world.targets.otherwise = Running()
    return world


def test_a_series_suspends_the_job_with_its_reason(world: World) -> None:
    world.targets.otherwise = Failed("broken")
    job = minutely(world, 3)
    world.advance(10 * MINUTE)
    after = look(world, job)
    assert after.state is JobState.SUSPENDED
    assert after.suspension is not None
    assert after.suspension.by == "noonday"
    assert "3 instances failed" in (after.suspension.reason or "")
    ended = [one for one in instances_of(world.engine.store, job.id) if one.ended_ms]
    assert len(ended) == 3
    events = world.engine.store.read(
        lambda reader: [
            event.verb for event in reader.events(EventFilter(job_id=job.id, limit=1000), None)
        ]
    )
    assert events.count("SUSPEND") == 1


def test_a_success_breaks_the_series(busy: World) -> None:
    job = minutely(busy, 2)
    bad = Failed("no")
    end_all(busy, job, bad, Succeeded(), bad, Succeeded(), bad)
    assert look(busy, job).state is JobState.SCHEDULED
    end_all(busy, job, bad)
    assert look(busy, job).state is JobState.SUSPENDED


def test_a_kill_neither_breaks_nor_lengthens_it(busy: World) -> None:
    busy.targets.when_cancelled = Stopped()
    job = minutely(busy, 2)
    end_all(busy, job, Failed("no"))
    busy.advance(MINUTE)
    for one in instances_of(busy.engine.store, job.id):
        if one.state not in (InstanceState.FAILED,):
            commands.kill(busy.engine, ADMIN, one.id)
    busy.advance(1_000)
    assert look(busy, job).state is JobState.SCHEDULED
    end_all(busy, job, Failed("no"))
    assert look(busy, job).state is JobState.SUSPENDED


def test_a_failure_that_is_tried_again_is_no_failure_yet(busy: World) -> None:
    job = minutely(busy, 1, retries={"max_attempts": 2})
    end_all(busy, job, Failed("once"))
    assert look(busy, job).state is JobState.SCHEDULED


def test_what_people_asked_for_does_not_count(busy: World) -> None:
    job = minutely(busy, 1)
    commands.trigger(busy.engine, ADMIN, job.id)
    busy.advance(MINUTE)
    for one in instances_of(busy.engine.store, job.id):
        if one.kind is InstanceKind.MANUAL:
            settle(busy.engine, [result_of(one, Failed("mine"))])
    assert look(busy, job).state is JobState.SCHEDULED


@pytest.mark.parametrize("confirms", [True, False])
def test_a_run_that_took_too_long_counts_whether_or_not_its_end_is_confirmed(
    busy: World, confirms: bool
) -> None:
    if confirms:
        busy.targets.when_cancelled = Stopped()
    job = minutely(busy, 1, timeouts={"run": "PT2M"})
    busy.advance(9 * MINUTE)
    assert look(busy, job).state is JobState.SUSPENDED


@pytest.mark.parametrize("resumed_by", ["command", "its end"])
def test_the_count_begins_anew_when_it_is_resumed(busy: World, resumed_by: str) -> None:
    job = minutely(busy, 2)
    end_all(busy, job, Failed("no"))
    until_ms = busy.clock.now + MINUTE if resumed_by == "its end" else None
    commands.suspend(busy.engine, ADMIN, job.id, until_ms=until_ms)
    busy.advance(2 * MINUTE)
    commands.resume(busy.engine, ADMIN, job.id)
    assert look(busy, job).state is JobState.SCHEDULED
    end_all(busy, job, Failed("no"))
    assert look(busy, job).state is JobState.SCHEDULED
    end_all(busy, job, Failed("no"))
    assert look(busy, job).state is JobState.SUSPENDED


def test_what_waits_is_held_by_the_series_and_gives_back_its_slot(busy: World) -> None:
    job = minutely(busy, 1, overlap="queue")
    busy.advance(2 * MINUTE)
    running, *_ = instances_of(busy.engine.store, job.id)
    settle(busy.engine, [result_of(running, Failed("no"))])
    first, second, third = instances_of(busy.engine.store, job.id)
    assert (first.state, second.reason, third.reason) == (
        "FAILED",
        "JOB_SUSPENDED",
        "JOB_SUSPENDED",
    )
    assert [one.active for one in (first, second, third)] == [False] * 3
    busy.targets.otherwise = Succeeded()
    commands.resume(busy.engine, ADMIN, job.id)
    commands.expire(busy.engine, ADMIN, job.id)
    busy.advance(10 * MINUTE)
    assert states(busy, job)[:3] == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert_settled(busy.engine.store, job.id)


def test_nominal_times_that_are_due_at_that_moment_are_not_lost(busy: World) -> None:
    """Settle, then change: also when it is the engine that suspends."""
    job = minutely(busy, 1)
    busy.advance(30_000)
    [one] = instances_of(busy.engine.store, job.id)
    busy.clock.now += 2 * MINUTE  # the alarm is late
    settle(busy.engine, [result_of(one, Failed("no"))])
    assert look(busy, job).state is JobState.SUSPENDED
    assert states(busy, job) == ["FAILED", "WAITING", "WAITING"]
    assert skips_of(busy.engine.store, job.id) == []


@pytest.mark.parametrize("first", [Failed("once"), Failed("once", retry=True, lost=True)])
def test_the_retries_of_a_rerun_during_a_suspension_are_asked_for_with_it(
    world: World, first: Failed
) -> None:
    policies = {"retries": {"max_attempts": 2, "delay": "PT30S", "jitter": 0}}
    job = submit(world, schedule={"every": "P1D"}, policies=policies)
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    commands.suspend(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    commands.rerun(world.engine, ADMIN, one.id)
    world.targets.run_outcomes = [first]
    world.deliver()
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + 60 * MINUTE)
    world.advance(MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    assert (one.state, one.run) == (InstanceState.SUCCEEDED, 3)


def test_the_retry_of_what_nobody_asked_for_is_held_by_a_suspension(world: World) -> None:
    policies = {"retries": {"max_attempts": 2, "delay": "PT30S", "jitter": 0}}
    job = submit(world, schedule={"every": "P1D"}, policies=policies)
    world.targets.run_outcomes = [Failed("once")]
    world.deliver()
    commands.suspend(world.engine, ADMIN, job.id)
    world.advance(5 * MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    assert (one.state, one.reason) == (InstanceState.WAITING, "JOB_SUSPENDED")
    commands.resume(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    assert instances_of(world.engine.store, job.id)[0].state is InstanceState.SUCCEEDED
