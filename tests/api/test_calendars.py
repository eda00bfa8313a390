"""Calendars over REST: set, named by jobs, changed, and shown in previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import definition
from tests.api.described import DescribedApi

Submitted = Callable[..., Any]
HOURLY = {"every": "PT1H", "start": "2026-06-01T00:00:00Z"}
NIGHT = {"spans": ["2026-06-01T01:00:00/2026-06-01T03:00:00"]}


def test_a_calendar_from_its_making_to_its_end(api: DescribedApi, name: str) -> None:
    path = f"/calendars/{name}"
    assert api("GET", path).status == 404
    made = api("PUT", path, NIGHT)
    assert made.status == 201
    assert made.headers["location"] == path
    assert (made.body["edit"], made.body["calendar"]) == (1, NIGHT)
    changed = api("PUT", path, {"weekdays": ["SAT"]}, headers={"If-Match": made.headers["etag"]})
    assert (changed.status, changed.body["edit"]) == (200, 2)
    stale = api("PUT", path, NIGHT, headers={"If-Match": made.headers["etag"]})
    assert stale.status == 412
    assert api.get(path) == changed.body
    assert name in [one["name"] for one in api.get("/calendars")["items"]]
    assert api("DELETE", path).status == 204
    assert api("DELETE", path).status == 404


def test_a_calendar_in_use_stays(api: DescribedApi, submitted: Submitted, name: str) -> None:
    api("PUT", f"/calendars/{name}", NIGHT)
    job = submitted(schedule={**HOURLY, "exclude": [name]})
    refused = api("DELETE", f"/calendars/{name}")
    assert (refused.status, refused.body["code"]) == (409, "calendar_in_use")
    assert job["name"] in refused.body["detail"]
    everything = api("PUT", f"/calendars/{name}", {"yearly": ["01-01/12-31"]})
    assert everything.status == 409
    api("PUT", f"/calendars/{name}?reason=why", {})
    [event] = api.get(f"/jobs/{job['id']}/events?verb=calendar")["items"]
    assert (event["reason"], event["detail"]["calendar"]) == ("why", name)


def test_excluded_times_are_shown_and_say_so(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    api("PUT", f"/calendars/{name}", NIGHT)
    schedule = {**HOURLY, "exclude": [name], "roll": "next"}
    job = submitted(schedule=schedule)
    wanted = [
        ("2026-06-01T00:00:00+00:00", None, None),
        ("2026-06-01T01:00:00+00:00", name, "2026-06-02T01:00:00Z"),
        ("2026-06-01T02:00:00+00:00", name, "2026-06-02T02:00:00Z"),
        ("2026-06-01T03:00:00+00:00", None, None),
    ]
    upcoming = api.get(f"/jobs/{job['id']}/upcoming?count=2")["fires"]
    dry = api("POST", "/jobs?dry_run=true", definition(f"{name}-dry", schedule=schedule))
    preview = api("POST", "/schedule/preview", {"schedule": schedule, "count": 2})
    for fires in (upcoming, dry.body["fires"][:4], preview.body["fires"]):
        found = [(one["local"], one["excluded_by"], one["rolls_to_time"]) for one in fires]
        assert found == wanted
    skipping = {**schedule, "roll": "skip"}
    fires = api("POST", "/schedule/preview", {"schedule": skipping, "count": 2}).body["fires"]
    assert [one["rolls_to_ms"] for one in fires] == [None] * 4


def test_bad_calendars_are_refused_by_field(api: DescribedApi, name: str) -> None:
    def fields(document: Any) -> list[str]:
        answer = api("PUT", f"/calendars/{name}", document)
        assert answer.status == 400, answer.body
        return [problem["field"] for problem in answer.body["problems"]]

    assert fields({"cron": "0 0 0 30 2"}) == ["cron"]
    assert fields({"weekdays": ["SATURDAY"]}) == ["weekdays.0"]
    assert fields({"dates": ["2026-02-30"]}) == ["dates.0"]
    assert fields({"days": []}) == ["days"]
    unknown = {"schedule": {**HOURLY, "exclude": ["nowhere"]}}
    answer = api("POST", "/schedule/preview", unknown)
    assert answer.status == 400
    assert answer.body["problems"][0]["field"] == "schedule.exclude"
    assert api("PUT", "/calendars/Not%20a%20slug", {}).status == 400
