"""What is told: decided once with what it tells of, delivered until it arrives or a day is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.delivery import deliver, settled
from chalicelib.engine.filters import NotificationFilter
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.notifying import GIVE_UP_MS
from chalicelib.engine.outcomes import Failed, Running, Stopped, Succeeded
from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.model.errors import InvalidInput
from chalicelib.model.job import Job
from chalicelib.model.notification import Notification, NotificationState
from chalicelib.store import SqlStore
from tests.engine.history import instances_of
from tests.engine.test_commands import submit
from tests.engine.world import ADMIN, MINUTE, NOON, World
from tests.store.builders import a_notification

HOUR = 60 * MINUTE
HOOK = "https://example.com/hook"
EVERY_END = ["success", "failure", "timeout", "kill", "skip"]
S = NotificationState


def notifying(world: World, *on: str, **fields: Any) -> Job:
    """A job of one instance, that tells of these occasions."""
    policies = {"notify": [{"on": list(on), "url": HOOK}], **fields.pop("policies", {})}
    given = {"schedule": {"every": "P1D"}, "target": {"kind": "inline"}, **fields}
    return submit(world, policies=policies, **given)


def queued(world: World, *on: str, **fields: Any) -> Job:
    """The same, and nothing of it can begin: its group has no slot."""
    commands.set_group(world.engine, ADMIN, "full", 0)
    policies = {**fields.pop("policies", {}), "group": "full"}
    return notifying(world, *on, policies=policies, **fields)


def told(world: World) -> list[dict[str, Any]]:
    """What was delivered, as the receiver reads it."""
    return [json.loads(one.payload_json) for one in world.channels.delivered]


def types(world: World) -> list[str]:
    return [one["type"] for one in told(world)]


def rows(world: World) -> list[Notification]:
    wanted = NotificationFilter(limit=500)
    return list(world.engine.store.read(lambda reader: reader.notifications(wanted, None)))


# ---- what is told


@pytest.mark.parametrize(
    ("ending", "occasion", "event"),
    [
        (Succeeded(), "success", "instance.succeeded"),
        (Failed("broken", retry=False), "failure", "instance.failed"),
    ],
)
def test_an_end_is_told_once(world: World, ending: Any, occasion: str, event: str) -> None:
    world.targets.run_outcomes = [ending]
    job = notifying(world, occasion)
    world.advance(3 * MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    [document] = told(world)
    assert (document["type"], document["version"]) == (event, 1)
    data = document["data"]
    assert (data["job_id"], data["name"], data["owner"]) == (job.id, job.name, job.owner)
    assert (data["instance_id"], data["run"], data["state"]) == (one.id, 1, one.state.value)
    assert data["nominal_time"] == "2026-01-01T12:00:00Z"
    assert data["error"] == one.error
    assert [(row.state, row.attempts) for row in rows(world)] == [(S.DELIVERED, 1)]


def test_nobody_is_told_what_nobody_asked_for(world: World) -> None:
    notifying(world, "failure", "skip")
    world.advance(3 * MINUTE)
    assert rows(world) == []


def test_a_retry_is_no_failure_until_no_attempt_is_left(world: World) -> None:
    world.targets.run_outcomes = [Failed("broken")] * 3
    retries = {"max_attempts": 3, "delay": "PT1M"}
    notifying(world, "failure", policies={"retries": retries})
    world.advance(2 * MINUTE)
    assert told(world) == []
    world.advance(HOUR)
    [document] = told(world)
    assert (document["data"]["run"], document["data"]["error"]) == (3, "broken")


def test_what_fails_again_after_a_rerun_is_told_again(world: World) -> None:
    world.targets.run_outcomes = [Failed("broken")] * 2
    job = notifying(world, "failure")
    world.advance(MINUTE)
    [one] = instances_of(world.engine.store, job.id)
    commands.rerun(world.engine, ADMIN, one.id)
    world.advance(MINUTE)
    assert [document["data"]["run"] for document in told(world)] == [1, 2]
    assert len({row.id for row in rows(world)}) == 2


def test_a_kill_is_no_failure(world: World) -> None:
    world.targets.when_cancelled = Stopped()
    world.targets.otherwise = Running()
    job = notifying(world, "failure", "timeout", "kill", target={"kind": "started"})
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    commands.kill(world.engine, ADMIN, one.id)
    commands.kill(world.engine, ADMIN, one.id)
    world.advance(10 * MINUTE)
    assert types(world) == ["instance.killed"]


def test_waiting_too_long_is_a_time_out(world: World) -> None:
    queued(world, *EVERY_END, policies={"timeouts": {"wait": "PT2M"}})
    world.advance(10 * MINUTE)
    assert types(world) == ["instance.timed_out"]
    assert told(world)[0]["data"]["reason"] == "WAIT_TIMEOUT"


def test_a_skip_by_a_person_is_told_of_its_instance(world: World) -> None:
    job = queued(world, "skip")
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    commands.skip(world.engine, ADMIN, one.id)
    world.advance(MINUTE)
    assert types(world) == ["instance.skipped"]
    assert told(world)[0]["data"]["reason"] == "SKIPPED"


def test_a_skipped_range_is_one_notification(world: World) -> None:
    job = notifying(world, "skip", schedule={"every": "PT1M", "start": "2026-01-01T12:00:00Z"})
    commands.suspend(world.engine, ADMIN, job.id)
    world.clock.now += 5000 * MINUTE
    commands.resume(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    [document] = told(world)
    assert document["type"] == "instances.skipped"
    assert (document["data"]["reason"], document["data"]["count"]) == ("SUSPENDED", None)
    assert document["data"]["from_time"] < document["data"]["to_time"]


def test_what_a_catch_up_leaves_out_is_told_by_the_sweep(world: World) -> None:
    policies = {"catch_up": {"mode": "latest"}}
    schedule = {"every": "PT1M", "start": "2025-12-01T00:00:00Z"}
    notifying(world, "skip", schedule=schedule, policies=policies)
    world.advance(MINUTE)
    [document] = told(world)
    assert document["data"]["reason"] == "CATCH_UP_LATEST"
    assert document["data"]["from_time"] == "2025-12-01T00:00:00Z"


def test_a_deletion_tells_once_of_all_that_waits(world: World) -> None:
    schedule = {"every": "PT1M", "start": "2026-01-01T11:50:00Z"}
    job = queued(world, "skip", schedule=schedule)
    world.deliver()
    commands.delete(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    [document] = told(world)
    assert document["type"] == "instances.skipped"
    assert (document["data"]["reason"], document["data"]["count"]) == ("JOB_DELETED", 11)


def test_suspensions_are_told_by_whomever(world: World) -> None:
    job = notifying(world, "suspension", policies={"on_failure": {"suspend_after": 1}})
    commands.suspend(world.engine, ADMIN, job.id, reason="a leak")
    commands.suspend(world.engine, ADMIN, job.id, reason="again")
    commands.resume(world.engine, ADMIN, job.id)
    world.targets.run_outcomes = [Failed("broken")] * 9
    world.advance(25 * HOUR)
    said = [(one["data"]["by"], one["data"]["reason"]) for one in told(world)]
    assert said == [("ada", "a leak"), ("noonday", "1 instances failed one after the other")]


def test_two_channels_hear_of_it_and_one_that_is_named_twice_hears_once(world: World) -> None:
    hooks = [
        {"on": ["success"], "url": HOOK},
        {"on": ["success", "failure"], "url": HOOK},
        {"on": ["success"], "url": "https://example.com/other"},
    ]
    submit(world, schedule={"every": "P1D"}, policies={"notify": hooks})
    world.advance(MINUTE)
    assert sorted(json.loads(row.channel_json)["url"] for row in rows(world)) == [
        HOOK,
        "https://example.com/other",
    ]
    assert len({row.id for row in rows(world)}) == 2


def test_the_present_definition_says_whom_to_tell(world: World) -> None:
    job = queued(world, "success")
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    moved = {"notify": [{"on": ["kill"], "url": "https://example.com/new"}]}
    commands.patch(world.engine, ADMIN, job.id, {"policies": moved})
    commands.kill(world.engine, ADMIN, one.id)
    [row] = rows(world)
    assert "new" in row.channel_json


def test_a_long_error_is_cut(world: World) -> None:
    world.targets.run_outcomes = [Failed("x" * 100_000)]
    notifying(world, "failure")
    world.advance(MINUTE)
    assert len(told(world)[0]["data"]["error"]) == 2000


def test_an_hour_of_a_minutely_job_is_told_one_by_one(world: World) -> None:
    notifying(world, "success", schedule={"every": "PT1M"})
    world.advance(HOUR)
    assert len(rows(world)) == 61
    assert {row.state for row in rows(world)} == {S.DELIVERED}


# ---- definitions that are refused


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"url": HOOK}, "policies.notify.0"),
        ({"on": [], "url": HOOK}, "policies.notify.0"),
        ({"on": ["failed"], "url": HOOK}, "policies.notify.0.on.0"),
        ({"on": ["failure"]}, "policies.notify.0"),
        ({"on": ["failure"], "url": HOOK, "bus": "b"}, "policies.notify.0"),
        ({"on": ["failure"], "url": "https://nowhere/"}, "policies.notify.0.url"),
        ({"not_started_within": "soon", "url": HOOK}, "policies.notify.0.not_started_within"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, entry: dict[str, Any], field: str) -> None:
    job = submit(world, schedule={"every": "P1D"})
    with pytest.raises(InvalidInput) as refused:
        commands.patch(world.engine, ADMIN, job.id, {"policies": {"notify": [entry]}})
    assert [problem.field for problem in refused.value.problems] == [field]


# ---- delivery


def test_a_refusal_is_tried_again_with_growing_delays_and_the_same_bytes(world: World) -> None:
    world.channels.receipts = [Receipt("answered 500")] * 8
    notifying(world, "success")
    world.advance(2 * HOUR)
    assert len(world.channels.delivered) == 9
    assert len({(one.id, one.payload_json) for one in world.channels.delivered}) == 1
    [row] = rows(world)
    assert (row.state, row.attempts, row.error) == (S.DELIVERED, 9, None)


def test_after_a_day_it_is_given_up_and_stays_visible(world: World) -> None:
    world.channels.receipts = [Receipt("answered 500")] * 10_000
    notifying(world, "success")
    world.advance(30 * HOUR)
    first = rows(world)[-1]
    assert (first.state, first.error) == (S.FAILED, "answered 500")
    assert first.ended_ms is not None
    assert GIVE_UP_MS <= first.ended_ms - first.created_ms < GIVE_UP_MS + 2 * MINUTE
    tries = [one for one in world.channels.delivered if one.id == first.id]
    assert 20 < len(tries) < 60


def test_a_receiver_that_is_gone_is_not_tried_again(world: World) -> None:
    world.channels.receipts = [Receipt("answered 410 Gone", give_up=True)]
    notifying(world, "success")
    world.advance(HOUR)
    assert [(row.state, row.attempts) for row in rows(world)] == [(S.FAILED, 1)]


def test_the_receivers_wish_for_a_pause_is_honoured() -> None:
    one = a_notification(give_up_ms=NOON + GIVE_UP_MS)
    later = settled(one, Receipt("busy", retry_after_ms=2 * HOUR), 1.0, NOON)
    assert later.wake_ms == NOON + 2 * HOUR
    last = settled(one, Receipt("busy", retry_after_ms=90 * HOUR), 1.0, NOON)
    assert last.wake_ms == one.give_up_ms
    over = settled(replace(one, wake_ms=1), Receipt("busy"), 1.0, one.give_up_ms)
    assert (over.state, over.wake_ms) == (S.FAILED, None)


def test_the_delays() -> None:
    one, now, delays = a_notification(give_up_ms=NOON + GIVE_UP_MS), NOON, []
    while one.state is S.PENDING:
        one = settled(one, Receipt("no"), 1.0, now)
        if one.wake_ms is not None:
            delays.append((one.wake_ms - now) // 1000)
            now = one.wake_ms
    assert delays[:11] == [5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert set(delays[11:-1]) == {3600}
    assert now == NOON + GIVE_UP_MS


def test_a_second_message_for_the_same_try_is_dropped(world: World) -> None:
    world.engine.store.transact(lambda tx: tx.insert_notifications([a_notification()]))
    handed = HandedOut(a_notification().id, 0)
    deliver(world.engine, handed)
    deliver(world.engine, handed)
    deliver(world.engine, replace(handed, version=1))
    assert len(world.channels.delivered) == 1


def test_only_the_latest_try_settles(world: World) -> None:
    world.engine.store.transact(lambda tx: tx.insert_notifications([a_notification()]))
    handed = HandedOut(a_notification().id, 0)

    class Slow:
        """While the first try waits for its answer, its time is over and another one begins."""

        def complaint(self, *_: Any) -> str | None:
            return None

        def deliver(self, notification: Notification) -> Receipt:
            world.channels.delivered.append(notification)
            if notification.attempts == 1:
                deliver(engine, replace(handed, version=1))
                return Receipt("answered too late", give_up=True)
            return Receipt()

    engine = replace(world.engine, channels=Slow())
    deliver(engine, handed)
    [row] = rows(world)
    assert (row.state, row.attempts) == (S.DELIVERED, 2)


def test_deliveries_have_a_lane_of_their_own(world: World) -> None:
    notifying(world, "success", schedule={"every": "PT1M"})
    world.clock.now += MINUTE
    world.minute()
    lanes = set()
    for _ in range(50):
        lanes |= {(lane, one.id) for lane, one in world.queue.messages}
        if not world.step():
            break
    deliveries = {key for lane, key in lanes if lane is Lane.DELIVER}
    assert deliveries == {row.id for row in rows(world)}


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_the_same_on_servers(kind: str, open_empty: Callable[[str], SqlStore]) -> None:
    world = World(open_empty(kind))
    world.channels.receipts = [Receipt("answered 500")]
    notifying(world, *EVERY_END)
    world.advance(3 * MINUTE)
    assert [(row.state, row.attempts) for row in rows(world)] == [(S.DELIVERED, 2)]
