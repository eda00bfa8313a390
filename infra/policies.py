"""What each function may do, and nothing else. Written from what the code calls: its queues, its secret, and
the permissions that the kinds of targets declare, on the resources that the stage allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.aws import SOURCE
from chalicelib.settings import AWS_KINDS, PermittedTarget
from infra import connections
from infra.encryption import statements as of_keys
from infra.functions import Function, Source
from infra.intrinsics import Value, arn, attribute, ref
from infra.permitted import assumed_roles, covers, statements_for
from infra.problems import Stuck
from infra.resources import parts
from infra.stage import Stage

Statement = dict[str, Any]

STARTED = "launch"
"""The function that launches, asks and ends what AWS executes."""
KINDS: Mapping[str, frozenset[str]] = {
    "work": frozenset({"lambda_sync", "s3_results"}),
    "check": frozenset({"s3", "glue_data"}),
    "deliver": frozenset({"sns", "events"}),
}
"""Which kinds a function calls; ``launch`` calls all but those of ``work`` and ``check``."""
INLINE = KINDS["work"] | KINDS["check"]
MOST_CHARACTERS = 10_240
"""Of all inline policies of a role, without white space."""
DATABASE_USER = "dbuser:${Database.DbiResourceId}/noonday"

SENDS: Mapping[str, Sequence[str]] = {
    "minute": ("wake", "launch", "work", "check", "deliver"),
    "second": ("wake", "launch", "work", "check", "deliver"),
    "check": ("wake", "launch", "work"),
    "completion": ("wake", "launch"),
    "data_arrival": ("wake", "check"),
    "migrate": (),
}
"""The queues that a function sends to."""
WAKES = ("wake",)
"""Every command may make something due: whoever gives it arms the alarm."""

# Lambda itself makes the network interfaces, with the function's role.
INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
CONSUME = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


def policy(function: Function, stage: Stage) -> dict[str, Any]:
    """The document of its role.

    Raises:
        Stuck: IAM would not take it: it is too long.
    """
    document = {"Version": "2012-10-17", "Statement": list(_statements(function, stage))}
    size = len(json.dumps(document, separators=(",", ":")))
    if size > MOST_CHARACTERS:
        raise Stuck(
            f"the policy of {function.name} has {size:,} characters, and IAM takes {MOST_CHARACTERS:,}; give "
            "entries of targets_allow roles of their own (make permissions), or use patterns"
        )
    return document


def _statements(function: Function, stage: Stage) -> Iterator[Statement]:
    name = f"{stage.prefix}-{function.name}"
    logs = arn("logs", f"log-group:/aws/lambda/{name}:*")
    yield allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
    yield allow("JoinTheNetwork", INTERFACES, ["*"])
    yield {
        **allow("NotFromTheCodeItself", INTERFACES, ["*"]),
        "Effect": "Deny",
        "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": arn("lambda", f"function:{name}")}},
    }
    if function.lane:
        yield allow("TakeFromItsQueue", CONSUME, [queue_arn(function.lane)])
    sends = SENDS.get(function.name, WAKES)
    if sends:
        yield allow("Send", ["sqs:SendMessage"], [queue_arn(lane) for lane in sends])
    if stage.database.iam:
        yield allow("ConnectToTheDatabase", ["rds-db:connect"], [arn("rds-db", DATABASE_USER)])
    secrets = secrets_of(function, stage)
    if secrets:
        yield allow("DatabasePassword", ["secretsmanager:GetSecretValue"], secrets)
    if function.name in connections.CONNECTING:
        yield from connections.statements(stage.connections)
    yield from _of_targets(function, stage)


def secrets_of(function: Function, stage: Stage) -> list[Value]:
    """The master's is for who creates the application's user."""
    own = [] if stage.database.iam else [ref("DatabaseSecret")]
    if function.source is Source.HAND and function.name == "migrate":
        return [*own, attribute("Database", "MasterUserSecret.SecretArn")]
    return own


def _of_targets(function: Function, stage: Stage) -> Iterator[Statement]:
    entries = [one for one in stage.allowed if concerns(function, one)]
    roles = assumed_roles(entries)
    if roles:
        yield allow("ActForOwners", ["sts:AssumeRole"], roles)
    direct = [one for one in entries if one.role is None]
    yield from statements_for(direct, lambda kind: calls(function, kind), stage)
    kinds = {kind for kind in AWS_KINDS for one in direct if one.kind in (kind, "*")}
    mine = {kind for kind in kinds if calls(function, kind)}
    yield from of_keys(mine, stage, connects=function.name in connections.CONNECTING)
    if function.name == STARTED:
        yield from stage.permissions


def concerns(function: Function, entry: PermittedTarget) -> bool:
    """Whether it calls AWS for that entry; notifications are events of one source."""
    if function.name == "deliver" and entry.kind == "events":
        return any(covers(one["source"], SOURCE) for one in parts("events", entry.resource, {}))
    return calls(function, entry.kind)


def calls(function: Function, kind: str) -> bool:
    """Whether the function calls AWS for that kind; ``*`` is every kind."""
    if function.name == STARTED:
        return kind not in INLINE
    mine = KINDS.get(function.name, frozenset())
    return bool(mine) if kind == "*" else kind in mine


def allow(sid: str, actions: Sequence[str], resources: Sequence[Value]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }


def queue_arn(lane: str) -> Value:
    return attribute(f"{lane.capitalize()}Queue", "Arn")
