"""A function that fails says so in one line, and fails: whoever called it tries again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import wiring
from chalicelib.events import failing
from chalicelib.local.context import EventContext, queue_event, scheduled_event
from chalicelib.model.errors import Unavailable
from tests.cloud.service_events import ended

Handlers = dict[str, Callable[[Any, Any], Any]]


@pytest.fixture
def error() -> Exception:
    return Unavailable("the database is away")


@pytest.fixture
def handlers(error: Exception) -> Iterator[Handlers]:
    """Functions of every kind of event, as they are in Lambda, of a process that has no Noonday."""
    app = Chalice(app_name="failing", configure_logs=False)
    for kind in failing.KINDS:
        app.register_middleware(failing.tell, kind)

    @app.schedule(Rate(1, unit=Rate.MINUTES))
    def minute(event: CloudWatchEvent) -> None:
        del event
        raise error

    @app.on_sqs_message(queue="launch")
    def launch(event: SQSEvent) -> None:
        del event
        raise error

    @app.on_cw_event({"source": ["aws.s3"]})
    def completion(event: CloudWatchEvent) -> None:
        del event
        raise error

    wiring.provide(nobody)
    yield dict(app.handler_map)
    wiring.provide(nobody)


def nobody() -> wiring.Noonday:
    raise Unavailable("nobody is composed here")


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("minute", scheduled_event(0)),
        ("launch", queue_event("launch", ["{}"])),
        ("completion", ended("athena", "", "x")),
    ],
)
def test_it_is_told_and_raised(
    handlers: Handlers, error: Exception, name: str, event: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable) as raised:
        handlers[name](event, EventContext(name, limit_s=60))
    assert raised.value is error
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["fact"], told["function"]) == ("error", "Failed", name)
    assert told["error"] == "the database is away"


@pytest.mark.parametrize("error", [RuntimeError("a defect")])
def test_a_defect_leaves_its_trace(handlers: Handlers, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        handlers["minute"](scheduled_event(0), EventContext("minute", limit_s=60))
    told = json.loads(capsys.readouterr().err)
    assert told["fact"] == "Unexpected"
    assert "in minute" in told["trace"]
