"""What ``targets_allow`` of a stage means in IAM: the actions that a kind declares, on what entries name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.settings import AWS_KINDS as KIND_NAMES
from chalicelib.settings import PermittedTarget
from chalicelib.targets import GlueProbe, S3Probe
from chalicelib.targets.aws_kind import Need
from chalicelib.targets.aws_lambda import LambdaSyncKind
from chalicelib.targets.registry import kinds_on_aws
from chalicelib.targets.s3_results import S3Results
from infra import athena_data, resources
from infra.actions import action_of
from infra.intrinsics import Value, sub
from infra.problems import Stuck
from infra.resources import Parts
from infra.stage import Stage

Statement = dict[str, Any]

NEEDS: Mapping[str, Sequence[Need]] = {
    **{kind.name: kind.needs for kind in kinds_on_aws()},
    "lambda_sync": LambdaSyncKind.needs,
    "glue_data": GlueProbe.needs,
    "s3": S3Probe.needs,
    "s3_results": S3Results.needs,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource. ``condition``: JSON, empty for none."""

    action: str
    on: str
    condition: str = ""


def assumed_roles(entries: Sequence[PermittedTarget]) -> list[str]:
    return sorted({one.role for one in entries if one.role is not None})


def statements_for(
    entries: Sequence[PermittedTarget], calls: Callable[[str], bool], stage: Stage
) -> Iterator[Statement]:
    """In a stable order; actions on the same resources share a statement."""
    for kind in KIND_NAMES:
        mine = [one for one in entries if one.kind in (kind, "*")]
        if mine and calls(kind):
            yield from _statements(_camel(kind), _of_kind(kind, mine, stage))


def _statements(sid: str, grants: Iterable[Grant]) -> Iterator[Statement]:
    places: dict[tuple[str, str], set[str]] = {}
    for one in grants:
        places.setdefault((one.action, one.condition), set()).add(one.on)
    together: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (action, condition), on in places.items():
        where = ("*",) if "*" in on else tuple(sorted(on))
        together.setdefault((where, condition), []).append(action)
    for number, ((where, condition), actions) in enumerate(together.items(), 1):
        yield {
            "Sid": f"{sid}{number}",
            "Effect": "Allow",
            "Action": actions,
            "Resource": [sub(one) for one in where],
            **({"Condition": json.loads(condition)} if condition else {}),
        }


def _of_kind(kind: str, entries: Sequence[PermittedTarget], stage: Stage) -> Iterator[Grant]:
    if kind == "aws":
        yield from _operations(entries)
        return
    for entry in entries:
        for values in resources.parts(kind, entry.resource, stage.redshift_workgroups):
            for need in NEEDS[kind]:
                if resources.fits(need, values):
                    on = resources.filled(need.on, values)
                    yield Grant(need.action, on, _condition(need.action, values))
    if kind == "athena":
        yield from (Grant(action, on) for action, on in athena_data.grants(stage.athena))
    if kind == "ecs":
        passed = _written({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}})
        yield from (Grant("iam:PassRole", role, passed) for role in stage.pass_roles)


def _condition(action: str, values: Parts) -> str:
    """Where the resource of an action does not say all that the entry does."""
    match action:
        case "ecs:RunTask" | "ecs:ListTasks":
            cluster = sub(resources.filled("arn:aws:ecs:*:*:cluster/{cluster}", values))
            return _written({"ArnLike": {"ecs:cluster": cluster}})
        case "events:PutEvents":
            return _written({"StringLike": {"events:source": values["source"]}})
        case "states:StartExecution" if values["qualifier"]:
            return _written({"StringLike": {"states:StateMachineQualifier": values["qualifier"]}})
        case (
            "redshift-data:DescribeStatement"
            | "redshift-data:CancelStatement"
            | "redshift-data:ListStatements"
        ):  # nobody's but its own
            owner = {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}
            return _written({"StringEquals": owner})
    return ""


def _written(condition: Mapping[str, Value]) -> str:
    return json.dumps(condition, sort_keys=True)


def _operations(entries: Sequence[PermittedTarget]) -> Iterator[Grant]:
    """An operation by its name; on what, only its definition says."""
    named = sorted({one.resource for one in entries if one.kind == "aws"})
    for one in named:
        service, colon, operation = one.partition(":")
        if "*" in one or not colon:
            raise Stuck(
                f"targets_allow: {one!r} of the kind aws is a pattern, and a role is given no wildcard "
                "actions; name SERVICE:OPERATION, or give the entry a role of your own"
            )
        try:
            yield Grant(action_of(service, operation), "*")
        except Stuck as stuck:
            raise Stuck(f"targets_allow: {one!r} of the kind aws: {stuck}") from None


def covers(pattern: str, text: str) -> bool:
    """As the entries of the list are compared: only ``*`` is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
