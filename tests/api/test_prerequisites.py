"""Waiting for data over REST: what is refused, what is told, and what an event of its arrival does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import definition
from tests.api.described import DescribedApi

Submitted = Callable[..., Any]


def waiting(api: DescribedApi, submitted: Submitted, name: str) -> tuple[Any, Any]:
    """A job and its triggered instance, which waits for a file of the job's name."""
    job = submitted(
        prerequisites=[{"data": f"{name}/ready"}], policies={"timeouts": {"wait": "PT2H"}}
    )
    one = api("POST", f"/jobs/{job['id']}/trigger", {}).body
    api("POST", "/clock", {"advance": "PT1M"})
    return job, one


def put(api: DescribedApi, path: str) -> None:
    file = api.server.folder / "files" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_an_instance_says_what_it_waits_for(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    job, one = waiting(api, submitted, name)
    shown = api.get(f"/instances/{one['id']}")
    assert (shown["state"], shown["reason"]) == ("WAITING", "PREREQUISITES")
    assert shown["waiting_on"].startswith(f"{name}/ready, checked ")
    answer = api.get(f"/instances/{one['id']}/why")
    assert answer["why"].startswith(f"waits for {name}/ready (there is no such file), checked ")
    assert answer["checks"] >= 1
    assert answer["gives_up_time"] is not None
    assert answer["findings"] == [
        {
            "kind": "data",
            "what": f"{name}/ready",
            "met": False,
            "found": "there is no such file",
            "late": False,
        }
    ]
    because = api.get(f"/jobs/{job['id']}/why")
    assert "has never been scheduled" in because["why"]
    assert f"waits for {name}/ready" in because["lately"][0]
    assert api("GET", "/instances/" + "0" * 32 + "/why").status == 404
    assert api("GET", f"/jobs/no-{name}/why").status == 404


def test_an_event_of_its_arrival_lets_it_go_on(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    _, one = waiting(api, submitted, name)
    put(api, f"{name}/ready")
    answer = api("POST", "/events/data", {"path": f"{name}/ready"})
    assert (answer.status, answer.body) == (202, {"woken": 1})
    api("POST", "/clock", {"advance": "PT1S"})
    assert api.get(f"/instances/{one['id']}")["state"] == "SUCCEEDED"
    assert api.get(f"/instances/{one['id']}/why")["why"].startswith("succeeded at")
    again = api("POST", "/events/data", {"paths": [f"{name}/ready", "nobody/waits"]})
    assert (again.status, again.body) == (202, {"woken": 0})


def test_prerequisites_can_be_ignored(api: DescribedApi, submitted: Submitted, name: str) -> None:
    job = submitted(prerequisites=[{"data": f"{name}/ready"}])
    one = api("POST", f"/jobs/{job['id']}/trigger", {"ignore_prerequisites": True}).body
    api("POST", "/clock", {"advance": "PT1S"})
    path = f"/instances/{one['id']}"
    assert api.get(path)["state"] == "SUCCEEDED"
    api("POST", f"{path}/rerun", {})
    api("POST", "/clock", {"advance": "PT1S"})
    assert api.get(path)["reason"] == "PREREQUISITES"
    api("POST", f"{path}/kill", {})
    api("POST", f"{path}/rerun", {"ignore_prerequisites": True})
    api("POST", "/clock", {"advance": "PT1S"})
    assert api.get(path)["state"] == "SUCCEEDED"
    events = api.get(f"/events?instance={one['id']}&verb=RERUN")["items"]
    assert events[0]["detail"]["ignore_prerequisites"] is True


@pytest.mark.parametrize(
    ("prerequisites", "field"),
    [
        ([{}], "prerequisites.0"),
        ([{"data": "/etc/passwd"}], "prerequisites.0.data"),
        ([{"data": "../x"}], "prerequisites.0.data"),
        ([{"data": "s3://nobody/allowed"}], "prerequisites.0.data"),
        ([{"data": "x/${nope}"}], "prerequisites.0.data"),
        ([{"data": "x"}, {"sql": "SELECT 1", "connection": "nope"}], "prerequisites.1.connection"),
        ([{"http": "ftp://x"}], "prerequisites.0.http"),
        ([{"http": "http://x/", "status": 9}], "prerequisites.0.status"),
        ([{"job": "No Slug"}], "prerequisites.0.job"),
        ([{"job": "x", "at": "now"}], "prerequisites.0.at"),
        ([{"data": "x"}] * 21, "prerequisites"),
        ([{"data": 5}], "prerequisites.0.data"),
        ("x", "prerequisites"),
    ],
)
def test_bad_prerequisites_are_refused_by_field(
    api: DescribedApi, name: str, prerequisites: Any, field: str
) -> None:
    answer = api("POST", "/jobs", definition(name, prerequisites=prerequisites))
    assert answer.status == 400, answer.body
    assert field in [problem["field"] for problem in answer.body["problems"]], answer.body
    assert all(problem["message"] for problem in answer.body["problems"])


def test_a_job_that_waits_for_itself_is_refused_and_for_a_missing_one_is_warned(
    api: DescribedApi, name: str
) -> None:
    itself = api("POST", "/jobs", definition(name, prerequisites=[{"job": name}]))
    assert itself.body["problems"][0]["field"] == "prerequisites.0.job"
    dry = definition(name, prerequisites=[{"job": f"no-{name}"}])
    answer = api("POST", "/jobs?dry_run=true", dry)
    assert answer.status == 200
    assert any(f"no-{name}" in warning for warning in answer.body["warnings"])


@pytest.mark.parametrize(
    "body",
    [{}, {"path": ""}, {"path": "a", "paths": ["b"]}, {"paths": []}, {"path": "/abs"},
     {"paths": ["a"] * 101}, {"path": "x" * 2001}, {"path": 5}, {"paths": ["ftp://x/y"]}],
)  # fmt: skip
def test_bad_events_are_refused(api: DescribedApi, body: dict[str, Any]) -> None:
    answer = api("POST", "/events/data", body)
    assert (answer.status, answer.body["code"]) == (400, "invalid_input")
