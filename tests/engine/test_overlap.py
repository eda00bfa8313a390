"""What a nominal time does while another instance of its job is active: one after the other, in batches,
in flight, while it waits, and with an overlap of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.engine import commands
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import Failed, Refused, Running, Stopped, Succeeded
from chalicelib.engine.ports import HandedOut
from chalicelib.engine.settle import result_of, settle
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState, StopKind
from tests.engine.history import assert_settled, instances_of
from tests.engine.test_commands import states, submit
from tests.engine.world import ADMIN, MINUTE, World


@pytest.fixture
def busy(world: World) -> World:
    """Runs go on until the test ends them."""
    world.targets.otherwise = Running()
    return world


def start(world: World, overlap: str, **policies: object) -> Job:
    return submit(world, target={"kind": "started"}, policies={"overlap": overlap, **policies})


def rows(world: World, job: Job) -> list[Instance]:
    return instances_of(world.engine.store, job.id)


def reasons(world: World, job: Job) -> list[str | None]:
    return [one.reason for one in rows(world, job)]


def finish(world: World, instance: Instance) -> None:
    settle(world.engine, [result_of(instance, Succeeded())])


def launch_together(world: World) -> None:
    """All that was handed out travels in one message."""
    handed = [one for _, one in world.queue.messages]
    world.queue.messages.clear()
    launch_started(world.engine, handed)


def last_end(world: World, job: Job) -> None:
    """Nothing new comes, and all that runs succeeds."""
    commands.expire(world.engine, ADMIN, job.id)
    world.targets.otherwise = Succeeded()
    world.advance(30 * MINUTE)
    assert_settled(world.engine.store, job.id)


# ---- queue_one


def test_one_waits_and_later_ones_are_skipped(busy: World) -> None:
    job = start(busy, "queue_one")
    busy.advance(3 * MINUTE)
    assert states(busy, job) == ["RUNNING", "WAITING", "SKIPPED", "SKIPPED"]
    assert reasons(busy, job) == [None, "MAX_ACTIVE", "OVERLAP", "OVERLAP"]
    finish(busy, rows(busy, job)[0])
    busy.advance(MINUTE)
    assert states(busy, job) == ["SUCCEEDED", "RUNNING", "SKIPPED", "SKIPPED", "WAITING"]
    last_end(busy, job)


@pytest.mark.parametrize("together", [True, False])
def test_a_batch_keeps_its_oldest_and_one_waiter(busy: World, together: bool) -> None:
    """After an outage all come in one batch."""
    job = start(busy, "queue_one", catch_up={"mode": "all", "limit": 5})
    busy.clock.now += 30 * MINUTE
    busy.minute()
    if together:
        launch_together(busy)
    busy.deliver()
    assert states(busy, job) == ["LAUNCHED", "WAITING", "SKIPPED", "SKIPPED", "SKIPPED"]
    last_end(busy, job)


def test_who_was_given_the_slot_is_no_waiter_any_more(busy: World) -> None:
    job = start(busy, "queue_one")
    busy.advance(MINUTE)
    finish(busy, rows(busy, job)[0])  # the slot passes on; nobody has launched the next yet
    busy.clock.now += MINUTE
    busy.minute()
    busy.deliver()
    assert states(busy, job)[:3] == ["SUCCEEDED", "LAUNCHED", "WAITING"]


def test_a_waiter_that_is_skipped_by_hand_leaves_its_place(busy: World) -> None:
    job = start(busy, "queue_one")
    busy.advance(MINUTE)
    commands.skip(busy.engine, ADMIN, rows(busy, job)[1].id)
    busy.advance(MINUTE)
    assert states(busy, job) == ["RUNNING", "SKIPPED", "WAITING"]


# ---- replace


def test_the_newest_replaces_what_runs_and_what_waits(busy: World) -> None:
    job = start(busy, "replace")
    busy.advance(2 * MINUTE)
    first, second, third = rows(busy, job)
    assert first.stop is not None
    assert first.stop.kind is StopKind.REPLACE
    assert (second.state, second.reason) == (InstanceState.SKIPPED, "REPLACED")
    assert (third.state, third.reason) == (InstanceState.WAITING, "MAX_ACTIVE")
    busy.targets.when_cancelled = Stopped()
    busy.targets.endings.clear()
    busy.advance(MINUTE)
    assert states(busy, job)[0] == "KILLED"
    assert reasons(busy, job)[0] == "REPLACED"


def test_the_replaced_run_is_asked_once_and_given_up_after_five_minutes(busy: World) -> None:
    """Newer ones do not move the deadline of the stop: nothing waits for ever."""
    job = start(busy, "replace")
    busy.advance(6 * MINUTE + 30_000)
    first = rows(busy, job)[0]
    assert (first.state, first.reason) == (InstanceState.KILLED, "STOP_UNCONFIRMED")
    assert "RUNNING" in states(busy, job)
    last_end(busy, job)


def test_a_batch_launches_only_its_newest(busy: World) -> None:
    job = start(busy, "replace", catch_up={"mode": "all", "limit": 4})
    busy.clock.now += 30 * MINUTE
    busy.minute()
    launch_together(busy)
    assert states(busy, job) == ["SKIPPED", "SKIPPED", "SKIPPED", "LAUNCHED"]
    assert set(reasons(busy, job)[:3]) == {"REPLACED"}


@pytest.mark.parametrize("kind", ["started", "inline"])
def test_of_those_that_come_due_together_only_the_newest_begins(busy: World, kind: str) -> None:
    """Messages come one by one, the oldest first: the first of them must not begin only to be replaced."""
    catch_up = {"mode": "all", "limit": 4}
    policies = {"overlap": "replace", "catch_up": catch_up}
    job = submit(busy, target={"kind": kind}, policies=policies)
    busy.clock.now += 30 * MINUTE
    busy.minute()
    busy.deliver()
    assert states(busy, job)[:3] == ["SKIPPED"] * 3
    assert set(reasons(busy, job)[:3]) == {"REPLACED"}
    assert len(busy.targets.executions) == 1
    assert rows(busy, job)[3].launched_ms is not None


def test_a_retry_that_waits_for_its_delay_is_replaced(busy: World) -> None:
    job = start(busy, "replace", retries={"max_attempts": 3, "delay": "PT10M"})
    busy.deliver()
    busy.targets.otherwise = Failed("no")
    busy.advance(45_000)
    assert states(busy, job) == ["WAITING"]
    busy.targets.otherwise = Running()
    busy.advance(MINUTE)
    assert states(busy, job)[:2] == ["SKIPPED", "RUNNING"]
    assert [one.active for one in rows(busy, job)] == [False, True]


def test_the_runs_own_end_wins_over_its_replacement(busy: World) -> None:
    job = start(busy, "replace")
    busy.advance(MINUTE)
    finish(busy, rows(busy, job)[0])
    busy.advance(30_000)
    assert states(busy, job) == ["SUCCEEDED", "RUNNING"]


def test_a_kill_stands_when_the_run_is_replaced_too(busy: World) -> None:
    job = start(busy, "replace")
    busy.deliver()
    commands.kill(busy.engine, ADMIN, rows(busy, job)[0].id)
    busy.advance(MINUTE)
    busy.targets.when_cancelled = Stopped()
    busy.advance(MINUTE)
    assert (states(busy, job)[0], reasons(busy, job)[0]) == ("KILLED", "KILLED")


def test_a_replaced_run_that_fails_is_not_tried_again(busy: World) -> None:
    job = start(busy, "replace", retries={"max_attempts": 5})
    busy.advance(MINUTE)
    settle(busy.engine, [result_of(rows(busy, job)[0], Failed("on its way out"))])
    busy.advance(30_000)
    assert states(busy, job) == ["FAILED", "RUNNING"]


# ---- slots pass from hand to hand


def ways_to_end(world: World, one: Instance, way: str) -> None:
    if way == "kill":
        commands.kill(world.engine, ADMIN, one.id)
    elif way == "success":
        finish(world, one)
    else:
        settle(world.engine, [result_of(one, Failed("no", retry=False))])


@pytest.mark.parametrize("way", ["success", "failure", "kill"])
def test_nobody_steps_in_between(busy: World, way: str) -> None:
    """Between the end of a run and the launch of the next in line, an older one may come."""
    busy.targets.when_cancelled = Stopped()
    job = start(busy, "queue")
    busy.advance(2 * MINUTE)
    running, first, second = rows(busy, job)
    commands.kill(busy.engine, ADMIN, second.id)
    ways_to_end(busy, running, way)
    while rows(busy, job)[0].state is InstanceState.RUNNING:
        busy.deliver()
    given = rows(busy, job)[1]
    if given.state is InstanceState.WAITING:
        assert given.active  # it has the slot before anybody launched it
    commands.rerun(busy.engine, ADMIN, running.id)
    busy.deliver()
    busy.advance(30_000)
    after = rows(busy, job)
    assert after[1].id == first.id
    assert after[1].state in (InstanceState.LAUNCHED, InstanceState.RUNNING)
    assert (after[0].state, after[0].reason) == (InstanceState.WAITING, "MAX_ACTIVE")


def test_never_more_active_than_the_queue_allows(busy: World) -> None:
    job = start(busy, "allow", max_active=2)
    for _ in range(20):
        busy.advance(MINUTE)
        held = [one for one in rows(busy, job) if one.active]
        assert len(held) <= 2
        if len(held) == 2:
            finish(busy, held[0])
            assert sum(one.active for one in rows(busy, job)) <= 2
    last_end(busy, job)


def test_a_refused_launch_keeps_its_slot(busy: World) -> None:
    busy.targets.launch_outcomes = [Refused("busy"), Refused("busy")]
    job = start(busy, "queue")
    busy.advance(MINUTE)
    assert [one.active for one in rows(busy, job)] == [True, False]
    last_end(busy, job)
    launched = [request.instance_id for verb, request in busy.targets.calls if verb == "launch"]
    assert launched == sorted(launched)


# ---- an overlap of its own


def with_own(world: World, one: Instance, **own: object) -> HandedOut:
    """As a trigger or a backfill would have made it."""
    changed = replace(one, version=one.version + 1, wake_ms=world.clock.now, **own)  # type: ignore[arg-type]
    world.engine.store.transact(lambda tx: tx.save_instances([changed]))
    return HandedOut(changed.id, changed.version)


def test_an_instance_may_overlap_otherwise_than_its_job(busy: World) -> None:
    job = start(busy, "queue")
    busy.deliver()
    commands.trigger(busy.engine, ADMIN, job.id)
    triggered = rows(busy, job)[-1]
    with_own(busy, triggered, overlap="allow", max_active=2)
    busy.deliver()
    busy.minute()
    busy.deliver()
    assert [one.active for one in rows(busy, job)] == [True, True]


def test_who_wants_to_be_alone_is_not_given_a_slot_beside_others(busy: World) -> None:
    job = start(busy, "allow", max_active=2)
    busy.advance(MINUTE)
    commands.expire(busy.engine, ADMIN, job.id)
    for _ in range(2):
        busy.clock.now += 5
        commands.trigger(busy.engine, ADMIN, job.id)
    first, second, alone, _ = rows(busy, job)
    with_own(busy, alone, overlap="queue")
    busy.minute()
    busy.deliver()
    assert [one.active for one in rows(busy, job)] == [True, True, False, False]
    finish(busy, first)
    assert [one.active for one in rows(busy, job)] == [False, True, False, True]
    finish(busy, second)
    assert not rows(busy, job)[2].active
    busy.deliver()
    finish(busy, rows(busy, job)[3])
    assert rows(busy, job)[2].active


def test_a_backfill_has_slots_of_its_own(busy: World) -> None:
    job = start(busy, "queue")
    busy.deliver()
    commands.trigger(busy.engine, ADMIN, job.id)
    commands.trigger(busy.engine, ADMIN, job.id)
    for one in rows(busy, job)[1:]:
        with_own(busy, one, backfill="b" * 32)
    busy.minute()
    busy.deliver()
    assert [one.active for one in rows(busy, job)] == [True, True, False]
    finish(busy, rows(busy, job)[1])
    busy.deliver()
    assert [one.active for one in rows(busy, job)] == [True, False, True]
