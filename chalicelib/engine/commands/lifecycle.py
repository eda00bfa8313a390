"""schedule, suspend, resume, expire, delete: the moves of a job's state machine that people ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.engine.commands.settling import Changed, Command, execute
from chalicelib.engine.consequences import (
    follow_up,
    skip_waiting,
    suspend_waiting,
    write_disposition,
)
from chalicelib.engine.disposition import (
    Disposition,
    armed,
    dispose,
    reopened,
    suspended_until,
)
from chalicelib.engine.engine import Engine
from chalicelib.engine.moved import Moved
from chalicelib.engine.notifying import tell_of_suspension
from chalicelib.engine.ports import Transaction
from chalicelib.engine.quotas import rooms
from chalicelib.engine.stopping import request_stop
from chalicelib.model.definition import CatchUp
from chalicelib.model.errors import InvalidInput, Problem, WrongState
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job, SkipRange, Suspension
from chalicelib.model.principal import Principal
from chalicelib.model.states import BY_ITSELF, JobState, Reason, Role, StopKind
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
    """Fire nothing, and hold what waits, until ``until_ms`` (None: until resumed). Runs go on.

    A job that is suspended already stays so until the time that is asked for now, and for the reason that is
    given now, if one is.
    """

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        if until_ms is not None and until_ms <= now:
            message = f"must be in the future; it is {format_instant(now)} now"
            raise InvalidInput([Problem("until", message, format_instant(until_ms))])
        present = job.suspension
        if present is not None and suspended_until(job, now) < now:  # no sweep has seen its end yet
            job, present = released(tx, job, now).job, None
        if present is None:  # or else what waits is held, but for what was asked for since
            suspend_waiting(tx, job, now)
        since_ms = now if present is None else present.since_ms
        why = reason if reason is not None or present is None else present.reason
        held = replace(job, suspension=Suspension(principal.name, why, since_ms, until_ms))
        if present is None:  # another end or reason is no other suspension
            tell_of_suspension(tx, replace(held, edit=job.edit + 1), now)
        return Changed(held, (now,))

    def repeated(job: Job, now: int) -> bool:
        present = job.suspension
        if present is None or reason not in (None, present.reason):
            return False
        return present.until_ms == until_ms and (until_ms is None or until_ms > now)

    command = Command(principal, JobEvent.SUSPEND, job_ref, reason=reason, if_match=if_match)
    return execute(engine, command, effect, repeated=repeated)


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

    ``catch_up``: all, latest or none, within the job's own limit; its window does not count, since a
    person wants them now. A time that has its instance already keeps it.
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
    pause = tx.pause()
    until = now if pause is None else min(now, pause.since_ms)  # the rest its end gives back
    count = tx.release_instances(job.id, now, since, until) + tx.wake_backfills_of(job.id, now)
    return Changed(replace(job, suspension=None, streak=0), (now,) if count else ())


def _resume_with_span(engine: Engine, command: Command, mode: str) -> Job:
    """The suspended span is disposed of as if the job had been scheduled, by the given catch-up."""

    def effect(tx: Transaction, job: Job, now: int) -> Changed:
        changed = released(tx, job, now)
        limit = 1 if mode == "latest" else job.definition.policies.catch_up.limit
        wanted = CatchUp.model_validate({"mode": mode, "limit": limit})
        caught = dispose(job, suspended_until(job, now), now, catch_up=wanted)
        since = dispose(caught.job, now, now)
        missed = _skipped_while_suspended(tx, job)
        write_disposition(engine, tx, [since, caught], now)
        # What is not reopened stays on record as it is: there is no range to be added.
        room = max(rooms(engine, tx, [job.owner])[job.owner], 0)
        earlier = reopened(job, missed, now, min(limit - len(caught.instances), room))
        write_disposition(engine, tx, [Disposition(job, tuple(earlier))], now)
        resumed = replace(changed.job, cursor_ms=since.job.cursor_ms)
        return replace(changed, job=resumed, wakes=(*changed.wakes, now))

    return execute(engine, command, effect, settle=False)


def _skipped_while_suspended(tx: Transaction, job: Job) -> Sequence[SkipRange]:
    """Of this suspension, what an update in its midst has settled already."""
    since_ms = job.suspension.since_ms if job.suspension is not None else job.cursor_ms
    return [
        replace(span, from_ms=max(span.from_ms, since_ms))
        for span in tx.skip_ranges(job.id, since_ms, job.cursor_ms)
        if span.reason == Reason.SUSPENDED
    ]


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
        asked = _stop_runs(engine, tx, principal, job, now, reason) if kill else ()
        gone = replace(job, suspension=None)
        return Changed(gone, (now,), asked=asked)

    command = Command(principal, JobEvent.DELETE, job_ref, Role.OWNER, reason, if_match)
    return execute(engine, command, effect)


def _stop_runs(
    engine: Engine, tx: Transaction, principal: Principal, job: Job, now: int, reason: str | None
) -> Sequence[Moved]:
    running = tx.lock_instances(tx.active_instances(job.id))
    asked = [
        Moved(one, request_stop(one, StopKind.KILL, principal.name, reason, now))
        for one in running
        if one.stop is None or one.stop.kind in BY_ITSELF
    ]
    tx.save_instances([moved.after for moved in asked])
    follow_up(engine, tx, {job.id: job}, asked, now)
    return asked
