"""IAM as far as these policies go: what a document permits, in one account and region."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

ACCOUNT = "123456789012"
REGION = "eu-central-1"
HERE = f"{REGION}:{ACCOUNT}"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "Database.DbiResourceId": "db-NOONDAY",
}


def resolved(value: Any) -> str:
    """As CloudFormation would, near enough to compare."""
    if isinstance(value, str):
        return value
    [(function, given)] = value.items()
    if function == "Fn::Sub":
        return re.sub(r"\${([\w:.]+)}", lambda part: PSEUDO[part[1]], given)
    if function == "Ref":
        return f"secret-of-{given}"
    name, attribute = given
    if attribute == "Arn":
        lane = name.removesuffix("Queue").lower()
        return f"arn:aws:sqs:{HERE}:noonday-dev-{lane}"
    return f"secret-of-{name}.{attribute}"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def permits(
    document: Mapping[str, Any],
    action: str,
    resource: str = "*",
    context: Mapping[str, str] | None = None,
) -> bool:
    """``context``: of the request, by the keys of conditions.

    None: the most that may be permitted; conditions of what is allowed are taken to hold, and those of what
    is denied not to. What is denied is, whatever else allows it.
    """
    applying = [
        statement
        for statement in document["Statement"]
        if action in statement["Action"]
        and any(_like(resolved(on), resource) for on in listed(statement["Resource"]))
        and _applies(statement, context)
    ]
    return bool(applying) and all(one["Effect"] == "Allow" for one in applying)


def _applies(statement: Mapping[str, Any], context: Mapping[str, str] | None) -> bool:
    conditions = statement.get("Condition", {})
    if context is not None:
        return _hold(conditions, context)
    return statement["Effect"] == "Allow" or not conditions


def actions(document: Mapping[str, Any]) -> set[str]:
    return {
        action
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


def _hold(conditions: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return all(
        key in context and any(_like(resolved(one), context[key]) for one in listed(values))
        for operator in conditions.values()
        for key, values in operator.items()
    )


def _like(pattern: str, text: str) -> bool:
    """``*`` and ``?`` are special; brackets are brackets."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
