"""What an owner may have, over REST: told, set, refused by name, and held against many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import START, definition
from tests.api.described import DescribedApi
from tests.local.server import Answer, Server, serving

MANY = 64
WAIT_S = 60


def test_limits_are_told_and_set(api: DescribedApi, name: str) -> None:
    assert api("POST", "/owners", {"name": name}).headers["location"] == f"/owners/{name}"
    before = api.get(f"/owners/{name}")
    assert before["limits"] == {"max_jobs": 10_000, "max_waiting": 100_000, "max_backfill": 10_000}
    assert set(before["own_limits"].values()) == {None}
    assert before["used"] == {"jobs": 0, "waiting": 0}
    changed = api("PATCH", f"/owners/{name}", {"max_jobs": 1, "max_waiting": None})
    assert changed.status == 200
    assert changed.body["limits"]["max_jobs"] == 1
    assert changed.body["own_limits"] == {
        "max_jobs": 1,
        "max_waiting": None,
        "max_backfill": None,
    }
    back = api("PATCH", f"/owners/{name}", {"max_jobs": None}).body
    assert back == before


def test_who_has_as_much_as_it_may_is_told_so(api: DescribedApi, name: str) -> None:
    api("POST", "/owners", {"name": name})
    api("PATCH", f"/owners/{name}", {"max_jobs": 1})
    assert api("POST", f"/jobs?owner={name}", definition("first")).status == 201
    for path in (f"/jobs?owner={name}", f"/jobs?owner={name}&dry_run=true"):
        refused = api("POST", path, definition("second"))
        assert (refused.status, refused.body["code"]) == (409, "quota_exceeded")
        assert f"{name} has 1 of at most 1 jobs" in refused.body["detail"]
    assert api("POST", f"/jobs?owner={name}", definition("first")).body["code"] == "name_taken"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_jobs": -1}, "max_jobs"),
        ({"max_jobs": 1_000_001}, "max_jobs"),
        ({"max_waiting": "many"}, "max_waiting"),
        ({"max_backfill": 1.5}, "max_backfill"),
        ({"max_backfill": True}, "max_backfill"),
        ({"max_job": 1}, "max_job"),
    ],
)
def test_limits_that_are_none(api: DescribedApi, name: str, body: Any, field: str) -> None:
    api("POST", "/owners", {"name": name})
    refused = api("PATCH", f"/owners/{name}", body)
    assert refused.status == 400
    assert refused.body["problems"][0]["field"] == field
    assert set(api.get(f"/owners/{name}")["own_limits"].values()) == {None}


def test_others_neither_set_nor_see_them(api: DescribedApi, name: str) -> None:
    api("POST", "/owners", {"name": name})
    tokens = {}
    for role in ("viewer", "owner"):
        tokens[role] = api("POST", "/tokens", {"name": f"{role}-of-{name}"}).body["token"]
        api("PUT", f"/owners/{name}/members/{role}-of-{name}", {"role": role})
    stranger = api("POST", "/tokens", {"name": f"no-{name}"}).body["token"]
    assert api("GET", f"/owners/{name}", token=tokens["viewer"]).status == 200
    assert api("PATCH", f"/owners/{name}", {"max_jobs": 9}, token=tokens["owner"]).status == 403
    assert api("GET", f"/owners/{name}", token=stranger).status == 404
    assert api("PATCH", f"/owners/{name}-x", {"max_jobs": 9}).status == 404


def at_once(work: Callable[[int], Answer]) -> list[Answer]:
    """The answers to so many requests that are sent together."""
    start = threading.Barrier(MANY)

    def run(number: int) -> Answer:
        start.wait(WAIT_S)
        return work(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(run, range(MANY)))


@pytest.fixture(params=["sqlite-file", "mariadb", "mysql"])
def server(request: pytest.FixtureRequest, tmp_path: Path, empty_url: Callable[[str], str]) -> Any:
    with serving(tmp_path, "--clock", START, database=empty_url(request.param)) as running:
        yield running


def codes(answers: list[Answer]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for answer in answers:
        key = answer.body.get("code", answer.status)
        found[key] = found.get(key, 0) + 1
    return found


def test_a_limit_holds_under_64_requests_at_once(server: Server) -> None:
    server.call("POST", "/owners", {"name": "red"})
    server.call("PATCH", "/owners/red", {"max_jobs": 5})
    for number in range(2):
        server.call("POST", "/jobs?owner=red", definition(f"before-{number}"))
    answers = at_once(lambda n: server.call("POST", "/jobs?owner=red", definition(f"job-{n}")))
    assert codes(answers) == {201: 3, "quota_exceeded": MANY - 3}
    assert server.call("GET", "/owners/red").body["used"]["jobs"] == 5
