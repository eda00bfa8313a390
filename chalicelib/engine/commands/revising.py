"""update and patch: another definition from now on; and what either would do, without doing it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from chalicelib.engine.access import find_job, require
from chalicelib.engine.commands.naming import Named, find_calendars, group_problems, name_calendars
from chalicelib.engine.commands.settling import Changed, Command, check_edit, execute
from chalicelib.engine.commands.submission import also, checked
from chalicelib.engine.commands.upstreams import circle_problems
from chalicelib.engine.consequences import fill_scopes, job_limit
from chalicelib.engine.disposition import dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.changes import Change, changes, named
from chalicelib.model.definition import Definition
from chalicelib.model.errors import Conflict, InvalidInput, NameTaken
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.model.violations import problems_of
from chalicelib.schedule import compile_schedule
from chalicelib.state_machine import JobEvent, move_job

_FORESIGHTS = 3  # so often it is foreseen which calendars and groups a changed job will name
Revised = Callable[[Job], Definition]
"""The new definition, from the job as it is."""


class _Overtaken(Exception):
    """Another change came between: the job names other calendars or another group than was foreseen."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What an update would do: ``job`` as it is, ``definition`` as it would be stored."""

    job: Job
    definition: Definition
    changes: Sequence[Change]


def update(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    definition: Definition,
    *,
    if_match: int | None = None,
    reason: str | None = None,
) -> Job:
    """Replace the definition from now on; instances keep the revision they were created with.

    A definition without a start keeps the job's: it is the same schedule, not a new one. A definition
    that means the same is no update.
    """
    return _revise(engine, principal, job_ref, lambda _: definition, if_match, reason)


def patch(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    merge_patch: Mapping[str, Any],
    *,
    if_match: int | None = None,
    reason: str | None = None,
) -> Job:
    """Change what the patch names, leave the rest (RFC 7396: null removes, objects merge)."""
    return _revise(engine, principal, job_ref, _patched(merge_patch), if_match, reason)


def plan_update(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    definition: Definition,
    *,
    if_match: int | None = None,
) -> Planned:
    """What ``update`` would change; raises what it would."""
    return _plan(engine, principal, job_ref, lambda _: definition, if_match)


def plan_patch(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    merge_patch: Mapping[str, Any],
    *,
    if_match: int | None = None,
) -> Planned:
    """What ``patch`` would change; raises what it would."""
    return _plan(engine, principal, job_ref, _patched(merge_patch), if_match)


def merged(document: Any, merge_patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(merge_patch, Mapping):
        return merge_patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in merge_patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _patched(merge_patch: Mapping[str, Any]) -> Revised:
    written_out = _written_out(merge_patch)

    def revised(job: Job) -> Definition:
        document = merged(json.loads(job.definition_json), written_out)
        try:
            return Definition.model_validate(document)
        except ValidationError as error:
            raise InvalidInput(problems_of(error, Definition)) from None

    return revised


def _written_out(merge_patch: Mapping[str, Any]) -> Mapping[str, Any]:
    """``catch_up: none`` is short for its mode alone: it must not take limit and window with it."""
    policies = merge_patch.get("policies")
    mode = policies.get("catch_up") if isinstance(policies, Mapping) else None
    if not isinstance(policies, Mapping) or not isinstance(mode, str):
        return merge_patch
    return {**merge_patch, "policies": {**policies, "catch_up": {"mode": mode}}}


def _revise(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    revised: Revised,
    if_match: int | None,
    reason: str | None,
) -> Job:
    """``revised`` makes the new definition from the job as it is under the lock.

    Calendars and groups are locked before the job, so what it will name is foreseen from the job as it is
    before.
    """
    foreseen: list[tuple[Named, str | None]] = []

    def first(tx: Transaction) -> Sequence[str]:
        job = find_job(tx, principal, job_ref)
        require(principal, job.owner, Role.OWNER)
        wanted = revised(job)
        found = name_calendars(tx, job.owner, wanted.schedule.exclude, job_id=job.id)
        found = also(found, circle_problems(tx, job.owner, wanted))
        foreseen[:] = [(found, wanted.policies.group)]
        return [wanted.policies.group] if wanted.policies.group else []

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        wanted = _with_start_of(job, revised(job))
        [(calendars, group)] = foreseen
        found = also(calendars, group_problems(tx, job.owner, group))
        if (wanted.schedule.exclude, wanted.policies.group) != (found.names, group):
            raise _Overtaken
        stored = checked(engine, wanted, found, job.owner, now)
        changed = changes(job.definition_json, stored.to_json())
        if not changed:
            return Changed(job, moved=False)
        after = _next_revision(job, stored, found.snapshot, principal, now)
        _account_for_its_end(tx, job, after, now)
        tx.revise_job(after, reason, named(changed))
        given = fill_scopes(tx, {(job.id, None): job_limit(after)}, now)
        return Changed(after, (now,) if given else (), detail={"changed": named(changed)})

    command = Command(principal, JobEvent.UPDATE, job_ref, Role.OWNER, reason, if_match)
    for _ in range(_FORESIGHTS):
        with suppress(_Overtaken):
            return execute(engine, command, effect, first=first)
    raise Conflict(f"{job_ref} is changed again and again; read it and decide anew")


def _plan(
    engine: Engine, principal: Principal, job_ref: str, revised: Revised, if_match: int | None
) -> Planned:
    """The same refusals in the same order, without a lock."""

    def work(reader: Reader) -> Planned:
        job = find_job(reader, principal, job_ref)
        require(principal, job.owner, Role.OWNER)
        check_edit(job, if_match)
        move_job(job.state, JobEvent.UPDATE)
        wanted = _with_start_of(job, revised(job))
        found = find_calendars(reader, job.owner, wanted.schedule.exclude)
        found = also(found, group_problems(reader, job.owner, wanted.policies.group))
        found = also(found, circle_problems(reader, job.owner, wanted))
        stored = checked(engine, wanted, found, job.owner, engine.clock.now_ms())
        if stored.name != job.name and reader.job_named(stored.name, [job.owner]):
            raise NameTaken(f"{job.owner} has a job named {stored.name} already")
        return Planned(job, stored, changes(job.definition_json, stored.to_json()))

    return engine.store.read(work)


def _account_for_its_end(tx: Transaction, job: Job, after: Job, now: int) -> None:
    """A job that had ended and gets a later end: from where it stopped until now it was EXPIRED.

    The span that the old revision has nominal times in was settled under it already.
    """
    if job.state is not JobState.EXPIRED:
        return
    [stopped] = tx.lock_jobs([job.id])  # as it was before this command settled it
    if dispose(stopped, now, now).skipped:
        return
    tx.insert_skip_ranges(dispose(replace(after, cursor_ms=stopped.cursor_ms), now, now).skipped)


def _next_revision(
    job: Job, stored: Definition, calendars: str | None, principal: Principal, now: int
) -> Job:
    after = replace(
        job,
        name=stored.name,
        revision=job.revision + 1,
        definition_json=stored.to_json(),
        calendars_json=calendars,
        group=stored.policies.group,
        modified_ms=now,
        modified_by=principal.name,
    )
    if job.state is not JobState.NEW:
        return after
    # Nothing was ever accounted for: the new start counts.
    return replace(after, cursor_ms=compile_schedule(stored.schedule, submitted_ms=now).start_ms)


def _with_start_of(job: Job, definition: Definition) -> Definition:
    if definition.schedule.start is not None or definition.schedule.at is not None:
        return definition
    schedule = definition.schedule.model_copy(update={"start": job.definition.schedule.start})
    return definition.model_copy(update={"schedule": schedule})
