"""Whatever is sent to any operation: never a defect, only answers that the description has, and of what is
refused each field with what would be right. NOONDAY_TEST_REQUESTS=N sends N requests to each operation.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from app import app
from chalicelib import wiring
from chalicelib.engine.commands import register_token
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.gateway import Gateway
from chalicelib.local.http_message import HttpRequest
from chalicelib.local.http_server import HttpResponse
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import read_settings
from chalicelib.store import SqlStore
from tests.api.arbitrary import Arbitrary, Request
from tests.api.conftest import definition
from tests.engine.world import World

TOKEN = "a-token-of-an-admin"
ASKED = int(os.environ.get("NOONDAY_TEST_REQUESTS", "0"))
LONGEST = 60_000


@dataclass
class Api:
    """All of Noonday in this process; nothing that is handed out is done."""

    world: World
    log: io.StringIO
    gateway: Gateway
    statuses: Counter[int] = field(default_factory=Counter)

    def send(
        self, method: str, target: str, body: Any = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> HttpResponse:
        raw = b"" if body is None else json.dumps(body).encode()
        always = (("authorization", f"Bearer {TOKEN}"), ("content-type", "application/json"))
        request = HttpRequest(method, target, (*always, *headers), raw, True, "127.0.0.1")
        return self.gateway.handle(request)

    def document(self, method: str, target: str, body: Any = None) -> Any:
        answer = self.send(method, target, body)
        assert answer.status < 300, answer.body
        return json.loads(answer.body)

    def judge(self, request: Request) -> None:
        answer = self.send(request.method, request.target, request.body, request.headers)
        self.statuses[answer.status] += 1
        assert answer.status < 500, self.log.getvalue()
        assert answer.status in request.responses
        if answer.status >= 400:
            assert len(answer.body) < LONGEST
            check_refusal(json.loads(answer.body), answer.status)


def check_refusal(problem: Mapping[str, Any], status: int) -> None:
    assert problem["status"] == status
    assert problem["code"]
    assert problem["detail"]
    if problem["code"] == "invalid_input":
        assert problem["problems"]
    for one in problem.get("problems", ()):
        assert {"field", "message", "value"} <= set(one)
        assert one["message"]


@pytest.fixture
def api(open_empty: Callable[[str], SqlStore], tmp_path: Path) -> Iterator[Api]:
    store = open_empty("sqlite-memory")
    world, log = World(store), io.StringIO()
    environ = {"NOONDAY_AUTH": "local", "NOONDAY_PROCESS": "on", "NOONDAY_FILES": str(tmp_path)}
    transport = wiring.Transport(world.queue, world.alarm, RunsInThisProcess())
    lines = JsonLog(log, "error", world.clock.now_ms)
    noonday = wiring.compose(read_settings(environ), store, world.clock, transport, lines)
    world.engine = noonday.engine
    register_token(noonday.engine, TOKEN, "ada", admin=True)
    wiring.provide(lambda: noonday)
    yield Api(world, log, Gateway(app))
    wiring.provide(_nobody)


def _nobody() -> Any:
    raise Unavailable("the test is over")


def test_whatever_is_sent_is_answered_as_described(api: Api) -> None:
    api.document("PUT", "/groups/g", {"size": 2})
    api.document("PUT", "/calendars/c", {"spans": ["2026-05-01T00:00:00/2026-05-02T00:00:00"]})
    schedule = {"every": "PT1M", "start": "2026-01-01T11:50:00Z"}
    body = definition("some-job", schedule=schedule, tags={"tier": "gold"})
    job = api.document("POST", "/jobs?schedule=true", body)
    api.world.minute()
    instances = [one["id"] for one in api.document("GET", "/instances")["items"]]
    jobs = [job["id"], job["name"]]
    known = {
        "job_id": jobs,
        "job": jobs,
        "instance_id": instances[:3],
        "instance": instances[:3],
        "group": ["g"],
        "calendar": ["c"],
        "owner": ["default"],
        "name": ["another-job"],
    }
    arbitrary = Arbitrary(api.document("GET", "/openapi.json"), known)
    for place in range(arbitrary.operations):
        _send_many(api, arbitrary, place)
    api.world.minute()
    assert {200, 400, 404} <= set(api.statuses), api.statuses


def _send_many(api: Api, arbitrary: Arbitrary, place: int) -> None:
    @settings(
        max_examples=ASKED or 6,
        derandomize=not ASKED,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(request=arbitrary.requests(place))
    def send(request: Request) -> None:
        api.judge(request)

    send()
