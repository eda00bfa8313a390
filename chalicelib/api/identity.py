"""Whom API Gateway has let in: read from the event that it made, which no client can write.

Principals have prefixes by what they are: ``role:NAME`` and ``user:NAME`` of IAM, ``user:NAME`` and
``group:NAME`` of a user pool of Cognito. IAM knows names whatever their case, so they are kept in lower case.
An identity of another account than the API's carries its account: ``role:123456789012:NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts)::(?P<account>\d{12}):"
    r"(?:(?P<kind>user)/(?:.*/)?(?P<user>[^/]+)|assumed-role/(?P<role>[^/]+)/(?P<session>.+))"
)
_GROUP = re.compile(r"[^\s,\[\]]+")
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Identity:
    """``name``: as events show it. ``principals``: what memberships and administrators are named by."""

    name: str
    principals: Sequence[str]


def identity_of_iam(context: Mapping[str, Any]) -> Identity | None:
    """The caller whose signature API Gateway verified; None when the event carries none.

    ``context``: the event's ``requestContext``. A role's session name is the person's, where people assume
    roles, so it is shown; it is not what access is decided by, because whoever assumes a role chooses it.
    """
    identity = context.get("identity")
    arn = identity.get("userArn") if isinstance(identity, Mapping) else None
    match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if match is None:
        return None
    own = match["account"] == str(context.get("accountId"))
    kind, name = ("user", match["user"]) if match["kind"] else ("role", match["role"])
    principal = ":".join([kind, *([] if own else [match["account"]]), name.lower()])
    shown = f"{principal}/{match['session']}" if match["session"] else principal
    return Identity(shown[:LONGEST], [principal])


def identity_of_cognito(context: Mapping[str, Any]) -> Identity | None:
    """The user whose ID token API Gateway verified; None when the event carries none.

    An access token is none: it does not say for which client it was made.
    """
    authorizer = context.get("authorizer")
    claims = authorizer.get("claims") if isinstance(authorizer, Mapping) else None
    if not isinstance(claims, Mapping) or claims.get("token_use") != "id":
        return None
    user = claims.get("cognito:username")
    if not isinstance(user, str) or not user:
        return None
    listed = claims.get("cognito:groups") or ""
    groups = listed if isinstance(listed, list) else _GROUP.findall(str(listed))
    name = f"user:{user.lower()}"
    return Identity(name[:LONGEST], [name, *(f"group:{str(one).lower()}" for one in groups)])
