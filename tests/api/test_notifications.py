"""Notifications over REST: listed, shown, delivered anew, tried, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.described import DescribedApi
from tests.api.test_backfills import until

Submitted = Callable[..., Any]
NOWHERE = "http://127.0.0.1:1/hook"  # nothing listens there


@pytest.fixture
def job(submitted: Submitted) -> Any:
    notify = [{"on": ["failure"], "url": NOWHERE}, {"on": ["kill"], "url": f"{NOWHERE}?two"}]
    return submitted(policies={"notify": notify})


def test_channels_are_tried_and_what_came_of_it_is_shown(api: DescribedApi, job: Any) -> None:
    tried = api("POST", f"/jobs/{job['id']}/notify/test")
    assert tried.status == 200
    assert {one["channel"]["url"] for one in tried.body["items"]} == {NOWHERE, f"{NOWHERE}?two"}
    first = tried.body["items"][0]
    assert (first["event"], first["state"], first["name"]) == (
        "notification.test",
        "PENDING",
        job["name"],
    )
    assert first["payload"]["data"]["job_id"] == job["id"]
    path = f"/notifications/{first['id']}"
    failed = until(api, path, lambda one: one["error"] is not None)
    assert (failed["state"], failed["attempts"]) == ("PENDING", 1)
    assert failed["next_ms"] is not None
    again = api("POST", f"{path}/redeliver", {"reason": "the receiver is back"})
    assert again.status == 200
    until(api, path, lambda one: one["attempts"] == 2)
    events = api.get(f"/jobs/{job['id']}/events")["items"]
    assert (events[0]["verb"], events[0]["reason"]) == ("REDELIVER", "the receiver is back")


def test_lists_are_narrowed_and_paged(api: DescribedApi, job: Any) -> None:
    for _ in range(2):
        assert api("POST", f"/jobs/{job['id']}/notify/test").status == 200
    mine = f"/notifications?job={job['name']}"
    every = [one["id"] for one in api.get(mine)["items"]]
    assert len(every) == 4
    assert every == sorted(every, reverse=True)
    page = api.get(f"{mine}&limit=3")
    rest = api.get(f"{mine}&limit=3&next={page['next']}")
    assert [one["id"] for one in (*page["items"], *rest["items"])] == every
    assert rest["next"] is None
    assert api.get(f"{mine}&state=failed")["items"] == []
    assert len(api.get(f"{mine}&state=pending,failed")["items"]) == 4


def test_a_failure_of_a_run_is_told(api: DescribedApi, submitted: Submitted) -> None:
    notify = [{"on": ["failure"], "url": NOWHERE}]
    job = submitted(policies={"notify": notify}, target={"kind": "process", "command": ["false"]})
    run = api("POST", f"/jobs/{job['id']}/trigger").body
    listed = until(api, f"/notifications?job={job['id']}", lambda page: page["items"])
    [one] = listed["items"]
    assert (one["event"], one["instance_id"]) == ("instance.failed", run["id"])


def test_what_is_refused(api: DescribedApi, submitted: Submitted) -> None:
    quiet = submitted()
    nobody = api("POST", f"/jobs/{quiet['id']}/notify/test")
    assert (nobody.status, nobody.body["code"]) == (409, "wrong_state")
    assert api("GET", f"/notifications/{'a' * 32}").status == 404
    assert api("GET", "/notifications/latest").status == 404
    assert api("POST", f"/notifications/{'a' * 32}/redeliver").status == 404
    assert api("GET", "/notifications?state=LOST").status == 400
    private = {"policies": {"notify": [{"on": ["failure"], "url": "http://10.0.0.1/"}]}}
    refused = api("PATCH", f"/jobs/{quiet['id']}", private)
    assert refused.status == 400
    assert "policies.notify.0.url" in str(refused.body)


def test_who_may_look_and_who_may_deliver(api: DescribedApi, job: Any) -> None:
    one = api("POST", f"/jobs/{job['id']}/notify/test").body["items"][0]
    tokens = {}
    for role in ("viewer", "operator"):
        name = f"{role}-of-{job['name']}"
        tokens[role] = api("POST", "/tokens", {"name": name}).body["token"]
        api("PUT", f"/owners/default/members/{name}", {"role": role})
    stranger = api("POST", "/tokens", {"name": f"nobody-of-{job['name']}"}).body["token"]
    path = f"/notifications/{one['id']}"
    assert api("GET", path, token=tokens["viewer"]).status == 200
    assert api("POST", f"{path}/redeliver", token=tokens["viewer"]).status == 403
    assert api("POST", f"{path}/redeliver", token=tokens["operator"]).status == 200
    assert api("GET", path, token=stranger).status == 404
    assert api("POST", f"{path}/redeliver", token=stranger).status == 404
    assert api("GET", "/notifications", token=stranger).body["items"] == []
