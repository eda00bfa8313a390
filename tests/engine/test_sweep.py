"""The sweep and what hangs on it: late and doubled alarms, outages, poison, retries, time-outs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.engine import commands
from chalicelib.engine.claim import claim
from chalicelib.engine.facts import JobSetAside
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import Failed, Pending, Refused, Succeeded
from chalicelib.engine.ports import HandedOut
from chalicelib.engine.settle import result_of, settle
from chalicelib.engine.sweep import sweep_second
from chalicelib.model.instants import TZDATA_VERSION
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.states import InstanceState
from tests.engine.history import assert_accounted, assert_settled, instances_of
from tests.engine.test_commands import states, submit
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition


def test_a_doubled_alarm_and_a_doubled_message_launch_nothing_twice(world: World) -> None:
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.minute()
    world.minute()
    messages = list(world.queue.messages)
    world.queue.messages.extend(messages)
    world.deliver()
    assert len(world.targets.calls) == 1
    assert len(instances_of(world.engine.store, job.id)) == 1


def test_after_an_outage_every_nominal_time_is_accounted_for(world: World) -> None:
    job = submit(world)
    world.clock.now += 500 * MINUTE
    world.minute()
    world.advance(20 * MINUTE)
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(521)])
    assert_settled(world.engine.store, job.id)


def test_a_job_whose_turn_is_refused_is_set_aside_alone(world: World) -> None:
    """What the schema refuses of one job ends the transaction of all that were due with it."""
    limited = {"catch_up": {"limit": 1}}
    poison = submit(world, policies=limited)
    healthy = submit(world, name="healthy", policies=limited)
    in_the_way = SkipRange(poison.id, NOON, NOON + 1, "EXPIRED", 1)
    world.engine.store.transact(lambda tx: tx.insert_skip_ranges([in_the_way]))
    world.clock.now += 3 * MINUTE
    world.minute()
    world.deliver()
    assert states(world, healthy) == ["SUCCEEDED"]
    [aside] = [fact for fact in world.facts if isinstance(fact, JobSetAside)]
    assert aside.job_id == poison.id
    assert "insert_skip_ranges" in aside.error
    world.engine.store.transact(lambda tx: tx.replace_ranges([in_the_way], []))
    world.advance(2 * MINUTE)
    assert_accounted(world.engine.store, poison.id, [NOON + k * MINUTE for k in range(6)])


def test_a_poisonous_job_is_set_aside_alone(world: World) -> None:
    poison, healthy = submit(world), submit(world, name="healthy")
    broken = replace(poison, revision=2, definition_json='{"name": "sample"}')
    world.engine.store.transact(lambda tx: tx.revise_job(broken))
    world.advance(3 * MINUTE)
    assert states(world, healthy) == ["SUCCEEDED"] * 4
    aside = [fact for fact in world.facts if isinstance(fact, JobSetAside)]
    assert {fact.job_id for fact in aside} == {poison.id}
    world.engine.store.transact(
        lambda tx: tx.revise_job(
            replace(poison, revision=3, definition_json=poison.definition_json)
        )
    )
    world.advance(10 * MINUTE)
    assert_accounted(world.engine.store, poison.id, [NOON + k * MINUTE for k in range(14)])


def test_a_thousand_jobs_of_one_minute_all_fire_in_it(world: World) -> None:
    jobs: list[Job] = []
    for number in range(1000):
        definition = a_definition(
            name=f"job-{number}",
            target={"kind": "started"},
            schedule={"every": "P1D", "start": "2026-01-01T12:05:00Z"},
        )
        job = commands.submit(world.engine, ADMIN, definition, schedule=True)
        assert isinstance(job, Job)
        jobs.append(job)
    world.advance_to(NOON + 5 * MINUTE)
    assert len(world.targets.executions) == 1000
    launched = [instances_of(world.engine.store, job.id) for job in jobs]
    assert {one.launched_ms for [one] in launched} == {NOON + 5 * MINUTE}


def test_a_failure_is_tried_again_under_a_token_of_its_own(world: World) -> None:
    policies = {"retries": {"max_attempts": 3, "delay": "PT10S", "jitter": 0}}
    job = submit(world, schedule={"every": "P1D"}, policies=policies)
    world.targets.run_outcomes = [Failed("first"), Failed("second"), Succeeded()]
    world.advance(MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    assert (one.state, one.run, one.started_ms) == (InstanceState.SUCCEEDED, 3, NOON + 30_000)
    runs = world.engine.store.read(lambda reader: reader.runs([one.id]))[one.id]
    assert [(run.number, run.state, run.error) for run in runs] == [
        (1, InstanceState.FAILED, "first"),
        (2, InstanceState.FAILED, "second"),
    ]
    assert len({request.token for _, request in world.targets.calls}) == 3


def test_what_cannot_help_is_not_tried_again(world: World) -> None:
    policies = {"retries": {"max_attempts": 3, "delay": "PT10S"}}
    job = submit(world, schedule={"every": "P1D"}, policies=policies)
    world.targets.run_outcomes = [Failed("no such table", retry=False)]
    world.advance(MINUTE)
    assert states(world, job) == ["FAILED"]
    assert len(world.targets.calls) == 1


def test_a_refusal_is_repeated_with_the_same_token(world: World) -> None:
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.targets.launch_outcomes = [Refused("throttled")] * 7
    world.advance(5 * MINUTE)
    assert states(world, job) == ["SUCCEEDED"]
    assert len({request.token for _, request in world.targets.calls}) == 1


def test_what_is_refused_for_ever_does_not_wait_for_ever(world: World) -> None:
    """Each try has a run's time before it; refused, it has what is left of its wait."""
    world.targets.launch_outcomes = [Refused("no capacity")] * 1000
    policies = {"timeouts": {"wait": "PT1H", "run": "PT5H"}}
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"}, policies=policies)
    world.advance(59 * MINUTE)
    assert states(world, job) == ["WAITING"]
    world.advance(2 * MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    assert (one.state, one.reason) == (InstanceState.TIMED_OUT, "WAIT_TIMEOUT")


def test_a_run_whose_time_is_over_is_cancelled(world: World) -> None:
    policies = {"timeouts": {"run": "PT2M"}}
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"}, policies=policies)
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    world.targets.endings[one.token] = Pending()
    world.advance(9 * MINUTE)
    assert world.targets.cancelled[0] == one.token
    [one] = instances_of(world.engine.store, job.id)
    assert (one.state, one.reason) == (InstanceState.TIMED_OUT, "STOP_UNCONFIRMED")


def test_polling_for_hours_is_no_loss(world: World) -> None:
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    world.targets.endings[one.token] = Pending()
    world.advance(120 * MINUTE)
    assert states(world, job) == ["LAUNCHED"]
    world.targets.endings[one.token] = Succeeded()
    world.advance(MINUTE)
    assert states(world, job) == ["SUCCEEDED"]


def test_an_instance_that_waits_too_long_ends_with_its_reason(world: World) -> None:
    policies = {"max_active": 1, "timeouts": {"wait": "PT5M", "run": "PT20H"}}
    job = submit(world, target={"kind": "started"}, policies=policies)
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    world.targets.endings[one.token] = Pending()
    world.advance(7 * MINUTE)
    rows = instances_of(world.engine.store, job.id)
    assert (rows[1].state, rows[1].reason) == (InstanceState.TIMED_OUT, "WAIT_TIMEOUT")
    assert rows[-1].state is InstanceState.WAITING


def test_a_freed_slot_goes_to_the_oldest_that_waits(world: World) -> None:
    job = submit(world, target={"kind": "started"}, policies={"overlap": "queue"})
    world.deliver()
    [first] = instances_of(world.engine.store, job.id)
    world.targets.endings[first.token] = Pending()
    world.advance(3 * MINUTE)
    assert states(world, job) == ["LAUNCHED", "WAITING", "WAITING", "WAITING"]
    del world.targets.endings[first.token]
    world.advance(MINUTE)
    launched = [request.instance_id for verb, request in world.targets.calls if verb == "launch"]
    assert launched == sorted(launched)
    assert len(launched) >= 2


def test_a_late_holder_changes_nothing(world: World) -> None:
    """Its lease ended, somebody else claimed the run, and then it comes back."""
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.minute()
    [one] = instances_of(world.engine.store, job.id)
    launch_started(world.engine, [HandedOut(one.id, one.version - 1)])
    assert world.targets.calls == []
    assert states(world, job) == ["WAITING"]


def test_what_one_wake_up_was_for_can_vanish_without_delaying_the_rest(world: World) -> None:
    """The second hand is armed for the next that is due, and for nothing else of the minute."""
    first = submit(world, name="first", schedule={"cron": "10 * * * * ?"})
    second = submit(world, name="second", schedule={"cron": "40 * * * * ?"})
    world.advance_to(NOON + MINUTE + 5_000)
    commands.suspend(world.engine, ADMIN, first.id)
    world.advance_to(NOON + 3 * MINUTE)
    rows = instances_of(world.engine.store, second.id)
    assert [one.started_ms for one in rows] == [NOON + k * MINUTE + 40_000 for k in range(3)]


def test_a_wake_up_that_comes_early_comes_again(world: World) -> None:
    """The clock is the database's: what corrects it may move it back between the alarm and the sweep."""
    job = submit(world, schedule={"cron": "10 * * * * ?"})
    world.deliver()
    [(_, until)] = world.alarm.wakes
    world.alarm.wakes.clear()
    world.clock.now = NOON + 9_990
    sweep_second(world.engine, arm_until_ms=until, seconds_left=30)
    assert instances_of(world.engine.store, job.id) == []
    world.advance_to(NOON + 10_000)
    [one] = instances_of(world.engine.store, job.id)
    assert one.started_ms == NOON + 10_000


def test_a_thousand_runs_of_one_minute_begin_no_chains_of_wake_ups(world: World) -> None:
    submit(world, schedule={"cron": "* * * * * ?"})
    other = submit(world, name="other", schedule={"every": "P1D"})
    world.advance(2_000)
    for _ in range(100):
        commands.trigger(world.engine, ADMIN, other.id)
    world.advance(2_000)
    assert len(world.alarm.wakes) <= 3


@pytest.mark.parametrize("end", [commands.kill, commands.skip])
def test_who_ends_before_its_turn_passes_it_on(world: World, end: Callable[..., object]) -> None:
    job = submit(world, target={"kind": "started"}, policies={"overlap": "queue"})
    world.deliver()
    [first] = instances_of(world.engine.store, job.id)
    world.targets.endings[first.token] = Pending()
    world.advance(2 * MINUTE)
    commands.expire(world.engine, ADMIN, job.id)
    running, in_turn, _ = instances_of(world.engine.store, job.id)
    settle(world.engine, [result_of(running, Succeeded())])
    end(world.engine, ADMIN, in_turn.id)
    world.advance(MINUTE)
    assert states(world, job)[0::2] == ["SUCCEEDED", "SUCCEEDED"]


def test_who_waited_too_long_passes_its_turn_on(world: World) -> None:
    policies = {"overlap": "queue", "timeouts": {"wait": "PT5M"}}
    job = submit(world, target={"kind": "started"}, policies=policies)
    world.deliver()
    [first] = instances_of(world.engine.store, job.id)
    world.targets.endings[first.token] = Pending()
    world.advance(2 * MINUTE)
    commands.expire(world.engine, ADMIN, job.id)
    running, in_turn, _ = instances_of(world.engine.store, job.id)
    world.clock.now = (in_turn.deadline_ms or 0) - 1
    settle(world.engine, [result_of(running, Succeeded())])
    world.clock.now += 1
    world.deliver()
    assert states(world, job) == ["SUCCEEDED", "TIMED_OUT", "LAUNCHED"]


def test_what_was_claimed_but_never_begun_does_not_begin_after_its_job_was_deleted(
    world: World,
) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.minute()
    [(_, handed)] = world.queue.messages
    world.queue.messages.clear()
    claim(world.engine, [handed])  # and here its process dies
    commands.delete(world.engine, ADMIN, job.id)
    world.advance(5 * MINUTE)
    assert world.targets.calls == []
    assert states(world, job) == ["KILLED"]


def test_an_instance_remembers_the_zone_database_that_computed_its_time(world: World) -> None:
    job = submit(world)
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    assert one.tzdata == TZDATA_VERSION
