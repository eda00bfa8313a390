"""Signatures against somebody who recomputes them, and what is said when credentials or permissions lack."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from app import app
from chalicelib import wiring
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.manual_clock import ManualClock
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import read_settings
from chalicelib.store import open_store
from cli.client import Client, path
from cli.errors import Failure
from cli.gateway import explain, gateways_word, region_of
from cli.main import main
from cli.session import Access
from cli.transport import Patience, Response
from tests.cli.conftest import Ran
from tests.cli.front import REGION, App, Front, Keys, Refused, echo, serving

ANN = "arn:aws:sts::123456789012:assumed-role/Scheduling/ann"
BOB = "arn:aws:iam::123456789012:user/people/Bob"
KEYS = {
    "AKIALASTING": Keys("a/secret+with=signs", BOB),
    "ASIATEMPORARY": Keys("another", ANN, token="a/session+token==" * 20),
    "ASIAEXPIRED": Keys("third", ANN, token="old", ends_s=1_000_000_000.0),
    "AKIANOTALLOWED": Keys("fourth", BOB, invokes=False),
}
_INHERITED = ("PROFILE", "REGION", "DEFAULT_REGION", "SESSION_TOKEN", "ROLE_ARN", "ENDPOINT_URL")

Become = Callable[..., None]


@pytest.fixture(autouse=True)
def aws_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test finds the credentials of the person, or of the machine, that runs it."""
    for name in (*_INHERITED, "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CREDENTIALS_FULL_URI", "CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(f"AWS_CONTAINER_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    return home


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    def become(key: str, *, secret: str | None = None) -> None:
        known = KEYS.get(key, Keys("nobody's", ""))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret or known.secret)
        if known.token:
            monkeypatch.setenv("AWS_SESSION_TOKEN", known.token)

    return become


@pytest.fixture
def front() -> Iterator[Front]:
    with serving(Front(KEYS, echo)) as front:
        yield front


@pytest.fixture
def client(front: Front) -> Iterator[Client]:
    access = Access(front.url, None, "finance", auth="iam", region=REGION)
    client = Client(access, patience=Patience(pause=lambda _: None))
    yield client
    client.close()


@pytest.mark.parametrize("key", ["AKIALASTING", "ASIATEMPORARY"])
@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with space",
        "a/b@2026-01-01T00:00:00+01:00",
        "ümläut ☀",
        "100%",
        "a+b",
        "~tilde.-_",
        "(a)*'!",
        "a..b",
        "a;b=c&d?e#f",
    ],
)
def test_paths_and_queries_are_signed_as_they_are_sent(
    client: Client, become: Become, key: str, name: str
) -> None:
    become(key)
    query = {"name": name, "next": f"{name}==", "empty": "", "state": ["NEW", "EXPIRED"], "a": 1}
    answer = client.get(path("jobs", name), query)
    assert answer["arn"] == KEYS[key].arn


@pytest.mark.parametrize("body", [None, {}, {"name": "ümläut", "text": "x" * 100_000}])
def test_bodies_are_signed(client: Client, become: Become, body: object) -> None:
    become("AKIALASTING")
    client.post("/jobs", body)
    client.put("/jobs/a", body or {}, if_match='W/"3"')
    client.patch("/jobs/a", body or {})
    client.delete("/jobs/a")


def test_a_request_that_was_changed_on_its_way_is_not_let_in(front: Front, become: Become) -> None:
    """The verifier of these tests is worth something."""
    become("AKIALASTING")
    access = Access(front.url, None, None, auth="iam", region=REGION)
    client = Client(access)
    assert client._signer is not None
    sign = client._signer.headers

    def tampered(method: str, url: str, headers: Any, body: bytes | None) -> dict[str, str]:
        return sign(method, f"{url}?more=1", headers, body)

    client.transport._sign = tampered
    with closing(client.transport), pytest.raises(Failure, match="does not fit"):
        client.get("/jobs")


def test_a_request_is_signed_again_when_it_is_sent_again(
    front: Front, client: Client, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("AKIALASTING")
    front.refuse = [Refused(503, "ServiceUnavailableException", "Service Unavailable")]
    signed: list[str] = []
    assert client._signer is not None
    sign = client._signer.headers

    def noted(*request: Any) -> dict[str, str]:
        headers = sign(*request)
        signed.append(headers["Authorization"])
        return headers

    monkeypatch.setattr(client.transport, "_sign", noted)
    assert client.post("/jobs", {})["arn"] == BOB
    assert len(signed) == 2
    first, second = (request.header("idempotency-key") for request in front.seen)
    assert first == second


def refused(client: Client) -> tuple[str, str]:
    with pytest.raises(Failure) as caught:
        client.get("/jobs")
    return caught.value.message, caught.value.hint or ""


def test_expired_credentials_are_told_apart(client: Client, become: Become) -> None:
    become("ASIAEXPIRED")
    message, hint = refused(client)
    assert "have expired" in message
    assert "aws sso login" in hint


def test_unknown_credentials_are_told_apart(client: Client, become: Become) -> None:
    become("AKIANOBODY")
    message, _ = refused(client)
    assert "does not know these credentials" in message


def test_a_wrong_secret_is_told_apart(client: Client, become: Become) -> None:
    become("AKIALASTING", secret="wrong")
    message, hint = refused(client)
    assert "does not fit the request" in message
    assert "secret key" in hint


def test_a_clock_that_is_wrong_is_told(front: Front, client: Client, become: Become) -> None:
    become("AKIALASTING")
    front.skew_s = 3600
    message, hint = refused(client)
    assert "too old or too new" in message
    assert "clock" in hint


def test_who_may_not_call_the_api_is_told_who_it_is(
    client: Client, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("AKIANOTALLOWED")
    message, hint = refused(client)
    assert "IAM does not let you" in message
    assert BOB in message
    assert "execute-api:Invoke" in hint
    monkeypatch.setattr("cli.signing.Signer.caller", lambda _: ANN)
    assert f"you are {ANN}" in refused(client)[1]


def test_without_credentials_nothing_is_sent(front: Front, client: Client) -> None:
    message, hint = refused(client)
    assert "credentials of AWS are needed" in message
    assert "aws sso login" in hint
    assert front.seen == []


def test_a_profile_of_aws_that_is_not_there_is_named(front: Front) -> None:
    access = Access(front.url, None, None, auth="iam", region=REGION, aws_profile="work")
    message, hint = refused(Client(access))
    assert "work" in message
    assert "aws-profile" in hint


def test_a_profile_of_aws_is_used_with_its_region(front: Front, aws_home: Path) -> None:
    keys = "[work]\naws_access_key_id = AKIALASTING\naws_secret_access_key = a/secret+with=signs\n"
    (aws_home / "aws-credentials").write_text(keys)
    (aws_home / "aws-config").write_text(f"[profile work]\nregion = {REGION}\n")
    access = Access(front.url, None, None, auth="iam", aws_profile="work")
    with closing(Client(access)) as client:
        assert client.get("/jobs")["arn"] == BOB


def test_a_sign_in_that_has_ended_names_the_command(front: Front, aws_home: Path) -> None:
    (aws_home / "aws-config").write_text(
        "[profile work]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Scheduling\n"
    )
    access = Access(front.url, None, None, auth="iam", region=REGION, aws_profile="work")
    message, hint = refused(Client(access))
    assert "sign-in to AWS has ended" in message
    assert hint == "aws sso login --profile work"


def test_half_of_the_credentials_is_none(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALASTING")
    message, _ = refused(client)
    assert "credentials of AWS" in message


def test_a_broken_file_of_aws_is_told(client: Client, aws_home: Path) -> None:
    (aws_home / "aws-config").write_text("this is no configuration")
    message, _ = refused(client)
    assert "aws-config" in message


def test_a_region_that_nobody_named_is_asked_for(front: Front, become: Become) -> None:
    become("AKIALASTING")
    message, hint = refused(Client(Access(front.url, None, None, auth="iam")))
    assert "region" in message
    assert "config set region" in hint


def test_without_botocore_the_command_that_installs_it_is_named(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def importing(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("botocore"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", importing)
    _, hint = refused(client)
    assert hint == "pip install 'noonday[cli,aws]'"


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://a1b2c3.execute-api.eu-central-1.amazonaws.com/api", "eu-central-1"),
        ("https://A1B2C3.Execute-API.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/api", "cn-north-1"),
        ("https://vpce-1-2.execute-api.eu-west-1.vpce.amazonaws.com/api", "eu-west-1"),
        ("https://a.execute-api.eu-central-1.amazonaws.com.evil.example", None),
        ("https://noonday.example.com", None),
        ("http://127.0.0.1:8080", None),
        ("https://[", None),
    ],
)
def test_the_address_of_an_api_says_its_region(url: str, region: str | None) -> None:
    assert region_of(url) == region


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, {"message": "Forbidden"}, "ForbiddenException", "before anybody looked"),
        (
            403,
            {"message": "Missing Authentication Token"},
            "MissingAuthenticationTokenException",
            "",
        ),
        (401, {"message": "The incoming token has expired"}, "UnauthorizedException", "expired"),
        (429, {"message": "Too Many Requests"}, "TooManyRequestsException", "no more requests"),
        (502, {"message": "Internal server error"}, "InternalServerErrorException", "no answer of"),
        (504, {"message": "Endpoint request timed out"}, "", "timed out"),
        (413, {"message": "Request Too Long"}, "RequestTooLargeException", "Request Too Long"),
        (403, {"message": None}, "", "403"),
    ],
)
def test_what_api_gateway_says_is_explained(
    status: int, body: object, kind: str, words: str
) -> None:
    headers = {"x-amzn-requestid": "some-id", "x-amzn-errortype": kind}
    word = gateways_word(Response(status, headers, json.dumps(body).encode()))
    assert word is not None
    assert words in explain(status, *word, "cognito").message


def test_other_answers_are_not_taken_for_its() -> None:
    for body in (b"<html>", b"[]", b'{"message": "x", "items": []}', b'{"message": "x"}'):
        assert gateways_word(Response(403, {}, body)) is None


def nobody() -> NoReturn:
    raise Unavailable("the test is over")


class Nowhere:
    """Queue and alarm: what is due is not the business of these tests."""

    def send(self, *_: object) -> None:
        pass

    def wake(self, *_: object) -> None:
        pass


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``noonday ARGUMENTS`` with the profile that leads to Noonday behind API Gateway."""
    environ = {"NOONDAY_AUTH": "iam", "NOONDAY_ADMINS": "role:scheduling"}
    nowhere = Nowhere()
    transport = wiring.Transport(queue=nowhere, alarm=nowhere, stops=RunsInThisProcess())
    clock = ManualClock(1_767_225_600_000)
    with (
        closing(open_store(f"sqlite:///{tmp_path}/noonday.db")) as store,
        (tmp_path / "log").open("w") as file,
    ):
        store.migrate(clock.now_ms())
        log = JsonLog(file, "info", clock.now_ms)
        noonday = wiring.compose(read_settings(environ), store, clock, transport, log)
        wiring.provide(lambda: noonday)
        with serving(Front(KEYS, App(app))) as front:
            for setting in (("url", front.url), ("auth", "iam"), ("region", REGION)):
                assert main(["config", "set", *setting]) == 0

            def run(*arguments: str) -> Ran:
                capsys.readouterr()
                code = main(arguments)
                captured = capsys.readouterr()
                return Ran(code, captured.out, captured.err)

            yield run
        wiring.provide(nobody)


JOB = """
name: nightly
description: "what was sold (ä)"
schedule: {every: PT1H, start: "2026-06-01T00:00:00Z"}
target: {kind: http, url: "https://example.com/"}
"""


def test_a_job_is_submitted_by_whoever_signed(run: Run, become: Become, tmp_path: Path) -> None:
    become("ASIATEMPORARY")
    assert "role:scheduling/ann" in run("whoami").out
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    assert run("owner", "create", "finance").code == 0
    created = run("job", "submit", str(tmp_path / "job.yaml"), "--schedule", "--owner", "finance")
    assert created.code == 0, created.err
    shown = run("job", "show", "nightly", "--owner", "finance", "-o", "json")
    assert shown.document["state"] == "SCHEDULED"
    listed = run("job", "list", "--owner", "finance", "-o", "json")
    assert [job["name"] for job in listed.document["items"]] == ["nightly"]
    assert run("job", "suspend", "nightly", "--owner", "finance").code == 0


def test_who_is_nobody_here_is_told_who_it_is(
    run: Run, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("AKIALASTING")
    monkeypatch.setattr("cli.signing.Signer.caller", lambda _: BOB)
    assert "user:bob" in run("whoami").out
    refused = run("owner", "create", "mine")
    assert refused.code == 1
    assert f"you are {BOB}" in refused.err


def test_config_shows_how_it_signs(run: Run) -> None:
    shown = run("config", "show")
    assert "auth         iam (from profile local)" in shown.out
    assert f"region       {REGION}" in shown.out
    assert run("config", "show", "-o", "json").document["auth"] == "iam"
    assert run("config", "set", "auth", "basic").code == 2
    assert run("config", "set", "region", "Frankfurt").code == 2
    assert run("config", "set", "aws-profile", "work").code == 0
    assert "aws-profile  work" in run("config", "show").out
    assert run("config", "set", "aws-profile").code == 0
    assert "aws-profile  as AWS's" in run("config", "show").out


def test_nothing_else_waits_for_botocore() -> None:
    """It takes longer to load than all the rest of the command line."""
    loaded = "import sys, cli.main, cli.client, cli.signing; print('botocore' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
