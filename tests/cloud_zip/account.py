"""The account in which the artefact runs: its functions, and a simulator of whatever invokes them.

moto keeps queues faithfully, and delivers nothing by itself: here queues are polled as their mappings say,
and the rule rings when a test says so. Time does not pass by itself either: ``later`` moves what waits for a
time nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from moto.sqs.models import sqs_backends

from chalicelib.local.context import scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, REGION, Amazon
from tests.cloud_zip.deploying import LANES, PREFIX, Deployed
from tests.cloud_zip.front import Front
from tests.cloud_zip.guard import Guard
from tests.cloud_zip.runtime import Died, Function, Raised
from tests.databases import Server

MINUTE_MS = 60_000
_AHEAD = ("wake_ms", "lease_ms", "deadline_ms", "stop_deadline_ms")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Run:
    """An instance, as its API shows it."""

    account: Account
    id: str

    def shown(self) -> Any:
        return self.account.call("GET", f"/instances/{self.id}")

    @property
    def external_id(self) -> str:
        return str(self.shown()["runs"][-1]["external_id"])


@dataclass(slots=True)
class Account:
    """``machine``: what the environment of every function has besides what was deployed."""

    amazon: Amazon
    database: Server
    schema: str
    deployed: Deployed
    functions: Mapping[str, Function]
    machine: Mapping[str, str]
    front: Front
    guard: Guard
    failed: list[str] = field(default_factory=list)
    """What functions raised or died of, as their logs tell it."""

    def call(self, method: str, target: str, body: Any = None) -> Any:
        """A request that succeeds; its document."""
        answer = self.front.call(method, target, body)
        assert answer.status < 300, answer.body
        return answer.body

    def ring(self, times: int = 1) -> None:
        """EventBridge invokes the rule's target."""
        for _ in range(times):
            self.functions["minute"].invoke(scheduled_event(wall_ms()))

    def try_to_ring(self) -> None:
        """The rule's target may fail; what it said is kept."""
        try:
            self.ring()
        except Raised as error:
            self.failed.append(str(error))

    def submit(self, kind: str, target: Mapping[str, Any], **fields: Any) -> Run:
        """A job that is due once, now."""
        job = self.call("POST", "/jobs", a_job(kind, target, **fields))
        triggered = self.call("POST", f"/jobs/{job['id']}/trigger", {})
        return Run(self, triggered["id"])

    def look_again(self) -> None:
        """The next poll's time has come, or that a lease ends; the alarm rings."""
        self.later(2 * MINUTE_MS)
        self.ring()
        self.drain()

    def poll(self, lane: str, *, times: int = 1) -> int:
        """What a queue holds goes to its function, as the mapping does it; how many messages there were.

        What the function did not answer for is visible again at once. ``times``: deliveries of the same.
        """
        function, mapping = self._mapping(lane)
        url, queues = PREFIX + lane, self.amazon.client("sqs")
        received = queues.receive_message(
            QueueUrl=url, MaxNumberOfMessages=mapping["BatchSize"], AttributeNames=["All"]
        )
        messages = received.get("Messages", [])
        if not messages:
            return 0
        for _ in range(times):
            failed = self._deliver(function, lane, messages)
        for one in messages:
            handle = {"QueueUrl": url, "ReceiptHandle": one["ReceiptHandle"]}
            if one["MessageId"] in failed:
                queues.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                queues.delete_message(**handle)
        return len(messages)

    def drain(self) -> None:
        """Until no queue holds anything that is due."""
        while sum(self.poll(lane) for lane in LANES):
            pass

    def drain_once(self) -> None:
        """Each queue once: what fails would come again and again."""
        for lane in LANES:
            self.poll(lane)

    def discard(self, lane: str) -> None:
        """Messages of a queue are lost, as often as a test wants: SQS does that once a minute."""
        queue: Any = sqs_backends[ACCOUNT][REGION].queues[(PREFIX + lane).rpartition("/")[2]]
        queue.last_purged_at = None
        self.amazon.client("sqs").purge_queue(QueueUrl=PREFIX + lane)

    def later(self, milliseconds: int) -> None:
        """Time passes for all instances: their leases, polls and deadlines come nearer."""
        moved = ", ".join(f"{name} = {name} - {milliseconds}" for name in _AHEAD)
        self.database.execute(f"UPDATE scheduler_job_instances SET {moved}", self.schema)

    def instance(self, id_: str) -> Any:
        return self.call("GET", f"/instances/{id_}")

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """What the functions ask their database meanwhile."""
        noted: list[str] = []
        self.database.execute("TRUNCATE mysql.general_log")
        self.database.execute("SET GLOBAL log_output = 'TABLE'")
        self.database.execute("SET GLOBAL general_log = 1")
        try:
            yield noted
        finally:
            self.database.execute("SET GLOBAL general_log = 0")
            rows = self.database.execute(
                "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
                " WHERE user_host LIKE 'noonday%' AND command_type IN ('Query', 'Execute')"
                " ORDER BY event_time"
            )
            noted.extend(text for (text,) in rows)

    def _deliver(self, function: str, lane: str, messages: list[Any]) -> frozenset[str]:
        event = {"Records": [_record(lane, one) for one in messages]}
        try:
            answer = self.functions[function].invoke(event)
        except (Died, Raised) as error:
            self.failed.append(str(error))
            return frozenset(one["MessageId"] for one in messages)
        return frozenset(one["itemIdentifier"] for one in answer["batchItemFailures"])

    def _mapping(self, lane: str) -> tuple[str, Mapping[str, Any]]:
        [found] = [
            (function, mapping)
            for function, mapping in self.deployed.mappings.items()
            if mapping["EventSourceArn"].endswith(f"-{lane}")
        ]
        return found


def _record(lane: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:noonday-test-{lane}",
        "awsRegion": "eu-central-1",
    }


def a_job(kind: str, target: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """It was due once, long ago: at once when it is scheduled."""
    return {
        "name": f"job-{next(_numbers)}",
        "schedule": {"at": "2026-01-01T00:00:00"},
        "target": {"kind": kind, **target},
        **fields,
    }
