"""SQS as the engine's queue and as its second hand.

Neither promises anything: what a message was about stands in the store, which hands it out again. A send
that fails is therefore told and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.aws.calling import Caller
from chalicelib.aws.failures import AwsFailure
from chalicelib.engine.ports import HandedOut, Lane

TOGETHER: Mapping[Lane, int] = {Lane.LAUNCH: 10, Lane.WORK: 1, Lane.CHECK: 10, Lane.DELIVER: 1}
"""How many travel in one message. A function takes five messages of launches: 50 calls, 16 at once, are made
within the minute of a claim even when every one takes its ten seconds."""
ENTRIES = 10  # of one SendMessageBatch
LONGEST_DELAY_S = 900  # of SQS

T = TypeVar("T")
Told = Callable[[AwsFailure], None]
"""What is done about a message that could not be sent: somebody is told."""


class SqsQueues:
    """The Queue port. ``prefix`` with a lane's name is the URL of the lane's queue."""

    def __init__(
        self,
        call: Caller,
        prefix: str,
        write: Callable[[Sequence[HandedOut]], str],
        told: Told,
    ) -> None:
        self._call = call
        self._prefix = prefix
        self._write = write
        self._told = told

    def send(self, lane: Lane, handed: Sequence[HandedOut]) -> None:
        bodies = [self._write(together) for together in _pieces(handed, TOGETHER[lane])]
        for entries in _pieces(bodies, ENTRIES):
            try:
                self._send(lane, entries)
            except AwsFailure as failure:
                self._told(failure)

    def _send(self, lane: Lane, bodies: Sequence[str]) -> None:
        entries = [{"Id": str(number), "MessageBody": one} for number, one in enumerate(bodies)]
        asked = {"QueueUrl": self._prefix + lane, "Entries": entries}
        failed: Sequence[Any] = self._call("sqs", "SendMessageBatch", asked).get("Failed", ())
        for one in failed:
            self._told(AwsFailure(one.get("Code", "not sent"), one.get("Message", "")))


class SqsAlarm:
    """The Alarm port: a delayed message.

    SQS counts whole seconds, so it comes up to one too early, and whoever receives it waits out the rest.
    """

    def __init__(
        self,
        call: Caller,
        url: str,
        write: Callable[[int, int], str],
        now_ms: Callable[[], int],
        told: Told,
    ) -> None:
        self._call = call
        self._url = url
        self._write = write
        self._now_ms = now_ms
        self._told = told

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        delay_s = min(max((at_ms - self._now_ms()) // 1000, 0), LONGEST_DELAY_S)
        asked = {
            "QueueUrl": self._url,
            "MessageBody": self._write(at_ms, arm_until_ms),
            "DelaySeconds": delay_s,
        }
        try:
            self._call("sqs", "SendMessage", asked)
        except AwsFailure as failure:
            self._told(failure)


def _pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[begin : begin + size] for begin in range(0, len(items), size))
