"""What the operator permits runs to launch on AWS. Nothing is permitted that no entry names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry. ``owner`` and ``resource`` are patterns in which ``*`` stands for any text.

    ``kind``: of target, or ``*``. ``role``: whose role is assumed for the calls; None for none.
    """

    owner: str
    kind: str
    resource: str
    role: str | None = None

    def covers(self, owner: str, kind: str, resource: str | None) -> bool:
        """``resource`` None: whether it could cover any."""
        return (
            _matches(self.owner, owner)
            and self.kind in (kind, "*")
            and (resource is None or _matches(self.resource, resource))
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """The entries, in the order in which they are looked at; the first that covers a target counts."""

    entries: Sequence[Permission] = ()

    def find(self, owner: str, kind: str, resource: str | None) -> Permission | None:
        return next((one for one in self.entries if one.covers(owner, kind, resource)), None)

    def complaint(self, owner: str, kind: str, resource: str | None) -> str | None:
        """Why the owner may not launch that, and what the operator can do about it; None if it may."""
        if self.find(owner, kind, resource):
            return None
        entry = json.dumps({"owner": owner, "kind": kind, "resource": resource or "…"})
        what = f"{kind} {resource!r}" if resource else f"any target of the kind {kind}"
        return (
            f"nothing permits {owner} to launch {what} here; whoever operates Noonday does so with an"
            f" entry in NOONDAY_TARGETS_ALLOW: {entry}"
        )


def _matches(pattern: str, text: str) -> bool:
    """Case counts, and only ``*`` is special: a bracket in a name is a bracket."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, text, re.DOTALL) is not None
