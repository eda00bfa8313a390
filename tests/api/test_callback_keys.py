"""Keys of callbacks over REST, and what a callback is told before and after anybody looks at what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import START, START_MS
from tests.api.described import DescribedApi, described
from tests.local.server import serving

PATH = f"/runs/{'0' * 32}-1/callback"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[DescribedApi]:
    with serving(tmp_path, "--clock", START) as server:
        yield described(server)


def test_keys_are_listed_rotated_and_revoked_by_admins(alone: DescribedApi) -> None:
    assert alone.get("/callback-keys") == {"items": [], "next": None}
    [first] = alone("POST", "/callback-keys/rotate", {}).body["items"]
    assert (first["use"], first["created_by"], first["created_ms"]) == ("signs", "local", START_MS)
    assert (first["retired_ms"], first["until_time"]) == (None, None)
    alone("POST", "/clock", {"advance": "PT1H"})
    new, old = alone("POST", "/callback-keys/rotate", {"reason": "each quarter"}).body["items"]
    assert (new["use"], old["use"], old["id"]) == ("signs", "vouches", first["id"])
    assert old["retired_time"] == "2026-01-01T01:00:00Z"
    assert old["until_time"] == "2027-01-02T01:00:00Z"
    assert alone.get("/callback-keys")["items"] == [new, old]
    revoked = alone("POST", "/callback-keys/rotate", {"revoke": True}).body["items"]
    assert [one["use"] for one in revoked] == ["signs"]
    verbs = [one["verb"] for one in alone.get("/events")["items"]]
    assert verbs == ["REVOKE_CALLBACK_KEYS", "ROTATE_CALLBACK_KEY", "ROTATE_CALLBACK_KEY"]


def test_nobody_else_sees_or_changes_them(alone: DescribedApi) -> None:
    token = alone("POST", "/tokens", {"name": "vera"}).body["token"]
    assert alone("GET", "/callback-keys", token=token).status == 403
    assert alone("POST", "/callback-keys/rotate", {}, token=token).status == 403
    assert alone.get("/callback-keys")["items"] == []


@pytest.mark.parametrize("body", [{"revoke": "yes"}, {"revoke": 1}, {"keys": []}, {"reason": 5}])
def test_what_is_no_rotation(api: DescribedApi, body: object) -> None:
    assert api("POST", "/callback-keys/rotate", body).status == 400


BODIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "no report": b"{}",
    "another report": b'{"report": "done"}',
    "an unknown field": b'{"report": "running", "x": 1}',
    "a long message": json.dumps({"report": "running", "message": "x" * 1001}).encode(),
    "nothing": b"",
    "no UTF-8": b"\xff",
}


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("token", ["", "wrong", f"noonday1.0123456789ab.ffffffff.{'A' * 43}"])
def test_what_is_wrong_with_a_report_is_told_only_to_its_target(
    api: DescribedApi, raw: bytes, token: str
) -> None:
    for path in (PATH, f"{PATH}?owner=x&y=1", "/runs/x/callback", "/runs/%FF/callback"):
        answer = api("POST", path, raw=raw, token=token)
        expected = 404 if "%FF" in path else 401
        assert answer.status == expected, (path, answer.body)


def test_a_report_that_is_too_long_is_not_read(api: DescribedApi) -> None:
    raw = json.dumps({"report": "running", "message": "x" * 16_384}).encode()
    for token in ("", api.server.token):
        assert api("POST", PATH, raw=raw, token=token).status == 413


def test_the_description_says_that_the_run_s_token_is_shown(api: DescribedApi) -> None:
    route: dict[str, Any] = api.description["paths"]["/runs/{token}/callback"]["post"]
    assert route["security"] == []
    assert {"401", "404", "409", "413"} <= set(route["responses"])
