"""ID tokens of a user pool: kept, shown without being shown, and refused before they are sent in vain."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from cli.identity_tokens import read_token
from cli.main import main
from tests.cli.stand_in import StandIn


def token(**claims: Any) -> str:
    said = {"token_use": "id", "cognito:username": "ann", "exp": time.time() + 3600, **claims}
    pieces = [{"alg": "RS256", "kid": "x"}, said]
    coded = [base64.urlsafe_b64encode(json.dumps(piece).encode()).decode() for piece in pieces]
    return ".".join([*(piece.rstrip("=") for piece in coded), "signature"])


def run(*arguments: str, stdin: str = "", monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    return main(arguments)


@pytest.fixture
def profile(server: StandIn, home: Path) -> Path:
    server.on("GET /whoami", {"name": "user:ann"})
    assert main(["config", "set", "url", server.url]) == 0
    return home / "config" / "noonday" / "profiles.json"


def test_a_token_is_kept_and_sent_as_it_is(
    profile: Path,
    server: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = token()
    assert run("login", stdin=f"{good}\n", monkeypatch=monkeypatch) == 0
    assert "signed in as ann until 20" in capsys.readouterr().err
    assert main(["whoami"]) == 0
    assert server.asked[-1].headers["authorization"] == good
    assert json.loads(profile.read_text())["profiles"]["local"]["auth"] == "cognito"
    capsys.readouterr()
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "auth         cognito (from profile local)" in shown
    assert "ann, until 20" in shown
    assert good not in shown
    assert main(["logout"]) == 0
    assert main(["whoami"]) == 0
    assert "authorization" not in server.asked[-1].headers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("not-a-token", "no ID token"),
        ("a.b.c", "no ID token"),
        ("e30.W10.x", "no ID token"),
        (token(token_use="access"), "access token"),
        (token(exp=1_000_000_000), "has expired"),
    ],
)
def test_what_is_no_token_is_not_kept(
    profile: Path,
    text: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = profile.read_text()
    assert run("login", stdin=f"{text}\n", monkeypatch=monkeypatch) == 2
    told = capsys.readouterr().err
    assert words in told
    assert not text or len(text) < 20 or text not in told
    assert profile.read_text() == before


@pytest.mark.usefixtures("profile")
def test_a_token_that_has_ended_is_not_sent(
    server: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("login", stdin=token(), monkeypatch=monkeypatch) == 0
    monkeypatch.setenv("NOONDAY_TOKEN", token(exp=time.time() - 7200))
    assert main(["whoami"]) == 1
    told = capsys.readouterr().err
    assert "NOONDAY_TOKEN" in told
    assert "has expired, 2h ago" in told
    assert "noonday login" in told
    assert server.asked == []
    assert main(["config", "show"]) == 0
    assert "expired 20" in capsys.readouterr().out


def test_at_an_address_of_api_gateway_a_token_is_an_id_token_and_none_is_a_signature(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOONDAY_URL", "https://a.execute-api.eu-central-1.amazonaws.com/api")
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "auth         iam (from the address)" in shown
    assert "region       eu-central-1" in shown
    monkeypatch.setenv("NOONDAY_TOKEN", token())
    assert main(["config", "show"]) == 0
    assert "auth         cognito" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "a.b", "....", "e30.e30", "é.é.é", f"{'A' * 9}.x.y"])
def test_what_is_no_json_web_token_is_none(text: str) -> None:
    assert read_token(text) is None


def test_a_token_that_says_nothing_is_still_one() -> None:
    found = read_token("e30.e30.x")
    assert found is not None
    assert (found.name, found.use, found.ends_s) == (None, None, None)
