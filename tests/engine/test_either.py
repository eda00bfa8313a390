"""Runs that AWS executes and whose programs report, too: whichever end comes first counts, and what is not
heard of is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.commands import Report
from chalicelib.engine.explaining import why
from chalicelib.engine.outcomes import Failed, Pending, Running, Stopped, Succeeded
from chalicelib.model.errors import RunOver
from chalicelib.model.instance import Instance
from chalicelib.model.states import InstanceState, Reason, StopKind
from tests.engine.history import assert_accounted
from tests.engine.test_callbacks import launched, now, say
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

S = InstanceState
BEGUN_MS = 30_000  # the first poll says so
SILENT_MS = BEGUN_MS + 51_000
AGAIN = {"max_attempts": 2, "delay": "PT1M", "jitter": 0}


def begin(world: World, **policies: Any) -> Instance:
    world.targets.otherwise = Running()
    world.clock.now = NOON - MINUTE
    definition = a_definition(
        schedule={"at": "2026-01-01T12:00:00Z"},
        target={"kind": "started", "completion": "either"},
        policies={"timeouts": {"heartbeat": "PT50S"}} | policies,
    )
    commands.submit(world.engine, ADMIN, definition, owner="blue", schedule=True)
    world.advance_to(NOON)
    [one] = world.engine.store.read(
        lambda reader: reader.instances_by_id([launched(world).instance_id])
    )
    return one


def verbs(world: World) -> list[str]:
    return [what for what, _ in world.targets.calls]


def test_it_is_asked_while_it_reports_and_nobody_stops_it(world: World) -> None:
    one = begin(world)
    for _ in range(6):
        world.advance(40_000)
        say(world, Report.HEARTBEAT, message="at work")
    present = now(world, one)
    assert (present.state, present.said) == (S.RUNNING, "at work")
    assert {*verbs(world)} == {"launch", "describe"}
    assert verbs(world).count("describe") >= 6
    because = why(world.engine, ADMIN, one.id).because
    assert "its target reports every PT50S, or is stopped" in because


def test_what_waits_at_its_service_is_not_yet_missed(world: World) -> None:
    """AWS Batch may keep a job in its queue for hours."""
    one = begin(world)
    world.targets.otherwise = Pending()
    world.advance(60 * MINUTE)
    assert now(world, one).state is S.LAUNCHED
    world.targets.otherwise = Running()
    world.advance(MINUTE)
    assert (now(world, one).state, now(world, one).stop) == (S.RUNNING, None)
    world.advance(MINUTE)
    stop = now(world, one).stop
    assert stop is not None
    assert stop.kind is StopKind.HEARTBEAT


@pytest.mark.parametrize("said", [Report.SUCCEEDED, Report.FAILED])
def test_its_report_ends_it_before_anybody_asks(world: World, said: Report) -> None:
    one = begin(world)
    say(world, said)
    assert now(world, one).state is (S.SUCCEEDED if said is Report.SUCCEEDED else S.FAILED)
    world.targets.otherwise = Succeeded()
    world.advance(5 * MINUTE)
    assert verbs(world) == ["launch"]


def test_its_end_counts_though_it_reported_nothing(world: World) -> None:
    one = begin(world)
    world.targets.otherwise = Succeeded()
    world.advance(31_000)
    assert now(world, one).state is S.SUCCEEDED
    with pytest.raises(RunOver):
        say(world, Report.HEARTBEAT)


def test_what_is_not_heard_of_is_stopped_fails_and_is_tried_again(world: World) -> None:
    one = begin(world, retries=AGAIN)
    world.targets.when_cancelled = Stopped()
    first = launched(world)
    world.advance(BEGUN_MS + 49_000)
    assert world.targets.cancelled == []
    world.advance(2_000)
    assert world.targets.cancelled == [first.token]
    waiting = now(world, one)
    assert (waiting.state, waiting.run) == (S.WAITING, 2)
    with pytest.raises(RunOver, match="HEARTBEAT_MISSED"):
        say(world, Report.SUCCEEDED, first)
    world.advance(65_000)
    assert launched(world).token != first.token
    world.advance(2 * MINUTE)
    ended = now(world, one)
    assert (ended.state, ended.reason, ended.run) == (S.FAILED, Reason.HEARTBEAT_MISSED, 2)
    assert ended.error == "its target was not heard of for 50 s, and was stopped"
    assert_accounted(world.engine.store, one.job_id, [NOON])


def test_a_last_report_tells_it_to_stop_and_its_own_end_still_counts(world: World) -> None:
    one = begin(world)
    world.advance(SILENT_MS)  # asked to stop; its service has not confirmed it
    stop = say(world, Report.HEARTBEAT).stop
    assert stop is not None
    assert (stop.kind, stop.by) == (StopKind.HEARTBEAT, "noonday")
    say(world, Report.SUCCEEDED)
    assert now(world, one).state is S.SUCCEEDED


@pytest.mark.parametrize("end", [Succeeded(), Failed("no disk")])
def test_an_end_that_came_before_the_stop_counts(world: World, end: Any) -> None:
    one = begin(world)
    world.targets.when_cancelled = end
    world.advance(SILENT_MS)
    ended = now(world, one)
    assert (ended.state, ended.error) == (
        (S.SUCCEEDED, None) if isinstance(end, Succeeded) else (S.FAILED, "no disk")
    )
    assert ended.reason in (None, Reason.RUN_FAILED)


def test_a_stop_that_nobody_confirms_ends_it_and_nothing_begins_beside_it(world: World) -> None:
    one = begin(world, retries=AGAIN)
    world.advance(SILENT_MS + 6 * MINUTE)
    ended = now(world, one)
    assert (ended.state, ended.reason, ended.run) == (S.FAILED, Reason.STOP_UNCONFIRMED, 1)
    assert verbs(world).count("launch") == 1


def test_a_kill_goes_before_what_noonday_asked_for(world: World) -> None:
    one = begin(world, retries=AGAIN)
    world.advance(SILENT_MS)
    commands.kill(world.engine, ADMIN, one.id, reason="enough")
    world.targets.when_cancelled = Stopped()
    world.advance(MINUTE)
    ended = now(world, one)
    assert (ended.state, ended.reason, ended.run) == (S.KILLED, Reason.KILLED, 1)
