"""What is told of a job to those who asked: notifications, kept until they are delivered."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class NotificationState(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class Told(StrEnum):
    """What a notification tells; receivers read it as ``type``."""

    SUCCEEDED = "instance.succeeded"
    FAILED = "instance.failed"
    TIMED_OUT = "instance.timed_out"
    KILLED = "instance.killed"
    SKIPPED = "instance.skipped"
    MANY_SKIPPED = "instances.skipped"
    NOT_STARTED = "instance.not_started"
    NOT_ENDED = "instance.not_ended"
    RUNNING_LONG = "instance.running_long"
    SUSPENDED = "job.suspended"
    TEST = "notification.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One event for one channel. Times are UTC milliseconds.

    ``channel_json`` and ``payload_json`` are what was decided with the event, and never change.
    ``wake_ms``: when its delivery is tried next; None once it has ended. ``give_up_ms``: a try that fails
    then or later is the last. ``attempts``: how many deliveries were begun; only the latest may settle.
    """

    id: str
    owner: str
    job_id: str
    instance_id: str | None
    event: str
    channel_json: str
    payload_json: str
    state: NotificationState = NotificationState.PENDING
    attempts: int = 0
    wake_ms: int | None
    give_up_ms: int
    error: str | None = None
    created_ms: int
    ended_ms: int | None = None


class Lateness(StrEnum):
    """The ways to be late that can be watched for."""

    NOT_STARTED = "NOT_STARTED"
    NOT_ENDED = "NOT_ENDED"
    RUNNING_LONG = "RUNNING_LONG"


@dataclass(frozen=True, slots=True)
class Watch:
    """When to look whether an instance is late; decided, it is gone."""

    instance_id: str
    kind: Lateness
    job_id: str
    due_ms: int


def notification_id(at_ms: int, *event: object) -> str:
    """48 bits of the event's own time and 80 of a hash: ordered by time, and the same however often, and
    by whomever, the event is decided."""
    text = json.dumps([at_ms, *event], default=str)
    digest = hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
    return f"{max(at_ms, 0) & ((1 << 48) - 1):012x}{digest}"
