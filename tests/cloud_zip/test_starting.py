"""Cold starts of the zip, and what its functions load; times are told, not judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from chalicelib.local.context import scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import REGION
from tests.cloud_zip.account import Account, a_job
from tests.cloud_zip.conftest import PASSWORD
from tests.cloud_zip.deploying import PREFIX
from tests.cloud_zip.front import Front
from tests.cloud_zip.runtime import Code, Configuration, Function

TRIES = 3
BARE = "def handler(event, context):\n    return {}\n"
FRAMEWORK = """
import pydantic
from chalice import Chalice

app = Chalice(app_name="bare", configure_logs=False)


class Answer(pydantic.BaseModel):
    status: str


@app.route("/health")
def health():
    return Answer(status="ok").model_dump()


def handler(event, context):
    return {}
"""


@pytest.fixture
def with_password(
    account: Account, code: Code, tmp_path: Path
) -> Iterator[Callable[[str], Function]]:
    """A function whose password of the database is a setting: nothing of AWS is needed to reach it."""
    made: list[Function] = []

    def give(name: str) -> Function:
        of = account.deployed.configuration(name)
        environment = {**of.environment, "NOONDAY_DATABASE_PASSWORD": PASSWORD}
        del environment["NOONDAY_DATABASE_SECRET"]
        made.append(Function(code, replace(of, environment=environment), account.machine, tmp_path))
        return made[-1]

    yield give
    for function in made:
        function.end()


def test_requests_that_need_no_aws_do_not_load_boto3(
    account: Account, with_password: Callable[[str], Function]
) -> None:
    api = with_password("api")
    front = Front(account.deployed.paths, api.invoke)
    assert front.call("GET", "/openapi.json", caller=None).status == 200
    assert front.call("GET", "/health", caller=None).status == 200
    job = a_job("sqs", {"queue": PREFIX + "orders", "body": "{}"})
    made = front.call("POST", "/jobs", job)
    assert made.status == 201, made.body
    assert front.call("GET", "/jobs").status == 200
    assert front.call("PATCH", f"/jobs/{made.body['id']}", {"description": "x"}).status == 200
    assert _amazons(api) == set()


def test_an_idle_sweep_does_not_load_boto3(with_password: Callable[[str], Function]) -> None:
    minute = with_password("minute")
    minute.invoke(scheduled_event(wall_ms()))
    assert _amazons(minute) == set()


def test_no_function_loads_what_only_a_laptop_needs(account: Account) -> None:
    account.submit("sqs", {"queue": PREFIX + "orders", "body": "{}"})
    account.ring()
    account.drain()
    for name in ("api", "minute", "second", "launch"):
        loaded = account.functions[name].loaded()
        strange = {one for one in loaded if one.startswith("chalicelib.local")}
        strange |= loaded & {"sqlite3", "click", "yaml", "chalice.local", "chalice.cli"}
        assert not strange, name
        assert name == "launch" or _amazons(account.functions[name]) == set(), name


def _amazons(function: Function) -> set[str]:
    return {name for name in function.loaded() if name in ("boto3", "botocore")}


def test_cold_starts(
    account: Account, code: Code, tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    bare = _alone(code, tmp_path, "bare", BARE)
    framework = _alone(code, tmp_path, "framework", FRAMEWORK)
    spans = {
        "a bare handler": _starts(bare, {}),
        "chalice and pydantic": _starts(framework, {}),
        "minute": _starts(account.functions["minute"], scheduled_event(wall_ms())),
    }
    api = account.functions["api"]
    spans["api"] = _starts_by(api, lambda: account.front.call("GET", "/health", caller=None))
    least, base = spans["a bare handler"][1], spans["chalice and pydantic"][1]
    for name, (ready, first) in spans.items():
        record_property(
            "measured",
            f"cold start of {name}: ready after {ready * 1000:.0f} ms, first answer after"
            f" {first * 1000:.0f} ms: {first / least:.1f} times a bare handler's,"
            f" {first / base:.1f} times that of chalice and pydantic alone",
        )


def _alone(code: Code, folder: Path, name: str, source: str) -> Function:
    """A function of these lines, with what the zip brings."""
    root = folder / name
    root.mkdir()
    for entry in code.root.iterdir():
        if entry.name not in ("app.py", "chalicelib"):
            (root / entry.name).symlink_to(entry)
    (root / "app.py").write_text(source, encoding="utf-8")
    configuration = Configuration(name, "app.handler", 60, 128, {})
    return Function(Code(root, code.runtime), configuration, {"AWS_REGION": REGION}, folder)


def _starts(function: Function, event: Mapping[str, Any]) -> tuple[float, float]:
    return _starts_by(function, lambda: function.invoke(event))


def _starts_by(function: Function, invoke: Callable[[], object]) -> tuple[float, float]:
    """Medians of some starts: seconds until it was ready, and until its first answer."""
    for _ in range(TRIES):
        function.end()
        invoke()
    cold = function.cold_s[-TRIES:]
    if function.configuration.name in ("bare", "framework"):
        function.end()
    return median(ready for ready, _ in cold), median(first for _, first in cold)


@pytest.mark.parametrize("name", ["api", "minute"])
def test_a_start_writes_nothing_beside_the_code(account: Account, code: Code, name: str) -> None:
    """The folder of the code is read-only in Lambda."""
    before = {str(path) for path in code.root.rglob("*")}
    account.functions[name].end()
    account.call("GET", "/jobs")
    account.ring()
    assert {str(path) for path in code.root.rglob("*")} == before
