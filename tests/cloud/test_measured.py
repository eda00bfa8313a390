"""What functions write of themselves: a line a fact, with the ids of their invocation, and metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from app import app
from chalicelib import wiring
from chalicelib.local.context import EventContext, queue_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import Amazon
from tests.cloud.composed import call, deliver, sweep
from tests.cloud.offers import StepFunctions

NIGHTLY = {"name": "nightly", "schedule": {"cron": "0 0 3 * * ?"}}


@pytest.fixture
def lines(noonday: wiring.Noonday, monkeypatch: pytest.MonkeyPatch) -> Lines:
    seen = Lines()
    monkeypatch.setattr(noonday.log, "_stream", seen)
    monkeypatch.setattr(noonday.log, "_least", 0)
    noonday.log.stage = "prod"
    return seen


class Lines:
    """A stream that keeps its lines as they are read by CloudWatch."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> None:
        self._text += text

    def flush(self) -> None: ...

    @property
    def all(self) -> Sequence[dict[str, Any]]:
        return [json.loads(line) for line in self._text.splitlines()]

    def facts(self, name: str) -> Sequence[dict[str, Any]]:
        return [line for line in self.all if line.get("fact") == name]

    def values(self, metric: str, **dimensions: str) -> Sequence[Any]:
        return [
            line[metric]
            for line in self.all
            if metric in line and dimensions.items() <= line.items()
        ]


def test_one_launch_from_the_request_on(lines: Lines, amazon: Amazon) -> None:
    machine = StepFunctions(amazon)
    target = {"kind": "step_functions", **machine.spec}
    call("POST", "/jobs", {**NIGHTLY, "target": target})
    asked = {"requestId": "gw-1", "resourcePath": "/jobs/{job_id}/trigger", "httpMethod": "POST"}
    where = {"pathParameters": {"job_id": "nightly"}, "requestContext": asked}
    triggered = call("POST", "/jobs/{job_id}/trigger", {}, **where)
    deliver(amazon, "wake", "second")
    deliver(amazon, "launch", "launch")
    [command] = [line for line in lines.facts("Commanded") if line["verb"] == "TRIGGER"]
    assert (command["api_request_id"], command["function"]) == ("gw-1", "api")
    assert (command["job"], command["actor"]) == ("nightly", "tester")
    [begun] = lines.facts("LaunchBegun")
    [launched] = lines.facts("RunLaunched")
    assert begun["function"] == launched["function"] == "launch"
    assert begun["request_id"] == launched["request_id"]
    for line in (begun, launched):
        assert line["instance_id"] == triggered["id"]
        assert line["token"] == f"{triggered['id']}-1"
        assert (line["job"], line["owner"], line["stage"]) == ("nightly", "default", "prod")
    assert launched["external_id"].startswith("arn:aws:states:")
    assert lines.values("Launches", Stage="prod", Kind="step_functions") == [1.0]
    [late] = lines.values("LaunchLateness")
    assert 0 <= late < 60_000
    assert len(lines.values("Sweeps", Hand="second")) == 1
    assert len(lines.values("QueueDelay", Lane="wake")) == 1


def test_the_minute_hand_is_measured_though_idle(lines: Lines) -> None:
    sweep()
    assert lines.values("Sweeps", Hand="minute") == [1]
    assert lines.values("SweepDuration", Hand="minute")[0] >= 0


def test_the_time_in_the_queue_is_counted_from_the_sending(lines: Lines) -> None:
    event = queue_event("check", ["[]", "[]"])
    for record, age_ms in zip(event["Records"], (5_000, 7_000), strict=True):
        record["attributes"]["SentTimestamp"] = str(wall_ms() - age_ms)
    app.handler_map["check"](event, EventContext("check", limit_s=60))
    [delays] = lines.values("QueueDelay", Lane="check")
    assert 5_000 <= delays[0] < 65_000
    assert 7_000 <= delays[1] < 67_000


def test_an_answer_names_its_request(noonday: wiring.Noonday) -> None:
    del noonday
    context = {"requestId": "gw-2", "resourcePath": "/health", "httpMethod": "GET"}
    event = {
        "resource": "/health",
        "path": "/health",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = app(event, EventContext("api", limit_s=29))
    assert (answer["statusCode"], answer["headers"]["X-Request-Id"]) == (200, "gw-2")
