"""Noonday composed as in Lambda, on MariaDB and moto's SQS: from the request to the end of the run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app import app
from chalicelib import cloud, wiring
from chalicelib.local.context import EventContext, queue_event
from chalicelib.model.errors import Unavailable
from tests.cloud.amazon import Amazon, refuse
from tests.cloud.composed import call, deliver
from tests.cloud.offers import StepFunctions


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


def test_a_queue_that_takes_nothing_is_no_defect(
    noonday: wiring.Noonday, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, without a trace: what was to be sent stands in the database."""
    told: list[tuple[str, str, object]] = []
    monkeypatch.setattr(
        noonday.log, "line", lambda level, fact, **more: told.append((level, fact, more["error"]))
    )
    amazon.fail("SendMessage", refuse(403, "AccessDenied"))
    noonday.engine.alarm.wake(0, 0)
    assert told == [("error", "Failed", "AccessDenied: not now")]
