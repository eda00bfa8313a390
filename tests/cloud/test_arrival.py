"""S3 says that an object was created: who waits for it goes on, and nobody else is disturbed."""

from __future__ import annotations

from typing import Any

import pytest

from app import app
from chalicelib import wiring
from chalicelib.local.context import EventContext, scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import REGION, Amazon
from tests.cloud.composed import call, deliver, sweep
from tests.cloud.service_events import an_event


@pytest.fixture
def waiting(noonday: wiring.Noonday, amazon: Amazon) -> str:
    """An instance that waits for s3://orders/2026 11/ä/_SUCCESS, its next check a few seconds away."""
    del noonday
    where = {"LocationConstraint": REGION}
    amazon.client("s3").create_bucket(Bucket="orders", CreateBucketConfiguration=where)
    job = {
        "name": "nightly",
        "schedule": {"cron": "0 0 3 * * ?"},
        "prerequisites": [{"data": "s3://orders/2026 11/ä/_SUCCESS"}],
        "target": {"kind": "sqs", "queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/x",
                   "body": "go"},
    }  # fmt: skip
    call("POST", "/jobs", job)
    made = call("POST", "/jobs/{job_id}/trigger", {}, pathParameters={"job_id": "nightly"})
    deliver(amazon, "wake", "second")
    assert deliver(amazon, "check", "check") == 1
    assert shown(made["id"])["reason"] == "PREREQUISITES"
    return str(made["id"])


def shown(instance_id: str) -> Any:
    return call("GET", "/instances/{instance_id}", pathParameters={"instance_id": instance_id})


def created(bucket: Any, key: Any) -> dict[str, Any]:
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {
            "key": key,
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    }
    return an_event("aws.s3", "Object Created", [f"arn:aws:s3:::{bucket}"], detail)


def announce(event: dict[str, Any]) -> None:
    app.handler_map["data_arrival"](event, EventContext("data_arrival", limit_s=30))


def test_who_waits_for_it_is_checked_now(waiting: str, amazon: Amazon) -> None:
    amazon.client("s3").put_object(Bucket="orders", Key="2026 11/ä/_SUCCESS", Body=b"")
    event = created("orders", "2026 11/ä/_SUCCESS")
    announce(event)
    announce(event)  # at least once, says EventBridge
    while deliver(amazon, "wake", "second"):
        pass
    assert deliver(amazon, "check", "check") == 1
    assert shown(waiting)["reason"] is None
    announce(event)  # late: nobody waits any more
    assert deliver(amazon, "check", "check") == 0


def test_what_it_says_is_looked_at_and_not_believed(waiting: str, amazon: Amazon) -> None:
    announce(created("orders", "2026 11/ä/_SUCCESS"))
    while deliver(amazon, "wake", "second"):
        pass
    deliver(amazon, "check", "check")
    assert shown(waiting)["reason"] == "PREREQUISITES"


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("theirs", "2026 11/ä/_SUCCESS"),
        ("orders", "2026+11/%C3%A4/_SUCCESS"),
        ("orders", "/" * 1024),
    ],
)
def test_other_objects_are_nobodys(waiting: str, amazon: Amazon, bucket: str, key: str) -> None:
    del waiting
    announce(created(bucket, key))
    assert deliver(amazon, "wake", "second") == 0


@pytest.mark.parametrize("detail", [None, [], {}, {"bucket": {"name": 7}, "object": {"key": 8}}])
def test_what_names_no_object_is_told_and_dropped(noonday: wiring.Noonday, detail: Any) -> None:
    lines: list[str] = []
    noonday.log.line = lambda level, fact, **_: lines.append(f"{level} {fact}")  # type: ignore[method-assign]
    announce({**created("orders", "x"), "detail": detail})
    assert lines == ["error Unread"]


def test_the_night_has_a_function_of_its_own(noonday: wiring.Noonday) -> None:
    event = scheduled_event(wall_ms())
    app.handler_map["housekeeping"](event, EventContext("housekeeping", limit_s=900))
    noted = noonday.store.read(lambda reader: reader.noted("housekeeping"))
    assert '"after": null' in (noted or "")
    app.handler_map["housekeeping"](event, EventContext("housekeeping", limit_s=1))  # no time left
    sweep()
