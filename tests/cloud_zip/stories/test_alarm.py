"""Alarms and events that are lost, doubled, late or forged: they change latency, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.local.context import queue_event, scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, REGION
from tests.cloud.offers import StepFunctions
from tests.cloud.service_events import an_event, ended
from tests.cloud_zip.account import MINUTE_MS, Account, a_job
from tests.cloud_zip.deploying import PREFIX
from tests.cloud_zip.stories.told import complaints, saying, stands

TIMES = 5


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture
def overdue(story: Account) -> str:
    """The id of a job of whose minutes so many have passed, and of which no alarm has told."""
    story.amazon.client("sqs").create_queue(QueueName="orders")
    first_ms = (wall_ms() // MINUTE_MS - TIMES) * MINUTE_MS
    schedule = {"every": "PT1M", "start": iso(first_ms), "end": iso(first_ms + TIMES * MINUTE_MS)}
    job = a_job("sqs", {"queue": PREFIX.replace("noonday-test-", "orders"), "body": "go"})
    made = story.call("POST", "/jobs?schedule=true", {**job, "schedule": schedule})
    story.discard("wake")
    return str(made["id"])


def instances(account: Account, job_id: str) -> list[Any]:
    found: list[Any] = account.call("GET", f"/jobs/{job_id}/instances")["items"]
    return found


def sent(account: Account) -> int:
    url = PREFIX.replace("noonday-test-", "orders")
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    told = account.amazon.client("sqs").get_queue_attributes(**asked)["Attributes"]
    return int(told["ApproximateNumberOfMessages"])


def test_minutes_that_are_lost_are_made_up_for_by_the_next(story: Account, overdue: str) -> None:
    story.drain()
    assert instances(story, overdue) == []  # no alarm, no work
    with saying(story.functions["minute"]) as told:
        story.ring()
    story.drain()
    found = instances(story, overdue)
    assert [one["state"] for one in found] == ["SUCCEEDED"] * TIMES
    assert len({one["nominal_ms"] for one in found}) == TIMES
    assert sent(story) == TIMES
    [late] = [line["Lateness"] for line in told if "Lateness" in line]
    assert TIMES * MINUTE_MS <= late < (TIMES + 60) * MINUTE_MS
    assert complaints(told) == []


def test_minutes_that_come_twice_do_nothing_twice(story: Account, overdue: str) -> None:
    story.ring(3)
    for lane in ("wake", "launch"):
        while story.poll(lane, times=3):
            pass
    story.ring(2)
    story.drain()
    assert [one["state"] for one in instances(story, overdue)] == ["SUCCEEDED"] * TIMES
    assert sent(story) == TIMES
    assert story.failed == []


MINUTE = scheduled_event(0)
FORGED_MINUTES: Mapping[str, Mapping[str, Any]] = {
    "years ago": {**MINUTE, "time": "1970-01-01T00:00:00Z"},
    "years ahead": {**MINUTE, "time": "9999-12-31T23:59:59Z"},
    "no time": {**MINUTE, "time": "at tea-time"},
    "a number": {**MINUTE, "time": 7, "id": None, "resources": None},
    "of somebody else": {**MINUTE, "source": "com.example", "account": "210987654321"},
    "with orders": {**MINUTE, "detail": {"action": "DELETE", "jobs": "*", "now_ms": 0}},
    "without detail": {**MINUTE, "detail": None},
    "empty": {},
    "no event": [],  # type: ignore[dict-item]
}


def test_whatever_a_minute_says_the_store_decides(story: Account, overdue: str) -> None:
    minute = story.functions["minute"]
    with saying(minute) as told:
        for forged in FORGED_MINUTES.values():
            minute.invoke(forged)
    story.drain()
    assert [one["state"] for one in instances(story, overdue)] == ["SUCCEEDED"] * TIMES
    assert sent(story) == TIMES
    before = stands(story)
    for forged in FORGED_MINUTES.values():
        minute.invoke(forged)
    assert stands(story) == before
    assert complaints(told) == []


def a_wake_up(at_ms: int, arm_until_ms: int) -> str:
    return json.dumps({"at_ms": at_ms, "arm_until_ms": arm_until_ms})


GARBAGE = (
    "",
    "no JSON",
    "null",
    "7",
    "[[]]",
    '[["0123456789abcdef0123456789abcdef"]]',
    '[["0123456789abcdef0123456789abcdef", 1e999]]',
    '{"at_ms": 1e999, "arm_until_ms": NaN}',
    '{"at_ms": "tea-time", "arm_until_ms": []}',
    '{"at_ms": -1, "arm_until_ms": 9007199254740993}',
    json.dumps([["0123456789abcdef0123456789abcdef", 10**30]]),
    json.dumps([["0123456789abcdef0123456789abcdef", -1]]),
    json.dumps([["0123456789ABCDEF0123456789ABCDEF", 1]]),
    json.dumps([["\ud800", 1]]),
    json.dumps([["", 1], ["x" * 500, 1]]),
    "[" * 100_000,
    '{"at_ms": ' + "9" * 5000 + ', "arm_until_ms": 0}',
    '"\\ud800"',
)
"""What no lane has a meaning for."""


def test_early_late_and_doubled_wake_ups(story: Account, overdue: str) -> None:
    """They come in one batch, the one that is far too early among them, and the forged ones at their end."""
    now = wall_ms()
    bodies = [
        a_wake_up(now - 86_400_000, 0),
        a_wake_up(now - 86_400_000, 0),
        a_wake_up(now + 86_400_000, now + 86_400_000),
        a_wake_up(0, 2**53),
    ]
    answer = story.functions["second"].invoke(queue_event("wake", bodies))
    assert answer == {"batchItemFailures": []}
    story.drain()
    assert [one["state"] for one in instances(story, overdue)] == ["SUCCEEDED"] * TIMES
    assert sent(story) == TIMES
    assert story.failed == []


def test_a_forged_wake_up_begins_no_chain(story: Account) -> None:
    """However long it says that others may be armed, the minute's end is the end."""
    job = a_job("sqs", {"queue": PREFIX + "orders", "body": "go"})
    ahead = iso(wall_ms() + 3 * MINUTE_MS)
    story.call(
        "POST", "/jobs?schedule=true", {**job, "schedule": {"every": "PT1H", "start": ahead}}
    )
    story.discard("wake")
    before = story.amazon.gate.calls["SendMessage"]
    forged = a_wake_up(0, wall_ms() + 10 * 365 * 86_400_000)
    story.functions["second"].invoke(queue_event("wake", [forged]))
    assert story.amazon.gate.calls["SendMessage"] == before


@pytest.mark.parametrize("function", ["second", "launch", "work", "check", "deliver"])
def test_garbage_in_a_queue_comes_to_its_dead_letters_alone(
    story: Account, overdue: str, function: str
) -> None:
    """What cannot be read is told in one line each, and is given back; what came with it is done."""
    before = stands(story)
    event = queue_event(function, [*GARBAGE, *_harmless(function)])
    unread = [one["messageId"] for one in event["Records"][: len(GARBAGE)]]
    with saying(story.functions[function]) as told:
        answer = story.functions[function].invoke(event)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == unread
    assert complaints(told) == ["Unread"] * len(GARBAGE)
    if function == "second":
        assert len(instances(story, overdue)) == TIMES  # what came with the garbage was a wake-up
    else:
        assert stands(story) == before


def _harmless(function: str) -> list[str]:
    """What can be read and is of no run, or of a version that is long gone."""
    if function == "second":
        return [a_wake_up(0, 0)]
    nobody = "0123456789abcdef0123456789abcdef"
    return ["[]", *(json.dumps([[nobody, version]]) for version in (0, 1, 2**53))]


@pytest.fixture
def running(story: Account) -> Iterator[tuple[str, str]]:
    """A run that goes on: its id, and what its service calls it."""
    machine = StepFunctions(story.amazon)
    run = story.submit("step_functions", machine.spec)
    story.drain()
    yield run.id, run.external_id
    story.look_again()
    assert run.shown()["state"] in ("LAUNCHED", "RUNNING")
    assert machine.runs() == 1


NO_DETAILS: tuple[Any, ...] = (None, [], {}, "SUCCEEDED", 7)
NO_NAMES: tuple[Any, ...] = ("", "\ud800", "\x00", "💥", "x" * 200_000, None, 7, [])
NO_VARIABLES: tuple[Any, ...] = (None, [], {"environment-variables": 7},
    {"environment-variables": ["x"]},
    {"environment-variables": [{"name": "NOONDAY_TOKEN", "value": None}]})  # fmt: skip


def _forged_ends(run: str, external_id: str) -> Iterator[tuple[str, Any]]:
    true = ended("step_functions", f"{run}-1", external_id)
    said = true["detail"]
    yield "it goes on", true
    yield "unknown", ended("step_functions", "0123456789abcdef0123456789abcdef-1", "arn:x")
    yield "another run", ended("step_functions", f"{run}-2", external_id)
    yield "no token of ours", ended("step_functions", "nightly", external_id)
    yield "another account", {**true, "account": "210987654321", "region": "us-east-1"}
    yield "another source", {**true, "source": "com.example", "detail-type": "x"}
    yield "a bad status", {**true, "detail": {**said, "status": {"SUCCEEDED": True}}}
    yield "nothing", {}
    yield "no event", ["SUCCEEDED"]
    for detail in NO_DETAILS:
        yield f"the detail {detail}", {**true, "detail": detail}
    for name in (*NO_NAMES, f"{run}-1\x00"):
        yield f"the name {name!r:.20}", {**true, "detail": {**said, "name": name}}
    for kind in ("glue", "athena"):  # found by the service's own id, which is anything
        for name in NO_NAMES:
            yield f"{kind} {name!r:.20}", ended(kind, "", name)
    build = ended("codebuild", f"{run}-1", external_id)
    for environment in NO_VARIABLES:
        told = {**build["detail"], "additional-information": {"environment": environment}}
        yield f"the build {environment}", {**build, "detail": told}


def test_forged_ends_end_nothing(story: Account, running: tuple[str, str]) -> None:
    before = stands(story)[1:]
    _none_is_believed(story, "completion", _forged_ends(*running))
    story.drain()
    assert stands(story)[1:] == before


NO_OBJECTS: tuple[tuple[Any, Any], ...] = (
    ("theirs", "_SUCCESS"), ("orders", "_FAILURE"), ("orders", "/" * 200_000), ("", ""),
    ("orders", "\ud800"), ("orders", "\x00"), (None, None), (7, []), ("orders", "../../x"),
)  # fmt: skip
NO_TABLES: tuple[Any, ...] = (
    {"bucket": "orders"}, {"databaseName": "sales", "changedTables": 7},
    {"databaseName": "\ud800", "tableName": "orders"}, {"databaseName": "a/b", "tableName": ""},
    {"databaseName": "sales", "changedTables": ["x"] * 2000},
)  # fmt: skip


def _forged_arrivals() -> Iterator[tuple[str, Any]]:
    yield "nothing", {}
    yield "no event", ["s3://orders/_SUCCESS"]
    for bucket, key in NO_OBJECTS:
        told = {"bucket": {"name": bucket}, "object": {"key": key}}
        yield f"the object {bucket} {key!r:.20}", an_event("aws.s3", "Object Created", [], told)
    for detail in (*NO_DETAILS, *NO_TABLES):
        for source in ("aws.s3", "aws.glue", "com.example"):
            yield f"{source} {detail!r:.40}", an_event(source, "Object Created", [], detail)


def test_forged_arrivals_launch_nothing(story: Account) -> None:
    where = {"LocationConstraint": REGION}
    story.amazon.client("s3").create_bucket(Bucket="orders", CreateBucketConfiguration=where)
    queue = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"
    waits = story.submit(
        "sqs", {"queue": queue, "body": "x"}, prerequisites=[{"data": "s3://orders/_SUCCESS"}]
    )
    story.drain()
    assert waits.shown()["reason"] == "PREREQUISITES"
    _none_is_believed(story, "data_arrival", _forged_arrivals())
    story.drain()
    assert waits.shown()["state"] == "WAITING"


def _none_is_believed(story: Account, name: str, forged: Iterator[tuple[str, Any]]) -> None:
    """None raises, for Lambda would repeat it; what cannot be read is told in one line."""
    function = story.functions[name]
    wrong: list[tuple[str, object]] = []
    for which, event in forged:
        with saying(function) as told:
            _tried(function.invoke, which, event, wrong)
        if complaints(told) not in ([], ["Unread"]):
            wrong.append((which, complaints(told)))
    assert wrong == []


def _tried(
    invoke: Callable[[Any], Any], which: str, event: Any, wrong: list[tuple[str, object]]
) -> None:
    try:
        invoke(event)
    except Exception as error:  # noqa: BLE001 - all of them are told together
        wrong.append((which, str(error)[:300]))
