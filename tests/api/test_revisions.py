"""Versions of a definition over REST: tried, made, listed, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import definition
from tests.api.described import DescribedApi

Submitted = Callable[..., Any]


def test_a_dry_run_says_what_would_change(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    job = submitted(scheduled=True)
    path = f"/jobs/{job['id']}"
    wanted = definition(name, description="better", policies={"max_active": 16})
    answer = api("PUT", f"{path}?dry_run=true", wanted, headers={"If-Match": f'"{job["edit"]}"'})
    assert answer.status == 200
    planned = answer.body
    assert planned["changes"] == [{"field": "description", "before": "", "after": "better"}]
    assert (planned["revision"], planned["edit"]) == (1, job["edit"])
    assert planned["definition"]["description"] == "better"
    assert planned["fires"][0]["nominal_ms"] == 1_780_272_000_000
    assert answer.headers["etag"] == f'"{job["edit"]}"'
    assert api.get(path) == job
    done = api("PUT", path, planned["definition"], headers={"If-Match": answer.headers["etag"]})
    assert (done.status, done.body["revision"]) == (200, 2)
    patched = api("PATCH", f"{path}?dry_run=true", {"schedule": {"end": "2026-06-01T01:00:00Z"}})
    assert [one["field"] for one in patched.body["changes"]] == ["schedule.end"]
    assert len(patched.body["fires"]) == 1
    same = api("PATCH", f"{path}?dry_run=true", {"tags": {}})
    assert same.body["changes"] == []


def test_a_dry_run_warns_of_what_the_state_holds_back(
    api: DescribedApi, submitted: Submitted
) -> None:
    path = f"/jobs/{submitted()['id']}?dry_run=true"
    assert "NEW" in api("PATCH", path, {"description": "x"}).body["warnings"][0]


def test_a_dry_run_refuses_what_the_update_would(api: DescribedApi, submitted: Submitted) -> None:
    path = f"/jobs/{submitted()['id']}?dry_run=true"
    assert api("PATCH", path, {"schedule": {"every": "soon"}}).status == 400
    assert api("PATCH", path, {}, headers={"If-Match": '"9"'}).status == 412
    assert api("PATCH", "/jobs/nobody?dry_run=true", {}).status == 404
    assert api("POST", "/jobs", definition("taken-by-another")).status == 201
    assert api("PATCH", path, {"name": "taken-by-another"}).status == 409


def test_revisions_are_listed_in_pages_and_read_one_by_one(
    api: DescribedApi, submitted: Submitted
) -> None:
    path = f"/jobs/{submitted()['id']}"
    for number in range(4):
        api("PATCH", f"{path}?reason=r{number}", {"description": f"{number}"})
    first = api.get(f"{path}/revisions?limit=3")
    rest = api.get(f"{path}/revisions?limit=3&next={first['next']}")
    assert rest["next"] is None
    items = [*first["items"], *rest["items"]]
    assert [one["revision"] for one in items] == [5, 4, 3, 2, 1]
    assert [one["reason"] for one in items] == ["r3", "r2", "r1", "r0", None]
    assert items[0]["changed"] == ["description"]
    shown = api.get(f"{path}/revisions/3")
    assert (shown["definition"]["description"], shown["reason"]) == ("1", "r1")
    for wrong in ("0", "6", "x", "1.5", "99999999999999999999"):
        assert api("GET", f"{path}/revisions/{wrong}").status == 404
    for wrong in ("x", "MTph", "MTpmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY"):
        assert api("GET", f"{path}/revisions?next={wrong}").status == 400


def test_an_expired_job_goes_on_with_a_later_end(api: DescribedApi, submitted: Submitted) -> None:
    start = {"every": "PT1H", "start": "2025-12-01T00:00:00Z", "end": "2025-12-01T03:00:00Z"}
    job = submitted(scheduled=True, schedule=start, policies={"catch_up": "none"})
    path = f"/jobs/{job['id']}"
    assert api("POST", f"{path}/expire", {}).body["state"] == "EXPIRED"
    assert api("POST", f"{path}/schedule", {}).status == 409
    patched = api("PATCH", path, {"schedule": {"end": "2026-02-01T00:00:00Z"}})
    assert patched.body["state"] == "EXPIRED"
    scheduled = api("POST", f"{path}/schedule", {})
    assert (scheduled.status, scheduled.body["state"]) == (200, "SCHEDULED")
    assert scheduled.body["next_ms"] >= api.get("/health")["now_ms"]
    assert api.get(f"{path}/instances")["items"] == []
