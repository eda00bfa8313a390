"""What ``targets_allow`` of a stage means in IAM: the actions that a kind declares, on what entries name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.settings import AWS_KINDS as KIND_NAMES
from chalicelib.settings import PermittedTarget
from chalicelib.targets.aws_kind import Need
from chalicelib.targets.aws_lambda import LambdaSyncKind
from chalicelib.targets.registry import AWS_KINDS
from chalicelib.targets.s3_results import S3Results
from infra.intrinsics import sub
from infra.problems import Stuck
from infra.stage import Stage

Statement = dict[str, Any]
Parts = Mapping[str, str]

NEEDS: Mapping[str, Sequence[Need]] = {
    **{kind.name: kind.needs for kind in AWS_KINDS},
    "lambda_sync": LambdaSyncKind.needs,
    "glue_data": tuple(
        Need(action, on)
        for action in ("glue:GetTable", "glue:GetPartitions")
        for on in (
            "arn:aws:glue:*:*:catalog",
            "arn:aws:glue:*:*:database/{database}",
            "arn:aws:glue:*:*:table/{database}/{table}",
        )
    ),
    "s3": (
        Need("s3:GetObject", "arn:aws:s3:::{bucket}/*"),
        Need("s3:ListBucket", "arn:aws:s3:::{bucket}"),
    ),
    "s3_results": S3Results.needs,
}


def assumed_roles(entries: Sequence[PermittedTarget]) -> list[str]:
    return sorted({one.role for one in entries if one.role is not None})


def statements_for(
    entries: Sequence[PermittedTarget], calls: Callable[[str], bool], stage: Stage
) -> Iterator[Statement]:
    """One statement for each action and condition, in a stable order."""
    for kind in KIND_NAMES:
        mine = [one for one in entries if one.kind in (kind, "*")]
        if mine and calls(kind):
            yield from _of_kind(kind, mine, stage)


def _of_kind(kind: str, entries: Sequence[PermittedTarget], stage: Stage) -> Iterator[Statement]:
    if kind == "aws":
        yield from _operations(entries)
        return
    places: dict[str, set[str]] = {}
    for need in NEEDS[kind]:
        for entry in entries:
            place = _place(need, parts(kind, entry.resource))
            if place is not None:
                places.setdefault(need.action, set()).add(place)
    for action, on in places.items():
        resources = [sub(one) for one in sorted(on)]
        yield {
            "Sid": f"{_camel(kind)}{action.partition(':')[2]}",
            "Effect": "Allow",
            "Action": [action],
            "Resource": ["*"] if "*" in on else resources,
            **_conditions(kind, action, entries),
        }
    if kind == "ecs" and stage.pass_roles:
        service = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
        yield {
            "Sid": "EcsPassRole",
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": sorted(stage.pass_roles),
            "Condition": {"StringEquals": service},
        }


def _conditions(kind: str, action: str, entries: Sequence[PermittedTarget]) -> dict[str, Any]:
    """Where the resource of an action does not say all that the entry does."""
    if action in ("ecs:RunTask", "ecs:ListTasks"):
        clusters = {filled(_CLUSTER, parts(kind, one.resource)) for one in entries}
        return {"Condition": {"ArnLike": {"ecs:cluster": [sub(one) for one in sorted(clusters)]}}}
    if action == "events:PutEvents":
        sources = sorted({parts(kind, one.resource)["source"] for one in entries})
        return {"Condition": {"StringLike": {"events:source": sources}}}
    return {}


_CLUSTER = "arn:aws:ecs:*:*:cluster/{cluster}"


def _operations(entries: Sequence[PermittedTarget]) -> Iterator[Statement]:
    """An operation by its name; on what, only its definition says."""
    named = sorted({one.resource for one in entries if one.kind == "aws"})
    wild = [one for one in named if "*" in one]
    if wild:
        raise Stuck(
            f"targets_allow: {wild[0]!r} of the kind aws is a pattern, and a role is given no wildcard "
            "actions; name SERVICE:OPERATION, or give the entry a role of your own"
        )
    for number, operation in enumerate(named):
        yield {
            "Sid": f"Operation{number}",
            "Effect": "Allow",
            "Action": [operation],
            "Resource": ["*"],
        }


def parts(kind: str, resource: str) -> dict[str, str]:
    """What the resource of an entry gives the ``{parts}`` of the kind's ARNs."""
    match kind:
        case "step_functions":
            return {"state_machine": resource, "name": resource.rpartition(":")[2]}
        case "ecs":
            cluster, task = _two(resource)
            return {"cluster": _name(cluster), "task_definition": _revisions(task)}
        case "batch":
            queue, definition = _two(resource)
            return {"queue": queue, "definition": _revisions(definition)}
        case "redshift_data":
            place, _, rest = resource.partition("/")
            _, _, identity = rest.partition("/")
            by_secret = identity.startswith("arn:")
            secret = identity if by_secret else "*"
            user = "*" if by_secret or identity in ("", "iam") else identity
            return {"cluster": place, "user": user, "secret": secret}
        case "glue_data":
            database, table = _two(resource)
            return {"database": database, "table": table}
        case "s3_results":
            bucket, key = _two(resource)
            return {"bucket": bucket, "key": key}
        case "sqs":
            return {"name": resource.rpartition("/")[2]}
        case "events":
            bus, source = _two(resource)
            return {"bus": bus, "source": source}
    return {_FIELDS[kind]: resource}


_FIELDS = {
    "athena": "workgroup",
    "codebuild": "project",
    "glue": "job",
    "lambda": "function",
    "lambda_sync": "function",
    "sns": "topic",
    "s3": "bucket",
}


def filled(on: str, values: Parts) -> str:
    """The ARN; a part that is an ARN itself takes its place."""
    for name, value in values.items():
        if f"{{{name}}}" in on and value.startswith("arn:"):
            return value
    text = re.sub(r"{(\w+)}", lambda part: values[part[1]], on)
    if text == "*" or not text.startswith("arn:aws:"):
        return text
    service, region, account, rest = text.removeprefix("arn:aws:").split(":", 3)
    region = "${AWS::Region}" if region == "*" else region
    account = "${AWS::AccountId}" if account == "*" else account
    return f"arn:${{AWS::Partition}}:{service}:{region}:{account}:{rest}"


_ALL = {
    "{state_machine}": "arn:aws:states:*:*:stateMachine:*",
    "{topic}": "arn:aws:sns:*:*:*",
}
"""What ``*`` stands for where an entry gives the whole ARN."""


def _place(need: Need, values: Parts) -> str | None:
    """What the action is on; None where only the definition of a job or its data says it."""
    on = need.on
    if on == "*" or on.startswith("arn:"):
        return filled(on, values)
    if not re.fullmatch(r"{\w+}", on):
        return None
    value = filled(on, values)
    if value.startswith("arn:"):
        return value
    return filled(_ALL[on], {}) if on in _ALL else None


def _two(resource: str) -> tuple[str, str]:
    """``QUEUE/DEFINITION``, each a name or an ARN, which has slashes of its own."""
    match = re.fullmatch(r"(arn:[^/]*/[^/]*|[^/]*)/(.*)", resource)
    if match is None:  # a pattern like *
        return resource, resource if resource.endswith("*") else "*"
    return match[1], match[2]


def _name(place: str) -> str:
    return place.rpartition("/")[2]


def _revisions(definition: str) -> str:
    """Every revision, where the entry does not name one."""
    return definition if ":" in definition or definition.endswith("*") else f"{definition}:*"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
