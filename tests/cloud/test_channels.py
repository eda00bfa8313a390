"""Topics of SNS and buses of EventBridge: what arrives, what is permitted, and what is tried again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.aws import Aws
from chalicelib.channels import AWS_CHANNELS, ChannelRegistry
from chalicelib.engine.notification_ports import Receipt
from chalicelib.model.notification import Notification
from chalicelib.targets import Allowance, Permission
from tests.cloud.amazon import ACCOUNT, JSON, REGION, Amazon, Answer, Environ, Gate, lose, refuse
from tests.store.builders import a_notification, an_id

ADDRESS = "https://noonday.example"
OWNER = a_notification().owner


@pytest.fixture
def channels(amazon: Amazon) -> ChannelRegistry:
    del amazon
    allow = Allowance(
        [
            Permission(OWNER, "sns", f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs*"),
            Permission(OWNER, "events", "jobs/noonday"),
        ]
    )
    aws = Aws(REGION, lambda: 0)
    return ChannelRegistry(*(kind(aws, allow, ADDRESS) for kind in AWS_CHANNELS))


def to(kind: str, **place: str) -> Notification:
    payload = {"type": "x", "data": {"name": "tells", "error": "Österreich 🍕 \ud800"}}
    return a_notification(
        channel_json=json.dumps({"kind": kind, **place}),
        payload_json=json.dumps(payload),
        instance_id=an_id(7),
    )


def subscribed(amazon: Amazon, name: str) -> tuple[str, str]:
    """A topic, and the queue that hears it."""
    fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
    more = {"FifoQueue": "true"} if fifo else {}
    topic = amazon.client("sns").create_topic(Name=name, Attributes=fifo)["TopicArn"]
    queue = amazon.client("sqs").create_queue(QueueName=name, Attributes=more)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    amazon.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def heard(amazon: Amazon, queue: str) -> list[dict[str, Any]]:
    answer = amazon.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(one["Body"]) for one in answer.get("Messages", [])]


@pytest.mark.parametrize("name", ["jobs", "jobs.fifo"])
def test_a_topic_hears_with_the_id_among_its_attributes(
    amazon: Amazon, channels: ChannelRegistry, name: str
) -> None:
    topic, queue = subscribed(amazon, name)
    told = to("sns", topic=topic)
    assert channels.deliver(told).delivered
    [message] = heard(amazon, queue)
    assert message["MessageAttributes"]["noonday-id"]["Value"] == told.id
    assert message["MessageAttributes"]["noonday-owner"]["Value"] == OWNER
    assert message["Subject"] == f"{told.event}: tells"
    document = json.loads(message["Message"])
    assert document["data"]["url"] == f"{ADDRESS}/instances/{an_id(7)}"
    assert "Österreich 🍕" in document["data"]["error"]


def test_a_repetition_says_the_same(amazon: Amazon, channels: ChannelRegistry) -> None:
    """At least once: its answer was lost, so it is told again, with the same id and the same bytes."""
    topic, queue = subscribed(amazon, "jobs")
    amazon.fail("Publish", lose)
    receipt = channels.deliver(to("sns", topic=topic))
    assert not receipt.delivered
    assert not receipt.give_up
    assert channels.deliver(to("sns", topic=topic)).delivered
    first, second = heard(amazon, queue)
    assert first["Message"] == second["Message"]
    assert first["MessageAttributes"] == second["MessageAttributes"]


def test_a_bus_hears_an_event(amazon: Amazon, channels: ChannelRegistry) -> None:
    queue = amazon.client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    events = amazon.client("events")
    events.create_event_bus(Name="jobs")
    pattern = json.dumps({"source": ["noonday"]})
    events.put_rule(Name="all", EventBusName="jobs", EventPattern=pattern)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard"
    events.put_targets(Rule="all", EventBusName="jobs", Targets=[{"Id": "1", "Arn": arn}])
    told = to("events", bus="jobs")
    assert channels.deliver(told).delivered
    [event] = heard(amazon, queue)
    assert event["source"] == "noonday"
    assert event["detail-type"] == told.event
    assert event["detail"]["id"] == told.id
    assert event["detail"]["data"]["name"] == "tells"


def refused_entry(gate: Gate, environ: Environ, body: bytes) -> Answer:
    del gate, environ, body
    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    return "200 OK", [JSON], json.dumps({"FailedEntryCount": 1, "Entries": [entry]}).encode()


def test_what_a_bus_does_not_take_inside_a_200_is_tried_again(
    amazon: Amazon, channels: ChannelRegistry
) -> None:
    amazon.client("events").create_event_bus(Name="jobs")
    amazon.fail("PutEvents", refused_entry)
    receipt = channels.deliver(to("events", bus="jobs"))
    assert receipt == Receipt("ThrottlingException: slow down")
    assert channels.deliver(to("events", bus="jobs")).delivered


@pytest.mark.parametrize("code", ["Throttling", "AuthorizationError", "InternalError"])
def test_what_aws_refuses_is_shown_and_tried_again(
    amazon: Amazon, channels: ChannelRegistry, code: str
) -> None:
    topic, _ = subscribed(amazon, "jobs")
    amazon.fail("Publish", refuse(500 if code == "InternalError" else 403, code))
    receipt = channels.deliver(to("sns", topic=topic))
    assert receipt.error
    assert not receipt.give_up


def test_a_topic_that_is_not_there_is_shown(amazon: Amazon, channels: ChannelRegistry) -> None:
    del amazon
    receipt = channels.deliver(to("sns", topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs-of-old"))
    assert "NotFound" in (receipt.error or "")


def test_what_is_not_permitted_any_more_is_given_up_without_a_call(
    amazon: Amazon, channels: ChannelRegistry
) -> None:
    receipt = channels.deliver(to("sns", topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs"))
    assert receipt.give_up
    assert "NOONDAY_TARGETS_ALLOW" in (receipt.error or "")
    assert amazon.gate.calls.total() == 0


def test_what_is_too_large_is_given_up(amazon: Amazon, channels: ChannelRegistry) -> None:
    payload = json.dumps({"type": "x", "data": {"name": "tells", "error": "x" * 270_000}})
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs"
    told = a_notification(
        channel_json=json.dumps({"kind": "sns", "topic": topic}), payload_json=payload
    )
    receipt = channels.deliver(told)
    assert receipt.give_up
    assert "262144" in (receipt.error or "")
    assert amazon.gate.calls.total() == 0


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ({"kind": "sns", "topic": "jobs"}, "ARN of a topic"),
        (
            {"kind": "sns", "topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs"},
            "NOONDAY_TARGETS_ALLOW",
        ),
        ({"kind": "sns", "topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs"}, None),
        ({"kind": "events", "bus": "not a bus"}, "event bus"),
        ({"kind": "events", "bus": "default"}, '"resource": "default/noonday"'),
        ({"kind": "events", "bus": "jobs"}, None),
        ({"kind": "pigeon"}, "events, sns"),
    ],
)
def test_a_channel_is_looked_at_when_it_is_submitted(
    channels: ChannelRegistry, channel: dict[str, str], words: str | None
) -> None:
    complaint = channels.complaint(channel, OWNER)
    assert complaint is None if words is None else words in (complaint or "")
    if channel["kind"] != "pigeon":
        assert channels.complaint(channel, "others") is not None
