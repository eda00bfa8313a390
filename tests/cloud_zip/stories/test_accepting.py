"""Kinds that hand work over: what arrives, what is refused, what reports itself, what is repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from noonday.callback import Callback, NotTaken, Stop
from tests.cloud.amazon import (
    ACCOUNT,
    REGION,
    Amazon,
    Answer,
    Environ,
    Fault,
    Gate,
    answered,
    refuse,
)
from tests.cloud.offers import Athena
from tests.cloud.test_accepting_kinds import EXECUTION, a_function
from tests.cloud_zip.account import Account, Run
from tests.cloud_zip.stories.told import through

STARTS = ("Invoke", "PutEvents", "Publish", "SendMessage")
"""The operations of the accepting kinds, as a batch calls them."""


def address(queue: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{queue}"


@dataclass(frozen=True, slots=True)
class Desk:
    """A target of each kind, and what has arrived at them."""

    amazon: Amazon
    specs: Mapping[str, Mapping[str, Any]]
    payloads: list[Mapping[str, Any]]

    def arrived(self, which: str) -> list[Mapping[str, Any]]:
        """What the messages say, each taken out of what carries it."""
        if which == "lambda":
            return list(self.payloads)
        queue = address("orders.fifo" if which == "fifo" else which)
        answer = self.amazon.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        bodies = [json.loads(one["Body"]) for one in answer.get("Messages", [])]
        if which == "sns":
            return [json.loads(body["Message"]) for body in bodies]
        return [body["detail"] for body in bodies] if which == "events" else bodies


def kind_of(which: str) -> str:
    return "sqs" if which == "fifo" else which


@pytest.fixture
def desk(story: Account) -> Desk:
    amazon = story.amazon
    queues, topics, rules = (amazon.client(name) for name in ("sqs", "sns", "events"))
    for name in ("sqs", "sns", "events"):
        queues.create_queue(QueueName=name)
    queues.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
    topic = topics.create_topic(Name="orders")["TopicArn"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{arn}:sns")
    rules.put_rule(Name="all", EventPattern=json.dumps({"source": ["com.example"]}))
    rules.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": f"{arn}:events"}])
    a_function(amazon)
    payloads: list[Mapping[str, Any]] = []

    def keep(gate: Gate, environ: Environ, body: bytes) -> Answer:
        payloads.append(json.loads(body))
        return gate.carry_out(environ, body)

    amazon.fail("Invoke", keep)
    specs = {
        "sqs": {"queue": address("sqs")},
        "fifo": {"queue": address("orders.fifo")},
        "sns": {"topic": topic},
        "events": {"source": "com.example", "detail_type": "due"},
        "lambda": {"function": "report"},
    }
    return Desk(amazon, specs, payloads)


def submitted(account: Account, desk: Desk, **fields: Any) -> dict[str, Run]:
    """A run of each, handed out and not launched yet."""
    runs = {
        which: account.submit(kind_of(which), {**spec, **fields})
        for which, spec in desk.specs.items()
    }
    account.poll("wake")
    return runs


def states(runs: Mapping[str, Run]) -> set[str]:
    return {run.shown()["state"] for run in runs.values()}


def test_what_is_taken_has_succeeded(story: Account, desk: Desk) -> None:
    runs = submitted(story, desk)
    while story.poll("launch", times=2):
        pass
    assert states(runs) == {"SUCCEEDED"}
    for which, run in runs.items():
        [told] = desk.arrived(which)
        assert told["token"] == f"{run.id}-1"
        assert "callback" not in told
    assert story.failed == []


def denials(code: str) -> dict[str, list[Fault]]:
    """A refusal for each call of a batch; SNS says it in XML."""

    def in_xml(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>x</RequestId></ErrorResponse>"
        return "400 X", [("Content-Type", "text/xml")], text.encode()

    said = refuse(400, code)
    return {"Invoke": [said], "PutEvents": [said], "SendMessage": [said] * 2, "Publish": [in_xml]}


def test_what_is_denied_fails_and_what_is_throttled_waits(story: Account, desk: Desk) -> None:
    for code, state in (("AccessDeniedException", "FAILED"), ("ThrottlingException", "WAITING")):
        runs = submitted(story, desk)
        story.amazon.gate.faults.update(denials(code))
        story.poll("launch")
        assert states(runs) == {state}, code
    desk.payloads.clear()
    story.look_again()
    assert states(runs) == {"SUCCEEDED"}
    for which in ("sqs", "fifo", "sns", "events"):
        assert [told["token"] for told in desk.arrived(which)] == [f"{runs[which].id}-1"]


def test_a_launch_whose_process_died_is_made_again_with_its_token(
    story: Account, desk: Desk
) -> None:
    """Nobody can ask whether they were taken. A FIFO queue keeps the repetition out; the others get it."""
    runs = submitted(story, desk)
    left = len(runs)

    def die(gate: Gate, environ: Environ, body: bytes) -> Answer:
        nonlocal left
        answer = gate.carry_out(environ, body)
        left -= 1
        if left:
            return answer
        story.functions["launch"].kill()
        return answered(500, "InternalFailure")

    for name in STARTS:
        story.amazon.gate.faults.setdefault(name, []).extend(
            [die] * (2 if name == "SendMessage" else 1)
        )
    keep = story.amazon.gate.faults["Invoke"].pop(0)
    story.drain()
    assert left == 0
    assert states(runs) == {"LAUNCHING"}
    story.amazon.fail("Invoke", keep)
    story.look_again()
    assert states(runs) == {"SUCCEEDED"}
    for which, times in {"sqs": 2, "fifo": 1, "sns": 2, "events": 2, "lambda": 1}.items():
        token = f"{runs[which].id}-1"
        assert [told["token"] for told in desk.arrived(which)] == [token] * times, which
    assert story.amazon.gate.calls["Invoke"] == 2


def test_who_does_the_work_reports_its_end(story: Account, desk: Desk) -> None:
    runs = submitted(story, desk, completion="callback")
    story.drain()
    story.look_again()  # whatever a clock that is ahead of another has left
    assert states(runs) <= {"LAUNCHED", "RUNNING"}
    send = through(story)
    events = {which: desk.arrived(which)[0] for which in runs}
    with Callback.from_event(events["sqs"], send=send) as work:
        work.check("page 1 of 1")
        assert runs["sqs"].shown()["state"] == "RUNNING"
    assert runs["sqs"].shown()["state"] == "SUCCEEDED"

    with (
        pytest.raises(LookupError),
        Callback.from_event(events["sns"], send=send),
    ):
        raise LookupError("no orders")
    shown = runs["sns"].shown()
    assert shown["state"] == "FAILED"
    assert shown["runs"][-1]["error"] == "LookupError: no orders"

    _is_killed(story, runs["events"], events["events"])
    _belongs_to_one_run(story, runs, events)


def _is_killed(account: Account, run: Run, event: Mapping[str, Any]) -> None:
    account.call("POST", f"/instances/{run.id}/kill", {"reason": "of no use"})
    account.drain()
    work = Callback.from_event(event, send=through(account))
    with pytest.raises(Stop, match="of no use"):
        work.heartbeat()
    work.stopped()
    assert run.shown()["state"] == "KILLED"


def _belongs_to_one_run(
    account: Account, runs: Mapping[str, Run], events: Mapping[str, Mapping[str, Any]]
) -> None:
    """The credential of another run, a forged one, and reports after the end change nothing."""
    mine, other = events["lambda"]["callback"], events["fifo"]["callback"]
    never: Callable[[float], object] = lambda _: None  # noqa: E731 - nobody waits
    for token in (other["token"], mine["token"][:-1] + "x", "noonday1.x.y.z", "x"):
        forged = Callback(mine["url"], token, send=through(account), wait=never)
        with pytest.raises(NotTaken, match="401"):
            forged.succeeded()
    assert runs["lambda"].shown()["state"] in ("LAUNCHED", "RUNNING")
    true = Callback(mine["url"], mine["token"], send=through(account), wait=never)
    true.succeeded()
    true.succeeded()
    with pytest.raises(Stop):
        true.failed("too late")
    assert runs["lambda"].shown()["state"] == "SUCCEEDED"
    assert runs["fifo"].shown()["state"] in ("LAUNCHED", "RUNNING")


EXECUTION_OF_RUN = {
    **EXECUTION,
    "parameters": {"QueryString": "SELECT 1", "ClientRequestToken": "${token}"},
}
WITHOUT = {"service": "sns", "operation": "CreateTopic", "parameters": {"Name": "made"}}


def test_the_end_of_an_operation_is_what_its_poll_declares(
    story: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story.amazon.gate, "guard", None)  # no role was deployed for the kind aws
    athena = Athena(story.amazon)
    runs = {state: story.submit("aws", EXECUTION_OF_RUN) for state in ("SUCCEEDED", "FAILED")}
    story.drain()
    assert states(runs) <= {"LAUNCHED", "RUNNING"}
    for state, run in runs.items():
        athena.end(run.external_id, well=state == "SUCCEEDED")
    story.look_again()
    assert [run.shown()["state"] for run in runs.values()] == list(runs)
    assert story.amazon.gate.calls["StartQueryExecution"] == 2
    assert story.failed == []


def test_an_operation_is_repeated_only_with_its_token(
    story: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story.amazon.gate, "guard", None)  # no role was deployed for the kind aws
    runs = {
        "with": story.submit("aws", EXECUTION_OF_RUN),
        "without": story.submit("aws", WITHOUT, policies={"retries": {"max_attempts": 3}}),
    }
    story.poll("wake")
    left = len(runs)

    def die(gate: Gate, environ: Environ, body: bytes) -> Answer:
        nonlocal left
        answer = gate.carry_out(environ, body)
        left -= 1
        if not left:
            story.functions["launch"].kill()
        return answer

    for operation in ("StartQueryExecution", "CreateTopic"):
        story.amazon.fail(operation, die)
    story.drain()
    for _ in range(2):
        story.look_again()
    calls = story.amazon.gate.calls
    assert not left, (runs["with"].shown(), runs["without"].shown())
    assert (calls["StartQueryExecution"], calls["CreateTopic"]) == (2, 1)
    assert runs["with"].shown()["state"] in ("LAUNCHED", "RUNNING")
    lost = runs["without"].shown()
    assert (lost["state"], lost["run"]) == ("FAILED", 1), lost
    story.call("POST", f"/instances/{runs['with'].id}/kill", {"reason": "enough"})
    story.drain()
    story.look_again()
    assert runs["with"].shown()["state"] == "KILLED"
