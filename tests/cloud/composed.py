"""Noonday composed as in Lambda, on MariaDB and moto's SQS, and its functions as their sources call them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app import app
from chalicelib import cloud, wiring
from chalicelib.engine.commands import register_token
from chalicelib.local.context import EventContext, queue_event, scheduled_event
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, REGION, Amazon

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
