"""Concurrency groups over REST: set, named by jobs, shown with who is in them, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import definition
from tests.api.described import DescribedApi

Submitted = Callable[..., Any]


def test_a_group_from_its_making_to_its_end(api: DescribedApi, name: str) -> None:
    path = f"/groups/{name}"
    assert api("GET", path).status == 404
    made = api("PUT", path, {"size": 2, "description": "a few"})
    assert made.status == 201
    assert made.headers["location"] == path
    assert (made.body["size"], made.body["held"], made.body["queued"]) == (2, 0, 0)
    changed = api("PUT", path, {"size": 3}, headers={"If-Match": made.headers["etag"]})
    assert (changed.status, changed.body["size"], changed.body["description"]) == (200, 3, "a few")
    stale = api("PUT", path, {"size": 4}, headers={"If-Match": made.headers["etag"]})
    assert stale.status == 412
    assert name in [one["name"] for one in api.get("/groups")["items"]]
    assert api("DELETE", path).status == 204
    assert api("DELETE", path).status == 404


def test_who_waits_is_shown_and_a_group_in_use_stays(
    api: DescribedApi, submitted: Submitted, name: str
) -> None:
    api("PUT", f"/groups/{name}", {"size": 0})
    job = submitted(policies={"group": name})
    instance = api("POST", f"/jobs/{job['id']}/trigger", {}).body
    api("POST", "/clock", {"advance": "PT1M"})
    shown = api.get(f"/groups/{name}")
    assert (shown["jobs"], shown["queued"], shown["holders"]) == ([job["name"]], 1, [])
    assert [one["instance_id"] for one in shown["waiters"]] == [instance["id"]]
    refused = api("DELETE", f"/groups/{name}")
    assert (refused.status, refused.body["code"]) == (409, "group_in_use")
    api("PUT", f"/groups/{name}", {"size": 1})
    api("POST", "/clock", {"advance": "PT1M"})
    assert api.get(f"/instances/{instance['id']}")["state"] == "SUCCEEDED"


def test_bad_groups_are_refused_by_field(api: DescribedApi, name: str) -> None:
    for body, field in (({}, "size"), ({"size": -1}, "size"), ({"size": 1, "x": 2}, "x")):
        answer = api("PUT", f"/groups/{name}", body)
        assert answer.status == 400
        assert [problem["field"] for problem in answer.body["problems"]] == [field]
    unknown = api("POST", "/jobs", definition(name, policies={"group": name}))
    assert unknown.body["problems"][0]["field"] == "policies.group"
