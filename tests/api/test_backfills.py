"""Backfills over REST: planned, created, watched, cancelled, and refused in words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.described import DescribedApi

Submitted = Callable[..., Any]
PAST = {"every": "PT1H", "start": "2025-12-31T00:00:00Z"}
DAY = {"from": "2025-12-31T00:00:00Z", "to": "2025-12-31T06:00:00Z"}
FOREVER = {"kind": "process", "command": ["sh", "-c", "while :; do sleep 0.02; done"]}


@pytest.fixture
def job(submitted: Submitted) -> Any:
    return submitted(schedule=PAST)


def until(api: DescribedApi, path: str, holds: Callable[[Any], bool]) -> Any:
    pause = threading.Event()
    for _ in range(600):
        document = api.get(path)
        if holds(document):
            return document
        pause.wait(0.05)
    raise AssertionError(f"it never came: {document}")


def create(api: DescribedApi, job: Any, **body: Any) -> Any:
    answer = api("POST", f"/jobs/{job['id']}/backfills", {**DAY, **body})
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/backfills/{answer.body['id']}"
    return answer.body


def test_from_its_plan_to_its_end(api: DescribedApi, job: Any) -> None:
    path = f"/jobs/{job['id']}/backfills"
    plan = api("POST", f"{path}?dry_run=true", DAY)
    assert plan.status == 200
    assert (plan.body["total"], plan.body["create"], plan.body["exists"]) == (6, 6, 0)
    assert plan.body["items"][0]["nominal_time"] == "2025-12-31T00:00:00Z"
    assert api.get(path)["items"] == []
    made = create(api, job, reason="the source was repaired", max_active=2)
    assert (made["state"], made["total"], made["name"]) == ("RUNNING", 6, job["name"])
    assert (made["overlap"], made["max_active"], made["order"]) == ("allow", 2, "oldest")
    ended = until(api, f"/backfills/{made['id']}", lambda one: one["state"] != "RUNNING")
    assert ended["state"] == "COMPLETED"
    assert (ended["created"], ended["finished"]) == (6, 6)
    assert ended["instances"] == {"SUCCEEDED": 6}
    assert ended["reason"] == "the source was repaired"
    [instance] = api.get(f"/jobs/{job['id']}/instances?limit=1")["items"]
    assert (instance["kind"], instance["backfill_id"]) == ("BACKFILL", made["id"])
    again = api("POST", f"{path}?dry_run=true&limit=4", {**DAY, "reprocess": "all"}).body
    assert (again["rerun"], len(again["items"])) == (6, 4)
    assert [one["state"] for one in again["items"]] == ["SUCCEEDED"] * 4
    rest = api("POST", f"{path}?dry_run=true&limit=4&next={again['next']}", DAY).body
    assert [one["action"] for one in rest["items"]] == ["exists"] * 2
    assert rest["next"] is None
    verbs = [event["verb"] for event in api.get(f"/jobs/{job['id']}/events")["items"]]
    assert verbs.count("BACKFILL") == verbs.count("BACKFILL_COMPLETE") == 1


def test_the_newest_first_also_in_the_plan(api: DescribedApi, job: Any) -> None:
    path = f"/jobs/{job['id']}/backfills?dry_run=true&limit=3"
    body = {**DAY, "order": "newest"}
    first = api("POST", path, body).body
    second = api("POST", f"{path}&next={first['next']}", body).body
    times = [one["nominal_time"][11:13] for one in (*first["items"], *second["items"])]
    assert times == ["05", "04", "03", "02", "01", "00"]


def test_lists_are_narrowed_and_paged(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(schedule=PAST)
    ids = [create(api, job, to="2025-12-31T01:00:00Z")["id"] for _ in range(3)]
    mine = f"/backfills?job={job['name']}"
    assert [one["id"] for one in api.get(mine)["items"]] == ids[::-1]
    page = api.get(f"{mine}&limit=2")
    assert [one["id"] for one in page["items"]] == [ids[2], ids[1]]
    rest = api.get(f"{mine}&limit=2&next={page['next']}")
    assert [one["id"] for one in rest["items"]] == [ids[0]]
    until(api, f"{mine}&state=completed", lambda page: len(page["items"]) == 3)
    assert api.get(f"/jobs/{job['id']}/backfills?state=cancelled")["items"] == []


def test_a_cancelled_one_skips_what_waits_and_stops_what_runs(
    api: DescribedApi, submitted: Submitted
) -> None:
    job = submitted(schedule=PAST, target=FOREVER)
    made = create(api, job, overlap="queue")
    path = f"/backfills/{made['id']}"
    until(api, path, lambda one: one["instances"].get("RUNNING") == 1)
    cancelled = api("POST", f"{path}/cancel", {"kill": True, "reason": "wrong range"})
    assert cancelled.status == 200
    assert (cancelled.body["state"], cancelled.body["end_reason"]) == ("CANCELLED", "wrong range")
    assert api("POST", f"{path}/cancel").status == 200
    ended = until(api, path, lambda one: one["finished"] == one["created"] == 6)
    assert ended["instances"] == {"SKIPPED": 5, "KILLED": 1}


def test_a_completed_one_is_not_cancelled(api: DescribedApi, job: Any) -> None:
    done = create(api, job, to="2025-12-31T01:00:00Z")
    until(api, f"/backfills/{done['id']}", lambda one: one["state"] == "COMPLETED")
    refused = api("POST", f"/backfills/{done['id']}/cancel")
    assert (refused.status, refused.body["code"]) == (409, "wrong_state")


def test_a_suspended_job_says_that_its_backfill_waits(
    api: DescribedApi, submitted: Submitted
) -> None:
    job = submitted(scheduled=True, schedule=PAST, policies={"catch_up": "none"})
    api("POST", f"/jobs/{job['id']}/suspend", {"reason": "a leak"})
    made = create(api, job)
    path = f"/backfills/{made['id']}"
    assert "a leak" in api.get(path)["waiting_on"]
    api("POST", f"/jobs/{job['id']}/resume")
    ended = until(api, path, lambda one: one["state"] == "COMPLETED")
    assert ended["waiting_on"] is None


def test_a_repeat_with_the_same_key_is_the_same_backfill(api: DescribedApi, job: Any) -> None:
    path, headers = f"/jobs/{job['id']}/backfills", {"Idempotency-Key": f"key-{job['id']}"}
    first = api("POST", path, DAY, headers=headers)
    again = api("POST", path, DAY, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    other = api("POST", path, {**DAY, "reprocess": "all"}, headers=headers)
    assert other.status == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": None}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2025-12-31T00:00:00"}, "from"),
        ({"from": "2025-12-31T06:00:00Z"}, "from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}, "from"),
        ({"to": "2199-01-01T00:00:00Z"}, "to"),
        ({"reprocess": "some"}, "reprocess"),
        ({"overlap": "never"}, "overlap"),
        ({"overlap": "queue", "max_active": 2}, "max_active"),
        ({"max_active": 0}, "max_active"),
        ({"max_active": "2"}, "max_active"),
        ({"order": "random"}, "order"),
        ({"parameters": {"nope": 1}}, "parameters.nope"),
        ({"until": 1}, "until"),
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_bad_input_is_named(
    api: DescribedApi, job: Any, query: str, body: dict[str, Any], field: str
) -> None:
    refused = api("POST", f"/jobs/{job['id']}/backfills{query}", {**DAY, **body})
    assert refused.status == 400, refused.body
    assert [problem["field"] for problem in refused.body["problems"]] == [field]
    assert api.get(f"/jobs/{job['id']}/backfills")["items"] == []


def test_what_is_not_there_is_not_found(api: DescribedApi, job: Any) -> None:
    assert api("GET", f"/backfills/{'0' * 32}").status == 404
    assert api("GET", "/backfills/nothing").status == 404
    assert api("POST", f"/backfills/{'0' * 32}/cancel").status == 404
    assert api("POST", "/jobs/no-such-job/backfills", DAY).status == 404
    assert api("GET", "/backfills?job=no-such-job").status == 404
    api("DELETE", f"/jobs/{job['id']}")
    assert api("POST", f"/jobs/{job['id']}/backfills", DAY).status == 409
