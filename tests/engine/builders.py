"""Builders that know what a consistent row is; a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.engine.disposition import new_instance
from chalicelib.model.instance import Claim, Instance
from chalicelib.model.job import Job
from chalicelib.model.states import IN_FLIGHT, InstanceKind, InstanceState, JobState
from tests.engine.world import MINUTE, NOON, a_definition


def a_job(definition: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A scheduled job that fires every minute from noon on."""
    document = {
        "schedule": {"every": "PT1M", "start": "2026-01-01T12:00:00Z"},
        **(definition or {}),
    }
    job = Job(
        id="a" * 32,
        owner="default",
        name="sample",
        state=JobState.SCHEDULED,
        revision=1,
        definition_json=a_definition(**document).to_json(),
        cursor_ms=NOON,
        wake_ms=NOON,
        created_ms=NOON,
        created_by="ada",
        modified_ms=NOON,
        modified_by="ada",
    )
    return replace(job, **changes)


def an_instance(
    state: InstanceState = InstanceState.WAITING, *, job: Job | None = None, **changes: Any
) -> Instance:
    """The job's instance of noon, in that state, with what goes with it."""
    kind = changes.pop("kind", InstanceKind.SCHEDULED)
    one = new_instance(job or a_job(), changes.pop("nominal_ms", NOON), NOON, kind)
    if state in IN_FLIGHT:
        claim = Claim(epoch=1, lease_ms=NOON + MINUTE, count=1)
        one = replace(one, active=True, claim=claim, ready_ms=NOON, deadline_ms=NOON + 60 * MINUTE)
    elif state is not InstanceState.WAITING:
        one = replace(one, wake_ms=None, deadline_ms=None, ended_ms=NOON)
    return replace(one, state=state, **changes)
