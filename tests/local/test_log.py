"""Lines of the log: bounded, without secrets, with their invocation; and for people on a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.credentials import KeptPassword
from chalicelib.model import credential
from chalicelib.model.credential import (
    HIDDEN,
    SHORTEST,
    bytes_without_credentials,
    never_show,
    without_credentials,
)
from chalicelib.notifications.invocation import Invocation, current, invoked
from chalicelib.notifications.log import LONGEST_LINE, JsonLog

SECRETS = {
    "a callback's": "noonday1.k1.6955b9c0.dGhlLXNpZ25hdHVyZS1vZi10aGUtY2FsbGJhY2s",
    "of a URL": "mysql://app:hunter2hunter2@db.example.org/noonday",
    "a header": "Authorization: Bearer abcdef0123456789",
    "a JSON web token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "a webhook's": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a token of ours": "noonday_" + "0a" * 32,
    "a token of IAM": "db:3306/?X-Amz-Signature=0123456789abcdef&X-Amz-Expires=900",
}
TOLD = ("hunter2", "abcdef01", "eyJ", "MfKQ", "0a0a0a", "dGhlLX", "0123456789abcdef")


@contextmanager
def forgetting() -> Iterator[None]:
    """What a test has hidden is a word like any other in the next."""
    before = dict(credential._remembered)
    yield
    credential._remembered.clear()
    never_show(*before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", 'said "{}"', "a={};b", "x\n{}\ny"])
def test_secrets_are_hidden_by_their_form(text: str, around: str) -> None:
    shown = without_credentials(around.format(text))
    assert HIDDEN in shown
    assert not any(one in shown for one in TOLD)
    assert without_credentials(shown) == shown
    assert bytes_without_credentials(around.format(text).encode()) == shown.encode()


@pytest.mark.parametrize(
    "text",
    ["https://example.org:8443/a@b", "the bearer of news", "noonday_test", "basic needs", "a:b@c"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_credentials(text) == text


@given(secret=st.text("abcXYZ/+: @'\"é", min_size=SHORTEST, max_size=60))
def test_a_password_that_was_read_is_hidden_as_it_is_and_in_addresses(secret: str) -> None:
    with forgetting():
        never_show(secret)
        assert secret not in without_credentials(f"access denied with {secret}!")
        assert secret.encode() not in bytes_without_credentials(f"<{secret}>".encode())


def test_what_aws_keeps_is_hidden_once_it_was_asked_for() -> None:
    with forgetting():
        KeptPassword(lambda: "rotated-by-aws-9", lambda: 0).current()
        assert without_credentials("with rotated-by-aws-9") == f"with {HIDDEN}"


def test_a_defect_tells_its_trace_and_no_secret() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, "error", lambda: 0)
    try:
        raise RuntimeError(f"cannot open {SECRETS['of a URL']}")
    except RuntimeError as error:
        log.unexpected(error, route="/jobs")
    [line] = lines(stream)
    assert "RuntimeError: cannot open mysql://app:(hidden)@db.example.org/noonday" in line["trace"]
    assert "hunter2" not in stream.getvalue()


@given(
    fields=st.dictionaries(
        st.sampled_from(["error", "trace", "message", "did", "admins"]),
        st.one_of(st.text(max_size=9000), st.lists(st.text(max_size=3000), max_size=20)),
    )
)
def test_every_line_is_json_and_bounded(fields: dict[str, Any]) -> None:
    stream = io.StringIO()
    JsonLog(stream, "info", lambda: 0).line("info", "Deployed", **fields)
    [line] = stream.getvalue().split("\n")[:-1]
    assert json.loads(line)["fact"] == "Deployed"
    assert len(line) <= LONGEST_LINE


def test_what_no_encoding_can_write_is_written_all_the_same() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    JsonLog(stream, "info", lambda: 0).line("info", "Failed", error="half a pair: \ud800")
    assert json.loads(raw.getvalue())["error"].startswith("half a pair: ")


def test_lines_carry_their_invocation_and_others_do_not() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, "info", lambda: 0)
    with invoked(Invocation("api", "lambda-1", "gateway-1")):
        log.line("info", "Failed", error="x")
    log.line("info", "Failed", error="y")
    first, second = lines(stream)
    assert (first["function"], first["request_id"]) == ("api", "lambda-1")
    assert first["api_request_id"] == "gateway-1"
    assert "request_id" not in second
    assert current() is None


def test_on_a_terminal_a_line_is_for_people() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, "info", lambda: 45_296_007, for_people=True)
    log.line(
        "error",
        "RunEnded",
        job="nightly",
        owner="blue",
        state="FAILED",
        error="exit code 3",
        token="t",
    )
    shown = stream.getvalue()
    assert shown == (
        '12:34:56.007 ! RunEnded             owner=blue job=nightly state=FAILED error="exit code 3"\n'
    )
