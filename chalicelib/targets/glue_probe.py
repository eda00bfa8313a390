"""Partitions, and tables, of Glue's catalogue. Which owner may look, in whose role, the operator says.

A partition is written as Hive's paths have it: ``glue://database/table/dt=2026-11-24/region=eu``. Keys
that are left out may have any value: it is there as soon as one such partition is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from chalicelib.aws import Aws, LostAnswer, NotTaken, Rejected
from chalicelib.engine.conditions import Condition, Found
from chalicelib.engine.ports import Clock
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import GLUE, Prerequisite
from chalicelib.model.template import templated
from chalicelib.targets.aws_kind import Need
from chalicelib.targets.configuration import TargetSettings

KIND = "glue_data"
READ_S = 5.0
_NAME = re.compile(r"[^\s/*?\"'=\\]{1,255}")
_MOST_KEYS = 20
_MOST_PAGES = 20
_WRITE = "write glue://database/table/dt=VALUE"


@dataclass(frozen=True, slots=True)
class _Place:
    """``keys``: of the partition, in the order in which they are written; none: the table itself."""

    database: str
    table: str
    keys: tuple[tuple[str, str], ...]

    @property
    def resource(self) -> str:
        return f"{self.database}/{self.table}"


class GlueProbe:
    """Looks at the tables that the operator's entries of the kind ``glue_data`` name, and at no others."""

    name = KIND
    needs = tuple(
        Need(action, f"arn:aws:glue:*:*:{on}")
        for action in ("glue:GetTable", "glue:GetPartitions")
        for on in ("catalog", "database/{database}", "table/{database}/{table}")
    )

    def __init__(self, settings: TargetSettings, clock: Clock) -> None:
        self._aws = Aws(settings.aws_region, clock.now_ms)
        self._allow = settings.allow

    def problems(
        self,
        prerequisite: Prerequisite,
        parameters: Collection[str],  # noqa: ARG002 - templates have been checked
        owner: str,
    ) -> Iterator[Problem]:
        url = prerequisite.data or ""
        place = _read(url)
        complaint = place if isinstance(place, str) else self._forbidden(place, owner)
        if complaint:
            yield Problem("data", complaint, url)

    def check(self, condition: Condition, seconds: float) -> Found:  # noqa: ARG002 - boto3's are set
        place = _read(condition.what)
        complaint = place if isinstance(place, str) else self._forbidden(place, condition.owner)
        if isinstance(place, str) or complaint:
            return Found(met=False, what=complaint or "")
        try:
            return self._look(place, condition.owner)
        except Rejected as error:
            return Found(met=False, what=_explained(error, place))
        except LostAnswer as error:
            raise TimeoutError(f"Glue gave no answer: {error}") from error
        except NotTaken as error:
            return Found(met=False, what=f"Glue does not answer now: {error}")

    def _look(self, place: _Place, owner: str) -> Found:
        where = {"DatabaseName": place.database, "TableName": place.table}
        if not place.keys:
            asked = {"DatabaseName": place.database, "Name": place.table}
            self._ask(place, owner, "GetTable", asked)
            return Found(met=True, what="the table is there")
        asked_for = {
            **where,
            "Expression": " AND ".join(f"{key} = '{_quoted(value)}'" for key, value in place.keys),
            "ExcludeColumnSchema": True,
        }
        found = self._first(place, owner, asked_for)
        if found is None:
            return Found(met=False, what="there is no such partition")
        location = found.get("StorageDescriptor", {}).get("Location")
        return Found(
            met=True, what=f"the partition is there{f', at {location}' if location else ''}"
        )

    def _first(
        self, place: _Place, owner: str, asked: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """The catalogue may have read a page of it, and found nothing on that page yet."""
        more: Mapping[str, Any] = {}
        for _ in range(_MOST_PAGES):
            answer = self._ask(place, owner, "GetPartitions", {**asked, **more})
            for one in answer.get("Partitions", ()):
                found: Mapping[str, Any] = one
                return found
            if not answer.get("NextToken"):
                return None
            more = {"NextToken": answer["NextToken"]}
        return None

    def _ask(
        self, place: _Place, owner: str, operation: str, asked: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        permission = self._allow.find(owner, KIND, place.resource)
        role = permission.role if permission is not None else None
        return self._aws.caller(role, owner, read_s=READ_S)("glue", operation, asked)

    def _forbidden(self, place: _Place, owner: str) -> str | None:
        if templated(place.resource) or self._allow.find(owner, KIND, place.resource):
            return None
        entry = json.dumps({"owner": owner, "kind": KIND, "resource": place.resource})
        return (
            f"nothing permits {owner} to look at the table {place.resource}; whoever operates Noonday"
            f" does so with an entry in NOONDAY_TARGETS_ALLOW: {entry}"
        )


def _read(url: str) -> _Place | str:
    """The place, or what is wrong with it. Templates may stand for any part; a slash in a value is %2F."""
    database, _, rest = url.removeprefix(GLUE).partition("/")
    table, *parts = rest.removesuffix("/").split("/") if "${" not in rest else _split(rest)
    for name in (database, table):
        if not templated(name) and not _NAME.fullmatch(name):
            return f"names no table of Glue's catalogue; {_WRITE}"
    keys = []
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not value or not (templated(key) or _NAME.fullmatch(key)):
            return f"{part!r} is no key of a partition with its value; {_WRITE}"
        keys.append((key, unquote(value)))
    if len(keys) > _MOST_KEYS:
        return f"has more than {_MOST_KEYS} keys"
    return _Place(database, table, tuple(keys))


def _split(rest: str) -> list[str]:
    """By slashes outside of placeholders, whose formats may hold some."""
    return re.split(r"/(?![^{]*\})", rest.removesuffix("/"))


def _quoted(value: str) -> str:
    """In an expression of Glue, which is SQL's."""
    return value.replace("'", "''")


def _explained(error: Rejected, place: _Place) -> str:
    if error.code == "EntityNotFoundException":
        return f"there is no table {place.resource}"
    if error.code == "AccessDeniedException":
        return "access is denied; it takes glue:GetTable and glue:GetPartitions, and Lake Formation's SELECT"
    return f"Glue refuses: {error}"
