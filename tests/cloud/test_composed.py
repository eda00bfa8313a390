"""Noonday composed as in Lambda, on MariaDB and moto's SQS: from the request to the end of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app import app
from chalicelib import cloud, wiring
from chalicelib.engine.commands import register_token
from chalicelib.local.context import EventContext, queue_event, scheduled_event
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, REGION, Amazon
from tests.cloud.offers import StepFunctions

TOKEN = "a-token-of-the-tests"
PREFIX = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/noonday-test-"
LANES = ("wake", "launch", "work", "check", "deliver")


@pytest.fixture
def noonday(
    amazon: Amazon, empty_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[wiring.Noonday]:
    for lane in LANES:
        amazon.client("sqs").create_queue(QueueName=f"noonday-test-{lane}")
    secret = json.dumps({"username": "root", "password": ""})
    amazon.client("secretsmanager").create_secret(Name="db", SecretString=secret)
    settings = {
        "NOONDAY_AUTH": "local",
        "NOONDAY_DATABASE": empty_url("mariadb"),
        "NOONDAY_DATABASE_SECRET": "db",
        "NOONDAY_QUEUES": PREFIX,
        "NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "*", "resource": "*"}]',
        "NOONDAY_LOG": "off",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    cloud.provide()
    composed = wiring.noonday()
    register_token(composed.engine, TOKEN, "tester", admin=True)
    yield composed
    composed.store.close()
    wiring.provide(_nobody)


def _nobody() -> wiring.Noonday:
    raise Unavailable("the test is over")


def call(method: str, resource: str, body: Any = None, **fields: Any) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    event = {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        **fields,
    }
    answer = app(event, EventContext("api", limit_s=29))
    assert answer["statusCode"] < 300, answer["body"]
    return json.loads(answer["body"])


def deliver(amazon: Amazon, lane: str, handler: str) -> int:
    """Messages of a queue to their function, as the mapping does; how many there were."""
    received = amazon.client("sqs").receive_message(QueueUrl=PREFIX + lane, MaxNumberOfMessages=10)
    messages = received.get("Messages", [])
    if messages:
        event = queue_event(lane, [one["Body"] for one in messages])
        answer = app.handler_map[handler](event, EventContext(handler, limit_s=60))
        assert answer == {"batchItemFailures": []}
        for one in messages:
            amazon.client("sqs").delete_message(
                QueueUrl=PREFIX + lane, ReceiptHandle=one["ReceiptHandle"]
            )
    return len(messages)


def sweep() -> None:
    app.handler_map["minute"](scheduled_event(wall_ms()), EventContext("minute", limit_s=55))


def test_from_the_request_to_the_end(noonday: wiring.Noonday, amazon: Amazon) -> None:
    machine = StepFunctions(amazon)
    job = {
        "name": "nightly",
        "schedule": {"cron": "0 0 3 * * ?"},
        "target": {"kind": "step_functions", **machine.spec},
    }
    call("POST", "/jobs", job)
    triggered = call("POST", "/jobs/{job_id}/trigger", {}, pathParameters={"job_id": "nightly"})
    assert deliver(amazon, "wake", "second") == 1  # the command rang
    assert deliver(amazon, "launch", "launch") == 1
    assert machine.runs() == 1
    shown = call("GET", "/instances/{instance_id}", pathParameters={"instance_id": triggered["id"]})
    assert shown["state"] == "LAUNCHED"
    [run] = shown["runs"]
    assert run["external_url"].startswith("https://eu-central-1.console.aws.amazon.com/")
    machine.end(run["external_id"], well=True)
    assert noonday.engine.store.read(lambda reader: reader.next_wakes(1 << 60)).earliest is not None


def test_a_message_of_somebody_else_is_left_to_the_queue(noonday: wiring.Noonday) -> None:
    del noonday
    for handler in ("second", "launch", "work"):
        event = queue_event(handler, ["{", '{"else": 1}'])
        answer = app.handler_map[handler](event, EventContext(handler, limit_s=60))
        ids = [record["messageId"] for record in event["Records"]]
        assert answer == {"batchItemFailures": [{"itemIdentifier": one} for one in ids]}


def test_a_wake_up_that_comes_early_waits_out_the_rest(noonday: wiring.Noonday) -> None:
    waited: list[float] = []
    wiring.provide(lambda: replace(noonday, pause=waited.append))
    at_ms = noonday.engine.clock.now_ms() + 900
    body = json.dumps({"at_ms": at_ms, "arm_until_ms": 0})
    app.handler_map["second"](queue_event("wake", [body]), EventContext("second", limit_s=55))
    [seconds] = waited
    assert 0 < seconds <= 0.9


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("NOONDAY_QUEUES", "", "NOONDAY_QUEUES is not set"), ("NOONDAY_AUTH", "", "NOONDAY_AUTH")],
)
def test_what_is_not_set_is_said(
    noonday: wiring.Noonday, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    del noonday
    monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable, match=said):
        cloud.compose()
