"""What a run sends to its target: a pure function of instance, run and revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.engine.callbacks import Callback, Callbacks
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.calendar import read_snapshot
from chalicelib.model.definition import Definition
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.template import Values, render
from chalicelib.schedule.excluding import compile_excluding


def launch_request(
    instance: Instance,
    job_name: str,
    definition: Definition,
    calendars_json: str | None = None,
    callbacks: Callbacks | None = None,
) -> LaunchRequest:
    """The same bytes at every repeat of the same run. ``calendars_json``: those of the revision.

    Raises:
        ValueError: a template cannot be rendered.
        Unavailable: its target has to call back, and this server cannot say where.
    """
    values = values_of(instance, job_name, definition, calendars_json)
    callback = _callback(instance, definition, callbacks)
    if callback is not None:
        values = replace(values, callback_url=callback.url, callback_token=callback.credential)
    return LaunchRequest(
        token=instance.token,
        instance_id=instance.id,
        job_id=instance.job_id,
        job_name=job_name,
        owner=instance.owner,
        run=instance.run,
        kind=str(definition.target["kind"]),
        spec=render(definition.target, values),
        bindings=bindings_of(values),
        handle=json.loads(instance.handle) if instance.handle else None,
        external_id=instance.external_id,
        deadline_ms=instance.deadline_ms or 0,
        repeated=instance.claim.count > 1,
        callback=callback,
        heard=instance.heard_ms is not None,
    )


def _callback(
    instance: Instance, definition: Definition, callbacks: Callbacks | None
) -> Callback | None:
    if callbacks is None or not definition.calls_back:
        return None
    deadline_ms = instance.deadline_ms or 0
    began_ms = deadline_ms - parse_duration(definition.policies.timeouts.run)
    return callbacks.of(instance.token, began_ms, deadline_ms)


def values_of(
    instance: Instance, job_name: str, definition: Definition, calendars_json: str | None = None
) -> Values:
    """What the templates of an instance's run may read."""
    calendars = read_snapshot(calendars_json, definition.schedule.exclude)
    timetable = compile_excluding(definition.schedule, calendars, submitted_ms=instance.created_ms)
    return Values(
        nominal_ms=instance.nominal_ms,
        previous_ms=timetable.previous_before(instance.nominal_ms),
        next_ms=timetable.next_after(instance.nominal_ms),
        zone=timetable.zone,
        job_name=job_name,
        job_id=instance.job_id,
        instance_id=instance.id,
        run=instance.run,
        token=instance.token,
        parameters={**definition.parameters, **json.loads(instance.parameters_json)},
    )


def bindings_of(values: Values) -> Mapping[str, str | int | float | bool | None]:
    """What SQL may bind: parameters, and times in the job's zone as SQL writes them."""
    fixed: dict[str, Any] = {
        "nominal_time": _sql_time(values.nominal_ms, values.zone),
        "nominal_date": _sql_time(values.nominal_ms, values.zone)[:10],
        "nominal_ms": values.nominal_ms,
        "previous_time": values.previous_ms and _sql_time(values.previous_ms, values.zone),
        "next_time": values.next_ms and _sql_time(values.next_ms, values.zone),
        "job_name": values.job_name,
        "job_id": values.job_id,
        "instance_id": values.instance_id,
        "run": values.run,
        "token": values.token,
    }
    return {**values.parameters, **fixed}


def _sql_time(instant_ms: int, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S")
