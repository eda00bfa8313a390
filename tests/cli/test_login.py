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
from tests.cli.stand_in import Answer, StandIn


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


REGION = "eu-central-1"


class APool:
    """A user pool's answers, in order; what it was asked."""

    def __init__(self, server: StandIn) -> None:
        self.server = server

    def answers(self, *documents: dict[str, Any], status: int = 200) -> None:
        self.server.then(*(Answer(status, document) for document in documents))

    @property
    def asked(self) -> list[tuple[str, Any]]:
        return [
            (one.headers["x-amz-target"].rpartition(".")[2], one.document)
            for one in self.server.asked
            if "x-amz-target" in one.headers
        ]


@pytest.fixture
def pool(profile: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> APool:
    """At the same address as the server: the environment says where, as it does to the AWS CLI."""
    del profile
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", server.url)
    return APool(server)


def signed_in(identity: str, refresh: str | None = "refresh-1") -> dict[str, Any]:
    given = {"IdToken": identity, "AccessToken": "x"}
    return {"AuthenticationResult": given | ({"RefreshToken": refresh} if refresh else {})}


SIGN_IN = ("login", "--user", "ann", "--client-id", "client", "--region", REGION)


def test_a_user_signs_in_and_stays_so(
    pool: APool, profile: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pool.answers(signed_in(token(exp=time.time() + 30)))
    assert run(*SIGN_IN, stdin=" a secret \n", monkeypatch=monkeypatch) == 0
    told = capsys.readouterr()
    assert "signed in as ann until" in told.err
    assert "renewed from then on" in told.err
    [(operation, document)] = pool.asked
    assert operation == "InitiateAuth"
    assert document["AuthParameters"] == {"USERNAME": "ann", "PASSWORD": " a secret "}
    assert profile.stat().st_mode & 0o777 == 0o600
    assert "a secret" not in profile.read_text()
    fresh = token(exp=time.time() + 3600, jti="2")
    pool.answers(signed_in(fresh, None))
    for _ in range(2):  # which is renewed once
        assert main(["whoami"]) == 0
        assert server.asked[-1].headers["authorization"] == fresh
    assert [operation for operation, _ in pool.asked] == ["InitiateAuth"] * 2
    assert pool.asked[1][1]["AuthParameters"] == {"REFRESH_TOKEN": "refresh-1"}
    capsys.readouterr()
    for form in ("table", "json"):
        assert main(["config", "show", "-o", form]) == 0
        assert "refresh-1" not in capsys.readouterr().out


def test_a_new_password_and_a_code_are_asked_for(
    pool: APool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.answers(
        {
            "ChallengeName": "NEW_PASSWORD_REQUIRED",
            "Session": "s1",
            "ChallengeParameters": {"USER_ID_FOR_SRP": "ann-id"},
        },
        {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s2"},
        signed_in(token()),
    )
    assert run(*SIGN_IN, stdin="old\nnew\n123456\n", monkeypatch=monkeypatch) == 0
    _, (_, first), (_, second) = pool.asked
    assert first["ChallengeResponses"] == {"USERNAME": "ann-id", "NEW_PASSWORD": "new"}
    assert (first["Session"], second["Session"]) == ("s1", "s2")
    assert second["ChallengeResponses"]["SOFTWARE_TOKEN_MFA_CODE"] == "123456"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(400, {"__type": "NotAuthorizedException", "message": "Incorrect"}), "Incorrect"),
        (Answer(400, {"__type": "ResourceNotFoundException", "message": "no"}), "UserPoolClientId"),
        (Answer(200, {"ChallengeName": "DEVICE_SRP_AUTH"}), "DEVICE_SRP_AUTH"),
        (Answer(200, {"AuthenticationResult": {}}), "no ID token"),
        (Answer(200, []), "no user pool"),
        (Answer(200, body=b"<html>"), "no user pool"),
    ],
)
def test_a_pool_that_refuses_is_quoted(
    pool: APool,
    profile: Path,
    answer: Answer,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = profile.read_text()
    pool.server.then(answer)
    assert run(*SIGN_IN, stdin="hunter2\n", monkeypatch=monkeypatch) == 1
    told = capsys.readouterr().err
    assert words in told
    assert "hunter2" not in told
    assert profile.read_text() == before


def test_who_is_not_signed_in_any_more_is_told_so(
    pool: APool,
    server: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool.answers(signed_in(token(exp=time.time() + 30)))
    assert run(*SIGN_IN, stdin="secret\n", monkeypatch=monkeypatch) == 0
    pool.answers(
        {"__type": "NotAuthorizedException", "message": "Refresh Token has expired"}, status=400
    )
    assert main(["whoami"]) == 1
    told = capsys.readouterr().err
    assert "you are not signed in any more" in told
    assert "Refresh Token has expired" in told
    assert "noonday login" in told
    assert "authorization" not in server.asked[-1].headers


def test_whoever_leaves_is_renewed_no_more(
    pool: APool,
    profile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool.answers(signed_in(token()))
    assert run(*SIGN_IN, stdin="secret\n", monkeypatch=monkeypatch) == 0
    pool.answers({})
    assert main(["logout"]) == 0
    assert pool.asked[-1] == ("RevokeToken", {"Token": "refresh-1", "ClientId": "client"})
    assert "refresh-1" not in profile.read_text()
    pool.answers(signed_in(token()))
    assert run("login", "--user", "ann", stdin="secret\n", monkeypatch=monkeypatch) == 0
    pool.answers({"__type": "TooManyRequestsException", "message": "slow down"}, status=400)
    assert main(["logout"]) == 0
    assert "could not be revoked" in capsys.readouterr().err
    assert "refresh-1" not in profile.read_text()


def test_a_token_of_ones_own_ends_what_was_renewed(
    pool: APool, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.answers(signed_in(token()))
    assert run(*SIGN_IN, stdin="secret\n", monkeypatch=monkeypatch) == 0
    assert run("login", stdin=token(), monkeypatch=monkeypatch) == 0
    assert "refresh-1" not in profile.read_text()


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("login", "--user", "ann", "--region", REGION), "UserPoolClientId"),
        (("login", "--user", "ann", "--client-id", "x"), "--region"),
        (("login", "--client-id", "x"), "--user"),
        (SIGN_IN, "password is empty"),
    ],
)
def test_what_is_missing_is_named(
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*arguments, monkeypatch=monkeypatch) == 2
    assert words in capsys.readouterr().err
