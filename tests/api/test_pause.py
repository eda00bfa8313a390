"""The pause over REST: by an admin, seen by all, and kept by the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import START, START_MS, definition
from tests.api.described import DescribedApi, described
from tests.local.server import serving


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[DescribedApi]:
    """A server of the test's own: a pause holds everybody."""
    with serving(tmp_path, "--clock", START) as server:
        yield described(server)


def test_a_pause_holds_all_and_says_so(quiet: DescribedApi) -> None:
    nothing = {"paused": False, "since_ms": None, "since_time": None, "by": None, "reason": None}
    assert quiet.get("/pause") == nothing
    assert quiet("POST", "/resume", {}).body == nothing
    answer = quiet("POST", "/pause", {"reason": "a restore"})
    assert answer.status == 200
    told = {"since_ms": START_MS, "since_time": START, "by": "local", "reason": "a restore"}
    assert answer.body == {"paused": True, **told}
    assert quiet("GET", "/health", token="").body["paused"] is True
    quiet("POST", "/owners", {"name": "red"})
    token = quiet("POST", "/tokens", {"name": "vera"}).body["token"]
    assert quiet.get("/pause", token=token) == {"paused": True, **told}
    assert quiet("POST", "/pause", {}, token=token).status == 403
    assert quiet("POST", "/resume", {}, token=token).status == 403
    job = quiet("POST", "/jobs", definition("held")).body
    run = quiet("POST", "/jobs/held/trigger", {}).body
    assert "everything is paused since" in run["waiting_on"]
    quiet("POST", "/clock", {"advance": "PT10M"})
    for page in ("/jobs", "/instances", "/backfills", f"/jobs/{job['id']}/instances"):
        assert quiet.get(page)["paused"] == told
    shown = quiet.get(f"/instances/{run['id']}")
    assert shown["state"] == "WAITING"
    assert "a restore" in shown["waiting_on"]
    changed = quiet("POST", "/pause", {"reason": "a longer restore"}).body
    assert (changed["since_ms"], changed["reason"]) == (START_MS, "a longer restore")
    assert quiet("POST", "/resume", {"reason": "done"}).body == nothing
    quiet("POST", "/clock", {"advance": "PT1M"})
    assert quiet.get(f"/instances/{run['id']}")["state"] != "WAITING"
    assert quiet.get("/jobs")["paused"] is None
    verbs = [one["verb"] for one in quiet.get("/events?verb=PAUSE")["items"]]
    assert verbs == ["PAUSE", "PAUSE"]


@pytest.mark.parametrize("body", [{"reason": 5}, {"reason": "x" * 1001}, {"until": "never"}])
def test_what_is_no_pause(quiet: DescribedApi, body: object) -> None:
    assert quiet("POST", "/pause", body).status == 400
    assert quiet.get("/pause")["paused"] is False


def test_a_pause_outlives_the_server_and_may_begin_with_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", START, "--pause", "a restored backup") as server:
        assert server.call("GET", "/pause").body["reason"] == "a restored backup"
        server.kill()
    with serving(tmp_path, "--clock", START) as server:
        assert server.call("GET", "/pause").body["paused"] is True
        assert server.call("POST", "/resume", {}).status == 200
