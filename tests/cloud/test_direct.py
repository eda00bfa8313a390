"""The calls that are made without botocore: the same requests, the same failures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.aws import Aws, AwsFailure, LostAnswer, NotTaken, Rejected
from chalicelib.aws.direct import direct_calls
from chalicelib.aws.signing import Keys, database_token, signed
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, KEYS, REGION, Amazon, answered, refuse

QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/noonday-test-wake"


def direct(amazon: Amazon, **environ: str) -> Aws:
    given = {**KEYS, "AWS_ENDPOINT_URL": amazon.url, "AWS_REGION": REGION, **environ}
    made = direct_calls(given, None, wall_ms)
    assert made is not None
    return Aws(REGION, wall_ms, made)


def send(aws: Aws, body: str = "a body, and an Ä") -> Any:
    sent = {"QueueUrl": QUEUE, "MessageBody": body, "DelaySeconds": 0}
    return aws.caller(None, "")("sqs", "SendMessage", sent)


@pytest.fixture
def queue(amazon: Amazon) -> Any:
    amazon.client("sqs").create_queue(QueueName="noonday-test-wake")
    return amazon.client("sqs")


def received(queue: Any) -> list[str]:
    answer = queue.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10)
    return [one["Body"] for one in answer.get("Messages", ())]


def test_messages_arrive_as_they_are(amazon: Amazon, queue: Any) -> None:
    aws = direct(amazon)
    assert send(aws)["MessageId"]
    entries = [{"Id": str(each), "MessageBody": f"body {each}"} for each in range(2)]
    batch = {"QueueUrl": QUEUE, "Entries": entries}
    aws.caller(None, "")("sqs", "SendMessageBatch", batch)
    assert sorted(received(queue)) == ["a body, and an Ä", "body 0", "body 1"]


def test_a_secret_is_read(amazon: Amazon) -> None:
    amazon.client("secretsmanager").create_secret(Name="db", SecretString="word")
    call = direct(amazon).caller(None, "")
    assert call("secretsmanager", "GetSecretValue", {"SecretId": "db"})["SecretString"] == "word"
    with pytest.raises(Rejected, match="ResourceNotFoundException"):
        call("secretsmanager", "GetSecretValue", {"SecretId": "none"})


def test_other_operations_are_botocores(amazon: Amazon, queue: Any) -> None:
    del queue
    listed = direct(amazon).caller(None, "")("sqs", "ListQueues", {})
    assert len(listed["QueueUrls"]) == 1


@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_the_signature_is_botocores(token: str | None) -> None:
    body, url = json.dumps({"QueueUrl": QUEUE}).encode(), f"https://sqs.{REGION}.amazonaws.com/"
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": f"sqs.{REGION}.amazonaws.com",
        "x-amz-target": "AmazonSQS.SendMessage",
    }
    ours = signed(Keys("AKIA", "se/cret", token), REGION, "sqs", headers, body, wall_ms())
    theirs = AWSRequest("POST", url, headers, body)
    theirs.context["timestamp"] = ours["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIA", "se/cret", token), "sqs", REGION)
    while True:  # botocore looks at the clock by itself: until both saw the same second
        signer.add_auth(theirs)
        if theirs.headers["X-Amz-Date"] == ours["x-amz-date"]:
            break
        ours = signed(Keys("AKIA", "se/cret", token), REGION, "sqs", headers, body, wall_ms())
        theirs = AWSRequest("POST", url, headers, body)
    assert ours["authorization"] == theirs.headers["Authorization"]


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "com.amazonaws.sqs#ThrottlingException", NotTaken),
        (429, "Whatever", NotTaken),
        (400, "ExpiredTokenException", NotTaken),
        (403, "AccessDeniedException", Rejected),
        (500, "InternalFailure", LostAnswer),
        (503, "ServiceUnavailable", LostAnswer),
    ],
)
def test_what_an_error_means(
    amazon: Amazon, queue: Any, status: int, code: str, meaning: type[AwsFailure]
) -> None:
    del queue
    amazon.fail("SendMessage", lambda *_: answered(status, code))
    with pytest.raises(meaning) as raised:
        send(direct(amazon))
    assert raised.value.code == code.rpartition("#")[2]
    assert amazon.gate.calls["SendMessage"] == 1


def test_a_page_of_somebody_else_is_no_answer(amazon: Amazon, queue: Any) -> None:
    del queue
    amazon.fail("SendMessage", lambda *_: ("200 OK", [], b"<html>"))
    with pytest.raises(LostAnswer):
        send(direct(amazon))
    amazon.fail("SendMessage", lambda *_: ("502 Bad Gateway", [], b"<html>"))
    with pytest.raises(LostAnswer):
        send(direct(amazon))


def test_nothing_was_taken_where_nobody_listens(amazon: Amazon) -> None:
    with pytest.raises(NotTaken):
        send(direct(amazon, AWS_ENDPOINT_URL_SQS="http://127.0.0.1:9"))


def test_errors_have_the_names_that_botocore_gives_them(amazon: Amazon) -> None:
    codes = []
    for aws in (direct(amazon), Aws(REGION, wall_ms)):
        with pytest.raises(Rejected) as raised:
            send(aws)
        codes.append(raised.value.code)
    assert codes[0] == codes[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_REGION": ""},
        {"HTTPS_PROXY": "http://10.0.0.1:3128"},
        {"AWS_REGION": "us-iso-east-1"},
    ],
)
def test_what_the_environment_does_not_say_is_botocores(changed: dict[str, str]) -> None:
    environ = {**KEYS, "AWS_REGION": REGION, **changed}
    assert direct_calls(environ, None, wall_ms) is None


def test_refused_by_the_gate(amazon: Amazon, queue: Any) -> None:
    """As botocore's: the failure of one call is not that of the next."""
    aws = direct(amazon)
    amazon.fail("SendMessage", refuse(400, "RequestThrottled"))
    with pytest.raises(NotTaken):
        send(aws)
    send(aws, "second")
    assert received(queue) == ["second"]


class Forgetful(BaseHTTPRequestHandler):
    """Promises to keep the connection, and closes it, as a server does while a process sleeps."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Nobody reads it."""


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    Forgetful.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Forgetful) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        call = direct_calls({**KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": url}, None, wall_ms)
        assert call is not None
        for body in ("one", "two", "three"):
            call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": body})
        server.shutdown()
    assert [json.loads(each)["MessageBody"] for each in Forgetful.asked] == ["one", "two", "three"]


@pytest.mark.parametrize("session", [None, "a session/token+="])
@pytest.mark.parametrize("user", ["noonday", "a user/with&signs"])
def test_a_token_for_a_database_is_the_one_that_botocore_signs(
    session: str | None, user: str
) -> None:
    host = f"shop.abc.{REGION}.rds.amazonaws.com"
    client = boto3.client(
        "rds",
        region_name=REGION,
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        aws_session_token=session,
    )
    theirs = client.generate_db_auth_token(DBHostname=host, Port=3306, DBUsername=user)
    place, _, query = theirs.partition("/?")
    said = dict(parse_qsl(query))
    moment = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = database_token(
        Keys("AKID", "secret", session), REGION, place, user, int(moment.timestamp() * 1000)
    )
    assert ours.partition("/?")[0] == place
    assert dict(parse_qsl(ours.partition("/?")[2])) == said


def test_a_token_needs_no_botocore() -> None:
    given = {**KEYS, "AWS_REGION": REGION}
    aws = Aws(REGION, wall_ms, direct_calls(given, None, wall_ms))
    far = aws.database_token("shop.abc.us-west-2.rds.amazonaws.com", 3306, "shopper")
    assert "%2Fus-west-2%2Frds-db%2F" in far
    assert aws._session is None
