"""Who may do what: no answer without a principal, nothing of other owners, roles have their limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import definition
from tests.api.described import DescribedApi

PUBLIC = {("get", "/health"), ("get", "/openapi.json")}
BY_RUN = ("post", "/runs/{token}/callback")


def routes(api: DescribedApi) -> list[tuple[str, str]]:
    return [(method, path) for path, item in api.description["paths"].items() for method in item]


def test_every_route_but_the_public_ones_needs_a_principal(api: DescribedApi) -> None:
    for method, route in routes(api):
        if (method, route) == BY_RUN:
            continue
        path = route.replace("{", "").replace("}", "")
        for token in ("", "wrong", "noonday_" + "0" * 64):
            answer = api(method.upper(), path, token=token)
            if (method, route) in PUBLIC:
                assert answer.status == 200
            else:
                assert (answer.status, answer.body["code"]) == (401, "unauthenticated"), route
                assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_callback_needs_the_credential_of_its_run_and_no_principal_will_do(
    api: DescribedApi,
) -> None:
    path = f"/runs/{'0' * 32}-1/callback"
    for token in ("", "wrong", "noonday_" + "0" * 64, api.server.token):
        answer = api("POST", path, {"report": "running"}, token=token)
        assert (answer.status, answer.body["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Basic bG9jYWw6eA==", "Bearer", "Bearer  ", "TOKEN", "bearer\tx", "Bearer é"]
)
def test_anything_but_a_bearer_token_is_nobody(api: DescribedApi, header: str) -> None:
    headers = {"Authorization": header.encode("utf-8").decode("latin-1")}
    assert api("GET", "/jobs", token="", headers=headers).status == 401


def test_two_tokens_are_none(api: DescribedApi) -> None:
    """Proxies differ in which of two headers they look at."""
    connection = api.server.connect()
    connection.putrequest("GET", "/jobs")
    connection.putheader("Authorization", f"Bearer {api.server.token}")
    connection.putheader("Authorization", "Bearer another")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


def test_what_is_wrong_with_a_body_is_told_only_to_those_who_may_know(api: DescribedApi) -> None:
    assert api("POST", "/jobs", raw=b"{", token="").status == 401


@pytest.fixture
def people(api: DescribedApi, name: str) -> dict[str, str]:
    """An owner of the test's own, and a token of each role in it, and of somebody outside."""
    assert api("POST", "/owners", {"name": name}).status == 201
    tokens = {}
    for role in ("viewer", "operator", "owner", "stranger"):
        principal = f"{role}-of-{name}"
        answer = api("POST", "/tokens", {"name": principal})
        assert answer.status == 201
        tokens[role] = answer.body["token"]
        if role != "stranger":
            path = f"/owners/{name}/members/{principal}"
            assert api("PUT", path, {"role": role}).body["role"] == role
    return tokens


def test_who_one_is(api: DescribedApi, name: str, people: dict[str, str]) -> None:
    me = {"name": "local", "admin": True, "roles": {}, "owner": "default"}
    assert api.get("/whoami") == me
    who = api.get("/whoami", token=people["viewer"])
    one = {"name": f"viewer-of-{name}", "admin": False, "roles": {name: "viewer"}}
    assert who == {**one, "owner": name}


def test_roles_have_their_limits(api: DescribedApi, name: str, people: dict[str, str]) -> None:
    def status(role: str, method: str, path: str, body: Any = None) -> int:
        return api(method, path, body, token=people[role]).status

    assert status("viewer", "POST", "/jobs", definition(name)) == 403
    assert status("operator", "POST", "/jobs", definition(name)) == 403
    assert status("owner", "POST", "/jobs", definition(name)) == 201
    job = api.get(f"/jobs/{name}:{name}")
    assert job["owner"] == name
    path = f"/jobs/{job['id']}"
    assert status("viewer", "GET", path) == 200
    assert status("viewer", "POST", f"{path}/schedule", {}) == 403
    assert status("operator", "POST", f"{path}/schedule", {}) == 200
    assert status("operator", "PATCH", path, {"description": "x"}) == 403
    assert status("owner", "PATCH", path, {"description": "x"}) == 200
    assert status("operator", "PUT", f"/owners/{name}/members/x", {"role": "viewer"}) == 403
    assert status("owner", "POST", "/tokens", {"name": "x"}) == 403
    assert status("owner", "POST", "/owners", {"name": "x"}) == 403
    assert status("owner", "POST", "/clock", {"advance": "PT1S"}) == 403


def test_what_belongs_to_others_does_not_exist(
    api: DescribedApi, name: str, people: dict[str, str]
) -> None:
    job = api("POST", "/jobs", definition(name), headers={"X-Noonday-Owner": name}).body
    run = api("POST", f"/jobs/{job['id']}/trigger", {}).body
    instance = run["id"]
    stranger = people["stranger"]
    for path in (f"/jobs/{job['id']}", f"/jobs/{name}", f"/jobs/{name}:{name}"):
        for question in (path, f"{path}/events", f"{path}/instances", f"{path}/revisions"):
            assert api("GET", question, token=stranger).status == 404
        assert api("DELETE", path, token=stranger).status == 404
    for verb in ("", "/logs", "/result"):
        assert api("GET", f"/instances/{instance}{verb}", token=stranger).status == 404
    assert api("POST", f"/instances/{instance}/kill", {}, token=stranger).status == 404
    assert api("GET", f"/owners/{name}/members", token=stranger).status == 404
    for listing in ("/jobs", "/instances", "/events", "/owners"):
        assert api.get(f"{listing}", token=stranger)["items"] == []
        assert name not in json.dumps(api.get(listing, token=stranger))
    assert api.get(f"/jobs?owner={name}", token=stranger)["items"] == []


def test_members_come_and_go(api: DescribedApi, name: str, people: dict[str, str]) -> None:
    path = f"/owners/{name}/members"
    roles = {one["principal"]: one["role"] for one in api.get(path)["items"]}
    assert roles == {f"{role}-of-{name}": role for role in ("viewer", "operator", "owner")}
    gone = f"{path}/viewer-of-{name}"
    assert api("DELETE", gone, token=people["owner"]).status == 204
    assert api("DELETE", gone, token=people["owner"]).status == 404
    assert api.get("/whoami", token=people["viewer"])["roles"] == {}
    wrong = api("PUT", f"{path}/x", {"role": "king"})
    assert wrong.body["problems"][0]["field"] == "role"


def test_where_one_has_several_owners_one_is_chosen(
    api: DescribedApi, name: str, people: dict[str, str]
) -> None:
    other = f"{name}-b"
    api("POST", "/owners", {"name": other})
    api("PUT", f"/owners/{other}/members/owner-of-{name}", {"role": "owner"})
    token = people["owner"]
    unclear = api("POST", "/jobs", definition(name), token=token)
    assert (unclear.status, unclear.body["problems"][0]["field"]) == (400, "owner")
    for owner in (name, other):
        made = api("POST", f"/jobs?owner={owner}", definition(name), token=token)
        assert (made.status, made.body["owner"]) == (201, owner)
    assert api("GET", f"/jobs/{name}", token=token).status == 409
    chosen = api("GET", f"/jobs/{name}", token=token, headers={"X-Noonday-Owner": other})
    assert chosen.body["owner"] == other


def test_tokens_are_shown_once_and_kept_as_a_hash(
    api: DescribedApi, people: dict[str, str]
) -> None:
    database = b"".join(path.read_bytes() for path in api.server.folder.glob("noonday.db*"))
    for token in (api.server.token, *people.values()):
        assert token.encode() not in database
        assert token not in api.server.log
