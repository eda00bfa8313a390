"""A stand-in for Lambda: one process a function, fed through the Runtime API, frozen between its events.

The process is awslambdaric on the unpacked zip, in the environment that Lambda gives. Its Python sees no
site-packages: what the zip lacks is missing, as it would be there.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from itertools import count
from pathlib import Path
from typing import Any

RUNTIME = (
    *("awslambdaric", "simplejson", "snapshot-restore-py"),
    *("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six"),
)
"""What the runtime of Lambda has besides Python: its client, and boto3 with what that needs."""
START_S = 30.0
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_requests = count(1)


class Died(Exception):
    """The process ended in the middle of an event: killed, or too late."""


class Raised(Exception):
    """The handler raised; Lambda calls it a function error."""


@dataclass(frozen=True, slots=True)
class Code:
    """What is run: ``root`` is the unpacked zip, ``runtime`` the folder beside it."""

    root: Path
    runtime: Path


@dataclass(frozen=True, slots=True)
class Configuration:
    """Of one function, as it was deployed."""

    name: str
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]
    role: str = ""

    @property
    def key(self) -> str:
        """The id of the access key with which it signs; its role's, where it has one."""
        return f"role-{self.name}" if self.role else "testing"


def lay_out_runtime(folder: Path) -> Path:
    """A folder with the distributions of ``RUNTIME`` and nothing else, as links to the installed ones."""
    folder.mkdir(parents=True)
    for distribution in RUNTIME:
        for file in files(distribution) or ():
            link = folder / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(
                    Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0]
                )
    # Copied, because Python looks for modules where the file itself lies, behind every link.
    shutil.copy(BOOTSTRAP, folder)
    return folder


@dataclass(slots=True)
class _Invocation:
    id: str
    event: bytes
    deadline_ms: int
    answer: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)


class _Sandbox:
    """One process and its Runtime API. It serves one event at a time, and dies alone."""

    def __init__(
        self, code: Code, of: Configuration, machine: Mapping[str, str], scratch: Path
    ) -> None:
        self.loaded = scratch / f"{of.name}.modules"
        self.log = scratch / f"{of.name}.log"
        self._given: queue.Queue[_Invocation | None] = queue.Queue()
        self._current: _Invocation | None = None
        self.ready = threading.Event()
        self.waiting = threading.Event()
        self.ready_s = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _api_of(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"127.0.0.1:{self._server.server_address[1]}"
        self.began = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", "-B", str(code.runtime / BOOTSTRAP.name)],
                cwd=code.root,
                env=_environment(code, of, machine, address, self.loaded),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        threading.Thread(target=self._bury, daemon=True).start()

    def invoke(self, invocation: _Invocation) -> Any:
        self._given.put(invocation)
        self.process.send_signal(signal.SIGCONT)
        kind, answer = invocation.answer.get()
        if kind == "died":
            raise Died(self.said())
        # Lambda freezes the process when it asks for the next event and there is none.
        self.waiting.wait(START_S)
        self.process.send_signal(signal.SIGSTOP)
        if kind == "error":
            raise Raised(json.dumps(answer))
        return answer

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    # What the process asks

    def next(self) -> _Invocation | None:
        if not self.ready.is_set():
            self.ready_s = time.perf_counter() - self.began
        self.ready.set()
        self.waiting.set()
        taken = self._given.get()
        self.waiting.clear()
        self._current = taken
        return taken

    def answered(self, kind: str, answer: Any) -> None:
        if self._current is not None:
            self._current.answer.put((kind, answer))

    def _bury(self) -> None:
        self.process.wait()
        self.ready.set()
        self.waiting.set()
        while not self._given.empty():
            left = self._given.get()
            if left is not None:
                left.answer.put(("died", None))
        self._given.put(None)  # whoever still waits in its name
        if self._current is not None:
            self._current.answer.put(("died", None))
        self._server.shutdown()
        self._server.server_close()


class Function:
    """A deployed function. Its process starts with its first event, and anew after it died.

    ``machine``: AWS_REGION, and what else the environment has besides what was deployed.
    """

    def __init__(
        self, code: Code, configuration: Configuration, machine: Mapping[str, str], scratch: Path
    ) -> None:
        self.configuration = configuration
        self.invocations = 0
        self.cold_s: list[tuple[float, float]] = []
        """Of each start: seconds to its being ready, and to the answer of its first event."""
        self._code = code
        self._machine = machine
        self._scratch = scratch
        self._sandbox: _Sandbox | None = None
        self._one_at_a_time = threading.Lock()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """What the handler answers.

        Raises:
            Raised: it raised instead.
            Died: its process ended, by itself, by ``kill`` or because its time was over.
        """
        with self._one_at_a_time:
            self.invocations += 1
            cold = self._sandbox is None or self._sandbox.process.poll() is not None
            sandbox = self._warm()
            limit_s = self.configuration.timeout_s
            deadline_ms = int(time.time() * 1000) + limit_s * 1000
            name = f"00000000-0000-4000-8000-{next(_requests):012}"
            over = threading.Timer(limit_s, sandbox.process.kill)
            over.start()
            try:
                answer = sandbox.invoke(_Invocation(name, json.dumps(event).encode(), deadline_ms))
            finally:
                over.cancel()
            if cold:
                self.cold_s.append((sandbox.ready_s, time.perf_counter() - sandbox.began))
            return answer

    def kill(self) -> None:
        """As the machine under it would die."""
        if self._sandbox is not None:
            self._sandbox.process.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its process stands still meanwhile, in the middle of whatever it does."""
        assert self._sandbox is not None
        process = self._sandbox.process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self._sandbox is not None:
            self._sandbox.end()
            self._sandbox = None

    def loaded(self) -> frozenset[str]:
        """The modules that its process had loaded when it last answered."""
        assert self._sandbox is not None
        return frozenset(self._sandbox.loaded.read_text(encoding="utf-8").splitlines())

    @property
    def log(self) -> Path:
        """All that its processes have said."""
        return self._scratch / f"{self.configuration.name}.log"

    def said(self) -> str:
        """The end of its log."""
        return self._sandbox.said() if self._sandbox is not None else ""

    def logged(self) -> bytes:
        """All that it has written."""
        return self._sandbox.log.read_bytes() if self._sandbox is not None else b""

    def cpu_s(self) -> float:
        """What its process has used of a processor."""
        if self._sandbox is None:
            return 0.0
        stat = Path(f"/proc/{self._sandbox.process.pid}/stat").read_text("ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _warm(self) -> _Sandbox:
        if self._sandbox is None or self._sandbox.process.poll() is not None:
            self._sandbox = _Sandbox(self._code, self.configuration, self._machine, self._scratch)
            if not self._sandbox.ready.wait(START_S) or self._sandbox.process.poll() is not None:
                raise Died(self._sandbox.said())
        return self._sandbox


def _api_of(sandbox: _Sandbox) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            taken = sandbox.next()
            if taken is None:
                self.close_connection = True
                return
            self._answer(
                200,
                taken.event,
                {
                    "Lambda-Runtime-Aws-Request-Id": taken.id,
                    "Lambda-Runtime-Deadline-Ms": str(taken.deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:f",
                    "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(202, b"{}", {})
            kind = "answer" if self.path.endswith("/response") else "error"
            sandbox.answered(kind, json.loads(body or b"null"))

        def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Nobody reads it."""

    return RuntimeApi


def _environment(
    code: Code, of: Configuration, machine: Mapping[str, str], address: str, loaded: Path
) -> dict[str, str]:
    """As in Lambda, and not a variable of whoever runs the tests."""
    return {
        **of.environment,
        "AWS_ACCESS_KEY_ID": of.key,
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        **machine,
        "AWS_DEFAULT_REGION": machine["AWS_REGION"],
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": of.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(of.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{of.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/24/[$LATEST]0",
        "AWS_LAMBDA_RUNTIME_API": address,
        "LAMBDA_TASK_ROOT": str(code.root),
        "LAMBDA_RUNTIME_DIR": str(code.runtime),
        "_HANDLER": of.handler,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin/:/bin",
        "TZ": ":UTC",
        "LOADED_MODULES": str(loaded),
    }
