"""schedule, suspend, resume, expire, delete: the moves of a job's state machine that people ask for."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.engine.commands.settling import Changed, Command, execute
from chalicelib.engine.consequences import Moved, follow_up, skip_waiting, suspend_waiting
from chalicelib.engine.disposition import armed, dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Transaction
from chalicelib.engine.stopping import request_stop
from chalicelib.model.definition import CatchUp
from chalicelib.model.errors import InvalidInput, Problem, WrongState
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job, Suspension
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Reason, Role, StopKind
from chalicelib.state_machine import JobEvent


def schedule(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    reason: str | None = None,
    if_match: int | None = None,
) -> Job:
    """Let the job fire from its start on; an expired one from now on, if anything can still fire.

    Raises:
        WrongState: it is suspended or deleted, or nothing can fire any more.
    """

    def effect(_: Transaction, job: Job, __: int) -> Changed:
        if armed(job).state is JobState.EXPIRED:
            raise WrongState(
                f"nothing of {job.name} can fire any more; update its schedule (a later end, "
                "a new start) and schedule it then",
                ("update", "delete"),
            )
        return Changed(job)

    command = Command(principal, JobEvent.SCHEDULE, job_ref, reason=reason, if_match=if_match)
    return execute(engine, command, effect)


def suspend(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    reason: str | None = None,
    until_ms: int | None = None,
    if_match: int | None = None,
) -> Job:
    """Fire nothing, and hold what waits, until ``until_ms`` (None: until resumed). Runs go on."""

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        if until_ms is not None and until_ms <= now:
            message = f"must be in the future; it is {format_instant(now)} now"
            raise InvalidInput([Problem("until", message, format_instant(until_ms))])
        suspend_waiting(tx, job, now)
        held = replace(job, suspension=Suspension(principal.name, reason, now, until_ms))
        return Changed(held, (now,))

    command = Command(principal, JobEvent.SUSPEND, job_ref, reason=reason, if_match=if_match)
    return execute(engine, command, effect)


def resume(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    catch_up: str | None = None,
    reason: str | None = None,
    if_match: int | None = None,
) -> Job:
    """Fire again from now on. The span of the suspension fires nothing unless ``catch_up`` asks for it.

    ``catch_up``: all, latest or none, within the job's own limit.
    """
    command = Command(principal, JobEvent.RESUME, job_ref, reason=reason, if_match=if_match)
    if catch_up in (None, "none"):
        return execute(engine, command, released)
    if catch_up not in ("all", "latest"):
        raise InvalidInput([Problem("catch_up", "must be all, latest or none", catch_up)])
    return _resume_with_span(engine, command, catch_up)


def released(tx: Transaction, job: Job, now: int) -> Changed:
    """The end of a suspension: what it held wakes, with the time it was held given back."""
    since = job.suspension.since_ms if job.suspension else now
    count = tx.release_instances(job.id, now, since) + tx.wake_backfills_of(job.id, now)
    return Changed(replace(job, suspension=None, streak=0), (now,) if count else ())


def _resume_with_span(engine: Engine, command: Command, mode: str) -> Job:
    """The suspended span is disposed of as if the job had been scheduled, by the given catch-up."""

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        changed = released(tx, job, now)
        limit = job.definition.policies.catch_up.limit
        wanted = CatchUp.model_validate({"mode": mode, "limit": limit})
        caught = dispose(job, now, now, catch_up=wanted)
        tx.insert_instances(caught.instances)
        tx.insert_skip_ranges(caught.skipped)
        resumed = replace(changed.job, cursor_ms=caught.job.cursor_ms)
        return replace(changed, job=resumed, wakes=(*changed.wakes, now))

    return execute(engine, command, effect, settle=False)


def expire(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    reason: str | None = None,
    if_match: int | None = None,
) -> Job:
    """End the calendar: nothing fires any more. Instances that wait or run are not touched."""

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        return released(tx, job, now)

    command = Command(principal, JobEvent.EXPIRE, job_ref, reason=reason, if_match=if_match)
    return execute(engine, command, effect)


def delete(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    kill: bool = False,
    reason: str | None = None,
    if_match: int | None = None,
) -> Job:
    """Forget the job's future: what waits is skipped, its name is free. ``kill`` asks its runs to stop.

    The job and its history can still be read by id.
    """

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        skip_waiting(tx, job, now, Reason.JOB_DELETED)
        tx.cancel_backfills_of(job.id, now, Reason.JOB_DELETED)
        stopped = _stop_runs(engine, tx, principal, job, now, reason) if kill else ()
        gone = replace(job, suspension=None)
        return Changed(gone, (now,), stopped=stopped)

    command = Command(principal, JobEvent.DELETE, job_ref, Role.OWNER, reason, if_match)
    return execute(engine, command, effect)


def _stop_runs(
    engine: Engine, tx: Transaction, principal: Principal, job: Job, now: int, reason: str | None
) -> tuple[str, ...]:
    running = tx.lock_instances(tx.active_instances(job.id))
    asked = [
        Moved(one, request_stop(one, StopKind.KILL, principal.name, reason, now))
        for one in running
        if one.stop is None or one.stop.kind is StopKind.TIME_OUT
    ]
    tx.save_instances([moved.after for moved in asked])
    follow_up(engine, tx, {job.id: job}, asked, now)
    return tuple(moved.after.id for moved in asked)
