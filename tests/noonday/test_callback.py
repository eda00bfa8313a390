"""What targets in Python import: when it tries again and when it gives up, what a block reports, and that it
runs where targets do."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from noonday import callback
from noonday.callback import Callback, NotTaken, Stop

FILE = Path(callback.__file__)
URL = "https://noonday.example.com/runs/0-1/callback"
OLDEST = (3, 9)
KILL = {"run": 1, "state": "RUNNING", "stop": {"kind": "KILL", "reason": "wrong day"}}


@dataclass
class Noonday:
    """Answers as it is told, the last for ever; ``waits`` are the seconds between two tries."""

    answers: list[Any] = field(default_factory=lambda: [(200, {})])
    reports: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def send(self, url: str, headers: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        assert (url, headers["Authorization"]) == (URL, "Bearer secret")
        self.reports.append(json.loads(content))
        if self.reports[-1]["report"] == "heartbeat":
            self.heard.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, document = answer
        return status, json.dumps(document).encode()

    def run(self, **options: Any) -> Callback:
        return Callback(URL, "secret", send=self.send, wait=self.waits.append, **options)

    @property
    def said(self) -> list[str]:
        return [one["report"] for one in self.reports]


@pytest.fixture
def noonday() -> Noonday:
    return Noonday()


UNREACHED = [
    OSError("no route"),
    TimeoutError(),
    ConnectionRefusedError(),
    IncompleteRead(b""),
    (500, {}),
    (503, {"detail": "the database is away"}),
    (429, {}),
]


@pytest.mark.parametrize("trouble", UNREACHED, ids=repr)
def test_what_passes_is_tried_again(noonday: Noonday, trouble: Any) -> None:
    noonday.answers = [trouble, trouble, (200, {})]
    noonday.run().succeeded("done")
    assert noonday.reports == [{"report": "succeeded", "message": "done"}] * 3
    assert len(noonday.waits) == 2


def test_delays_double_are_spread_and_have_a_limit(noonday: Noonday) -> None:
    noonday.answers = [(503, {"detail": "the database is away"})]
    with pytest.raises(NotTaken, match="succeeded: Noonday answered 503: the database is away"):
        noonday.run().succeeded()
    assert len(noonday.reports) == 8
    longest = [1, 2, 4, 8, 16, 30, 30]
    assert all(most / 2 <= wait <= most for wait, most in zip(noonday.waits, longest, strict=True))
    assert len(set(noonday.waits)) == 7


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 415])
def test_what_is_refused_is_not_tried_again(noonday: Noonday, status: int) -> None:
    noonday.answers = [(status, {"detail": "no"})]
    with pytest.raises(NotTaken, match=f"answered {status}: no"):
        noonday.run().failed("no disk")
    assert (len(noonday.reports), noonday.waits) == (1, [])


def test_an_end_is_tried_for_as_long_when_a_block_ends(noonday: Noonday) -> None:
    """Whoever leaves the block has stopped the heartbeats; the report of the end waits all the same."""
    with noonday.run(every=3600):
        noonday.answers = [OSError("no route")] * 5 + [(200, {})]
    assert noonday.said == ["running", *["succeeded"] * 6]
    assert len(noonday.waits) == 5


def test_an_end_that_nobody_took_is_raised_unless_the_work_failed_first(noonday: Noonday) -> None:
    with pytest.raises(NotTaken), noonday.run(every=3600):
        noonday.answers = [(503, {})]
    noonday.answers = [(200, {}), (503, {})]
    with pytest.raises(ValueError, match="no disk"), noonday.run(every=3600):
        raise ValueError("no disk")


def test_a_block_reports_its_end(noonday: Noonday) -> None:
    with noonday.run(every=3600):
        pass
    with pytest.raises(ValueError, match="no disk"), noonday.run(every=3600):
        raise ValueError("no disk")
    with pytest.raises(SystemExit), noonday.run(every=3600):
        sys.exit(0)
    with pytest.raises(KeyboardInterrupt), noonday.run(every=3600):
        raise KeyboardInterrupt
    ends = [one for one in noonday.reports if one["report"] != "running"]
    assert ends == [
        {"report": "succeeded"},
        {"report": "failed", "error": "ValueError: no disk", "retry": True},
        {"report": "succeeded"},
        {"report": "failed", "error": "KeyboardInterrupt: ", "retry": True},
    ]


def test_heartbeats_come_by_themselves_and_end_with_the_block(noonday: Noonday) -> None:
    run = noonday.run(every=0.001)
    with run:
        assert noonday.heard.wait(30)
    assert run._thread is not None
    assert not run._thread.is_alive()
    assert noonday.said[0] == "running"
    assert noonday.said[-1] == "succeeded"
    assert set(noonday.said[1:-1]) == {"heartbeat"}


def test_a_heartbeat_that_is_lost_does_no_harm(noonday: Noonday) -> None:
    noonday.answers = [(200, {}), OSError("no route")]
    with noonday.run(every=0.001) as run:
        for _ in range(3):
            noonday.heard.clear()
            assert noonday.heard.wait(30)
        run.check()
        noonday.answers = [(200, {})]
    assert noonday.waits == []  # each is followed by the next, and not tried again
    assert noonday.said[-1] == "succeeded"


def test_a_kill_that_a_heartbeat_hears_of_is_raised_by_check(noonday: Noonday) -> None:
    noonday.answers = [(200, {}), (200, KILL)]

    def work(run: Callback) -> None:
        assert noonday.heard.wait(30)
        while not run.stopping:
            run.check()
        run.check()

    with pytest.raises(Stop, match="KILL: wrong day"), noonday.run(every=0.001) as run:
        work(run)
    assert noonday.said[-1] == "stopped"


def test_a_run_that_is_over_is_not_gone_on_with(noonday: Noonday) -> None:
    noonday.answers = [(409, {"code": "run_over", "detail": "run 1 is TIMED_OUT"})]
    with pytest.raises(Stop, match="run 1 is TIMED_OUT"), noonday.run():
        raise AssertionError("it is not to begin")
    assert noonday.said == ["running"]


def test_check_is_cheap_without_a_message(noonday: Noonday) -> None:
    run = noonday.run()
    run.check()
    assert noonday.reports == []
    noonday.answers = [(503, {})]
    run.check("page 4")  # not heard, and no reason to stop
    assert set(noonday.said) == {"heartbeat"}


def test_words_are_cut_to_what_noonday_takes(noonday: Noonday) -> None:
    noonday.run().heartbeat("x" * 2000)
    noonday.run().failed("y" * 5000, retry=False)
    assert len(noonday.reports[0]["message"]) == 1000
    assert len(noonday.reports[1]["error"]) == 4000
    assert noonday.reports[1]["retry"] is False


def test_it_is_found_in_environments_events_and_headers() -> None:
    environ = {"NOONDAY_CALLBACK_URL": URL, "NOONDAY_CALLBACK_TOKEN": "secret"}
    event = {"callback": {"url": URL, "token": "secret"}}
    headers = {"noonday-callback-URL": URL, "Noonday-Callback-Token": "secret"}
    for run in (
        Callback.from_environment(environ),
        Callback.from_event(event),
        Callback.from_headers(headers),
    ):
        assert (run._url, run._token) == (URL, "secret")
        assert "secret" not in repr(run)
    for nothing in (Callback.from_environment, Callback.from_event, Callback.from_headers):
        with pytest.raises(ValueError, match="needs the url and the token"):
            nothing({})


def test_it_is_one_file_for_older_pythons_without_dependencies() -> None:
    tree = ast.parse(FILE.read_text("utf-8"), feature_version=OLDEST)
    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [one.name for one in node.names]
        )
    }
    assert modules <= sys.stdlib_module_names


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from callback import Callback, Stop
with Callback.from_environment(every=0.01) as run:
    run.check("half")
try:
    with Callback.from_event({"callback": {"url": run._url, "token": run._token}}):
        raise ValueError("no disk")
except ValueError:
    print("done", *sys.version_info[:2])
"""


def interpreters() -> Sequence[str]:
    """Those of this machine: by name, and what pyenv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    path = os.pathsep.join(
        one for one in os.environ["PATH"].split(os.pathsep) if one != str(pyenv / "shims")
    )
    found = [sys.executable]
    for minor in range(OLDEST[1], 15):
        installed = sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))
        one = shutil.which(f"python3.{minor}", path=path)
        found += [one] if one else map(str, installed[-1:])
    return found


@pytest.fixture
def listening() -> Iterator[tuple[str, list[str]]]:
    reports: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            reports.append(json.loads(self.rfile.read(length))["report"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/runs/0-1/callback", reports
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_copy_of_the_file_runs_with_every_python_here(
    listening: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, reports = listening
    shutil.copy(FILE, tmp_path)
    for python in interpreters():
        reports.clear()
        done = subprocess.run(
            [python, "-I", "-c", PROGRAM, str(tmp_path)],
            env={"NOONDAY_CALLBACK_URL": url, "NOONDAY_CALLBACK_TOKEN": "secret"},
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (python, done.stderr)
        assert done.stdout.startswith("done 3"), python
        ends = [one for one in reports if one not in ("heartbeat", "running")]
        assert ends == ["succeeded", "failed"], python
