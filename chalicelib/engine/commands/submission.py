"""submit, update, patch: a definition is checked as a whole, and then it is a job's or nothing happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from chalicelib.engine.access import choose_owner, find_job, require
from chalicelib.engine.commands.naming import (
    Named,
    group_problems,
    name_calendars,
    name_group,
    read_calendars,
)
from chalicelib.engine.commands.settling import (
    Changed,
    Command,
    announce,
    execute,
    job_event,
)
from chalicelib.engine.commands.upstreams import circle_problems
from chalicelib.engine.consequences import fill_scopes, job_limit
from chalicelib.engine.disposition import armed
from chalicelib.engine.engine import Engine
from chalicelib.engine.once import Once, transact_once
from chalicelib.engine.ports import Reader, Remembered, Transaction
from chalicelib.engine.quotas import check_jobs, lock_owner, quotas_of
from chalicelib.model.definition import Definition
from chalicelib.model.errors import Conflict, InvalidInput, NameTaken, Problem
from chalicelib.model.job import Job
from chalicelib.model.owner import Quotas
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.model.template import problems_in
from chalicelib.model.violations import problems_of
from chalicelib.schedule import compile_schedule, with_start
from chalicelib.schedule.excluding import check_remaining
from chalicelib.state_machine import JobEvent

_FORESIGHTS = 3  # so often it is foreseen which calendars and groups a changed job will name


class _Overtaken(Exception):
    """Another change came between: the job names other calendars or another group than was foreseen."""


def check(
    engine: Engine, principal: Principal, definition: Definition, *, owner: str | None = None
) -> Definition:
    """The definition as it would be stored, its start written in.

    Raises:
        InvalidInput: all that is wrong with it, each with its field.
        Forbidden: the principal may not submit for that owner.
        NameTaken: the owner has a live job of that name.
        QuotaExceeded: the owner has as many jobs as it may have.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)
    group = definition.policies.group
    named = _also(
        read_calendars(engine, chosen, definition.schedule.exclude),
        engine.store.read(lambda reader: group_problems(reader, chosen, group)),
    )
    named = _also(
        named, engine.store.read(lambda reader: circle_problems(reader, chosen, definition))
    )
    checked = _checked(engine, definition, named, chosen, engine.clock.now_ms())
    quotas = engine.store.read(lambda reader: quotas_of(engine, reader, chosen))
    engine.store.read(lambda reader: _check_room(reader, definition.name, chosen, quotas))
    return checked


def _check_room(reader: Reader, name: str, owner: str, quotas: Quotas) -> None:
    """A name that is taken is told first: what is there already may be all that is wanted."""
    if reader.job_named(name, [owner]):
        raise NameTaken(
            f"{owner} has a job named {name} already; update that one, or choose another name"
        )
    check_jobs(reader, owner, quotas)


def submit(
    engine: Engine,
    principal: Principal,
    definition: Definition,
    *,
    owner: str | None = None,
    schedule: bool = False,
    reason: str | None = None,
    once: Once | None = None,
) -> Job | Remembered:
    """A new job, NEW or at once SCHEDULED.

    Raises:
        InvalidInput, Forbidden, NameTaken, QuotaExceeded, KeyReused: nothing was changed.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)
    job_id = engine.ids.new()
    event = JobEvent.SCHEDULE if schedule else JobEvent.UPDATE
    command = Command(principal, event, job_id, Role.OWNER, reason)

    def unit(tx: Transaction) -> Job:
        now = engine.clock.now_ms()
        quotas = lock_owner(engine, tx, chosen).quotas(engine.quotas)
        _check_room(tx, definition.name, chosen, quotas)
        named = name_calendars(tx, chosen, definition.schedule.exclude)
        named = _also(named, name_group(tx, chosen, definition.policies.group))
        named = _also(named, circle_problems(tx, chosen, definition))
        stored = _checked(engine, definition, named, chosen, now)
        job = replace(
            _new_job(job_id, chosen, principal, stored, now), calendars_json=named.snapshot
        )
        if schedule:
            job = armed(replace(job, state=JobState.SCHEDULED))
        tx.insert_job(job)
        submitted = job_event(engine, job, command, JobState.NEW)
        tx.insert_events([replace(submitted, verb="SUBMIT")])
        return job

    job = transact_once(engine, principal, once, unit)
    if isinstance(job, Job):
        announce(engine, Changed(job, (job.wake_ms,)), "SUBMIT", principal)
    return job


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

    A definition without a start keeps the job's: it is the same schedule, not a new one. An equal
    definition is no update.
    """

    def revised(_: Job) -> Definition:
        return definition

    return _revise(engine, principal, job_ref, revised, if_match, reason)


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

    def revised(job: Job) -> Definition:
        document = merged(json.loads(job.definition_json), merge_patch)
        try:
            return Definition.model_validate(document)
        except ValidationError as error:
            raise InvalidInput(problems_of(error, Definition)) from None

    return _revise(engine, principal, job_ref, revised, if_match, reason)


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


def _revise(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    revised: Callable[[Job], Definition],
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
        named = name_calendars(tx, job.owner, wanted.schedule.exclude, job_id=job.id)
        named = _also(named, circle_problems(tx, job.owner, wanted))
        foreseen[:] = [(named, wanted.policies.group)]
        return [wanted.policies.group] if wanted.policies.group else []

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        wanted = _with_start_of(job, revised(job))
        [(calendars, group)] = foreseen
        named = _also(calendars, group_problems(tx, job.owner, group))
        if (wanted.schedule.exclude, wanted.policies.group) != (named.names, group):
            raise _Overtaken
        stored = _checked(engine, wanted, named, job.owner, now)
        if stored.to_json() == job.definition_json:
            return Changed(job, moved=False)
        after = replace(
            job,
            name=stored.name,
            revision=job.revision + 1,
            definition_json=stored.to_json(),
            calendars_json=named.snapshot,
            group=stored.policies.group,
            modified_ms=now,
            modified_by=principal.name,
        )
        if job.state is JobState.NEW:  # nothing was ever accounted for: the new start counts
            start_ms = compile_schedule(stored.schedule, submitted_ms=now).start_ms
            after = replace(after, cursor_ms=start_ms)
        tx.revise_job(after)
        given = fill_scopes(tx, {(job.id, None): job_limit(after)}, now)
        return Changed(after, (now,) if given else ())

    command = Command(principal, JobEvent.UPDATE, job_ref, Role.OWNER, reason, if_match)
    for _ in range(_FORESIGHTS):
        with suppress(_Overtaken):
            return execute(engine, command, effect, first=first)
    raise Conflict(f"{job_ref} is changed again and again; read it and decide anew")


def _also(named: Named, problems: Sequence[Problem]) -> Named:
    return replace(named, problems=(*named.problems, *problems))


def _with_start_of(job: Job, definition: Definition) -> Definition:
    if definition.schedule.start is not None or definition.schedule.at is not None:
        return definition
    schedule = definition.schedule.model_copy(update={"start": job.definition.schedule.start})
    return definition.model_copy(update={"schedule": schedule})


def _new_job(
    job_id: str, owner: str, principal: Principal, definition: Definition, now: int
) -> Job:
    start_ms = compile_schedule(definition.schedule, submitted_ms=now).start_ms
    return Job(
        id=job_id,
        owner=owner,
        name=definition.name,
        state=JobState.NEW,
        revision=1,
        definition_json=definition.to_json(),
        group=definition.policies.group,
        cursor_ms=start_ms,
        wake_ms=None,
        created_ms=now,
        created_by=principal.name,
        modified_ms=now,
        modified_by=principal.name,
    )


def _checked(
    engine: Engine, definition: Definition, named: Named, owner: str, now: int
) -> Definition:
    problems = list(_problems(engine, definition, named, owner, now))
    if problems:
        raise InvalidInput(problems)
    schedule = with_start(definition.schedule, now)
    return definition.model_copy(update={"schedule": schedule})


def _problems(
    engine: Engine, definition: Definition, named: Named, owner: str, now: int
) -> Iterator[Problem]:
    yield from named.problems
    try:
        compile_schedule(definition.schedule, submitted_ms=now)
        if not named.problems:
            check_remaining(definition.schedule, named.calendars, submitted_ms=now)
    except InvalidInput as error:
        yield from error.problems
    for number, entry in enumerate(definition.policies.notify):
        complaint = engine.channels.complaint(entry.channel)
        if complaint:
            yield Problem(f"policies.notify.{number}.url", complaint, entry.url)
    yield from problems_in(definition.target, definition.parameters)
    yield from _prerequisite_problems(engine, definition, owner)
    try:
        engine.targets.validate(definition.target, definition.parameters, owner=owner)
    except InvalidInput as error:
        yield from error.problems


def _prerequisite_problems(engine: Engine, definition: Definition, owner: str) -> Iterator[Problem]:
    for place, one in enumerate(definition.prerequisites):
        at = f"prerequisites.{place}"
        for field in ("data", "http", "at"):
            text = getattr(one, field)
            yield from problems_in(text, definition.parameters, f"{at}.{field}")
    if definition.prerequisites:
        yield from engine.conditions.problems(
            definition.prerequisites, definition.parameters, owner
        )
