"""Retries, time-outs, lost runs and series of failures on the real server, while its clock is moved by hand.

What the engine's own tests hold for every corner is held here once, from the definition that somebody
submits to what they read afterwards: with programs, statements and requests that are really there.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.channels.receiver import held, receiving, reply
from tests.local.server import Server, serving, start
from tests.local.test_serving import eventually, instances

CLOCK = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:20:00Z"
AT_ONCE = {"NOONDAY_GRACE": "0"}  # what is still at work when a test has failed is not waited for
MINUTE = 60_000
FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its databases: one that there is, and one that nobody has made yet."""
    folder = tmp_path_factory.mktemp("server")
    sqlite3.connect(folder / "there.db").close()
    environ = {
        "NOONDAY_CONNECTION_THERE": f"sqlite:///{folder}/there.db",
        "NOONDAY_CONNECTION_AWAY": "mysql://nobody@127.0.0.1:1/nothing",
        **AT_ONCE,
    }
    with serving(folder, "--clock", CLOCK, environ=environ) as running:
        yield running


def submit(server: Server, name: str, target: dict[str, Any], **policies: Any) -> None:
    """It fires once, now."""
    now = server.call("GET", "/clock").body["now_time"]
    submit_often(server, name, target, {"at": now}, **policies)


def submit_often(
    server: Server, name: str, target: dict[str, Any], schedule: dict[str, Any], **policies: Any
) -> None:
    body = {"name": name, "schedule": schedule, "target": target, "policies": policies}
    answer = server.call("POST", "/jobs?schedule=true", body)
    assert answer.status == 201, answer.body


def advance(server: Server, duration: str, **more: Any) -> None:
    answer = server.call("POST", "/clock", {"advance": duration, **more})
    assert answer.status == 200, answer.body


def only(server: Server, name: str) -> dict[str, Any]:
    [one] = instances(server, name)
    found: dict[str, Any] = server.call("GET", f"/instances/{one['id']}").body
    return found


def in_state(server: Server, name: str, *states: str) -> dict[str, Any]:
    return dict(
        eventually(
            lambda: (
                [one for one in instances(server, name) if one["state"] in states]
                and only(server, name)
            )
        )
    )


def run_of(instance: dict[str, Any], number: int) -> dict[str, Any]:
    [found] = [one for one in instance["runs"] if one["run"] == number]
    return dict(found)


def test_retries_go_on_with_growing_delays_until_they_are_used_up(server: Server) -> None:
    retries = {"max_attempts": 4, "delay": "PT1M", "factor": 3, "max_delay": "PT5M", "jitter": 0.5}
    with receiving() as receiver:
        receiver.answer = lambda handler: reply(handler, 503)
        target = {"kind": "http", "method": "POST", "url": receiver.url()}
        submit(server, "tries-again", target, retries=retries)
        receiver.wait_for(1)
        waiting = in_state(server, "tries-again", "WAITING")
        assert (waiting["reason"], waiting["run"], waiting["attempt"]) == ("RETRY", 2, 2)
        advance(server, "PT1H")
        seen = receiver.wait_for(4)
    ended = only(server, "tries-again")
    assert (ended["state"], ended["reason"], ended["run"]) == ("FAILED", "RUN_FAILED", 4)
    tokens = [one.headers["idempotency-key"] for one in seen]
    assert tokens == [f"{ended['id']}-{run}" for run in (1, 2, 3, 4)]
    begun = [run_of(ended, number)["launched_ms"] for number in (1, 2, 3, 4)]
    waited = [later - before for before, later in pairwise(begun)]
    for delay, wanted in zip(waited, (1, 3, 5), strict=True):
        assert wanted * MINUTE * 0.5 <= delay <= wanted * MINUTE * 1.5
        assert delay != wanted * MINUTE, "it is spread"
    told = server.call("GET", f"/instances/{ended['id']}/why").body
    assert "503" in str(told)


def test_launches_that_fail_have_a_budget_beside_the_runs(server: Server) -> None:
    retries = {
        "max_attempts": 9,
        "launch": {"max_attempts": 3, "delay": "PT10S", "jitter": 0},
    }
    target = {"kind": "sql", "connection": "away", "query": "SELECT 1"}
    submit(server, "never-begins", target, retries=retries)
    in_state(server, "never-begins", "WAITING")
    advance(server, "PT10M")
    ended = only(server, "never-begins")
    assert (ended["state"], ended["reason"]) == ("FAILED", "LAUNCH_FAILED")
    assert (ended["run"], ended["attempt"], ended["launch_attempt"]) == (3, 1, 3)


def test_a_program_that_takes_too_long_is_ended(server: Server) -> None:
    files = Path(server.environ["NOONDAY_FILES"])
    command = ["sh", "-c", "echo $$ > too-long.pid; exec sleep 600"]
    submit(server, "too-long", {"kind": "process", "command": command}, timeouts={"run": "PT5M"})
    pid = int(eventually(lambda: _text(files / "too-long.pid")))
    advance(server, "PT5M", wait_seconds=0)
    ended = in_state(server, "too-long", "TIMED_OUT")
    assert (ended["reason"], ended["run"]) == ("RUN_TIMEOUT", 1)
    assert ended["ended_ms"] == ended["launched_ms"] + 5 * MINUTE
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def test_a_statement_that_takes_too_long_is_cancelled_and_tried_again(server: Server) -> None:
    target = {"kind": "sql", "connection": "there", "query": FOR_EVER}
    policies = {
        "timeouts": {"run": "PT1M"},
        "retries": {"max_attempts": 2, "delay": "PT1M", "jitter": 0},
    }
    submit(server, "endless", target, **policies)
    in_state(server, "endless", "RUNNING")
    advance(server, "PT1M", wait_seconds=0)
    waiting = in_state(server, "endless", "WAITING")
    assert (waiting["run"], run_of(waiting, 1)["state"]) == (2, "TIMED_OUT")
    advance(server, "PT1M", wait_seconds=0)
    in_state(server, "endless", "RUNNING")
    advance(server, "PT1M", wait_seconds=0)
    ended = in_state(server, "endless", "TIMED_OUT")
    assert (ended["run"], ended["reason"]) == (2, "RUN_TIMEOUT")


def test_a_request_without_an_answer_is_given_up(server: Server) -> None:
    with receiving() as receiver:
        gone = threading.Event()

        def silent(handler: Any) -> None:
            handler.connection.settimeout(30)
            gone.set() if handler.connection.recv(1) == b"" else held(receiver)

        receiver.answer = silent
        target = {"kind": "http", "method": "POST", "url": receiver.url(), "timeout": "PT2H"}
        submit(server, "unanswered", target, timeouts={"run": "PT1M"})
        receiver.wait_for(1)
        advance(server, "PT1M", wait_seconds=0)
        assert in_state(server, "unanswered", "TIMED_OUT")["reason"] == "RUN_TIMEOUT"
        assert gone.wait(30), "the connection was closed"


def test_waiting_has_an_end_too(server: Server) -> None:
    now = server.call("GET", "/clock").body["now_time"]
    body = {
        "name": "in-vain",
        "schedule": {"at": now},
        "prerequisites": [{"data": "never-there"}],
        "target": {"kind": "process", "command": ["true"]},
        "policies": {"timeouts": {"wait": "PT30M"}, "retries": {"max_attempts": 3}},
    }
    assert server.call("POST", "/jobs?schedule=true", body).status == 201
    advance(server, "PT29M")
    waiting = only(server, "in-vain")
    assert (waiting["state"], waiting["reason"]) == ("WAITING", "PREREQUISITES")
    advance(server, "PT1M")
    ended = only(server, "in-vain")
    assert (ended["state"], ended["reason"], ended["run"]) == ("TIMED_OUT", "WAIT_TIMEOUT", 1)
    told = server.call("GET", f"/instances/{ended['id']}/why").body
    assert "never-there" in str(told)


def test_a_series_of_failures_suspends_the_job(server: Server) -> None:
    now = server.call("GET", "/clock").body["now_time"]
    target = {"kind": "process", "command": ["sh", "-c", "test -e mended"]}
    policy = {"on_failure": {"suspend_after": 2}, "catch_up": "none"}
    submit_often(server, "breaks", target, {"every": "PT1M", "start": now}, **policy)
    advance(server, "PT9M30S")
    job = server.call("GET", "/jobs/breaks").body
    assert job["state"] == "SUSPENDED"
    assert "2" in job["suspension"]["reason"]
    assert [one["state"] for one in instances(server, "breaks")] == ["FAILED"] * 2
    (Path(server.environ["NOONDAY_FILES"]) / "mended").touch()
    assert server.call("POST", "/jobs/breaks/resume", {}).status == 200
    advance(server, "PT2M")
    states = [one["state"] for one in instances(server, "breaks")]
    assert states == ["FAILED", "FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert server.call("POST", "/jobs/breaks/expire", {}).status == 200


def test_what_the_server_left_in_mid_run_is_found_repeated_or_given_up(tmp_path: Path) -> None:
    """kill -9. A program goes on and is found; a request is repeated under its token; a program that died
    with the server ends as lost, and is tried again."""
    with receiving() as receiver:
        first = start(tmp_path, "--clock", CLOCK, environ=AT_ONCE)
        script = (
            "echo ${token} >> tokens-$0; echo $$ > pid-$0; while [ ! -e go ]; do sleep 0.02; done"
        )
        for name in ("found", "lost"):
            command = ["sh", "-c", script, name]
            retries = {"max_attempts": 2, "delay": "PT1S", "jitter": 0}
            submit(first, name, {"kind": "process", "command": command}, retries=retries)
        receiver.answer = lambda _: held(receiver)
        submit(first, "repeated", {"kind": "http", "method": "POST", "url": receiver.url()})
        files = tmp_path / "files"
        pid = int(eventually(lambda: _text(files / "pid-lost")))
        receiver.wait_for(1)
        in_state(first, "found", "RUNNING")
        in_state(first, "lost", "RUNNING")
        first.kill()
        for process in runner_and(pid):
            os.kill(process, signal.SIGKILL)
        receiver.answer = lambda handler: reply(handler, 204)
        with serving(tmp_path, "--clock", LATER, environ=AT_ONCE) as second:
            repeated = in_state(second, "repeated", "SUCCEEDED")
            assert in_state(second, "lost", "WAITING")["reason"] == "RETRY"
            advance(second, "PT1S", wait_seconds=0)
            eventually(lambda: len(_text(files / "tokens-lost").split()) == 2)
            (files / "go").touch()
            found = in_state(second, "found", "SUCCEEDED")
            lost = in_state(second, "lost", "SUCCEEDED")
            assert (repeated["run"], found["run"], lost["run"]) == (1, 1, 2)
            assert run_of(lost, 1)["reason"] == "RUN_LOST"
            tokens = {one.headers["idempotency-key"] for one in receiver.seen}
            assert tokens == {f"{repeated['id']}-1"}
            assert _text(files / "tokens-found").split() == [f"{found['id']}-1"]
            assert _text(files / "tokens-lost").split() == [f"{lost['id']}-{n}" for n in (1, 2)]


def runner_and(pid: int) -> list[int]:
    """The program and what watches over it: both are gone when a machine is."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return [parent, pid]
