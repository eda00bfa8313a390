"""The queues of the lanes, each with one for dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.settings import queue_name
from infra.functions import Function, lanes
from infra.intrinsics import attribute, ref
from infra.policies import queue_arn
from infra.stage import Stage

VISIBLE_AFTER = 6
"""Times the function's time-out, as Lambda wants it: below, messages come again while they are worked on."""
TRIES = 5
DAY_S = 86_400


def queues(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for function in lanes(functions):
        lane = str(function.lane)
        name = queue_name(stage.environment, lane)
        dead = f"{lane.capitalize()}DeadLetters"
        made[dead] = _queue(f"{name}-dead", {"MessageRetentionPeriod": 14 * DAY_S})
        made[f"{lane.capitalize()}Queue"] = _queue(
            name,
            {
                "VisibilityTimeout": VISIBLE_AFTER * function.size.timeout_s,
                # What is older was handed out again by the store.
                "MessageRetentionPeriod": DAY_S,
                "RedrivePolicy": {
                    "deadLetterTargetArn": attribute(dead, "Arn"),
                    "maxReceiveCount": TRIES,
                },
            },
        )
    return {**made, "QueuesOverTls": _only_over_tls(functions)}


def _queue(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"QueueName": name, "SqsManagedSseEnabled": True, **properties},
    }


def _only_over_tls(functions: Sequence[Function]) -> dict[str, Any]:
    names = [str(one.lane).capitalize() for one in lanes(functions)]
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [ref(f"{name}Queue") for name in names],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:SendMessage",
                        "Resource": [queue_arn(str(one.lane)) for one in lanes(functions)],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    }
