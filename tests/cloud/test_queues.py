"""Queues and the second hand on SQS: what is sent, when it comes, and what becomes of a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.aws import Aws, AwsFailure
from chalicelib.aws.queues import SqsAlarm, SqsQueues
from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.notifications.merged_alarm import MergedAlarm
from chalicelib.notifications.messages import read_handed_out, write_handed_out
from tests.cloud.amazon import ACCOUNT, REGION, Amazon, refuse
from tests.engine.world import ManualClock

PREFIX = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/noonday-test-"
NOW = 1_767_268_800_000


@dataclass
class Told:
    failures: list[AwsFailure] = field(default_factory=list)

    def __call__(self, failure: AwsFailure) -> None:
        self.failures.append(failure)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def queues(amazon: Amazon, told: Told) -> SqsQueues:
    for lane in Lane:
        amazon.client("sqs").create_queue(QueueName=f"noonday-test-{lane}")
    call = Aws(REGION, lambda: NOW).caller(None, "")
    return SqsQueues(call, PREFIX, write_handed_out, told)


def bodies(amazon: Amazon, lane: str) -> list[str]:
    found: list[str] = []
    while True:
        answer = amazon.client("sqs").receive_message(
            QueueUrl=PREFIX + lane, MaxNumberOfMessages=10
        )
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", ())
        if not messages:
            return found
        found += [one["Body"] for one in messages]


def handed(count: int) -> list[HandedOut]:
    return [HandedOut(f"{number:032x}", number) for number in range(count)]


def test_launches_travel_together(queues: SqsQueues, amazon: Amazon) -> None:
    queues.send(Lane.LAUNCH, handed(205))
    assert amazon.gate.calls["SendMessageBatch"] == 3
    read = [read_handed_out(body) for body in bodies(amazon, "launch")]
    assert len(read) == 21
    assert sorted(one.version for part in read for one in part) == list(range(205))


def test_work_travels_alone(queues: SqsQueues, amazon: Amazon) -> None:
    queues.send(Lane.WORK, handed(12))
    assert amazon.gate.calls["SendMessageBatch"] == 2
    assert [len(json.loads(body)) for body in bodies(amazon, "work")] == [1] * 12


def test_nothing_is_no_call(queues: SqsQueues, amazon: Amazon) -> None:
    queues.send(Lane.WORK, [])
    assert not amazon.gate.calls["SendMessageBatch"]


def test_a_send_that_fails_is_told_and_the_rest_is_sent(
    queues: SqsQueues, amazon: Amazon, told: Told
) -> None:
    amazon.fail("SendMessageBatch", refuse(503, "ServiceUnavailable"))
    queues.send(Lane.WORK, handed(12))
    assert [one.code for one in told.failures] == ["ServiceUnavailable"]
    assert len(bodies(amazon, "work")) == 2


def test_an_entry_that_fails_is_told(queues: SqsQueues, amazon: Amazon, told: Told) -> None:
    failed = [{"Id": "0", "Code": "InternalError", "SenderFault": False, "Message": "later"}]
    answer = json.dumps({"Successful": [], "Failed": failed}).encode()
    amazon.fail("SendMessageBatch", lambda *_: ("200 OK", [], answer))
    queues.send(Lane.WORK, handed(1))
    assert [one.code for one in told.failures] == ["InternalError"]


@pytest.mark.parametrize(
    ("in_ms", "delay_s"), [(-5, 0), (0, 0), (999, 0), (1000, 1), (59_999, 59), (10**9, 900)]
)
def test_the_second_hand_rounds_down(amazon: Amazon, told: Told, in_ms: int, delay_s: int) -> None:
    asked: list[Mapping[str, Any]] = []

    def call(service: str, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append({"call": (service, operation), **parameters})
        return {}

    del amazon
    alarm = SqsAlarm(call, "url", lambda at, until: f"{at} {until}", lambda: NOW, told)
    alarm.wake(NOW + in_ms, 7)
    [sent] = asked
    assert (sent["DelaySeconds"], sent["MessageBody"]) == (delay_s, f"{NOW + in_ms} 7")


def test_a_wake_up_that_cannot_be_sent_is_told(amazon: Amazon, told: Told) -> None:
    amazon.fail("SendMessage", refuse(403, "AccessDenied"))
    call = Aws(REGION, lambda: NOW).caller(None, "")
    SqsAlarm(call, f"{PREFIX}wake", lambda *_: "x", lambda: NOW, told).wake(NOW, 0)
    assert [one.code for one in told.failures] == ["AccessDenied"]


@dataclass
class Installation:
    """Processes that share one mark and one queue of wake-ups."""

    clock: ManualClock = field(default_factory=ManualClock)
    sent: list[tuple[int, int]] = field(default_factory=list)
    mark: str | None = None
    lose: bool = False

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        self.sent.append((at_ms, arm_until_ms))

    def process(self) -> MergedAlarm:
        return MergedAlarm(self, self.clock.now_ms, lambda: self.mark, self._keep)

    def _keep(self, mark: str) -> None:
        if not self.lose:
            self.mark = mark


@pytest.fixture
def installation() -> Installation:
    return Installation()


Wake = Callable[[int, int], None]


def test_the_same_second_is_sent_once(installation: Installation) -> None:
    now = installation.clock.now
    for _ in range(5):
        installation.process().wake(now + 2000, now + 60_000)
    assert installation.sent == [(now + 2000, now + 60_000)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((2000, 60_000), (3000, 60_000)),  # another second
        ((2500, 60_000), (2100, 60_000)),  # earlier in it
        ((2000, 10_000), (2000, 60_000)),  # which may arm for longer
        ((0, 60_000), (100, 60_000)),  # the first has rung, and may not have seen what came since
    ],
)
def test_what_the_other_does_not_cover_is_sent(
    installation: Installation, first: tuple[int, int], second: tuple[int, int]
) -> None:
    now = installation.clock.now
    for at_ms, until_ms in (first, second):
        installation.process().wake(now + at_ms, now + until_ms)
    assert len(installation.sent) == 2


def test_a_wake_up_that_arms_nothing_is_sent_as_it_is(installation: Installation) -> None:
    for _ in range(2):
        installation.process().wake(installation.clock.now + 2000, 0)
    assert len(installation.sent) == 2
    assert installation.mark is None


def test_dying_before_the_mark_is_a_double_and_no_loss(installation: Installation) -> None:
    now = installation.clock.now
    installation.lose = True
    installation.process().wake(now + 2000, now + 60_000)
    installation.lose = False
    installation.process().wake(now + 2000, now + 60_000)
    installation.process().wake(now + 2000, now + 60_000)
    assert len(installation.sent) == 2
