"""``make permissions STAGE=…``: what the roles that ``targets_allow`` names need, as IAM takes it; and with
``FUNCTION=…`` what the role of a function has.

An entry with a role gives Noonday nothing but to assume it. Whoever owns that role gives it these two
documents: who may assume it, and what it may do then.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.settings import AWS_KINDS, PermittedTarget
from infra.encryption import statements as of_keys
from infra.functions import declared
from infra.permitted import assumed_roles, statements_for
from infra.policies import concerns, policy
from infra.problems import Stuck
from infra.stage import Stage, read_stage

LONGEST_SESSION = 64
SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


def of_roles(stage: Stage, region: str, account: str | None) -> dict[str, dict[str, Any]]:
    """By role. ``account``: where Noonday is; None: where the role is."""
    return {
        role: {
            "trust": _trust(role, _with(role, stage), stage, account),
            "permissions": _permissions(role, _with(role, stage), stage, region),
        }
        for role in assumed_roles(stage.allowed)
    }


def of_function(stage: Stage, name: str) -> dict[str, Any]:
    """Raises Stuck when there is none of that name."""
    functions = {one.name: one for one in declared()}
    if name not in functions:
        raise Stuck(f"FUNCTION={name}: there is no such function; there are {', '.join(functions)}")
    return policy(functions[name], stage)


def _with(role: str, stage: Stage) -> Sequence[PermittedTarget]:
    return [one for one in stage.allowed if one.role == role]


def _permissions(
    role: str, entries: Sequence[PermittedTarget], stage: Stage, region: str
) -> dict[str, Any]:
    _, partition, _, _, account, _ = role.split(":", 5)
    known = {
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::URLSuffix": SUFFIXES.get(partition, "amazonaws.com"),
    }
    kinds = {kind for kind in AWS_KINDS for one in entries if one.kind in (kind, "*")}
    found = [*statements_for(entries, lambda _: True, stage), *of_keys(kinds, stage)]
    return {"Version": "2012-10-17", "Statement": _resolved(found, known)}


def _trust(
    role: str, entries: Sequence[PermittedTarget], stage: Stage, account: str | None
) -> dict[str, Any]:
    """Functions of this stage that call for those entries, in sessions named for the entries' owners."""
    _, partition, _, _, own, _ = role.split(":", 5)
    account = account or own
    callers = [one for one in declared() if any(concerns(one, entry) for entry in entries)]
    roles = [
        f"arn:{partition}:iam::{account}:role/{stage.prefix}-{one.role_id}-*" for one in callers
    ]
    sessions = sorted({f"noonday-{one.owner}"[:LONGEST_SESSION] for one in entries})
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnLike": {"aws:PrincipalArn": roles},
                    "StringLike": {"sts:RoleSessionName": sessions},
                },
            }
        ],
    }


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, known) for one in value]
    if isinstance(value, dict):
        if list(value) == ["Fn::Sub"]:
            return re.sub(r"\${(AWS::\w+)}", lambda part: known[part[1]], value["Fn::Sub"])
        return {key: _resolved(one, known) for key, one in value.items()}
    return value


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """``STAGE [FUNCTION]``. The documents on standard output, and nothing else."""
    try:
        name, *function = arguments
        stage = read_stage(name)
        if function:
            found: Mapping[str, Any] = of_function(stage, function[0])
        else:
            found = of_roles(stage, _region(stage, environment), _account(environment))
    except Stuck as stuck:
        print(stuck, file=sys.stderr)
        return 1
    if not found:
        print(
            f"no entry of targets_allow in stage {name} names a role: Noonday's functions call as "
            "themselves; make permissions FUNCTION=launch shows what they may do",
            file=sys.stderr,
        )
    print(json.dumps(found, indent=2))
    return 0


def _region(stage: Stage, environment: Mapping[str, str]) -> str:
    region = stage.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise Stuck("no region: set region in the stage's file, or AWS_REGION=eu-central-1")
    return region


def _account(environment: Mapping[str, str]) -> str | None:
    account = environment.get("ACCOUNT") or None
    if account is not None and not re.fullmatch(r"\d{12}", account):
        raise Stuck(f"ACCOUNT={account}: the account where Noonday is has 12 digits")
    return account


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
