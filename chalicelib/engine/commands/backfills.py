"""plan, create, cancel: what people do with backfills."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.access import find_backfill, find_job, lock_job, require
from chalicelib.engine.backfill_times import (
    Considered,
    considered,
    counted,
)
from chalicelib.engine.backfilling import backfill_event
from chalicelib.engine.commands.backfill_wishes import Checked, Wish, check_wish
from chalicelib.engine.commands.settling import settle_span
from chalicelib.engine.completion import ended
from chalicelib.engine.consequences import Followed, groups_of
from chalicelib.engine.disposition import dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Commanded
from chalicelib.engine.moved import Moved
from chalicelib.engine.once import Once, transact_once
from chalicelib.engine.ports import Reader, Remembered, Transaction
from chalicelib.engine.quotas import check_waiting, fitting, lock_owner, quotas_of
from chalicelib.engine.settle import announce, write_moves
from chalicelib.engine.stopping import request_stop
from chalicelib.engine.views import BackfillView
from chalicelib.engine.wakeups import ring
from chalicelib.model.backfill import Action, Backfill, BackfillState
from chalicelib.model.errors import WrongState
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import BY_ITSELF, InstanceState, Reason, Role, StopKind
from chalicelib.state_machine import InstanceEvent


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill would do for each of its nominal times, in its order."""

    job: Job
    wish: Wish
    to_ms: int
    overlap: str
    max_active: int
    items: Sequence[Considered]

    @property
    def counts(self) -> Mapping[Action, int]:
        return counted(self.items)


def plan_backfill(engine: Engine, principal: Principal, job_ref: str, wish: Wish) -> Plan:
    """Say what a backfill would do, as things are now; nothing is changed.

    Raises:
        InvalidInput: it is none that could be created.
        WrongState: the job is deleted.
    """

    def work(reader: Reader) -> Plan:
        now = engine.clock.now_ms()
        job = find_job(reader, principal, job_ref)
        require(principal, job.owner, Role.VIEWER)
        checked = check_wish(job, wish, now, quotas_of(engine, reader, job.owner).backfill)
        ranges = reader.skip_ranges(job.id, checked.from_ms, checked.to_ms)
        items = considered(reader, job.id, checked.nominal, ranges, wish.reprocess)
        # What the schedule owes up to now exists as soon as the backfill is created.
        [settled] = fitting(engine, reader, [dispose(job, now, now)])
        owed = {one.nominal_ms for one in settled.instances}
        planned = [_after_settling(one, owed) for one in items]
        return Plan(job, wish, checked.to_ms, checked.overlap, checked.max_active, planned)

    return engine.store.read(work)


def create_backfill(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    wish: Wish,
    *,
    reason: str | None = None,
    once: Once | None = None,
) -> BackfillView | Remembered:
    """Have the nominal times of a range run, with the job's present revision. The sweep makes them.

    Raises:
        InvalidInput: the range is none, holds no nominal time, or lies ahead; a parameter that the job
            does not have; limits that do not fit.
        QuotaExceeded: it holds more nominal times than the owner's backfills may have, or no further
            instance of the owner may wait.
        WrongState: the job is deleted.
    """

    def unit(tx: Transaction) -> BackfillView:
        now = engine.clock.now_ms()
        owner = lock_owner(engine, tx, find_job(tx, principal, job_ref).owner)
        job = lock_job(tx, principal, job_ref, Role.OPERATOR)
        checked = check_wish(job, wish, now, owner.quotas(engine.quotas).backfill)
        check_waiting(engine, tx, job.owner)
        settled, _ = settle_span(engine, tx, job, now)
        # When to look at the job stays as it is: the sweep arms it anew, or ends its calendar.
        tx.save_jobs([replace(job, cursor_ms=settled.cursor_ms)])
        backfill = replace(
            _new_backfill(job, wish, checked, now),
            id=engine.ids.new(),
            created_by=principal.name,
            reason=reason,
        )
        tx.insert_backfill(backfill)
        event = backfill_event(engine, backfill, "BACKFILL", principal.name, now, reason)
        tx.insert_events([event])
        return BackfillView(backfill, job, {}, tx.pause())

    view = transact_once(engine, principal, once, unit)
    if isinstance(view, BackfillView):
        _announce(engine, "BACKFILL", view.backfill, view.job.name, principal)
    return view


def cancel_backfill(
    engine: Engine,
    principal: Principal,
    backfill_id: str,
    *,
    kill: bool = False,
    reason: str | None = None,
) -> BackfillView:
    """End a backfill: what waits of it is skipped. Its runs go on, or with ``kill`` are asked to stop.

    Asking again is no error, and may still ask for the kill.

    Raises:
        WrongState: it is completed.
    """

    def unit(tx: Transaction) -> tuple[BackfillView, Sequence[Moved], Followed]:
        now = engine.clock.now_ms()
        seen = find_backfill(tx, principal, backfill_id)
        require(principal, seen.owner, Role.OPERATOR)
        tx.lock_groups(groups_of(tx.instances_by_id(tx.open_instances(backfill_id))))
        [job] = tx.lock_jobs([seen.job_id])
        before = tx.lock_backfill(backfill_id) or seen
        if before.state is BackfillState.COMPLETED:
            raise WrongState("the backfill is COMPLETED; only one that is RUNNING can be cancelled")
        after = _cancelled(before, now, reason)
        moves = _stopped(tx, principal, after, now, kill=kill)
        if after is not before:
            tx.save_backfill(after)
            verb = "BACKFILL_CANCEL"
            tx.insert_events([backfill_event(engine, after, verb, principal.name, now, reason)])
        further = write_moves(engine, tx, {job.id: job}, moves, now)
        counts = tx.backfill_counts([backfill_id])[backfill_id]
        return BackfillView(after, job, counts), moves, further

    view, moves, further = engine.store.transact(unit)
    engine.stops.notify([moved.after.id for moved in moves if moved.after.stop is not None])
    _announce(engine, "BACKFILL_CANCEL", view.backfill, view.job.name, principal)
    announce(engine, moves, {view.job.id: view.job}, further)
    return view


def _after_settling(one: Considered, owed: Collection[int]) -> Considered:
    if one.action is Action.CREATE and one.nominal_ms in owed:
        return Considered(one.nominal_ms, Action.EXISTS, InstanceState.WAITING)
    return one


def _new_backfill(job: Job, wish: Wish, checked: Checked, now_ms: int) -> Backfill:
    return Backfill(
        id="",
        owner=job.owner,
        job_id=job.id,
        from_ms=checked.from_ms,
        to_ms=checked.to_ms,
        cursor_ms=checked.to_ms if wish.newest_first else checked.from_ms,
        newest_first=wish.newest_first,
        reprocess=wish.reprocess,
        overlap=checked.overlap,
        max_active=checked.max_active,
        revision=job.revision,
        parameters_json=checked.parameters_json,
        total=len(checked.nominal),
        wait_ms=parse_duration(job.definition.policies.timeouts.wait),
        wake_ms=now_ms,
        created_ms=now_ms,
        created_by="",
    )


def _cancelled(backfill: Backfill, now_ms: int, reason: str | None) -> Backfill:
    if backfill.state is BackfillState.CANCELLED:
        return backfill
    return replace(
        backfill,
        state=BackfillState.CANCELLED,
        wake_ms=None,
        ended_ms=now_ms,
        end_reason=reason,
    )


def _stopped(
    tx: Transaction, principal: Principal, backfill: Backfill, now_ms: int, *, kill: bool
) -> Sequence[Moved]:
    locked = tx.lock_instances(tx.open_instances(backfill.id))
    moves = [Moved(one, _stop(one, principal, backfill, now_ms, kill=kill)) for one in locked]
    return [moved for moved in moves if moved.after is not moved.before]


def _stop(
    one: Instance, principal: Principal, backfill: Backfill, now_ms: int, *, kill: bool
) -> Instance:
    if one.state is InstanceState.WAITING:
        return ended(one, InstanceEvent.SKIP, Reason.BACKFILL_CANCELLED, now_ms)
    if not kill or (one.stop is not None and one.stop.kind not in BY_ITSELF):
        return one
    reason = backfill.end_reason or "its backfill was cancelled"
    return request_stop(one, StopKind.KILL, principal.name, reason, now_ms)


def _announce(
    engine: Engine, verb: str, backfill: Backfill, job: str, principal: Principal
) -> None:
    now = engine.clock.now_ms()
    engine.listener(
        Commanded(
            at_ms=now,
            verb=verb,
            actor=principal.name,
            job_id=backfill.job_id,
            job=job,
            owner=backfill.owner,
            subject=f"backfill {backfill.id}",
        )
    )
    ring(engine, [now], arms=True)
