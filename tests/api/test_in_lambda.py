"""The app as Lambda calls it: events in, answers out, one engine a process, and no defect told to anybody."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from chalice.app import Chalice, Response

from app import app
from chalicelib import wiring
from chalicelib.api.problems import Defect, refusal, status_of
from chalicelib.api.resource import Resource
from chalicelib.engine.commands import register_token
from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.context import EventContext, queue_event, scheduled_event
from chalicelib.local.manual_clock import ManualClock
from chalicelib.model import errors
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.messages import WakeUp, write_handed_out, write_wake_up
from chalicelib.settings import read_settings
from chalicelib.store import SqlStore, open_store

NOW = 1_767_225_600_000
TOKEN = "a-token-of-the-tests"


@dataclass
class Sent:
    """What left the process: through the queue and the alarm."""

    handed: list[tuple[Lane, HandedOut]] = field(default_factory=list)
    wakes: list[tuple[int, int]] = field(default_factory=list)

    def send(self, lane: Lane, handed: Any) -> None:
        self.handed += [(lane, one) for one in handed]

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        self.wakes.append((at_ms, arm_until_ms))


@dataclass
class World:
    noonday: wiring.Noonday
    sent: Sent
    log: io.StringIO


def nobody() -> NoReturn:
    raise errors.Unavailable("the test is over")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    sent, log, clock = Sent(), io.StringIO(), ManualClock(NOW)
    environ = {"NOONDAY_AUTH": "local", "NOONDAY_PROCESS": "on"}
    environ |= {"NOONDAY_FILES": str(tmp_path / "files"), "NOONDAY_RUNS": str(tmp_path / "runs")}
    transport = wiring.Transport(queue=sent, alarm=sent, stops=RunsInThisProcess())
    with closing(open_store("sqlite://")) as store:
        store.migrate(NOW)
        lines = JsonLog(log, "info", clock.now_ms)
        noonday = wiring.compose(read_settings(environ), store, clock, transport, lines)
        register_token(noonday.engine, TOKEN, "tester", admin=True)
        wiring.provide(lambda: noonday)
        yield World(noonday, sent, log)
        wiring.provide(nobody)


def request(method: str, resource: str, body: Any = None, **fields: Any) -> dict[str, Any]:
    """A REST API's proxy event, as bare as API Gateway makes it."""
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "multiValueHeaders": {"Authorization": [f"Bearer {TOKEN}"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        **fields,
    }


def call(event: dict[str, Any], to: Chalice = app) -> tuple[int, Any]:
    answer = to(event, EventContext("api", limit_s=29))
    json.dumps(answer)  # Lambda can send nothing else
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


HOURLY = {
    "name": "tick",
    "schedule": {"every": "PT1H", "start": "2026-01-01T00:00:00Z"},
    "target": {"kind": "process", "command": ["true"]},
}


def test_a_job_through_the_events_of_the_cloud(world: World) -> None:
    """Submitted by API Gateway, swept by the rule, launched by the queue."""
    submit = request("POST", "/jobs", HOURLY)
    submit["multiValueQueryStringParameters"] = {"schedule": ["true"]}
    status, job = call(submit)
    assert (status, job["state"]) == (201, "SCHEDULED")
    assert world.sent.wakes == [(NOW, NOW + 60_000)]
    app.handler_map["minute"](scheduled_event(NOW), EventContext("minute", limit_s=55))
    [(lane, handed)] = world.sent.handed
    assert lane is Lane.WORK
    work = queue_event("work", [write_handed_out([handed])] * 2)  # SQS may deliver twice
    app.handler_map["work"](work, EventContext("work", limit_s=800))
    shown = request("GET", "/jobs/{job_id}/instances", pathParameters={"job_id": "tick"})
    [instance] = call(shown)[1]["items"]
    assert (instance["state"], instance["run"]) == ("SUCCEEDED", 1)
    app.handler_map["launch"](
        queue_event("launch", [write_handed_out([handed])]), EventContext("launch", limit_s=60)
    )


def test_the_second_hand_arms_as_long_as_it_may(world: World) -> None:
    often = {**HOURLY, "schedule": {"every": "PT20S", "start": "2026-01-01T00:00:00Z"}}
    submit = request("POST", "/jobs", often)
    submit["multiValueQueryStringParameters"] = {"schedule": ["true"]}
    assert call(submit)[0] == 201
    world.sent.wakes.clear()
    bodies = [write_wake_up(WakeUp(NOW, until)) for until in (0, NOW + 60_000)]
    app.handler_map["second"](queue_event("second", bodies), EventContext("second", limit_s=55))
    assert world.sent.wakes == [(NOW + 20_000, NOW + 60_000)]


def test_a_body_in_base64_is_read(world: World) -> None:  # noqa: ARG001
    event = request("POST", "/jobs", HOURLY, isBase64Encoded=True)
    event["body"] = base64.b64encode(event["body"].encode()).decode()
    assert call(event)[0] == 201
    event["body"] = base64.b64encode(b'{"name": "\xff"}').decode()
    assert "UTF-8" in call(event)[1]["detail"]


def test_path_variables_arrive_percent_encoded(world: World) -> None:  # noqa: ARG001
    assert call(request("POST", "/jobs", HOURLY))[0] == 201
    event = request("GET", "/jobs/{job_id}", pathParameters={"job_id": "default%3Atick"})
    assert call(event)[1]["name"] == "tick"


def test_without_a_database_it_says_so(world: World) -> None:
    class Away(SqlStore):
        def read(self, work: Any) -> Any:  # noqa: ARG002
            raise errors.Unavailable("the database is away", retry_after=7)

    away = cast(SqlStore, Away.__new__(Away))
    wiring.provide(lambda: replace(world.noonday, store=away))
    answer = app(request("GET", "/jobs"), EventContext("api", limit_s=29))
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "7")
    wiring.provide(nobody)
    assert call(request("GET", "/jobs"))[0] == 503


def broken_app() -> Chalice:
    """Views that fail in ways nobody foresaw."""
    chalice, resource = Chalice("broken", configure_logs=False), Resource(__name__, "broken")

    @resource.route("GET", "/defect", {200: "text/plain"})
    def defect(call: Any) -> Response:
        raise RuntimeError(f"the secret is {call.principal.name}")

    @resource.route("GET", "/deep", {200: "text/plain"}, public=True)
    def deep(call: Any) -> Response:
        return deep(call)

    chalice.register_blueprint(resource.blueprint)
    return chalice


@pytest.mark.parametrize("path", ["/defect", "/deep"])
def test_a_defect_is_logged_in_full_and_told_to_nobody(world: World, path: str) -> None:
    status, body = call(request("GET", path), broken_app())
    assert (status, body["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(body)
    line = json.loads(world.log.getvalue().splitlines()[-1])
    assert (line["level"], line["route"]) == ("error", path)
    assert "Traceback" in line["trace"]
    assert TOKEN not in world.log.getvalue()


def leaves(kind: type[errors.NoondayError]) -> list[type[errors.NoondayError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    kinds = leaves(errors.NoondayError)
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert {kind for kind in kinds if status_of(kind.__new__(kind)) == 500} == {
        errors.NoondayError,
        Defect,
    }


def test_a_problem_shows_the_beginning_of_a_long_value_and_any_value_at_all() -> None:
    values = ["x" * 10_000, float("nan"), object(), {"a": [1] * 1000}, "\ud800", None, 5]
    problems = [errors.Problem("field", "is wrong", value) for value in values]
    response = refusal(errors.InvalidInput(problems))
    shown = [one["value"] for one in json.loads(response.body.encode())["problems"]]
    assert all(len(str(one)) <= 200 for one in shown)
    assert shown[-2:] == [None, 5]
