"""What begins too late, ends too late or takes too long: told once, whenever the sweep comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.lateness import look_for_lateness
from chalicelib.engine.outcomes import Failed, Running, Stopped, Succeeded
from chalicelib.model.job import Job
from chalicelib.store import SqlStore
from tests.engine.history import instances_of
from tests.engine.test_commands import submit
from tests.engine.test_notifications import HOOK, queued, rows, told, types
from tests.engine.world import ADMIN, MINUTE, NOON, World

SECOND = 1000
HOUR = 60 * MINUTE
STARTED = {"kind": "started"}


def watched(world: World, **limits: Any) -> Job:
    """A job of one instance at noon, a started one that goes on until it is told to end."""
    world.targets.otherwise = Running()
    policies = {"notify": [{"url": HOOK, **limits}]}
    return submit(world, schedule={"every": "P1D"}, target=STARTED, policies=policies)


def held(world: World, **limits: Any) -> Job:
    """The same, and nothing of it can begin."""
    return queued(world, schedule={"every": "P1D"}, policies={"notify": [{"url": HOOK, **limits}]})


def watches(world: World) -> int:
    store = world.engine.store
    ids = [one.id for job in store.read(lambda r: r.jobs_after("", 100)) for one in
           instances_of(store, job.id)]  # fmt: skip
    return len(store.transact(lambda tx: tx.lock_watches(ids)))


def end(world: World, job: Job, how: Any = None) -> None:
    [one] = instances_of(world.engine.store, job.id)
    world.targets.endings[one.token] = how or Succeeded()


def test_a_run_that_goes_on_for_too_long_is_told_once(world: World) -> None:
    watched(world, running_longer_than="PT30M")
    world.advance(30 * MINUTE - SECOND)
    assert told(world) == []
    world.advance(2 * SECOND)
    [document] = told(world)
    assert document["type"] == "instance.running_long"
    assert document["data"]["limit"] == "PT30M"
    assert document["data"]["due_time"] == "2026-01-01T12:30:00Z"
    assert document["data"]["state"] == "RUNNING"
    world.advance(5 * HOUR)
    assert len(told(world)) == 1
    assert watches(world) == 0


def test_an_end_in_time_is_not_told_and_watched_no_more(world: World) -> None:
    job = watched(world, running_longer_than="PT30M", not_ended_within="PT1H")
    world.advance(MINUTE)
    assert watches(world) == 2
    end(world, job)
    world.advance(2 * MINUTE)
    assert watches(world) == 0
    world.advance(2 * HOUR)
    assert told(world) == []


def test_an_instance_that_has_not_ended_is_told(world: World) -> None:
    watched(world, not_ended_within="PT1H")
    world.advance(HOUR + SECOND)
    assert types(world) == ["instance.not_ended"]


def test_an_instance_that_has_not_begun_is_told(world: World) -> None:
    held(world, not_started_within="PT10M", not_ended_within="PT20M")
    world.advance(10 * MINUTE + SECOND)
    assert types(world) == ["instance.not_started"]
    world.advance(HOUR)
    assert types(world) == ["instance.not_started", "instance.not_ended"]
    assert watches(world) == 0


def test_what_began_in_time_is_no_matter_how_it_goes_on(world: World) -> None:
    job = watched(world, not_started_within="PT10M")
    world.advance(MINUTE)
    end(world, job, Failed("broken"))
    world.advance(HOUR)
    assert told(world) == []


def test_a_sweep_that_comes_late_tells_what_was_late(world: World) -> None:
    watched(world, not_ended_within="PT10M", running_longer_than="PT20M")
    world.deliver()
    world.clock.now += 15 * MINUTE  # nobody is there when the first falls due
    world.advance(2 * MINUTE)
    assert types(world) == ["instance.not_ended"]
    assert told(world)[0]["data"]["due_time"] == "2026-01-01T12:10:00Z"


def test_what_was_late_is_told_although_it_ended_before_the_sweep_came(world: World) -> None:
    job = held(world, not_started_within="PT10M", not_ended_within="PT10M")
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    world.clock.now += 15 * MINUTE
    commands.kill(world.engine, ADMIN, one.id)
    world.advance(HOUR)
    assert sorted(types(world)) == ["instance.not_ended", "instance.not_started"]
    assert {document["data"]["state"] for document in told(world)} == {"KILLED"}
    assert watches(world) == 0


def test_a_sweep_that_comes_late_tells_nothing_of_what_was_in_time(world: World) -> None:
    """The end is settled, and its watch looked at much later: what counts are the recorded times."""
    job = held(world, not_started_within="PT10M", not_ended_within="PT10M")
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    world.clock.now += 5 * MINUTE
    commands.kill(world.engine, ADMIN, one.id)
    world.clock.now += HOUR
    world.advance(MINUTE)
    assert told(world) == []
    assert watches(world) == 0


def test_a_second_look_tells_nothing_new(world: World) -> None:
    watched(world, not_ended_within="PT10M")
    world.deliver()
    world.clock.now += 11 * MINUTE
    for _ in range(3):
        look_for_lateness(world.engine, world.clock.now)
    assert [row.event for row in rows(world)] == ["instance.not_ended"]


def test_what_is_late_already_when_it_is_made_is_told(world: World) -> None:
    """Noonday was down at noon, and for an hour."""
    policies = {"notify": [{"url": HOOK, "not_started_within": "PT10M"}]}
    schedule = {"every": "P1D", "start": "2026-01-01T12:30:00Z"}
    submit(world, schedule=schedule, target={"kind": "inline"}, policies=policies)
    world.clock.now += 90 * MINUTE
    world.advance(2 * MINUTE)
    assert types(world) == ["instance.not_started"]
    assert told(world)[0]["data"]["nominal_time"] == "2026-01-01T12:30:00Z"


def test_a_retry_is_not_late_if_the_first_attempt_began_in_time(world: World) -> None:
    world.targets.run_outcomes = [Failed("broken")] * 2
    retries = {"max_attempts": 3, "delay": "PT1H", "jitter": 0}
    notify = [{"url": HOOK, "not_started_within": "PT10M", "running_longer_than": "PT10M"}]
    policies = {"retries": retries, "notify": notify}
    submit(world, schedule={"every": "P1D"}, target={"kind": "inline"}, policies=policies)
    world.advance(5 * HOUR)
    assert told(world) == []
    assert watches(world) == 0


def test_runs_that_are_long_again_are_told_once_an_instance(world: World) -> None:
    job = watched(world, running_longer_than="PT10M")
    world.targets.when_cancelled = Stopped()
    for _ in range(2):
        world.advance(11 * MINUTE)
        [one] = instances_of(world.engine.store, job.id)
        commands.kill(world.engine, ADMIN, one.id)
        world.advance(2 * MINUTE)
        commands.rerun(world.engine, ADMIN, one.id)
    world.advance(11 * MINUTE)
    assert types(world) == ["instance.running_long"]


def test_triggers_and_backfills_are_expected_at_no_time(world: World) -> None:
    notify = [{"url": HOOK, "not_started_within": "PT1M", "not_ended_within": "PT1M"}]
    job = submit(
        world,
        schedule={"every": "P1D", "start": "2026-03-01T00:00:00Z"},
        target=STARTED,
        policies={"notify": notify},
    )
    world.targets.otherwise = Running()
    commands.trigger(world.engine, ADMIN, job.id)
    world.advance(HOUR)
    assert told(world) == []
    assert watches(world) == 0


def test_two_limits_of_one_kind_each_tell_their_own_channel(world: World) -> None:
    world.targets.otherwise = Running()
    other = "https://example.com/escalation"
    notify = [
        {"url": HOOK, "not_ended_within": "PT10M"},
        {"url": other, "not_ended_within": "PT1H"},
    ]
    submit(world, schedule={"every": "P1D"}, target=STARTED, policies={"notify": notify})
    world.advance(11 * MINUTE)
    assert [(HOOK in row.channel_json) for row in rows(world)] == [True]
    world.advance(HOUR)
    assert sorted(one["data"]["limit"] for one in told(world)) == ["PT10M", "PT1H"]
    assert watches(world) == 0


def test_the_present_definition_says_what_is_late(world: World) -> None:
    job = watched(world, not_ended_within="PT10M")
    world.deliver()
    later = {"notify": [{"url": HOOK, "not_ended_within": "PT30M"}]}
    commands.patch(world.engine, ADMIN, job.id, {"policies": later})
    world.advance(20 * MINUTE)
    assert told(world) == []
    world.advance(11 * MINUTE)
    assert [one["data"]["limit"] for one in told(world)] == ["PT30M"]


def test_what_nobody_asks_for_any_more_is_not_told(world: World) -> None:
    job = watched(world, not_ended_within="PT10M")
    world.deliver()
    commands.patch(world.engine, ADMIN, job.id, {"policies": {"notify": None}})
    world.advance(HOUR)
    assert rows(world) == []
    assert watches(world) == 0


def test_a_suspension_is_no_excuse(world: World) -> None:
    job = held(world, not_started_within="PT10M")
    world.deliver()
    commands.suspend(world.engine, ADMIN, job.id)
    world.advance(HOUR)
    assert types(world) == ["instance.not_started"]


def test_a_deleted_job_leaves_no_watch(world: World) -> None:
    job = held(world, not_ended_within="PT10M")
    world.deliver()
    commands.delete(world.engine, ADMIN, job.id)
    world.advance(HOUR)
    assert told(world) == []
    assert watches(world) == 0


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_the_same_on_servers(kind: str, open_empty: Callable[[str], SqlStore]) -> None:
    world = World(open_empty(kind), now_ms=NOON)
    watched(world, not_started_within="PT10S", not_ended_within="PT10M", running_longer_than="PT5M")
    world.advance(HOUR)
    assert types(world) == ["instance.running_long", "instance.not_ended"]
    assert watches(world) == 0
