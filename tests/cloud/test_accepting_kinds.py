"""Kinds that hand work over, the synchronous call of a function, and any operation."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.model.errors import InvalidInput
from chalicelib.targets import Permission, TargetRegistry
from tests.cloud.amazon import ACCOUNT, REGION, Amazon, answered, lose, refuse
from tests.cloud.offers import ROLE
from tests.cloud.test_started_kinds import registry_for
from tests.targets.hands import NOW_MS, TOKEN, Hand, a_request


@pytest.fixture
def registry(amazon: Amazon, tmp_path: Path) -> TargetRegistry:
    del amazon
    return registry_for(tmp_path, Permission("team", "*", "*"))


def run(registry: TargetRegistry, kind: str, spec: Mapping[str, Any], **changes: Any) -> Outcome:
    request = replace(a_request(kind, spec), **changes)
    [outcome] = registry.launch([request])
    return outcome


def a_queue(amazon: Amazon, name: str) -> str:
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    made = amazon.client("sqs").create_queue(QueueName=name, Attributes=attributes)
    return str(made["QueueUrl"])


def received(amazon: Amazon, url: str) -> list[Mapping[str, Any]]:
    answer = amazon.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    found: list[Mapping[str, Any]] = answer.get("Messages", [])
    return found


def address(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def a_function(amazon: Amazon) -> None:
    roles = amazon.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    role = roles.create_role(RoleName="run", AssumeRolePolicyDocument=json.dumps(trust))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handle(event, context): return event")
    amazon.client("lambda").create_function(
        FunctionName="report",
        Runtime="python3.13",
        Handler="main.handle",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": packed.getvalue()},
    )


def test_a_message_carries_the_token(registry: TargetRegistry, amazon: Amazon) -> None:
    url = a_queue(amazon, "orders")
    outcome = run(registry, "sqs", {"queue": address("orders"), "body": {"day": "2026-01-31"}})
    assert isinstance(outcome, Succeeded)
    [message] = received(amazon, url)
    assert outcome.external_id == message["MessageId"]
    assert json.loads(message["Body"]) == {"day": "2026-01-31"}
    assert message["MessageAttributes"]["noonday-token"]["StringValue"] == TOKEN


def test_a_message_says_what_the_run_is(registry: TargetRegistry, amazon: Amazon) -> None:
    url = a_queue(amazon, "orders")
    run(registry, "sqs", {"queue": address("orders")})
    [message] = received(amazon, url)
    assert json.loads(message["Body"])["token"] == TOKEN


def test_a_fifo_queue_keeps_a_repetition_out(registry: TargetRegistry, amazon: Amazon) -> None:
    url = a_queue(amazon, "orders.fifo")
    amazon.fail("SendMessage", lose)
    spec = {"queue": address("orders.fifo"), "body": "go"}
    assert isinstance(run(registry, "sqs", spec), Unknown)
    assert isinstance(run(registry, "sqs", spec, repeated=True), Succeeded)
    assert len(received(amazon, url)) == 1


def test_a_notification_reaches_its_subscriber(registry: TargetRegistry, amazon: Amazon) -> None:
    url = a_queue(amazon, "inbox")
    topics = amazon.client("sns")
    topic = topics.create_topic(Name="orders")["TopicArn"]
    topics.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
    )
    outcome = run(registry, "sns", {"topic": topic, "subject": "due", "message": "orders are due"})
    assert isinstance(outcome, Succeeded)
    [message] = received(amazon, url)
    assert json.loads(message["Body"])["Message"] == "orders are due"


def test_an_event_reaches_its_rule(registry: TargetRegistry, amazon: Amazon) -> None:
    url = a_queue(amazon, "inbox")
    events = amazon.client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["com.example.orders"]}))
    events.put_targets(
        Rule="all", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"}]
    )
    spec = {"source": "com.example.orders", "detail_type": "due", "detail": {"day": "2026-01-31"}}
    assert isinstance(run(registry, "events", spec), Succeeded)
    [message] = received(amazon, url)
    assert json.loads(message["Body"])["detail"] == {"day": "2026-01-31"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ThrottlingException", Refused), ("InternalFailure", Unknown), ("NotAuthorized", Failed)],
)
def test_an_event_that_was_not_taken(
    registry: TargetRegistry, amazon: Amazon, code: str, kind: type[Outcome]
) -> None:
    """PutEvents answers 200 whatever became of the event."""
    entries = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]}
    amazon.fail("PutEvents", lambda *_: (("200 OK", [], json.dumps(entries).encode())))
    outcome = run(registry, "events", {"source": "com.example", "detail_type": "due"})
    assert isinstance(outcome, kind)


def test_a_function_is_handed_an_event(registry: TargetRegistry, amazon: Amazon) -> None:
    a_function(amazon)
    outcome = run(registry, "lambda", {"function": "report", "payload": {"day": 1}})
    assert isinstance(outcome, Succeeded)
    assert amazon.gate.calls["Invoke"] == 1


def test_a_function_that_is_not_there(registry: TargetRegistry, amazon: Amazon) -> None:
    amazon.fail("Invoke", refuse(404, "ResourceNotFoundException", "Function not found: report"))
    outcome = run(registry, "lambda", {"function": "report"})
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "report" in outcome.error


@pytest.mark.parametrize("kind", ["lambda", "sqs", "sns", "events"])
def test_what_was_accepted_cannot_be_stopped(registry: TargetRegistry, kind: str) -> None:
    [outcome] = registry.cancel([a_request(kind, {})])
    assert isinstance(outcome, Pending)


def test_the_answer_of_a_function_is_the_end(registry: TargetRegistry, amazon: Amazon) -> None:
    a_function(amazon)
    hand = Hand()
    outcome = registry.run(a_request("lambda_sync", {"function": "report"}), hand)
    assert isinstance(outcome, Succeeded), outcome
    assert hand.handle == {"function": "report"}


def test_a_function_that_raises_fails(registry: TargetRegistry, amazon: Amazon) -> None:
    a_function(amazon)
    told = ("X-Amz-Function-Error", "Unhandled")
    amazon.fail("Invoke", lambda *_: ("200 OK", [told], b'{"errorMessage": "no orders"}'))
    outcome = registry.run(a_request("lambda_sync", {"function": "report"}), Hand())
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "no orders" in outcome.error


def test_a_call_without_an_answer_is_not_repeated(registry: TargetRegistry, amazon: Amazon) -> None:
    a_function(amazon)
    amazon.fail("Invoke", lose)
    request = a_request("lambda_sync", {"function": "report"})
    outcome = registry.run(request, hand := Hand())
    assert isinstance(outcome, Failed)
    assert (outcome.lost, outcome.retry) == (True, False)  # nor by another run beside it
    again = registry.run(replace(request, handle=hand.handle), Hand())
    assert isinstance(again, Failed)
    assert (again.lost, again.retry) == (True, False)
    assert amazon.gate.calls["Invoke"] == 1
    idempotent = a_request("lambda_sync", {"function": "report", "idempotent": True})
    assert isinstance(registry.run(replace(idempotent, handle=hand.handle), Hand()), Succeeded)


def test_a_stop_before_the_call_means_no_call(registry: TargetRegistry, amazon: Amazon) -> None:
    hand = Hand()
    hand.stop()
    registry.run(a_request("lambda_sync", {"function": "report"}), hand)
    assert amazon.gate.calls["Invoke"] == 0


EXECUTION = {
    "service": "athena",
    "operation": "StartQueryExecution",
    "parameters": {"QueryString": "SELECT 1", "ClientRequestToken": TOKEN},
    "id": "QueryExecutionId",
    "poll": {
        "operation": "GetQueryExecution",
        "parameters": {"QueryExecutionId": "{id}"},
        "state": "QueryExecution.Status.State",
        "success": ["SUCCEEDED"],
        "failure": ["FAILED"],
        "stopped": ["CANCELLED"],
    },
    "cancel": {"operation": "StopQueryExecution", "parameters": {"QueryExecutionId": "{id}"}},
}


def test_any_operation_is_followed(registry: TargetRegistry) -> None:
    registry.validate({"kind": "aws", **EXECUTION}, owner="team")
    outcome = run(registry, "aws", EXECUTION)
    assert isinstance(outcome, Launched)
    request = replace(a_request("aws", EXECUTION), external_id=outcome.external_id)
    [state] = registry.describe([request])
    assert isinstance(state, Pending | Running)
    [state] = registry.cancel([request])
    assert isinstance(state, Stopped)


def test_an_operation_with_the_token_is_repeated(registry: TargetRegistry, amazon: Amazon) -> None:
    amazon.fail("StartQueryExecution", lose)
    assert isinstance(run(registry, "aws", EXECUTION), Unknown)
    assert isinstance(run(registry, "aws", EXECUTION, repeated=True), Launched)


def test_an_operation_that_says_that_it_has_it_already_is_adopted(
    registry: TargetRegistry, amazon: Amazon
) -> None:
    """Codes that ``exists`` declares; any other refusal stays one."""
    spec = {
        "service": "athena",
        "operation": "StartQueryExecution",
        "parameters": EXECUTION["parameters"],
        "exists": ["ConflictException"],
    }
    amazon.fail("StartQueryExecution", refuse(400, "ConflictException"))
    outcome = run(registry, "aws", spec)
    assert isinstance(outcome, Succeeded)
    assert outcome.external_id == a_request("aws", spec).token
    amazon.fail("StartQueryExecution", refuse(400, "InvalidRequestException"))
    assert isinstance(run(registry, "aws", spec), Failed)


def test_an_operation_without_one_is_given_up(registry: TargetRegistry, amazon: Amazon) -> None:
    spec = {"service": "sns", "operation": "CreateTopic", "parameters": {"Name": "x"}}
    amazon.fail("CreateTopic", lose)
    assert isinstance(run(registry, "aws", spec), Unknown)
    outcome = run(registry, "aws", spec, repeated=True)
    assert isinstance(outcome, Failed)
    assert outcome.lost
    assert amazon.gate.calls["CreateTopic"] == 1


def test_an_operation_that_is_none(registry: TargetRegistry, amazon: Amazon) -> None:
    for service, operation in (("athena", "StartEverything"), ("nothing", "Start")):
        outcome = run(registry, "aws", {"service": service, "operation": operation})
        assert isinstance(outcome, Failed)
        assert not outcome.retry
    assert not amazon.gate.calls


def test_each_operation_must_be_permitted(amazon: Amazon, tmp_path: Path) -> None:
    del amazon
    registry = registry_for(tmp_path, Permission("team", "aws", "athena:Start*"))
    with pytest.raises(InvalidInput, match="GetQueryExecution"):
        registry.validate({"kind": "aws", **EXECUTION}, owner="team")


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("sqs", {"queue": "orders"}, "URL of a queue"),
        ("sns", {"topic": "orders"}, "ARN of a topic"),
        ("events", {"source": "aws.s3", "detail_type": "x"}, "source of your own"),
        ("lambda", {"function": "no such name!"}, "function"),
        ("lambda", {"function": "f", "completion": "answer"}, "callback"),
        ("step_functions", {"state_machine": "nightly"}, "ARN of a state machine"),
        ("athena", {"query": "SELECT '${nominal_time}'"}, "never text"),
        ("redshift_data", {"query": "x", "database": "d"}, "name one of cluster and workgroup"),
        ("ecs", {"task_definition": "t", "command": ["x"]}, "name it with container"),
        ("glue", {"job": "j", "arguments": {"day": "1"}}, "begins with --"),
        ("aws", {**EXECUTION, "poll": None}, "add poll"),
        ("batch", {"queue": "q"}, "definition"),
        ("codebuild", {"project": ""}, "project"),
    ],
)
def test_bad_targets_are_named(
    registry: TargetRegistry, kind: str, spec: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        registry.validate({"kind": kind, **spec}, owner="team")


def test_a_refusal_of_the_message(registry: TargetRegistry, amazon: Amazon) -> None:
    a_queue(amazon, "orders")
    amazon.fail("SendMessage", refuse(400, "OverLimit"))
    assert isinstance(run(registry, "sqs", {"queue": address("orders")}), Refused)


def test_an_answer_that_is_none(registry: TargetRegistry, amazon: Amazon) -> None:
    """A proxy's page instead of AWS's answer."""
    amazon.fail("SendMessage", lambda *_: ("200 OK", [], b"<html>"))
    outcome = run(registry, "sqs", {"queue": address("orders")})
    assert isinstance(outcome, Unknown)


def test_the_deadline_bounds_the_wait(registry: TargetRegistry, amazon: Amazon) -> None:
    a_function(amazon)
    amazon.fail("Invoke", lambda *_: answered(429, "TooManyRequestsException"))
    request = a_request("lambda_sync", {"function": "report"}, deadline_ms=NOW_MS - 1)
    outcome = registry.run(request, Hand())
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("not called")


def test_roles_are_kept_until_they_end(amazon: Amazon, tmp_path: Path) -> None:
    registry = registry_for(tmp_path, Permission("team", "sqs", "*", ROLE))
    a_queue(amazon, "orders")
    for _ in range(3):
        run(registry, "sqs", {"queue": address("orders")})
    assert amazon.gate.calls["AssumeRole"] == 1
    amazon.fail("SendMessage", refuse(400, "ExpiredToken"))
    assert isinstance(run(registry, "sqs", {"queue": address("orders")}), Refused)
    assert isinstance(run(registry, "sqs", {"queue": address("orders")}), Succeeded)
    assert amazon.gate.calls["AssumeRole"] == 2
