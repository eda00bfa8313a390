"""Settle, then change: what every command on a job does around its own effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.access import find_job, lock_job
from chalicelib.engine.consequences import write_disposition
from chalicelib.engine.disposition import armed, dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Commanded
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.ports import Transaction
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import StaleEdit
from chalicelib.model.event import Event
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.state_machine import JobEvent, move_job


@dataclass(frozen=True, slots=True)
class Command:
    """Who asks for which event on which job, and why. ``if_match``: the edit the asker has seen."""

    principal: Principal
    event: JobEvent
    job_ref: str
    role: Role = Role.OPERATOR
    reason: str | None = None
    if_match: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a command's unit leaves behind: the job, what must be looked at soon, and whether it moved.

    ``asked``: the runs that were asked to stop. ``detail``: what its line of history says besides.
    """

    job: Job
    wakes: tuple[int | None, ...] = ()
    moved: bool = True
    asked: Sequence[Moved] = ()
    detail: Mapping[str, object] | None = None


Effect = Callable[[Transaction, Job, int], Changed]


def execute(
    engine: Engine,
    command: Command,
    effect: Effect,
    *,
    settle: bool = True,
    first: Callable[[Transaction], Sequence[str]] | None = None,
    repeated: Callable[[Job, int], bool] = lambda _, __: True,
) -> Job:
    """Run the command in one transaction; afterwards ring for what it left due.

    ``repeated``: whether the event, on a job that it leads back to the state it is in, changes nothing.
    ``first`` takes the locks that come between the owner's and those of groups; it returns further groups
    to lock.

    ``effect`` gets the settled job in its new state, and the time; it returns the job to be saved.
    Without ``settle`` it disposes of [cursor, now) itself.

    Raises:
        NotFound, Forbidden, WrongState, StaleEdit: nothing was changed.
    """

    def unit(tx: Transaction) -> Changed:
        now = engine.clock.now_ms()
        tx.share_pause()  # until this is done none begins or ends: either gives time back to what waits
        # What is settled may add to what waits, which the owner's quota limits.
        tx.lock_owners([find_job(tx, command.principal, command.job_ref).owner])
        further = first(tx) if first is not None else ()
        lock_groups_of(tx, command.principal, command.job_ref, further)
        job = lock_job(tx, command.principal, command.job_ref, command.role)
        check_edit(job, command.if_match)
        after = move_job(job.state, command.event)
        stays = after is job.state and command.event is not JobEvent.UPDATE
        if stays and repeated(job, now):
            return Changed(job, moved=False)
        settled, wakes = settle_span(engine, tx, job, now) if settle else (job, ())
        changed = effect(tx, replace(settled, state=after), now)
        if not changed.moved:
            # What was settled is written: without its cursor the next one would account for it again.
            tx.save_jobs([replace(job, cursor_ms=settled.cursor_ms)])
            return changed
        saved = stamped(armed(changed.job), command.principal, now)
        tx.save_jobs([saved])
        tx.insert_events([job_event(engine, saved, command, job.state, changed.detail)])
        return replace(changed, job=saved, wakes=(*wakes, *changed.wakes, saved.wake_ms))

    changed = engine.store.transact(unit)
    if changed.moved:
        announce(engine, changed, command.event, command.principal)
    return changed.job


def lock_groups_of(
    tx: Transaction, principal: Principal, job_ref: str, further: Sequence[str] = ()
) -> None:
    """The groups that instances of the job may hold slots of, or give them back to: before the job, and
    together with ``further`` ones, because groups are locked in order of their names."""
    job = find_job(tx, principal, job_ref)
    held = {one.group for one in tx.slots_of_waiting(job.id, held=False)} | {job.group, *further}
    tx.lock_groups((job.owner, name) for name in held if name is not None)


def announce(engine: Engine, changed: Changed, verb: str, principal: Principal) -> None:
    """After the commit: wake whoever has to act on it."""
    job = changed.job
    now = engine.clock.now_ms()
    engine.listener(of_job(job, verb, principal, now))
    tell(engine, changed.asked, {job.id: job.name})
    if changed.asked:
        engine.stops.notify([moved.after.id for moved in changed.asked])
    ring(engine, changed.wakes, arms=True)


def of_job(job: Job, verb: str, principal: Principal, now_ms: int) -> Commanded:
    return Commanded(
        at_ms=now_ms,
        verb=verb,
        actor=principal.name,
        job_id=job.id,
        job=job.name,
        owner=job.owner,
    )


def check_edit(job: Job, if_match: int | None) -> None:
    """Raises StaleEdit when the asker has seen an older job than the present one."""
    if if_match is not None and if_match != job.edit:
        raise StaleEdit(
            f"the job has moved on: it is at edit {job.edit}, the request was for {if_match}; "
            "read it again and decide anew"
        )


def settle_span(
    engine: Engine, tx: Transaction, job: Job, now_ms: int
) -> tuple[Job, tuple[int, ...]]:
    """Dispose of [cursor, now) as the sweep would have, under the lock of the owner too; the job, and when
    what appeared is due."""
    [written] = write_disposition(engine, tx, [dispose(job, now_ms, now_ms)], now_ms)
    return written.job, (now_ms,) if written.instances else ()


def stamped(job: Job, principal: Principal, now_ms: int) -> Job:
    return replace(
        job, edit=job.edit + 1, failures=0, modified_ms=now_ms, modified_by=principal.name
    )


def job_event(
    engine: Engine,
    job: Job,
    command: Command,
    before: JobState,
    detail: Mapping[str, object] | None = None,
) -> Event:
    """The line of history that a command leaves."""
    facts = {"from": before, "to": job.state, "revision": job.revision, **(detail or {})}
    return Event(
        id=engine.ids.new(),
        owner=job.owner,
        job_id=job.id,
        at_ms=job.modified_ms,
        actor=command.principal.name,
        verb=command.event.value,
        reason=command.reason,
        detail_json=json.dumps(facts),
    )
