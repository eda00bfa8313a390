"""Secrets are planted wherever there can be any, everything fails that can, and all that is said is searched.

What is not searched is what a person wrote and reads back: definitions, which those who may see the job see
whole, and the operator's own profile.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.local.server import ROOT, Server, serving

CLOCK = "2026-01-01T00:00:00Z"
MARK = "S3CRET"
PASSWORD = f"conn:{MARK}/w@rd"
HEADER = f"Bearer {MARK}-of-a-header"
SIGNING = f"whsec_{base64.b64encode(f'{MARK}-signs-hooks-for-blue'.encode()).decode()}"
AWS_KEY = f"{MARK}/aws+secret/access/key/of/40/letters"
COOKIE = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJTM0NSRVQifQ.c2lnbmF0dXJlLW9mLWNvZ25pdG8"
TOKEN = f"noonday-operator-{MARK}"
SECRETS = (MARK, MARK.lower(), "s3cret%2f", SIGNING[6:], COOKIE)

UNSEARCHED = {
    "scheduler_jobs.definition",
    "scheduler_job_revisions.definition",
    "scheduler_revisions.definition",
}


class Echo:
    """A server that answers everything with 500 and what it was sent, as careless ones do."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                said = json.dumps({"path": self.path, **dict(self.headers)}).encode()
                self.send_response(500)
                self.send_header("X-Echo", self.headers.get("Authorization") or "")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def echo() -> Iterator[Echo]:
    one = Echo()
    thread = threading.Thread(target=one.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.http.shutdown()
    thread.join()
    one.http.server_close()


@pytest.fixture
def server(tmp_path: Path, empty_url: Callable[[str], str]) -> Iterator[Server]:
    there = empty_url("mariadb").replace("root@", "somebody@")
    environ = {
        "NOONDAY_LOG": "debug",
        "NOONDAY_TOKEN": TOKEN,
        "NOONDAY_WEBHOOK_SECRETS": SIGNING,
        "NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "*", "resource": "*"}]',
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS_KEY,
        "AWS_SESSION_TOKEN": f"{MARK}-session",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
    }
    for name, url in {
        "REFUSED": "mysql://somebody@127.0.0.1:9/shop",
        "NOWHERE": "mysql://somebody@nowhere.invalid/shop",
        "WRONG": there,
    }.items():
        environ[f"NOONDAY_CONNECTION_{name}"] = url
        environ[f"NOONDAY_CONNECTION_{name}_PASSWORD"] = PASSWORD
    with serving(tmp_path, "--clock", CLOCK, environ=environ) as running:
        yield running


def targets(echo: Echo) -> Mapping[str, Mapping[str, Any]]:
    headers = {"Authorization": HEADER, "Cookie": COOKIE}
    http: dict[str, Any] = {"kind": "http", "method": "POST", "headers": headers}
    program: dict[str, Any] = {"kind": "process", "env": {"KEY": f"Basic {MARK}aaaaaaaa"}}
    return {
        "echo": {**http, "url": f"{echo.url}/work"},
        "closed": {**http, "url": "http://127.0.0.1:9/work"},
        "calls-back": {**http, "url": f"{echo.url}/work", "completion": "callback"},
        "prints": {**program, "command": ["sh", "-c", "env; echo $KEY; env >&2; exit 3"]},
        "prints-back": {
            **program,
            "command": ["sh", "-c", "env; env >&2; exit 3"],
            "completion": "callback",
        },
        "no-program": {**program, "command": ["no-such-program", "--flag"]},
        "sql-refused": {"kind": "sql", "connection": "refused", "query": "SELECT 1"},
        "sql-nowhere": {"kind": "sql", "connection": "nowhere", "query": "SELECT 1"},
        "sql-wrong": {"kind": "sql", "connection": "wrong", "query": "SELECT 1"},
        "aws": {
            "kind": "step_functions",
            "state_machine": "arn:aws:states:eu-central-1:123456789012:stateMachine:x",
        },
        "queue": {
            "kind": "sqs",
            "queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/x",
            "body": "hello",
        },
    }


def drive(server: Server, echo: Echo) -> None:
    notify = [{"on": ["failure"], "url": f"{echo.url}/hook"}]
    taken = 0
    for name, target in targets(echo).items():
        definition = {
            "name": name,
            "schedule": {"at": "2026-01-01T00:01:00Z"},
            "target": target,
            "policies": {"notify": notify, "retries": {"launch": {"max_attempts": 1}}},
        }
        answer = server.call("POST", "/jobs?schedule=true&owner=blue", definition)
        taken += answer.status == 201
        assert answer.status == 201, (name, answer.body)
    assert taken == len(targets(echo))
    for wrong in (f"mysql://a:{PASSWORD}@h/d", f"http://a:{MARK}@127.0.0.1/", 7):
        bad = {**definition, "name": "bad", "target": {"kind": "http", "url": wrong}}
        server.call("POST", "/jobs?owner=blue", bad)
    assert server.call("POST", "/clock", {"advance": "PT10M"}).status == 200
    server.call("GET", "/jobs", token=f"{MARK}-that-nobody-has")
    server.call("GET", "/jobs", headers={"Authorization": f"Basic {MARK}"}, token="")
    callback = f"/runs/{'0' * 32}-1/callback"
    server.call("POST", callback, {"report": "running"}, token=f"noonday1.k.1.{MARK}{'x' * 40}")


def answers(server: Server, token: str) -> Iterator[str]:
    """All that somebody can read who does not see the definitions."""
    for path in ("/jobs", "/instances", "/events", "/notifications", "/openapi.json", "/health"):
        yield json.dumps(server.call("GET", f"{path}", token=token).body)
    found = server.call("GET", "/instances?owner=blue&limit=100").body
    for one in found.get("instances", found.get("items", [])):
        for part in ("", "/logs", "/why", "/result"):
            yield json.dumps(server.call("GET", f"/instances/{one['id']}{part}", token=token).body)


def told_to_the_owner(server: Server) -> Iterator[str]:
    """Runs, their logs and errors, history and notifications, as those see them who may see the jobs."""
    yield from (text for text in answers(server, TOKEN) if '"definition"' not in text)


def commands(server: Server) -> Iterator[str]:
    for words in (
        ["instance", "list", "--owner", "blue", "-o", "json"],
        ["events", "-o", "json"],
        ["notification", "list", "-o", "yaml"],
        ["config", "show"],
        ["config", "list"],
        ["job", "show", "nothing"],
    ):
        code = "import sys; from cli.main import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**server.environ, "PYTHONPATH": str(ROOT), "NOONDAY_DEBUG": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        yield f"{words}: {done.stdout}{done.stderr}"


def stored(folder: Path) -> Iterator[str]:
    """Every value of every table, but for what people wrote."""
    with closing(sqlite3.connect(folder / "noonday.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = database.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if f"{table}.{name}" not in UNSEARCHED:
                        yield f"{table}.{name}: {value}"


def files(folder: Path) -> Iterator[str]:
    """What runs left. What a run was ordered to do holds what its definition says; nobody is shown it."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".log", ".txt"):
            yield f"{path}: {path.read_text(errors='replace')}"


def leaks(texts: Iterator[str]) -> list[str]:
    found = []
    for text in texts:
        for secret in SECRETS:
            if secret in text:
                at = text.index(secret)
                found.append(f"{text[:60]} … {text[max(at - 150, 0) : at + 60]}")
                break
    return found


def test_nothing_tells_a_secret(server: Server, echo: Echo, tmp_path: Path) -> None:
    drive(server, echo)
    assert server.call("POST", "/owners", {"name": "red"}).status in (200, 201)
    made = server.call("POST", "/tokens", {"name": "eve"})
    eve = str(made.body["token"])
    server.call("PUT", "/owners/red/members/eve", {"role": "viewer"})
    found = {
        "another's answers": leaks(answers(server, eve)),
        "answers": leaks(told_to_the_owner(server)),
        "commands": leaks(commands(server)),
        "the database": leaks(stored(tmp_path)),
        "the log": leaks(iter(server.log.splitlines())),
        "what it said": leaks(iter(server.said)),
    }
    assert not {where: each for where, each in found.items() if each}
    states = server.call("GET", "/instances?owner=blue&limit=100").body
    assert json.dumps(states).count("FAILED") >= 6
