"""What an instance waits for, concretely: a pure function of instance, run and revision."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chalicelib.engine.conditions import Condition, Found, normal_path, shortened
from chalicelib.engine.requests import bindings_of, values_of
from chalicelib.model.definition import Definition
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_local, parse_instant
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.model.template import Values, render

_BINDING = re.compile(r":([A-Za-z_]\w*)")


def conditions_of(
    instance: Instance, job_name: str, definition: Definition, calendars_json: str | None
) -> tuple[Sequence[Condition], Mapping[Condition, Found]]:
    """What the instance waits for, and what needs no look: of that, what there is to say."""
    values = values_of(instance, job_name, definition, calendars_json)
    wanted, known = [], {}
    for prerequisite in definition.prerequisites:
        try:
            condition = _condition(prerequisite, instance.owner, values)
        except (ValueError, OverflowError) as error:
            text = str(getattr(prerequisite, prerequisite.kind))
            condition = Condition(
                kind=prerequisite.kind, what=text, owner=instance.owner, words=shortened(text)
            )
            known[condition] = Found(met=False, what=f"its templates cannot be replaced: {error}")
        else:
            if condition.kind == "job" and condition.nominal_ms is None:
                known[condition] = Found(met=True, what="there is no such nominal time")
        wanted.append(condition)
    return wanted, known


def _condition(prerequisite: Prerequisite, owner: str, values: Values) -> Condition:
    if prerequisite.data is not None:
        path = normal_path(render(prerequisite.data, values))
        return Condition(kind="data", what=path, owner=owner, words=shortened(path))
    if prerequisite.http is not None:
        url = render(prerequisite.http, values)
        return Condition(
            kind="http",
            what=url,
            owner=owner,
            method=prerequisite.method or "GET",
            statuses=prerequisite.statuses,
            words=shortened(_without_query(url)),
        )
    if prerequisite.sql is not None:
        return _query(prerequisite, prerequisite.sql, owner, values)
    return _instance_of(prerequisite, prerequisite.job or "", owner, values)


def _query(prerequisite: Prerequisite, query: str, owner: str, values: Values) -> Condition:
    """Only what the text may name is kept of the bindings: equal questions are asked once."""
    bindings = bindings_of(values)
    used = sorted(set(_BINDING.findall(query)) & bindings.keys())
    return Condition(
        kind="sql",
        what=query,
        owner=owner,
        connection=prerequisite.connection or "",
        bindings=tuple((name, bindings[name]) for name in used),
        words=f"a row of {prerequisite.connection}: {shortened(' '.join(query.split()))}",
    )


def _instance_of(prerequisite: Prerequisite, job: str, owner: str, values: Values) -> Condition:
    text = render(prerequisite.at or "${nominal_time}", values)
    nominal_ms = parse_instant(text, values.zone) if text else None
    when = f" of {format_local(nominal_ms, values.zone)}" if nominal_ms is not None else ""
    return Condition(kind="job", what=job, owner=owner, nominal_ms=nominal_ms, words=f"{job}{when}")


def _without_query(url: str) -> str:
    """Queries carry keys more often than one would wish."""
    head, mark, _ = url.partition("?")
    return f"{head}?…" if mark else head
