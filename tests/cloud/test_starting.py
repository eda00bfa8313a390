"""What each function of Lambda loads before its first event, by the names of modules: no clock is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import starting
from infra.functions import declared

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "NOONDAY_AUTH": "iam",
    "NOONDAY_DATABASE": "mysql://noonday@127.0.0.1:9/noonday",
    "NOONDAY_DATABASE_PASSWORD": "no word of anybody",
    "NOONDAY_QUEUES": "https://sqs.eu-central-1.amazonaws.com/123456789012/noonday-test-",
}
PROGRAM = """
import gc, json, sys
import app
print(json.dumps([sorted(sys.modules), sorted(app.app.routes), sorted(app.app.handler_map), gc.isenabled()]))
"""
FUNCTIONS = sorted(starting.NEEDS)
EVENTS = {
    "minute": "alarm",
    "second": "alarm",
    "launch": "launching",
    "work": "launching",
    "check": "launching",
    "deliver": "delivering",
    "completion": "completing",
    "data_arrival": "arriving",
    "housekeeping": "tidying",
}
LAPTOP = {"sqlite3", "click", "yaml", "chalice.local", "chalice.cli", "chalicelib.local"}
KINDS = {f"chalicelib.targets.{name}" for name in ("athena", "ecs", "process", "sql_sqlite")}


def started(function: str | None, **environment: str) -> tuple[set[str], list[str], list[str]]:
    """Modules, routes and handlers of a process that has started."""
    lambda_ = {"AWS_LAMBDA_FUNCTION_NAME": "noonday-test", "_HANDLER": f"app.{function}"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**ENVIRONMENT, **(lambda_ if function else {}), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    modules, routes, handlers, collects = json.loads(done.stdout)
    assert collects
    return set(modules), routes, handlers


def test_every_function_says_what_it_needs() -> None:
    assert {one.name for one in declared()} - {"api"} == set(starting.NEEDS) - {"app"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_its_own_and_nothing_of_the_others(function: str) -> None:
    modules, routes, handlers = started(function)
    assert bool(routes) == (function == "app")
    assert set(handlers) >= set(starting.NEEDS) - {"app"}  # Chalice finds each by its name
    assert ("chalicelib.api" in modules) == (function == "app")
    own = {f"chalicelib.events.{EVENTS[function]}"} if function in EVENTS else set()
    assert {f"chalicelib.events.{name}" for name in EVENTS.values()} & modules == own
    assert not modules & (LAPTOP | KINDS), function
    assert ("botocore" in modules) == (function == "launch")
    assert "boto3" not in modules
    assert set(starting.NEEDS[function]) <= modules


def test_a_function_composes_before_its_first_event() -> None:
    """The database does not answer here: that is told by the first event, not by the start."""
    modules, _, _ = started("minute")
    assert "pymysql" in modules
    modules, _, _ = started("minute", NOONDAY_QUEUES="")
    assert "chalicelib.events.alarm" in modules


def test_elsewhere_the_app_serves_all_and_composes_nothing() -> None:
    modules, routes, handlers = started(None)
    assert "/health" in routes
    assert handlers
    assert not modules & {"pymysql", "botocore", "chalicelib.cloud"}


def test_a_handler_that_nobody_has_heard_of_starts_all_the_same() -> None:
    modules, routes, _ = started("somebody")
    assert "/health" in routes
    assert "chalicelib.cloud" in modules
