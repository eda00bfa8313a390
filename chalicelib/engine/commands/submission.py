"""submit: a definition is checked as a whole, and then it is a job's or nothing happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chalicelib.engine.access import choose_owner, require
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
    job_event,
)
from chalicelib.engine.commands.upstreams import circle_problems
from chalicelib.engine.disposition import armed
from chalicelib.engine.engine import Engine
from chalicelib.engine.once import Once, transact_once
from chalicelib.engine.ports import Reader, Remembered, Transaction
from chalicelib.engine.quotas import check_jobs, lock_owner, quotas_of
from chalicelib.model.definition import Definition
from chalicelib.model.errors import InvalidInput, NameTaken, Problem
from chalicelib.model.job import Job
from chalicelib.model.owner import Quotas
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.model.template import problems_in
from chalicelib.schedule import compile_schedule, with_start
from chalicelib.schedule.excluding import check_remaining
from chalicelib.state_machine import JobEvent


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
    named = also(
        read_calendars(engine, chosen, definition.schedule.exclude),
        engine.store.read(lambda reader: group_problems(reader, chosen, group)),
    )
    named = also(
        named, engine.store.read(lambda reader: circle_problems(reader, chosen, definition))
    )
    stored = checked(engine, definition, named, chosen, engine.clock.now_ms())
    quotas = engine.store.read(lambda reader: quotas_of(engine, reader, chosen))
    engine.store.read(lambda reader: _check_room(reader, definition.name, chosen, quotas))
    return stored


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
        named = name_calendars(tx, chosen, definition.schedule.exclude)
        named = also(named, name_group(tx, chosen, definition.policies.group))
        named = also(named, circle_problems(tx, chosen, definition))
        stored = checked(engine, definition, named, chosen, now)
        _check_room(tx, definition.name, chosen, quotas)
        job = replace(
            _new_job(job_id, chosen, principal, stored, now), calendars_json=named.snapshot
        )
        if schedule:
            job = armed(replace(job, state=JobState.SCHEDULED))
        tx.insert_job(job, reason)
        submitted = job_event(engine, job, command, JobState.NEW)
        tx.insert_events([replace(submitted, verb="SUBMIT")])
        return job

    job = transact_once(engine, principal, once, unit)
    if isinstance(job, Job):
        announce(engine, Changed(job, (job.wake_ms,)), "SUBMIT", principal)
    return job


def also(named: Named, problems: Sequence[Problem]) -> Named:
    """What was found, and further reasons against it."""
    return replace(named, problems=(*named.problems, *problems))


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


def checked(
    engine: Engine, definition: Definition, named: Named, owner: str, now: int
) -> Definition:
    """The definition as it is stored: with a start.

    Raises:
        InvalidInput: all that is wrong with it, what ``named`` found included.
    """
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
        complaint = engine.channels.complaint(entry.channel, owner)
        if complaint:
            yield Problem(f"policies.notify.{number}.{entry.leads}", complaint, entry.place)
    yield from problems_in(
        definition.target, definition.parameters, calls_back=definition.calls_back
    )
    if definition.calls_back and not engine.callbacks.offered:
        message = "needs to know where targets reach this server; its operator sets NOONDAY_URL"
        yield Problem("target.completion", message, "callback")
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
