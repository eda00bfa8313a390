"""moto's server behind a gate that counts, fails on demand, and keeps what moto forgets: client tokens.

AWS answers a repeated token with what it started first, and refuses it with other parameters; moto starts
again. Without that, no test could tell a launch that was repeated rightly from one that ran twice.
"""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.loaders import JSONFileLoader
from moto.batch_simple.models import BatchSimpleBackend
from moto.core.config import default_user_config
from moto.moto_api import state_manager
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

REGION = "eu-central-1"
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

TOKENS = {
    "StartQueryExecution": "ClientRequestToken",
    "RunTask": "clientToken",
    "ExecuteStatement": "ClientToken",
    "StartBuild": "idempotencyToken",
}
"""Operations that remember a token, and where it is in what they are asked."""

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]
Fault = Callable[["Gate", Environ, bytes], Answer]


@dataclass
class Gate:
    """Stands before moto. ``faults`` of an operation are used up in order, one a call; what ``guard`` refuses
    does not count as one."""

    moto: Callable[..., Iterable[bytes]]
    calls: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    guard: Callable[[Environ, bytes], Answer | None] | None = None
    _kept: dict[tuple[str, str], tuple[bytes, Answer]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self._lock:
            refused = self.guard(environ, body) if self.guard else None
            if refused is not None:
                start_response(refused[0], refused[1])
                return [refused[2]]
            name = operation(environ, body)
            self.calls[name] += 1
            faults = self.faults.get(name)
            status, headers, content = (
                faults.pop(0)(self, environ, body) if faults else self.carry_out(environ, body)
            )
        start_response(status, headers)
        return [content]

    def carry_out(self, environ: Environ, body: bytes) -> Answer:
        name = operation(environ, body)
        if name == "ListStatements":  # moto has none
            return self._listed(body)
        if name == "BatchGetBuilds":
            return self._builds(body)
        if name == "DescribeTasks":
            return self._tasks(environ, body)
        if name == "StopBuild":
            self.builds[json.loads(body)["id"]]["buildStatus"] = "STOPPED"
        token = json.loads(body).get(TOKENS[name]) if name in TOKENS else None
        if token is None:
            return self._pass_on(environ, body)
        asked, kept = self._kept.get((name, token), (None, None))
        if kept is not None:
            return kept if asked == body else answered(400, "ConflictException", "token was used")
        answer = self._pass_on(environ, body)
        if answer[0].startswith("200"):
            self._kept[name, token] = body, answer
            self._remember(name, json.loads(body), json.loads(answer[2]))
        return answer

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For a fault that lets others call meanwhile."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _remember(self, name: str, asked: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        """What moto does not keep of what it started."""
        if name == "ExecuteStatement":
            self.statements[told["Id"]] = asked["StatementName"]
        if name == "StartBuild":
            variables = asked.get("environmentVariablesOverride", [])
            self.builds[told["build"]["id"]] = {
                "buildStatus": "IN_PROGRESS",
                "currentPhase": "BUILD",
                "environment": {"environmentVariables": variables},
            }

    def _builds(self, body: bytes) -> Answer:
        """moto ends every build that is looked at."""
        known = [
            {"id": each, **self.builds[each]}
            for each in json.loads(body)["ids"]
            if each in self.builds
        ]
        return "200 OK", [JSON], json.dumps({"builds": known}).encode()

    def _tasks(self, environ: Environ, body: bytes) -> Answer:
        """moto does not say who stopped a task."""
        status, _, content = self._pass_on(environ, body)
        document = json.loads(content)
        for task in document["tasks"]:
            if task.get("stoppedReason"):
                task["stopCode"] = "UserInitiated"
        return status, [JSON], json.dumps(document).encode()

    def _listed(self, body: bytes) -> Answer:
        wanted = json.loads(body)["StatementName"]
        found = [
            {"Id": each, "StatementName": name}
            for each, name in self.statements.items()
            if name.startswith(wanted)
        ]
        return "200 OK", [JSON], json.dumps({"Statements": found}).encode()

    def _pass_on(self, environ: Environ, body: bytes) -> Answer:
        head: list[Any] = []
        environ["wsgi.input"] = io.BytesIO(body)
        content = b"".join(self.moto(environ, lambda *args: head.extend(args[:2])))
        return head[0], head[1], content


JSON = ("Content-Type", "application/x-amz-json-1.1")


def operation(environ: Mapping[str, Any], body: bytes) -> str:
    """As AWS names it, whichever protocol the service speaks; REST paths as they are."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode()).get("Action", ["?"])[0]
    return {"submitjob": "SubmitJob", "invocations": "Invoke"}.get(
        last := str(environ["PATH_INFO"]).rstrip("/").rpartition("/")[2], last
    )


def answered(status: int, code: str, message: str = "") -> Answer:
    """An error in the forms of JSON and REST at once."""
    document = json.dumps({"__type": code, "message": message, "Message": message})
    return f"{status} X", [JSON, ("x-amzn-ErrorType", code)], document.encode()


def refuse(status: int, code: str, message: str = "not now") -> Fault:
    """Not carried out."""

    def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        return answered(status, code, message)

    return fault


def tell(document: Mapping[str, Any]) -> Fault:
    """Answered like this, whatever is so."""

    def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        return "200 OK", [JSON], json.dumps(document).encode()

    return fault


def lose(gate: Gate, environ: Environ, body: bytes) -> Answer:
    """Carried out, and then no word of it."""
    gate.carry_out(environ, body)
    return answered(500, "InternalFailure", "the answer was lost")


@dataclass
class Amazon:
    """A fresh account."""

    url: str
    gate: Gate

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def fail(self, name: str, *faults: Fault) -> None:
        self.gate.faults.setdefault(name, []).extend(faults)


def _not_yet(backend: Any, include_start_attempt: bool, job: Any) -> None:
    """Without Docker moto ends a job of Batch at once; here it waits for its test."""
    del include_start_attempt
    backend.backend._jobs[job.job_id] = job


_load_file = JSONFileLoader.load_file


@cache
def _loaded(path: str) -> Any:
    """Each session of botocore reads its megabytes of models anew; each test has sessions of its own."""
    return _load_file(JSONFileLoader(), path)


setattr(JSONFileLoader, "load_file", lambda _, path: _loaded(path))  # noqa: B010 - not typed


class _Silent(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nobody reads it."""


@contextmanager
def serving() -> Iterator[Amazon]:
    """For the tests of one process."""
    default_user_config["batch"]["use_docker"] = False
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["stepfunctions"]["execute_state_machine"] = False
    setattr(BatchSimpleBackend, "_mark_job_as_finished", _not_yet)  # noqa: B010 - not typed
    gate = Gate(DomainDispatcherApplication(create_backend_app))
    server: BaseWSGIServer = make_server(
        "127.0.0.1", 0, gate, threaded=True, request_handler=_Silent
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Amazon(f"http://127.0.0.1:{server.port}", gate)
    finally:
        server.shutdown()
        thread.join()


def fresh(amazon: Amazon) -> Amazon:
    """The same server, empty. Runs stay as they are until a test moves them."""
    moto_api_backend.reset()
    for model in ("athena::execution", "ecs::task", "glue::job_run"):
        state_manager.set_transition(model, {"progression": "manual", "times": 1_000_000})
    amazon.gate = _renewed(amazon.gate)
    return amazon


def _renewed(gate: Gate) -> Gate:
    for kept in (gate.calls, gate.faults, gate.statements, gate.builds, gate._kept):
        kept.clear()
    return gate
