"""Jobs over REST: submitted, changed, commanded and listed, as the description says."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import definition
from tests.api.described import DescribedApi

Submitted = Callable[..., Any]


def test_a_job_from_its_submission_to_its_end(api: DescribedApi, name: str) -> None:
    made = api("POST", "/jobs", definition(name))
    assert made.status == 201
    job = made.body
    assert made.headers["location"] == f"/jobs/{job['id']}"
    assert made.headers["etag"] == f'"{job["edit"]}"'
    assert (job["state"], job["owner"], job["revision"]) == ("NEW", "default", 1)
    assert (job["next_ms"], job["next_time"], job["suspension"]) == (None, None, None)
    path = f"/jobs/{job['id']}"
    edits = [job["edit"]]
    for verb, state in [
        ("schedule", "SCHEDULED"), ("suspend", "SUSPENDED"), ("resume", "SCHEDULED"),
        ("expire", "EXPIRED"), ("schedule", "SCHEDULED"),
    ]:  # fmt: skip
        answer = api("POST", f"{path}/{verb}", {"reason": f"because of {verb}"})
        assert (answer.status, answer.body["state"]) == (200, state)
        edits.append(answer.body["edit"])
    assert api("DELETE", f"{path}?reason=done").body["state"] == "DELETED"
    assert edits == sorted(set(edits))
    assert api("GET", f"/jobs/{name}").status == 404
    assert api.get(path)["state"] == "DELETED"
    events = api.get(f"{path}/events")["items"]
    assert [(one["verb"], one["reason"]) for one in reversed(events)] == [
        ("SUBMIT", None), ("SCHEDULE", "because of schedule"), ("SUSPEND", "because of suspend"),
        ("RESUME", "because of resume"), ("EXPIRE", "because of expire"),
        ("SCHEDULE", "because of schedule"), ("DELETE", "done"),
    ]  # fmt: skip
    assert {one["actor"] for one in events} == {"local"}


def test_a_command_that_is_repeated_is_no_error(api: DescribedApi, submitted: Submitted) -> None:
    path = f"/jobs/{submitted()['id']}"
    for verb in ("schedule", "suspend", "resume", "expire"):
        first, second = (api("POST", f"{path}/{verb}") for _ in range(2))
        assert (second.status, second.body) == (200, first.body)
    assert api("DELETE", path).body == api("DELETE", path).body


def test_submit_and_schedule_says_when_it_fires(submitted: Submitted) -> None:
    job = submitted(scheduled=True)
    assert (job["state"], job["next_time"]) == ("SCHEDULED", "2026-06-01T00:00:00Z")


def test_a_dry_run_says_what_would_be_and_changes_nothing(api: DescribedApi, name: str) -> None:
    wanted = definition(name, schedule={"cron": "0 0 6 ? * MON-FRI", "timezone": "Europe/Berlin"})
    answer = api("POST", "/jobs?dry_run=true&schedule=true", wanted)
    assert answer.status == 200
    assert answer.body["definition"]["schedule"]["start"]
    first = answer.body["fires"][0]
    assert first["nominal_ms"] == 1_767_243_600_000
    assert first["local"].startswith("2026-01-01T06:00:00")
    assert api("GET", f"/jobs/{name}").status == 404


def test_a_suspension_says_who_why_and_how_long(api: DescribedApi, submitted: Submitted) -> None:
    path = f"/jobs/{submitted(scheduled=True)['id']}"
    until = {"until": "2026-07-01T02:00:00+02:00", "reason": "the warehouse moves"}
    suspension = api("POST", f"{path}/suspend", until).body["suspension"]
    assert suspension["by"] == "local"
    assert suspension["reason"] == "the warehouse moves"
    assert suspension["until_time"] == "2026-07-01T00:00:00Z"
    assert suspension["until_ms"] == 1_782_864_000_000
    for mode in ("none", "latest", "all"):
        answer = api("POST", f"{path}/resume", {"catch_up": mode})
        assert (answer.status, answer.body["suspension"]) == (200, None)
        assert api("POST", f"{path}/suspend", {"until": 1_782_864_000_000}).status == 200


def test_an_update_makes_a_revision(api: DescribedApi, submitted: Submitted, name: str) -> None:
    job = submitted()
    path = f"/jobs/{job['id']}"
    put = api("PUT", f"{path}?reason=better", definition(name, description="better"))
    assert (put.status, put.body["revision"]) == (200, 2)
    patched = api("PATCH", path, {"description": None, "tags": {"tier": "gold"}})
    assert (patched.status, patched.body["revision"]) == (200, 3)
    assert patched.body["definition"] == {**definition(name), "tags": {"tier": "gold"}}
    revisions = api.get(f"{path}/revisions")["items"]
    assert sorted(one["revision"] for one in revisions) == [1, 2, 3]
    same = api("PATCH", path, {"tags": {"tier": "gold"}})
    assert same.body == patched.body


def test_etags_guard_against_lost_updates(api: DescribedApi, submitted: Submitted) -> None:
    path = f"/jobs/{submitted()['id']}"
    seen = api("GET", path).headers["etag"]
    for match in (seen, "*"):
        answer = api("PATCH", path, {"description": match}, headers={"If-Match": match})
        assert answer.status == 200
    late = api("PATCH", path, {"description": "late"}, headers={"If-Match": seen})
    assert late.status == 412
    assert api.get(path)["definition"]["description"] == "*"


def test_a_job_is_found_by_id_name_and_owner(api: DescribedApi, submitted: Submitted) -> None:
    job = submitted()
    for ref in (job["id"], job["name"], f"default:{job['name']}", f"default%3A{job['name']}"):
        assert api.get(f"/jobs/{ref}") == job
    assert api.get(f"/jobs/{job['name']}", headers={"X-Noonday-Owner": "default"}) == job
    assert api("GET", f"/jobs/{job['name']}", headers={"X-Noonday-Owner": "other"}).status == 404
    assert api.get(f"/jobs/{job['name']}/") == job


def test_lists_come_in_pages_that_hold_every_row_once(api: DescribedApi, name: str) -> None:
    names = [f"{name}-{number}" for number in range(7)]
    for one in names:
        assert api("POST", "/jobs", definition(one)).status == 201
    found, path = [], f"/jobs?name={name}-&limit=3"
    pages, cursor = 0, None
    while True:
        page = api.get(path + (f"&next={cursor}" if cursor else ""))
        found += [one["name"] for one in page["items"]]
        pages, cursor = pages + 1, page["next"]
        if cursor is None:
            break
        if pages == 1:  # what changes meanwhile does not move the others
            assert api("DELETE", f"/jobs/{names[0]}").status == 200
    assert (found, pages) == (names, 3)


def test_lists_are_narrowed(api: DescribedApi, name: str) -> None:
    for number, verb in enumerate(("", "schedule", "DELETE")):
        one = f"{name}-{number}"
        assert api("POST", "/jobs", definition(one)).status == 201
        if verb == "DELETE":
            api("DELETE", f"/jobs/{one}")
        elif verb:
            api("POST", f"/jobs/{one}/{verb}")

    def names(query: str) -> list[str]:
        return [one["name"] for one in api.get(f"/jobs?name={name}-&{query}")["items"]]

    assert names("") == [f"{name}-0", f"{name}-1"]
    assert names("state=scheduled") == [f"{name}-1"]
    assert names("state=NEW,SCHEDULED") == [f"{name}-0", f"{name}-1"]
    assert names("state=NEW&state=DELETED") == [f"{name}-0", f"{name}-2"]
    assert names("owner=default") == [f"{name}-0", f"{name}-1"]
    assert names("owner=nobody") == []


def test_a_repeated_request_creates_once(api: DescribedApi, name: str) -> None:
    key = {"Idempotency-Key": f"key-of-{name}"}
    first = api("POST", "/jobs", definition(name), headers=key)
    api("PATCH", f"/jobs/{name}", {"description": "meanwhile"})
    again = api("POST", "/jobs", definition(name), headers=key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    for other in (
        api("POST", "/jobs", definition(f"{name}-b"), headers=key),
        api("POST", "/jobs?schedule=true", definition(name), headers=key),
        api("POST", f"/jobs/{name}/trigger", {}, headers=key),
    ):
        assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    assert api("GET", f"/jobs/{name}-b").status == 404


def test_a_refused_request_does_not_use_up_its_key(api: DescribedApi, name: str) -> None:
    key = {"Idempotency-Key": f"key-of-{name}"}
    assert api("POST", "/jobs", definition(name, tags=1), headers=key).status == 400
    assert api("POST", "/jobs", definition(name), headers=key).status == 201


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The same at the same moment, from many clients."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait(30)
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_of_many_submissions_of_one_name_one_wins(api: DescribedApi, name: str) -> None:
    answers = at_once(12, lambda _: api("POST", "/jobs", definition(name)))
    assert Counter(one.status for one in answers) == {201: 1, 409: 11}


def test_of_many_repeats_of_one_request_all_get_the_same_answer(
    api: DescribedApi, name: str
) -> None:
    key = {"Idempotency-Key": f"key-of-{name}"}
    answers = at_once(12, lambda _: api("POST", "/jobs", definition(name), headers=key))
    assert {one.status for one in answers} == {201}
    assert len({one.body["id"] for one in answers}) == 1


def test_of_many_guarded_updates_one_wins(api: DescribedApi, submitted: Submitted) -> None:
    path = f"/jobs/{submitted()['id']}"
    seen = {"If-Match": api("GET", path).headers["etag"]}
    answers = at_once(
        10, lambda number: api("PATCH", path, {"description": str(number)}, headers=seen)
    )
    assert Counter(one.status for one in answers) == {200: 1, 412: 9}
    [won] = [one.body for one in answers if one.status == 200]
    assert api.get(path) == won


def test_unguarded_commands_at_once_each_happen_wholly(
    api: DescribedApi, submitted: Submitted
) -> None:
    path = f"/jobs/{submitted()['id']}"
    tags = at_once(10, lambda number: api("PATCH", path, {"tags": {f"t{number}": "x"}}))
    assert {one.status for one in tags} == {200}
    job = api.get(path)
    assert len(job["definition"]["tags"]) == 10
    assert job["revision"] == 11


@pytest.mark.parametrize("count", [1, 3])
def test_what_comes_next(api: DescribedApi, submitted: Submitted, count: int) -> None:
    job = submitted()
    fires = api.get(f"/jobs/{job['id']}/upcoming?count={count}")["fires"]
    assert [one["nominal_ms"] for one in fires] == [
        1_780_272_000_000 + 3_600_000 * k for k in range(count)
    ]


def test_a_schedule_is_tried_before_it_is_anybodys(api: DescribedApi) -> None:
    body = {"schedule": {"every": "PT30M"}, "after": "2026-01-05T10:00:00Z", "count": 2}
    answer = api("POST", "/schedule/preview", body)
    assert answer.status == 200
    assert len(answer.body["fires"]) == 2
    assert all(one["nominal_ms"] > 1_767_607_200_000 for one in answer.body["fires"])
