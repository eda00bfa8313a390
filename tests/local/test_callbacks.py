"""Targets that report themselves, over the real server: programs with ``noonday.callback``, and a web server
that takes work and does it later."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from noonday.callback import Callback, NotTaken, Stop
from tests.local.server import ROOT, Server, serving
from tests.local.test_serving import eventually, instances

CLOCK = "2026-01-01T00:00:00Z"


class Taker:
    """Accepts work with 202 and keeps what it was told; it says it aloud, too, as careless servers do."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, str]] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append(dict(self.headers))
                said = json.dumps(dict(self.headers)).encode()
                self.send_response(202)
                self.send_header("X-Echo", self.headers["Noonday-Callback-Token"])
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/work"


@contextmanager
def taking() -> Iterator[Taker]:
    taker = Taker()
    thread = threading.Thread(target=taker.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield taker
    finally:
        taker.http.shutdown()
        thread.join()
        taker.http.server_close()


@pytest.fixture
def taker() -> Iterator[Taker]:
    with taking() as one:
        yield one


@contextmanager
def server_of(tmp_path: Path) -> Iterator[Server]:
    environ = {"NOONDAY_HTTP_ALLOW": "127.0.0.1", "NOONDAY_PROCESS": "on"}
    with serving(tmp_path, "--clock", CLOCK, environ=environ) as server:
        yield server


def submit(server: Server, target: Mapping[str, Any], **policies: Any) -> None:
    definition = {
        "name": "reporting",
        "schedule": {"at": "2026-01-01T00:01:00Z"},
        "target": {**target, "completion": "callback"},
        "policies": policies,
    }
    answer = server.call("POST", "/jobs?schedule=true", definition)
    assert answer.status == 201, answer.body
    advance(server, "PT1M")


def advance(server: Server, span: str) -> None:
    answer = server.call("POST", "/clock", {"advance": span})
    assert answer.status == 200, answer.body


def the_one(server: Server) -> dict[str, Any]:
    [one] = instances(server, "reporting")
    return one


def in_state(server: Server, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        one = the_one(server)
        return one if one["state"] in states else None

    found: dict[str, Any] = eventually(look)
    return found


def reporter(taker: Taker) -> Callback:
    headers = eventually(lambda: taker.taken and taker.taken[-1])
    return Callback.from_headers(headers, tries=1)


def test_a_server_takes_the_work_and_reports_its_end(tmp_path: Path, taker: Taker) -> None:
    with server_of(tmp_path) as server:
        submit(server, {"kind": "http", "method": "POST", "url": taker.url})
        run = reporter(taker)
        eventually(
            lambda: "202" in server.call("GET", f"/instances/{the_one(server)['id']}/logs").body
        )
        advance(server, "PT10M")
        assert the_one(server)["state"] == "RUNNING"
        run.heartbeat("40 of 100")
        one = the_one(server)
        assert (one["said"], one["heard_time"]) == ("40 of 100", "2026-01-01T00:11:00Z")
        why = server.call("GET", f"/instances/{one['id']}/why").body["why"]
        assert "its target reported now: 40 of 100" in why
        run.succeeded()
        run.succeeded()
        assert the_one(server)["state"] == "SUCCEEDED"
        assert len(taker.taken) == 1
        with pytest.raises(Stop, match="run 1 is SUCCEEDED"):
            run.heartbeat()


def test_a_kill_reaches_the_target_with_its_next_report(tmp_path: Path, taker: Taker) -> None:
    with server_of(tmp_path) as server:
        submit(server, {"kind": "http", "method": "POST", "url": taker.url})
        one = the_one(server)
        run = reporter(taker)
        eventually(lambda: the_one(server)["launched_ms"])
        killed = server.call("POST", f"/instances/{one['id']}/kill", {"reason": "wrong day"})
        assert killed.status == 202
        with pytest.raises(Stop, match="KILL: wrong day"):
            run.heartbeat()
        with pytest.raises(Stop):
            run.check()
        run.stopped()
        ended = in_state(server, "KILLED")
        assert ended["reason"] == "KILLED"


def test_missed_heartbeats_end_the_run_and_another_takes_its_place(
    tmp_path: Path, taker: Taker
) -> None:
    with server_of(tmp_path) as server:
        submit(
            server,
            {"kind": "http", "method": "POST", "url": taker.url},
            timeouts={"heartbeat": "PT30S"},
            retries={"max_attempts": 2, "delay": "PT1S", "jitter": 0},
        )
        first = reporter(taker)
        eventually(lambda: the_one(server)["launched_ms"])
        advance(server, "PT40S")
        eventually(lambda: len(taker.taken) == 2)
        with pytest.raises(Stop, match="HEARTBEAT_MISSED"):
            first.heartbeat()
        second = reporter(taker)
        second.succeeded()
        one = in_state(server, "SUCCEEDED")
        assert [run["reason"] for run in one["runs"]] == ["HEARTBEAT_MISSED", None]


PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from noonday.callback import Callback
print({greeting})
with Callback.from_environment(every=0.05) as run:
    {work}
"""


@pytest.mark.parametrize(
    ("work", "state", "error"),
    [
        ("run.check('half')", "SUCCEEDED", None),
        ("raise ValueError('no disk')", "FAILED", "ValueError: no disk"),
        ("sys.exit(0)", "SUCCEEDED", None),
        ("sys.exit(3)", "FAILED", "SystemExit: 3"),
    ],
)
def test_a_program_reports_with_the_module(
    tmp_path: Path, work: str, state: str, error: str | None
) -> None:
    program = PROGRAM.format(root=str(ROOT), work=work, greeting="'at work'")
    with server_of(tmp_path) as server:
        submit(server, {"kind": "process", "command": [sys.executable, "-c", program]})
        one = in_state(server, "SUCCEEDED", "FAILED")
        assert (one["state"], one["error"]) == (state, error)
        log = eventually(lambda: server.call("GET", f"/instances/{one['id']}/logs").body)
        assert "at work" in log


def test_whoever_goes_on_for_a_program_hears_of_a_kill(tmp_path: Path) -> None:
    with server_of(tmp_path) as server:
        program = (
            "import json, os; json.dump(dict(os.environ), open('environ.json', 'w'));"
            "print(os.environ['NOONDAY_CALLBACK_TOKEN'], flush=True)"
        )
        submit(server, {"kind": "process", "command": [sys.executable, "-c", program]})
        one = eventually(lambda: the_one(server))
        eventually(lambda: "(hidden)" in server.call("GET", f"/instances/{one['id']}/logs").body)
        [kept] = tmp_path.rglob("environ.json")
        run = Callback.from_environment(json.loads(kept.read_text("utf-8")), tries=1)
        run.running()
        server.call("POST", f"/instances/{one['id']}/kill", {})
        with pytest.raises(Stop, match="KILL"):
            run.check("still here")
        assert run.stopping
        run.stopped()
        assert in_state(server, "KILLED")["reason"] == "KILLED"


def test_the_token_is_nowhere_to_be_read(tmp_path: Path, taker: Taker) -> None:
    with server_of(tmp_path) as server:
        submit(server, {"kind": "http", "method": "POST", "url": taker.url})
        run = reporter(taker)
        secret = taker.taken[0]["Noonday-Callback-Token"]
        assert secret.startswith("noonday1.")
        run.heartbeat(f"my token is {secret}")
        run.failed(f"it failed with {secret}")
        one = in_state(server, "FAILED")
        shown = [
            server.call("GET", path).body
            for path in (
                f"/instances/{one['id']}",
                f"/instances/{one['id']}/why",
                f"/instances/{one['id']}/logs",
                "/events",
                "/jobs/reporting",
                "/jobs/reporting/instances",
            )
        ]
        assert "(hidden)" in shown[2]
        assert secret not in json.dumps(shown)
        assert secret not in server.log
        assert secret not in "".join(server.said)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Authorization": ""}, {"report": "running"}, 401, "unauthenticated"),
        ({"Authorization": "Bearer noonday1.a.b.c"}, {"report": "running"}, 401, "unauthenticated"),
        ({"Authorization": "Basic {}"}, {"report": "running"}, 401, "unauthenticated"),
        ({}, {"report": "paused"}, 400, "invalid_input"),
        ({}, {"report": "running", "result": "x"}, 400, "invalid_input"),
        ({}, {"report": "running", "message": "x" * 1001}, 400, "invalid_input"),
        ({}, {"report": "failed", "error": "x" * 20_000}, 413, "too_large"),
        ({}, [], 400, "malformed"),
        ({}, {}, 400, "invalid_input"),
    ],
)
def test_bad_reports_are_refused(
    bad: tuple[Server, str, str], headers: dict[str, str], body: Any, status: int, code: str
) -> None:
    server, path, credential = bad
    sent = {"Authorization": f"Bearer {credential}", **headers}
    answer = server.call("POST", path, body, headers=sent, token="")
    assert (answer.status, answer.body["code"]) == (status, code)
    assert credential not in json.dumps(answer.body)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    with taking() as taker, server_of(tmp_path_factory.mktemp("bad")) as server:
        submit(server, {"kind": "http", "method": "POST", "url": taker.url})
        headers = eventually(lambda: taker.taken and taker.taken[-1])
        path = headers["Noonday-Callback-Url"].removeprefix(server.url)
        yield server, path, headers["Noonday-Callback-Token"]


def test_credentials_outlive_the_server(tmp_path: Path, taker: Taker) -> None:
    """The key is kept with the store."""
    with server_of(tmp_path) as server:
        submit(server, {"kind": "http", "method": "POST", "url": taker.url})
        headers = eventually(lambda: taker.taken and taker.taken[-1])
        eventually(lambda: the_one(server)["launched_ms"])
    with server_of(tmp_path) as server:
        path = headers["Noonday-Callback-Url"].partition("/runs/")[2]
        url = f"{server.url}/runs/{path}"
        Callback(url, headers["Noonday-Callback-Token"], tries=1).succeeded()
        assert the_one(server)["state"] == "SUCCEEDED"
        with pytest.raises(NotTaken, match="401"):
            Callback(url.replace("-1/", "-2/"), headers["Noonday-Callback-Token"]).succeeded()
