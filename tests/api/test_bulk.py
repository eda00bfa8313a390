"""kill, rerun and skip of many over REST: counted, done, gone on with, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.described import DescribedApi
from tests.api.test_backfills import until as ended
from tests.api.test_instances import trigger, until

Submitted = Callable[..., Any]
FOREVER = {"kind": "process", "command": ["sleep", "600"]}


def many(api: DescribedApi, verb: str, query: str = "", **body: Any) -> Any:
    answer = api("POST", f"/instances/{verb}{query}", body)
    assert answer.status == (200 if "dry_run" in query else 202), answer.body
    return answer.body


def test_many_are_counted_then_killed(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(target=FOREVER, policies={"max_active": 1}, tags={"of": "kill, many"})
    first, *others = (trigger(api, job) for _ in range(4))
    until(api, first, "RUNNING")
    chosen = {"tags": {"of": "kill, many"}, "states": ["waiting", "RUNNING"]}
    counted = many(api, "kill", "?dry_run=true", filter=chosen)
    assert (counted["total"], counted["more"]) == (4, False)
    assert counted["states"] == {"RUNNING": 1, "WAITING": 3}
    assert {one["id"] for one in counted["items"]} == {first, *others}
    done = many(api, "kill", filter=chosen, as_of=counted["as_of_ms"], reason="enough")
    assert (done["changed"], done["stopping"], done["next"]) == (4, 1, None)
    until(api, first, "KILLED")
    for one in others:
        assert api.get(f"/instances/{one}")["state"] == "KILLED"
    again = many(api, "kill", filter=chosen)
    assert (again["changed"], again["already"], again["moved"], again["refused"]) == (0, 0, 0, 0)
    events = api.get(f"/events?instance={others[0]}")["items"]
    assert ("KILL", "enough") in [(one["verb"], one["reason"]) for one in events]


def test_many_run_again_and_wait_or_are_skipped(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(target={"kind": "process", "command": ["false"]})
    failed = [trigger(api, job) for _ in range(3)]
    for one in failed:
        until(api, one, "FAILED")
    chosen = {"jobs": [job["name"]]}
    assert many(api, "rerun", "?dry_run=true", filter=chosen)["states"] == {"FAILED": 3}
    done = many(api, "rerun", filter=chosen, original=True)
    assert done["changed"] == 3
    for one in failed:
        assert until(api, one, "FAILED", "SUCCEEDED")["run"] == 2
    api(
        "PATCH",
        f"/jobs/{job['id']}",
        {"target": {"command": ["sleep", "600"]}, "policies": {"max_active": 1}},
    )
    running, *waiting = (trigger(api, job) for _ in range(3))
    until(api, running, "RUNNING")
    assert many(api, "skip", filter={**chosen, "kind": "manual"})["changed"] == 2
    for one in waiting:
        assert api.get(f"/instances/{one}")["state"] == "SKIPPED"
    many(api, "kill", filter=chosen)
    until(api, running, "KILLED")


@pytest.mark.parametrize(
    ("body", "query", "field", "words"),
    [
        ({"filter": {}}, "", "filter", "name jobs, states"),
        ({}, "", "filter", ""),
        ({"filter": {"states": ["SUCCEEDED"]}}, "", "filter.states", "kill is for WAITING"),
        ({"filter": {"states": ["BUSY"]}}, "", "filter.states.0", ""),
        ({"filter": {"kind": "odd"}}, "", "filter.kind", ""),
        ({"filter": {"job": "x"}}, "", "filter.job", ""),
        ({"filter": {"from": 5, "to": 5}}, "", "filter.from", "before the end"),
        ({"filter": {"from": "2026-01-01T00:00:00"}}, "", "filter.from", "offset"),
        ({"filter": {"jobs": ["x"] * 101}}, "", "filter.jobs", ""),
        ({"filter": {"tags": {"a": 1}}}, "", "filter.tags.a", ""),
        ({"filter": {"kind": "MANUAL"}}, "?next=x", "next", "unchanged"),
        ({"filter": {"kind": "MANUAL"}, "original": True}, "", "original", ""),
        ({"filter": {"kind": "MANUAL"}, "as_of": "soon"}, "", "as_of", ""),
    ],
)
def test_what_is_no_choice_is_refused(
    api: DescribedApi, body: Any, query: str, field: str, words: str
) -> None:
    answer = api("POST", f"/instances/kill{query}", body)
    assert (answer.status, answer.body["code"]) == (400, "invalid_input")
    [problem] = answer.body["problems"]
    assert problem["field"] == field
    assert words in problem["message"]


def test_jobs_and_backfills_that_are_not_there_are_not_found(api: DescribedApi) -> None:
    for chosen in ({"jobs": ["nobody"]}, {"backfill": "f" * 32}, {"backfill": "short"}):
        answer = api("POST", "/instances/kill?dry_run=true", {"filter": chosen})
        assert (answer.status, answer.body["code"]) == (404, "not_found")


def test_jobs_are_listed_by_tag_and_group(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(tags={"level": "gold, really", "town": "Köln"})

    def names(query: str) -> list[str]:
        return [one["name"] for one in api.get(f"/jobs?{query}")["items"]]

    assert names("tag=level%3Dgold,%20really&tag=town%3DK%C3%B6ln") == [job["name"]]
    assert names("tag=level%3Dgold") == names("group=no-such-group") == []
    answer = api("GET", "/jobs?tag=level")
    assert (answer.status, answer.body["problems"][0]["field"]) == (400, "tag")


def test_instances_are_listed_by_backfill(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(schedule={"every": "PT1H", "start": "2025-01-01T00:00:00Z"})
    span = {"from": "2025-02-01T00:00:00Z", "to": "2025-02-01T03:00:00Z"}
    made = api("POST", f"/jobs/{job['id']}/backfills", span).body
    other = trigger(api, job)
    ended(api, f"/backfills/{made['id']}", lambda one: one["state"] == "COMPLETED")
    until(api, other, "SUCCEEDED")
    for path in ("/instances", f"/jobs/{job['id']}/instances"):
        page = api.get(f"{path}?backfill={made['id']}")["items"]
        assert {one["backfill_id"] for one in page} == {made["id"]}
        times = sorted(one["nominal_time"] for one in page)
        assert times == [f"2025-02-01T0{hour}:00:00Z" for hour in range(3)]
    everything = api.get(f"/jobs/{job['id']}/instances")["items"]
    assert {one["id"] for one in everything} > {one["id"] for one in page}
    assert other not in {one["id"] for one in page}
    assert api.get("/instances?group=no-such-group")["items"] == []


def test_a_trigger_says_its_own_overlap(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(target=FOREVER, policies={"overlap": "skip"})
    first = trigger(api, job)
    until(api, first, "RUNNING")
    beside = trigger(api, job, overlap="allow", max_active=2)
    assert until(api, beside, "RUNNING", "SKIPPED")["state"] == "RUNNING"
    for body, field in (
        ({"max_active": 2}, "max_active"),
        ({"overlap": "queue", "max_active": 2}, "max_active"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"overlap": "allow", "max_active": 0}, "max_active"),
    ):
        answer = api("POST", f"/jobs/{job['id']}/trigger", body)
        assert (answer.status, answer.body["problems"][0]["field"]) == (400, field)
    many(api, "kill", filter={"jobs": [job["id"]]})
    for one in (first, beside):
        until(api, one, "KILLED")
