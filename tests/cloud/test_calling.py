"""What a call that failed means, and what nobody pays for who does not call AWS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from chalicelib.aws import Aws, AwsFailure, LostAnswer, NotTaken, Rejected
from tests.cloud.amazon import REGION, Amazon, answered, refuse
from tests.targets.hands import FixedClock


def ask() -> Mapping[str, object]:
    call = Aws(REGION, FixedClock().now_ms).caller(None, "team", read_s=2)
    return call("sqs", "ListQueues", {})


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "ThrottlingException", NotTaken),
        (429, "Whatever", NotTaken),
        (400, "RequestThrottled", NotTaken),
        (400, "ExpiredToken", NotTaken),
        (403, "AccessDenied", Rejected),
        (404, "NoSuchThing", Rejected),
        (500, "InternalFailure", LostAnswer),
        (503, "ServiceUnavailable", LostAnswer),
    ],
)
def test_what_an_error_means(
    amazon: Amazon, status: int, code: str, meaning: type[AwsFailure]
) -> None:
    amazon.fail("ListQueues", refuse(status, code))
    with pytest.raises(meaning, match=code):
        ask()
    assert amazon.gate.calls["ListQueues"] == 1


def test_nothing_was_taken_where_nobody_listens(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del amazon
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NotTaken):
        ask()


def test_an_answer_that_cannot_be_read_is_none(amazon: Amazon) -> None:
    """A proxy's page instead of AWS's answer."""
    amazon.fail("GetCallerIdentity", lambda *_: ("200 OK", [], b"<html>"))
    call = Aws(REGION, FixedClock().now_ms).caller(None, "team")
    with pytest.raises(LostAnswer):
        call("sts", "GetCallerIdentity", {})


def test_without_credentials_the_remedy_is_named(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del amazon
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(Rejected, match="give this process credentials"):
        ask()


def test_without_a_region_the_remedy_is_named(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del amazon
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(Rejected, match="NOONDAY_AWS_REGION"):
        Aws(None, FixedClock().now_ms).caller(None, "team")("sqs", "ListQueues", {})


def test_without_boto3_the_remedy_is_named(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    del amazon
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(Rejected, match=r"pip install 'noonday\[aws\]'"):
        ask()


def test_parameters_that_boto3_refuses(amazon: Amazon) -> None:
    call = Aws(REGION, FixedClock().now_ms).caller(None, "team")
    with pytest.raises(Rejected, match="QueueUrl"):
        call("sqs", "SendMessage", {"QueueUrl": 7, "MessageBody": "x"})
    assert not amazon.gate.calls


def test_composing_and_validating_load_no_boto3() -> None:
    program = """
import sys
from chalicelib.targets import Allowance, Permission, TargetRegistry, TargetSettings
from chalicelib.wiring import compose
from pathlib import Path
class Clock:
    def now_ms(self): return 0
allow = Allowance([Permission("*", "*", "*")])
registry = TargetRegistry(TargetSettings(files=Path("."), runs=Path("."), allow=allow), Clock())
registry.validate({"kind": "glue", "job": "load"}, owner="team")
print([name for name in sys.modules if name.split(".")[0] in ("boto3", "botocore")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_second_word_of_the_code_counts(amazon: Amazon) -> None:
    amazon.fail("ListQueues", lambda *_: answered(400, "com.amazon#ThrottledException"))
    with pytest.raises(NotTaken):
        ask()
