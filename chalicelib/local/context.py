"""What Lambda gives a handler besides its event, and the events' own shapes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

_numbers = itertools.count(1)


class EventContext:
    """How much time is left, and a name for the invocation."""

    def __init__(self, function_name: str, *, limit_s: float) -> None:
        self.function_name = function_name
        self.aws_request_id = f"{function_name}-{next(_numbers)}"
        self._end = time.monotonic() + limit_s

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


def scheduled_event(at_ms: int) -> dict[str, Any]:
    """EventBridge's event of a scheduled rule."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {
        "version": "0",
        "id": f"minute-{next(_numbers)}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "local",
        "resources": ["minute"],
        "detail": {},
    }


def queue_event(queue: str, bodies: Sequence[str]) -> dict[str, Any]:
    """SQS's event: records, each a message."""
    return {"Records": [_record(queue, body) for body in bodies]}


def _record(queue: str, body: str) -> dict[str, Any]:
    number = next(_numbers)
    return {
        "messageId": f"{queue}-{number}",
        "receiptHandle": f"{queue}-{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:local:000000000000:{queue}",
        "awsRegion": "local",
    }
