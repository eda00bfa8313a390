"""Instances over REST: triggered, watched, stopped, run again, and what they left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.api.described import DescribedApi

Submitted = Callable[..., Any]
FOREVER = {"kind": "process", "command": ["sh", "-c", "while :; do sleep 0.02; done"]}


def target(*command: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "process", "command": list(command), **fields}


def shell(script: str, **fields: Any) -> dict[str, Any]:
    return target("sh", "-c", script, **fields)


def trigger(api: DescribedApi, job: Any, **body: Any) -> str:
    answer = api("POST", f"/jobs/{job['id']}/trigger", body)
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/instances/{answer.body['id']}"
    return str(answer.body["id"])


def until(api: DescribedApi, instance: str, *states: str) -> Any:
    """The instance, once it is in one of the states."""
    pause = threading.Event()
    for _ in range(600):
        document = api.get(f"/instances/{instance}")
        if document["state"] in states:
            return document
        pause.wait(0.05)
    raise AssertionError(f"it is {document['state']} and not {states}: {document}")


def test_a_run_leaves_its_record(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(
        parameters={"word": "none", "times": 1},
        target=target("echo", "${parameters.word}", result="words/${job_name}.csv"),
    )
    instance = trigger(api, job, parameters={"word": "café"}, reason="to see it")
    done = until(api, instance, "SUCCEEDED", "FAILED")
    assert (done["state"], done["kind"], done["name"]) == ("SUCCEEDED", "MANUAL", job["name"])
    assert done["parameters"] == {"word": "café"}
    assert done["result_path"] == f"words/{job['name']}.csv"
    [run] = done["runs"]
    assert (run["run"], run["token"], run["state"]) == (1, done["token"], "SUCCEEDED")
    times = [done[f"{name}_ms"] for name in ("created", "ready", "launched", "started", "ended")]
    assert times == sorted(times)
    log = api("GET", f"/instances/{instance}/logs")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    result = api("GET", f"/instances/{instance}/result?run=1")
    assert (result.status, result.body) == (200, "café\n")
    assert result.headers["content-type"].startswith("text/csv")
    assert result.headers["x-content-type-options"] == "nosniff"
    assert api("GET", f"/instances/{instance}/logs?run=2").status == 404
    events = api.get(f"/events?instance={instance}")["items"]
    assert ("TRIGGER", "to see it") in [(one["verb"], one["reason"]) for one in events]


def test_a_result_of_bytes_comes_as_bytes(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(target=shell(r"printf '\377\000\001'", result="bytes/${job_name}.bin"))
    instance = trigger(api, job)
    until(api, instance, "SUCCEEDED")
    connection = api.server.connect()
    path, who = f"/instances/{instance}/result", {"Authorization": f"Bearer {api.server.token}"}
    connection.request("GET", path, headers={**who, "Accept": "*/*"})
    response = connection.getresponse()
    assert response.read() == b"\xff\x00\x01"
    assert response.getheader("content-type") == "application/octet-stream"
    connection.close()
    answer = api("GET", path, headers={"Accept": "text/plain"})
    assert (answer.status, answer.body["code"]) == (406, "not_acceptable")


def test_a_run_is_asked_to_stop_and_stops(api: DescribedApi, submitted: Submitted) -> None:
    instance = trigger(api, submitted(target=FOREVER))
    until(api, instance, "RUNNING")
    asked = api("POST", f"/instances/{instance}/kill", {"reason": "enough"})
    assert asked.status in (200, 202)
    killed = until(api, instance, "KILLED")
    assert killed["stop"] is None or killed["stop"]["reason"] == "enough"
    again = api("POST", f"/instances/{instance}/kill")
    assert (again.status, again.body["state"]) == (200, "KILLED")


def test_what_waits_its_turn_is_killed_or_skipped_at_once(
    api: DescribedApi, submitted: Submitted
) -> None:
    job = submitted(target=FOREVER, policies={"max_active": 1})
    first, second, third = (trigger(api, job) for _ in range(3))
    until(api, first, "RUNNING")
    killed = api("POST", f"/instances/{second}/kill", {})
    assert (killed.status, killed.body["state"]) == (200, "KILLED")
    skipped = api("POST", f"/instances/{third}/skip", {"reason": "not needed"})
    assert (skipped.status, skipped.body["state"]) == (200, "SKIPPED")
    assert api("POST", f"/instances/{first}/skip", {}).body["code"] == "wrong_state"
    assert api("POST", f"/instances/{first}/rerun", {}).body["code"] == "wrong_state"
    api("POST", f"/instances/{first}/kill", {})
    until(api, first, "KILLED")


def test_a_rerun_is_a_second_run_of_the_same_instance(
    api: DescribedApi, submitted: Submitted
) -> None:
    job = submitted(target=shell("echo run ${run}; exit 1", success_codes=[0]))
    instance = trigger(api, job)
    failed = until(api, instance, "FAILED")
    assert failed["error"]
    assert api("POST", f"/instances/{instance}/kill", {}).status == 409
    api("PATCH", f"/jobs/{job['id']}", {"target": {"success_codes": [0, 1]}})
    assert api("POST", f"/instances/{instance}/rerun", {"reason": "mended"}).status == 200
    done = until(api, instance, "SUCCEEDED")
    assert [(one["run"], one["state"]) for one in done["runs"]] == [(1, "FAILED"), (2, "SUCCEEDED")]
    assert len({one["token"] for one in done["runs"]}) == 2
    assert api("GET", f"/instances/{instance}/logs?run=1").status == 200
    original = api("POST", f"/instances/{instance}/rerun", {"original": True})
    assert original.status == 200
    until(api, instance, "SUCCEEDED", "FAILED")


def test_a_trigger_is_repeated_safely(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted()
    key = {"Idempotency-Key": f"trigger-{job['name']}"}
    first, again = (api("POST", f"/jobs/{job['id']}/trigger", {}, headers=key) for _ in range(2))
    assert (again.status, again.body, again.headers["location"]) == (
        201,
        first.body,
        first.headers["location"],
    )
    assert len(api.get(f"/jobs/{job['id']}/instances")["items"]) == 1


def test_a_nominal_time_has_one_instance(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(schedule={"every": "PT1H", "start": "2025-01-01T00:00:00Z"})
    when = {"nominal_time": "2025-06-01T00:00:00Z"}
    instance = trigger(api, job, **when)
    assert api.get(f"/instances/{instance}")["nominal_time"] == "2025-06-01T00:00:00Z"
    second = api("POST", f"/jobs/{job['id']}/trigger", when)
    assert (second.status, second.body["code"]) == (409, "already_exists")


def test_instances_are_listed_newest_first_and_narrowed(
    api: DescribedApi, submitted: Submitted
) -> None:
    job = submitted(schedule={"every": "PT1H", "start": "2025-01-01T00:00:00Z"})
    hours = [f"2025-03-01T{hour:02}:00:00Z" for hour in range(5)]
    for hour in hours:
        until(api, trigger(api, job, nominal_time=hour), "SUCCEEDED")

    def times(query: str) -> list[str]:
        items = api.get(f"/instances?job={job['name']}&{query}")["items"]
        return [one["nominal_time"] for one in items]

    assert times("") == hours[::-1]
    assert times("from=2025-03-01T01:00:00Z&to=2025-03-01T03:00:00Z") == [hours[2], hours[1]]
    assert times("from=1740790800000&to=2025-03-01T04:00:00%2B01:00") == [hours[2], hours[1]]
    assert times("state=succeeded&kind=manual") == hours[::-1]
    assert times("state=FAILED,RUNNING") == times("kind=SCHEDULED") == []
    assert times("owner=default") == hours[::-1]
    page = api.get(f"/jobs/{job['id']}/instances?limit=3")
    rest = api.get(f"/jobs/{job['id']}/instances?limit=3&next={page['next']}")
    assert [one["nominal_time"] for one in page["items"] + rest["items"]] == hours[::-1]
    assert rest["next"] is None
    assert api("GET", "/instances?job=no-such-job").status == 404
    verbs = {one["verb"] for one in api.get(f"/events?job={job['id']}&verb=trigger")["items"]}
    assert verbs == {"TRIGGER"}
