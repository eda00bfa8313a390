"""Bad input over a socket: each is refused by name, changes nothing and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import definition
from tests.api.described import DescribedApi
from tests.local.server import Answer

Submitted = Callable[..., Any]
SCHEDULE = {"every": "PT1H"}

DEFINITIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown field": ({"schedul": {}}, "schedul", "did you mean schedule?"),
    "an unknown field inside": ({"policies": {"overlpa": "skip"}}, "policies.overlpa", "overlap?"),
    "a wrong type": ({"description": 5}, "description", "must be text"),
    "a number as text": ({"policies": {"max_active": "3"}}, "policies.max_active", "whole number"),
    "no object": ({"schedule": "daily"}, "schedule", "must be an object"),
    "nothing": ({"target": None}, "target", "must be an object"),
    "a bad name": ({"name": "Daily Revenue"}, "name", "a-z, 0-9"),
    "an impossible cron": ({"schedule": {"cron": "0 0 25 * * ?"}}, "schedule.cron", "25"),
    "a cron of words": ({"schedule": {"cron": "every day"}}, "schedule.cron", ""),
    "an impossible zone": (
        {"schedule": {**SCHEDULE, "timezone": "Europe/Berlinn"}},
        "schedule.timezone",
        "Europe/Berlin",
    ),
    "end before start": (
        {"schedule": {**SCHEDULE, "start": "2026-02-01T00:00:00", "end": "2026-01-01T00:00:00"}},
        "schedule.end",
        "",
    ),
    "never fires": ({"schedule": {"cron": "0 0 0 30 2 ?"}}, "schedule", ""),
    "two schedules": ({"schedule": {"every": "PT1H", "cron": "0 0 6 * * ?"}}, "schedule", ""),
    "no schedule": ({"schedule": {}}, "schedule", ""),
    "a duration that is none": ({"schedule": {"every": "1h"}}, "schedule.every", "PT"),
    "an unknown kind": ({"target": {"kind": "sqll"}}, "target.kind", "did you mean sql?"),
    "no kind": ({"target": {}}, "target.kind", "sql"),
    "an unknown connection": (
        {"target": {"kind": "sql", "connection": "warehose", "query": "SELECT 1"}},
        "target.connection",
        "warehouse",
    ),
    "an unknown field of a target": (
        {"target": {"kind": "process", "command": ["true"], "shell": True}},
        "target.shell",
        "",
    ),
    "an unknown placeholder": (
        {"target": {"kind": "process", "command": ["echo", "${nominal_tim}"]}},
        "target.command",
        "nominal_time",
    ),
    "a parameter that is not there": (
        {"target": {"kind": "process", "command": ["echo", "${parameters.country}"]}},
        "target.command",
        "country",
    ),
    "a metadata address": (
        {"target": {"kind": "http", "url": "http://169.254.169.254/latest"}},
        "target.url",
        "",
    ),
}


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert (answer.status, answer.body.get("code")) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert answer.body["detail"]
    assert "Traceback" not in json.dumps(answer.body)
    body: dict[str, Any] = answer.body
    return body


def all_of(api: DescribedApi, job: Any) -> Any:
    """The jobs of its name, and its history."""
    return [
        api.get(path)
        for path in (
            f"/jobs?name={job['name']}",
            f"/jobs/{job['id']}/events",
            f"/jobs/{job['id']}/instances",
            f"/jobs/{job['id']}/revisions",
        )
    ]


@pytest.mark.parametrize(("fields", "field", "said"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_definition_that_cannot_be(
    api: DescribedApi,
    name: str,
    submitted: Submitted,
    fields: dict[str, Any],
    field: str,
    said: str,
) -> None:
    job = submitted()
    before = all_of(api, job)
    wrong = {**definition(name), **fields}
    attempts = [("POST", "/jobs", wrong), ("POST", "/jobs?dry_run=true", wrong)]
    attempts += [("PUT", f"/jobs/{job['id']}", wrong)]
    if field not in ("target", "schedule") and fields != {"target": {}}:
        attempts += [("PATCH", f"/jobs/{job['id']}", patch_to(fields))]
    for method, path, body in attempts:
        problems = refused(api(method, path, body), 400, "invalid_input")["problems"]
        named = [one for one in problems if one["field"].startswith(field)]
        assert named, problems
        assert any(said in one["message"] for one in named), problems
    assert all_of(api, job) == before


def patch_to(fields: dict[str, Any]) -> dict[str, Any]:
    """A merge patch after which schedule and target are these, and not those from before as well."""
    before = definition("any")
    patched: dict[str, Any] = {}
    for key, value in fields.items():
        gone = dict.fromkeys(before[key]) if isinstance(value, dict) and key in before else {}
        patched[key] = {**gone, **value} if isinstance(value, dict) else value
    return patched


def test_all_that_is_wrong_is_named_at_once(api: DescribedApi, name: str) -> None:
    wrong = {**definition(name), "nmae": 1, "tags": {"x": 1}, "policies": {"max_active": 0}}
    body = refused(api("POST", "/jobs", wrong), 400, "invalid_input")
    assert {one["field"] for one in body["problems"]} == {"nmae", "tags.x", "policies.max_active"}
    assert all(set(one) == {"field", "message", "value"} for one in body["problems"])


BODIES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"name": ', "line 1"),
    "YAML": (b"name: a\nschedule: {}\n", "not JSON"),
    "NaN": (b'{"name": NaN}', "NaN"),
    "infinity": (b'{"name": Infinity}', "Infinity"),
    "a key given twice": (b'{"name": "a", "name": "b"}', "'name' is given twice"),
    "nested thousands deep": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "64"),
    "arrays nested thousands deep": (b"[" * 300_000, "64"),
    "invalid UTF-8": (b'{"name": "\xff\xfe"}', "UTF-8"),
    "Latin-1": ('{"name": "caf\xe9"}'.encode("latin-1"), "UTF-8"),
    "half a character": (rb'{"name": "\ud800"}', "surrogate"),
    "an array": (b"[]", "an array; send a JSON object"),
    "a text": (b'"hello"', "a text; send a JSON object"),
    "null": (b"null", "null; send a JSON object"),
}
ROUTES_WITH_BODIES = ("POST /jobs", "POST /schedule/preview", "POST /owners", "POST /clock")


@pytest.mark.parametrize("route", ROUTES_WITH_BODIES)
@pytest.mark.parametrize(("raw", "said"), BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_read(api: DescribedApi, route: str, raw: bytes, said: str) -> None:
    method, path = route.split()
    body = refused(api(method, path, raw=raw), 400, "malformed")
    assert said in body["detail"]


def test_a_body_of_a_megabyte(api: DescribedApi, name: str) -> None:
    raw = json.dumps(definition(name, description="x" * 1_000_000)).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
    in_chunks = {"Transfer-Encoding": "chunked"}
    for answer in (
        api("POST", "/jobs", raw=raw),
        api("POST", "/jobs", raw=chunked, headers=in_chunks),
    ):
        assert "1000000" in refused(answer, 413, "too_large")["detail"]
    assert api("GET", f"/jobs/{name}").status == 404


def test_no_body_at_all(api: DescribedApi) -> None:
    body = refused(api("POST", "/jobs"), 400, "invalid_input")
    assert {one["field"] for one in body["problems"]} >= {"name", "schedule", "target"}


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=latin-1"]
)
def test_a_body_that_is_announced_as_something_else(
    api: DescribedApi, name: str, kind: str
) -> None:
    answer = api("POST", "/jobs", definition(name), headers={"Content-Type": kind})
    body = refused(answer, 415, "unsupported_media_type")
    assert "send JSON" in body["detail"]


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/merge-patch+json", ""]
)
def test_json_by_any_of_its_names_is_read(api: DescribedApi, name: str, kind: str) -> None:
    answer = api("POST", "/jobs?dry_run=true", definition(name), headers={"Content-Type": kind})
    assert answer.status == 200


WRONG_STATES = {
    "resume a new one": ([], "resume"),
    "suspend a new one": ([], "suspend"),
    "schedule a suspended one": (["schedule", "suspend"], "schedule"),
    "suspend an expired one": (["expire"], "suspend"),
    "resume an expired one": (["expire"], "resume"),
    "schedule a deleted one": (["DELETE"], "schedule"),
    "suspend a deleted one": (["DELETE"], "suspend"),
    "expire a deleted one": (["DELETE"], "expire"),
    "trigger a deleted one": (["DELETE"], "trigger"),
    "update a deleted one": (["DELETE"], "PUT"),
}


@pytest.mark.parametrize(("before", "command"), WRONG_STATES.values(), ids=WRONG_STATES)
def test_a_command_in_a_wrong_state(
    api: DescribedApi, submitted: Submitted, before: list[str], command: str
) -> None:
    job = submitted()
    path = f"/jobs/{job['id']}"

    def send(verb: str) -> Answer:
        if verb == "DELETE":
            return api("DELETE", path)
        if verb == "PUT":
            return api("PUT", path, definition(job["name"], description="another"))
        return api("POST", f"{path}/{verb}", {})

    for verb in before:
        assert send(verb).status == 200
    there = api.get(path)
    body = refused(send(command), 409, "wrong_state")
    assert there["state"] in body["detail"].upper() or there["state"] == "NEW"
    assert api.get(path) == there


UNKNOWN = "0" * 32


@pytest.mark.parametrize("ref", [UNKNOWN, "no-such-job", "a%2Fb", "%2e%2e", "%C3%A9", "x" * 300])
@pytest.mark.parametrize(
    "route",
    [
        "GET /jobs/{}", "DELETE /jobs/{}", "PATCH /jobs/{}", "POST /jobs/{}/schedule",
        "POST /jobs/{}/suspend", "POST /jobs/{}/resume", "POST /jobs/{}/expire",
        "POST /jobs/{}/trigger", "GET /jobs/{}/upcoming", "GET /jobs/{}/instances",
        "GET /jobs/{}/events", "GET /jobs/{}/revisions", "GET /instances/{}",
        "POST /instances/{}/kill", "POST /instances/{}/rerun", "POST /instances/{}/skip",
        "GET /instances/{}/logs", "GET /instances/{}/result", "GET /owners/{}/members",
        "PUT /owners/{}/members/ann", "DELETE /owners/{}/members/ann",
    ],
)  # fmt: skip
def test_what_is_not_there(api: DescribedApi, route: str, ref: str) -> None:
    method, path = route.format(ref).split()
    body = {"role": "viewer"} if method == "PUT" else None if method in ("GET", "DELETE") else {}
    refused(api(method, path, body), 404, "not_found")


def test_a_variable_that_is_not_utf_8(api: DescribedApi) -> None:
    refused(api("GET", "/jobs/%ff"), 404, "not_found")


@pytest.mark.parametrize("tag", ['"99"', 'W/"1"', '"abc"', "99"])
def test_a_stale_etag(api: DescribedApi, submitted: Submitted, tag: str) -> None:
    job = submitted()
    path, stale = f"/jobs/{job['id']}", {"If-Match": tag}
    changed = definition(job["name"], description="another")
    requests = [
        ("PUT", path, changed),
        ("PATCH", path, {"description": "x"}),
        ("DELETE", path, None),
    ]
    requests += [("POST", f"{path}/{verb}", {}) for verb in ("schedule", "expire")]
    for method, where, body in requests:
        refused(api(method, where, body, headers=stale), 412, "stale_edit")
    assert api.get(path) == job


def test_a_second_job_of_the_same_name(api: DescribedApi, submitted: Submitted, name: str) -> None:
    job = submitted()
    before = all_of(api, job)
    body = refused(api("POST", "/jobs", definition(name)), 409, "name_taken")
    assert name in body["detail"]
    assert all_of(api, job) == before
    other = api("POST", "/jobs", definition(f"{name}-b")).body
    refused(api("PATCH", f"/jobs/{other['id']}", {"name": name}), 409, "name_taken")
    assert api("DELETE", f"/jobs/{job['id']}").status == 200
    assert api("POST", "/jobs", definition(name)).status == 201


QUERIES = {
    "an unknown one": ("/jobs?stat=NEW", "stat", "did you mean state?"),
    "a state that is none": ("/jobs?state=NEU", "state", "NEW"),
    "an instance's state": ("/instances?state=RUNNING,DONE", "state", "SUCCEEDED"),
    "a kind that is none": ("/instances?kind=MANUALLY", "kind", "MANUAL"),
    "a limit of nothing": ("/jobs?limit=0", "limit", "at least 1"),
    "a limit beyond all": ("/jobs?limit=1000000", "limit", "at most 500"),
    "a limit in words": ("/jobs?limit=ten", "limit", "whole number"),
    "a limit of many digits": ("/jobs?limit=" + "9" * 5000, "limit", ""),
    "twice": ("/jobs?name=a&name=b", "name", "more than once"),
    "a cursor that is none": ("/jobs?next=garbage", "next", "no cursor"),
    "a cursor of bytes": ("/jobs?next=%00%ff", "", "query string"),
    "a cursor in another shape": ("/events?next=MTphYmM", "next", "no cursor"),
    "a time that is none": ("/instances?from=yesterday", "from", "yesterday"),
    "a time without an offset": ("/instances?from=2026-01-01T00:00:00", "from", "offset"),
    "a time beyond all": ("/instances?to=99999999999999999", "to", ""),
    "a number below nothing": ("/instances?from=-5", "from", "at least 0"),
    "a boolean that is none": ("/jobs/x?kill=maybe", "kill", "true or false"),
    "two owners": ("/jobs?owner=a", "owner", "X-Noonday-Owner"),
}


@pytest.mark.parametrize(("path", "field", "said"), QUERIES.values(), ids=QUERIES)
def test_a_query_that_cannot_be(api: DescribedApi, path: str, field: str, said: str) -> None:
    method = "DELETE" if "kill" in path else "GET"
    headers = {"X-Noonday-Owner": "b"} if "owner=" in path else None
    answer = api(method, path, headers=headers)
    if not field:
        assert said in refused(answer, 400, "malformed")["detail"]
        return
    [problem] = refused(answer, 400, "invalid_input")["problems"]
    assert problem["field"].startswith(field)
    assert said in problem["message"]


def test_more_parameters_than_anybody_needs(api: DescribedApi) -> None:
    refused(api("GET", "/jobs?" + "&".join(f"a{n}=1" for n in range(300))), 400, "malformed")


COMMANDS = {
    "an unknown field": ("suspend", {"untill": 5}, "untill", "did you mean until?"),
    "a time that is past": ("suspend", {"until": "2020-01-01T00:00:00Z"}, "until", "future"),
    "a time that is none": ("suspend", {"until": "tomorrow"}, "until", ""),
    "a mode that is none": ("resume", {"catch_up": "some"}, "catch_up", ""),
    "a reason that is none": ("schedule", {"reason": 5}, "reason", "must be text"),
    "a reason too long": ("schedule", {"reason": "x" * 5000}, "reason", "1000"),
    "no nominal time": ("trigger", {"nominal_time": "2026-01-01T00:00:01Z"}, "nominal_time", ""),
    "two times": ("trigger", {"nominal_time": 3_600_000, "nominal_ms": 0}, "nominal_ms", ""),
    "an unknown parameter": ("trigger", {"parameters": {"x": 1}}, "parameters.x", ""),
    "a parameter of no type": ("trigger", {"parameters": {"x": []}}, "parameters.x", "must be"),
}


@pytest.mark.parametrize(("command", "body", "field", "said"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_cannot_be(
    api: DescribedApi, submitted: Submitted, command: str, body: Any, field: str, said: str
) -> None:
    job = submitted(scheduled=True)
    path = f"/jobs/{job['id']}"
    if command == "resume":
        job = api("POST", f"{path}/suspend", {}).body
    [problem] = refused(api("POST", f"{path}/{command}", body), 400, "invalid_input")["problems"]
    assert problem["field"] == field
    assert said in problem["message"]
    assert api.get(path) == job


PREVIEWS = {
    "no schedule": ({}, "schedule"),
    "an impossible cron": ({"schedule": {"cron": "x"}}, "schedule.cron"),
    "an impossible zone": (
        {"schedule": {"every": "PT1H", "timezone": "Mars"}},
        "schedule.timezone",
    ),
    "a time that is none": ({"schedule": SCHEDULE, "after": "now"}, "after"),
    "too many": ({"schedule": SCHEDULE, "count": 100_000}, "count"),
}


@pytest.mark.parametrize(("body", "field"), PREVIEWS.values(), ids=PREVIEWS)
def test_a_preview_that_cannot_be(api: DescribedApi, body: Any, field: str) -> None:
    problems = refused(api("POST", "/schedule/preview", body), 400, "invalid_input")["problems"]
    assert [one["field"] for one in problems] == [field]


def test_keys_of_repeated_requests(api: DescribedApi, name: str) -> None:
    for key in ("", "x" * 201, "a b"):
        answer = api("POST", "/jobs", definition(name), headers={"Idempotency-Key": key})
        [problem] = refused(answer, 400, "invalid_input")["problems"]
        assert problem["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs", "GET, POST"),
        ("POST", "/jobs/x", "DELETE, GET, PATCH, PUT"),
        ("GET", "/jobs/x/trigger", "POST"),
        ("DELETE", "/health", "GET"),
        ("BREW", "/jobs", "GET, POST"),
        ("OPTIONS", "/jobs", "GET, POST"),
    ],
)
def test_another_method(api: DescribedApi, method: str, path: str, allowed: str) -> None:
    answer = api(method, path)
    body = refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
    assert allowed in body["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/job", "/jobs/a/b", "/jobs//events", "/JOBS", "/jobs/a/b/c/d"]
)
def test_a_route_that_is_not_there(api: DescribedApi, path: str) -> None:
    refused(api("GET", path), 404, "not_found")
