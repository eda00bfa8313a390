"""Statistics and skip ranges over REST. The server's clock is moved by others too: times are far ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.described import DescribedApi

Submitted = Callable[..., Any]
LATER = {"every": "PT1H", "start": "2026-06-01T00:00:00Z"}


def test_a_job_that_never_ran(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted(scheduled=True, schedule=LATER)
    found = api.get(f"/jobs/{job['id']}/stats?by=day")
    assert found["total"]["states"] == {}
    assert found["total"]["success_rate"] is None
    assert found["groups"] == []
    assert found["sample"] == {
        "finished": 0,
        "limit": 10_000,
        "cut": False,
        "oldest_ms": None,
        "oldest_time": None,
    }
    assert found["to_ms"] - found["from_ms"] == 7 * 86_400_000


def test_what_waits_is_counted_by_job_owner_and_day(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    job = submitted()
    api("POST", f"/jobs/{name}/trigger", {})
    for by in ("job", "owner", "day"):
        found = api.get(f"/jobs/{job['id']}/stats?by={by}")
        [group] = found["groups"]
        assert sum(group["states"].values()) == 1
        assert group[by] == {"job": name, "owner": "default", "day": group["key"]}[by]
    everything = api.get("/stats?by=job")
    assert job["id"] in [group["job_id"] for group in everything["groups"]]


def test_a_window_must_not_be_empty_and_kinds_are_checked(api: DescribedApi) -> None:
    empty = api("GET", "/stats?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z")
    assert (empty.status, empty.body["problems"][0]["field"]) == (400, "from")
    assert api("GET", "/stats?kind=odd").status == 400
    assert api("GET", "/stats?by=week").body["problems"][0]["field"] == "by"


def test_others_see_nothing_of_it(api: DescribedApi, submitted: Submitted, name: str) -> None:
    job = submitted()
    token = api("POST", "/tokens", {"name": f"{name}-stranger"}).body["token"]
    for path in (f"/jobs/{job['id']}/stats", f"/jobs/{job['id']}/skips", "/stats?owner=default"):
        assert api("GET", path, token=token).status == 404
    assert api("GET", "/stats?by=job", token=token).body["groups"] == []


def test_skip_ranges_tell_why_and_how_many(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    """It starts in the past, and takes nothing of what had piled up."""
    past = {"every": "PT1H", "start": "2025-12-31T00:00:00Z", "end": "2025-12-31T12:00:00Z"}
    job = submitted(schedule=past, policies={"catch_up": "none"})
    assert api.get(f"/jobs/{name}/skips") == {"items": [], "next": None}
    api("POST", f"/jobs/{name}/schedule", {})
    api("POST", "/clock", {"advance": "PT1S"})  # answers when the sweep is done
    [span] = api.get(f"/jobs/{name}/skips?limit=1")["items"]
    assert (span["job"], span["job_id"]) == (name, job["id"])
    assert (span["reason"], span["nominal_times"], span["more"]) == ("CATCH_UP_NONE", 12, False)
    assert "catch_up" in span["because"]
    ahead = api.get(f"/jobs/{name}/skips?from=2025-12-31T11:00:00Z&to=2026-01-01T00:00:00Z")
    assert len(ahead["items"]) == 1
    assert api.get(f"/jobs/{name}/skips?to=2025-12-30T00:00:00Z")["items"] == []
    assert api.get(f"/jobs/{name}/skips?from=2099-01-01T00:00:00Z")["items"] == []
    window = "from=2025-12-31T03:00:00Z&to=2025-12-31T09:00:00Z"
    stats = api.get(f"/jobs/{name}/stats?{window}&by=day")
    assert stats["total"]["skip_times"] == {"CATCH_UP_NONE": 6}
    assert (stats["skip_times_cut"], stats["days_of"]) == (False, "UTC")
    assert [group["skip_times"] for group in stats["groups"]] == [{"CATCH_UP_NONE": 6}]


def test_of_the_jobs_with_a_tag(api: DescribedApi, submitted: Submitted) -> None:
    tagged = submitted(tags={"counted": "yes", "tier": "gold"})
    beside = {"name": f"{tagged['name']}-beside", "tags": {"counted": "no"}}
    other = api("POST", "/jobs", {**tagged["definition"], **beside}).body
    for job in (tagged, other):
        assert api("POST", f"/jobs/{job['id']}/trigger", {}).status in {201, 202}
    found = api.get("/stats?by=job&tag=counted=yes&tag=tier=gold")
    assert [group["job_id"] for group in found["groups"]] == [tagged["id"]]
    assert api.get("/stats?tag=counted=perhaps")["total"]["states"] == {}
    answer = api("GET", "/stats?tag=counted")
    assert (answer.status, answer.body["problems"][0]["field"]) == (400, "tag")
    assert api("GET", f"/jobs/{tagged['id']}/stats?tag=counted=yes").status == 400
    instances = api.get("/instances?tag=counted=yes&tag=tier=gold")["items"]
    assert [one["job_id"] for one in instances] == [tagged["id"]]
    assert api.get("/instances?tag=counted=perhaps")["items"] == []
    both = api("GET", f"/instances?tag=counted=yes&job={tagged['id']}")
    assert (both.status, both.body["problems"][0]["field"]) == (400, "tag")
    assert api("GET", "/instances?tag=counted").status == 400
