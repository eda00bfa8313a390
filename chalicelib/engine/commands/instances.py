"""trigger, kill, rerun, skip: what people do with single instances."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chalicelib.engine.access import find_instance, find_job, lock_job, require
from chalicelib.engine.commands.instance_effects import killed, run_again, skipped
from chalicelib.engine.consequences import follow_up, groups_of, limits
from chalicelib.engine.disposition import new_instance, timetable_of
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Commanded
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.once import Once, transact_once
from chalicelib.engine.ports import Remembered, Transaction
from chalicelib.engine.quotas import check_waiting, lock_owner
from chalicelib.engine.views import InstanceView
from chalicelib.engine.wakeups import ring
from chalicelib.model.definition import Overlap, Value
from chalicelib.model.errors import AlreadyExists, InvalidInput, Problem, WrongState
from chalicelib.model.event import Event
from chalicelib.model.identity import instance_id
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import (
    InstanceKind,
    JobState,
    Reason,
    Role,
)


def trigger(  # noqa: PLR0913 - all that a person may ask of one
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    nominal_ms: int | None = None,
    parameters: Mapping[str, Value] | None = None,
    overlap: Overlap | None = None,
    max_active: int | None = None,
    ignore_prerequisites: bool = False,
    reason: str | None = None,
    once: Once | None = None,
) -> InstanceView | Remembered:
    """An instance that a person asks for: now, or for a past nominal time that has none.

    ``overlap`` and ``max_active`` (with allow) stand in for the job's own, for this instance alone. With
    ``ignore_prerequisites`` it waits for nothing but its turn.

    Raises:
        AlreadyExists: that nominal time has its instance.
        InvalidInput: a parameter that the job does not have, a time that is not its own, or limits that
            do not fit.
        WrongState: the job is deleted.
        QuotaExceeded: no further instance of its owner may wait.
    """

    def unit(tx: Transaction) -> InstanceView:
        now = engine.clock.now_ms()
        lock_owner(engine, tx, find_job(tx, principal, job_ref).owner)
        job = lock_job(tx, principal, job_ref, Role.OPERATOR)
        if job.state is JobState.DELETED:
            raise WrongState(f"the job {job.name} is deleted; it runs no more")
        given = checked_parameters(job, parameters or {})
        _check_limits(job, overlap, max_active)
        at_ms = tx.next_free_ms(job.id, now) if nominal_ms is None else nominal_ms
        if nominal_ms is not None:
            _check_nominal(tx, job, nominal_ms)
        check_waiting(engine, tx, job.owner)
        instance = replace(
            new_instance(job, at_ms, now, InstanceKind.MANUAL, given),
            overlap="allow" if overlap is None and max_active is not None else overlap,
            max_active=max_active,
            ready_ms=now if ignore_prerequisites else None,
        )
        tx.insert_instances([instance])
        event = instance_event(engine, instance, principal, "TRIGGER", now, reason)
        tx.insert_events([ignoring(event) if ignore_prerequisites else event])
        return InstanceView(instance, job.name, (), tx.pause())

    view = transact_once(engine, principal, once, unit)
    if isinstance(view, InstanceView):
        _announce(engine, "TRIGGER", view, principal)
    return view


def checked_parameters(job: Job, given: Mapping[str, Value]) -> str:
    """As they are stored. Raises InvalidInput when the job has none of such a name."""
    defaults = job.definition.parameters
    problems = [
        Problem(
            f"parameters.{name}",
            f"is no parameter of {job.name}; it has {', '.join(sorted(defaults)) or 'none'}",
            value,
        )
        for name, value in given.items()
        if name not in defaults
    ]
    if problems:
        raise InvalidInput(problems)
    return json.dumps(dict(given), sort_keys=True)


def _check_limits(job: Job, overlap: Overlap | None, max_active: int | None) -> None:
    meant = overlap or limits(job).overlap
    if max_active is not None and meant != "allow":
        message = f"is for overlap allow; with {meant} there is one at a time"
        raise InvalidInput([Problem("max_active", message, max_active)])


def _check_nominal(tx: Transaction, job: Job, nominal_ms: int) -> None:
    shown = format_instant(nominal_ms)
    timetable = timetable_of(job)
    if timetable.next_after(nominal_ms - 1) != nominal_ms:
        near = timetable.next_after(nominal_ms)
        hint = f"; the next one after it is {format_instant(near)}" if near is not None else ""
        problem = Problem("nominal_time", f"is no nominal time of {job.name}{hint}", shown)
        raise InvalidInput([problem])
    if tx.instances_by_id([instance_id(job.id, nominal_ms)]):
        raise AlreadyExists(f"{job.name} has an instance for {shown}; rerun that one")
    ranges = tx.skip_ranges(job.id, nominal_ms, nominal_ms + 1)
    if any(one.reason == Reason.PURGED for one in ranges):
        raise AlreadyExists(
            f"the record of {job.name} for {shown} was purged, and it may have run; "
            "a backfill with reprocess all runs it again"
        )
    if nominal_ms >= job.cursor_ms and job.state is JobState.SCHEDULED:
        problem = Problem(
            "nominal_time", "lies ahead: the schedule will launch it; trigger without a time", shown
        )
        raise InvalidInput([problem])


def kill(
    engine: Engine, principal: Principal, instance_id: str, *, reason: str | None = None
) -> InstanceView:
    """End an instance: at once when it waits, by a stop request when it is in flight.

    Asking again is no error. The run's own end wins when it comes first.

    Raises:
        WrongState: it has ended already, and not by a kill.
    """

    def effect(_: Transaction, __: Job, instance: Instance, now: int) -> Instance:
        return killed(instance, principal.name, reason, now)

    return _execute(engine, _Asked(principal, instance_id, "KILL", reason), effect)


def skip(
    engine: Engine, principal: Principal, instance_id: str, *, reason: str | None = None
) -> InstanceView:
    """Decide that an instance that waits shall not run. Asking again is no error.

    Raises:
        WrongState: it does not wait any more.
    """

    def effect(_: Transaction, __: Job, instance: Instance, now: int) -> Instance:
        return skipped(instance, now)

    return _execute(engine, _Asked(principal, instance_id, "SKIP", reason), effect)


def rerun(
    engine: Engine,
    principal: Principal,
    instance_id: str,
    *,
    original: bool = False,
    ignore_prerequisites: bool = False,
    reason: str | None = None,
) -> InstanceView:
    """A new run of an instance that has ended; the run before it is kept in its history.

    It runs the job's present revision, or with ``original`` the one it ran last. Its prerequisites are
    checked again, unless ``ignore_prerequisites``: then it waits for nothing but its turn.

    Raises:
        WrongState: it has not ended, or its job is deleted.
        QuotaExceeded: no further instance of its owner may wait.
    """

    def effect(tx: Transaction, job: Job, instance: Instance, now: int) -> Instance:
        again = run_again(job, instance, now, original=original)
        check_waiting(engine, tx, job.owner)
        tx.archive_runs([instance])
        return replace(again, ready_ms=now) if ignore_prerequisites else again

    asked = _Asked(principal, instance_id, "RERUN", reason, ignore_prerequisites)
    return _execute(engine, asked, effect)


@dataclass(frozen=True, slots=True)
class _Asked:
    principal: Principal
    instance_id: str
    verb: str
    reason: str | None
    ignore_prerequisites: bool = False

    @property
    def adds(self) -> bool:
        """Whether one more would wait."""
        return self.verb == "RERUN"


Effect = Callable[[Transaction, Job, Instance, int], Instance]


def _execute(engine: Engine, asked: _Asked, effect: Effect) -> InstanceView:
    """Lock the job, then the instance; the same value from ``effect`` means that nothing is to do."""

    def unit(tx: Transaction) -> tuple[InstanceView, Moved]:
        now = engine.clock.now_ms()
        seen = find_instance(tx, asked.principal, asked.instance_id)
        require(asked.principal, seen.owner, Role.OPERATOR)
        if asked.adds:
            tx.lock_owners([seen.owner])
        tx.lock_groups(groups_of([seen]))
        [job] = tx.lock_jobs([seen.job_id])
        [before] = tx.lock_instances([asked.instance_id])
        after = effect(tx, job, before, now)
        if after is not before:
            tx.save_instances([after])
            event = instance_event(engine, after, asked.principal, asked.verb, now, asked.reason)
            tx.insert_events([ignoring(event) if asked.ignore_prerequisites else event])
            follow_up(engine, tx, {job.id: job}, [Moved(before, after)], now)
        runs = tx.runs([after.id]) if after.run > 1 else {}
        view = InstanceView(after, job.name, runs.get(after.id, ()), tx.pause())
        return view, Moved(before, after)

    view, moved = engine.store.transact(unit)
    if moved.after is not moved.before:
        engine.stops.notify([asked.instance_id])
        _announce(engine, asked.verb, view, asked.principal)
        tell(engine, [moved], {moved.after.job_id: view.job_name})
    return view


def _announce(engine: Engine, verb: str, view: InstanceView, principal: Principal) -> None:
    now = engine.clock.now_ms()
    engine.listener(of_instance(view.instance, view.job_name, verb, principal, now))
    ring(engine, [now], arms=False)


def of_instance(
    instance: Instance, job: str, verb: str, principal: Principal, now_ms: int
) -> Commanded:
    return Commanded(
        at_ms=now_ms,
        verb=verb,
        actor=principal.name,
        job_id=instance.job_id,
        job=job,
        owner=instance.owner,
        instance_id=instance.id,
        nominal_ms=instance.nominal_ms,
        run=instance.run,
    )


def instance_event(
    engine: Engine,
    instance: Instance,
    principal: Principal,
    verb: str,
    now: int,
    reason: str | None,
) -> Event:
    return Event(
        id=engine.ids.new(),
        owner=instance.owner,
        job_id=instance.job_id,
        instance_id=instance.id,
        at_ms=now,
        actor=principal.name,
        verb=verb,
        reason=reason,
        detail_json=json.dumps({"run": instance.run, "nominal_ms": instance.nominal_ms}),
    )


def ignoring(event: Event) -> Event:
    """The same, saying that the prerequisites were ignored."""
    detail = {**json.loads(event.detail_json), "ignore_prerequisites": True}
    return replace(event, detail_json=json.dumps(detail))
