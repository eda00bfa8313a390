"""The sweep's part of backfills: the next few instances of each, as those before them end.

A turn of a backfill is one transaction under the lock of its job: it moves the cursor and makes what lies
behind it, so that a crash anywhere loses nothing and makes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from chalicelib.engine.backfill_ports import DueBackfill
from chalicelib.engine.backfill_times import Considered, at_revision, considered, times
from chalicelib.engine.completion import next_run
from chalicelib.engine.consequences import ENGINE
from chalicelib.engine.deciding import SLOT_LOOK_MS, waits_for_data
from chalicelib.engine.disposition import new_instance, timetable_of
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import BackfillSetAside
from chalicelib.engine.ports import Transaction
from chalicelib.engine.quotas import full, room_of
from chalicelib.model.backfill import Action, Backfill, BackfillState
from chalicelib.model.credential import without_credentials
from chalicelib.model.event import Event
from chalicelib.model.identity import instance_id
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceKind, JobState, Reason

RESERVE = 50  # so many of its instances may wait for a slot: the next has begun before the sweep looks again
REFILL = 25  # fewer than that are not worth a turn
LOOK = 1000  # nominal times a turn looks at, at most
BATCH = 100
LOOK_FOR_ROOM_MS = 60_000  # so long after its owner's quota had no room for the next
SET_ASIDE_MS = 60_000
LONGEST_ASIDE_MS = 3_600_000


def advance_backfills(engine: Engine, stop_ms: int) -> int:
    """Give each backfill that is due its turn until none is, or the time is up; how many turns there were.

    Each turn is a transaction of its own: a backfill that raises is set aside alone.
    """
    turns = 0
    while True:
        due = engine.store.read(lambda reader: reader.due_backfills(engine.clock.now_ms(), BATCH))
        for one in due:
            if not _take_turn(engine, one):
                return turns
            turns += 1
            if engine.clock.now_ms() >= stop_ms:
                return turns
        if not due:
            return turns


def _take_turn(engine: Engine, due: DueBackfill) -> bool:
    """False: all is paused, and nobody has a turn."""

    def unit(tx: Transaction) -> tuple[bool, BackfillSetAside | None]:
        if tx.share_pause() is not None:
            return False, None
        now = engine.clock.now_ms()
        tx.lock_owners([due.owner])
        [job] = tx.lock_jobs([due.job_id])
        backfill = tx.lock_backfill(due.id)
        if backfill is None or backfill.wake_ms is None or backfill.wake_ms > now:
            return True, None
        return True, _turn(engine, tx, job, backfill, now)

    taken, aside = engine.store.transact(unit)
    if aside is not None:
        engine.listener(aside)
    return taken


def _turn(
    engine: Engine, tx: Transaction, job: Job, backfill: Backfill, now_ms: int
) -> BackfillSetAside | None:
    if job.state is JobState.SUSPENDED:  # the end of the suspension wakes it
        tx.save_backfill(replace(backfill, wake_ms=None))
        return None
    unended = tx.open_of_backfill(backfill.id)
    room = backfill.max_active + RESERVE - unended.count
    if unended.count and (backfill.exhausted or room < REFILL):
        tx.save_backfill(replace(backfill, wake_ms=None))
        return None
    waiting = tx.waiting([job.owner])[job.owner]
    free = max(room_of(engine, waiting), 0)
    try:
        step = _step(tx, job, backfill, min(room, free), unended.active, now_ms)
    except Exception as error:  # noqa: BLE001  whatever is wrong with one backfill must not delay another
        return _set_aside(tx, backfill, error, now_ms)
    _write(engine, tx, step, now_ms)
    after = replace(step.backfill, failures=0, error=None)
    if step.stopped and free < room:
        # The ends of its own instances wake it; of others' that begin or end it is told nothing.
        told = full(engine, job.owner, replace(waiting, count=waiting.count + len(step.instances)))
        after = replace(after, error=told, wake_ms=now_ms + LOOK_FOR_ROOM_MS)
    if after.exhausted and not unended.count and not step.instances:
        after = _completed(engine, tx, after, now_ms)
    tx.save_backfill(after)
    return None


@dataclass(slots=True)
class _Step:
    """What one turn leaves to be written. ``stopped``: there was no room for more."""

    backfill: Backfill
    stopped: bool
    made: list[Instance] = field(default_factory=list)
    ended: list[Instance] = field(default_factory=list)
    rerun: list[Instance] = field(default_factory=list)

    @property
    def instances(self) -> Sequence[Instance]:
        return (*self.made, *self.rerun)


def _step(
    tx: Transaction, job: Job, backfill: Backfill, room: int, active: int, now_ms: int
) -> _Step:
    pinned = _pinned(tx, job, backfill)
    looked_at = _looked_at(tx, pinned, backfill)
    taken = list(_until_full(looked_at, room))
    whole = len(taken) == len(looked_at)
    moved = _moved(backfill, taken, ended=whole and len(looked_at) < LOOK)
    step = _Step(moved, stopped=not whole)
    again = [one.nominal_ms for one in taken if one.action is Action.RERUN]
    locked = tx.lock_instances(instance_id(job.id, at) for at in again) if again else ()
    found = {one.nominal_ms: one for one in locked}
    slots = (backfill.max_active if backfill.overlap == "allow" else 1) - active
    for one in taken:
        if one.action is Action.EXISTS:
            continue
        before = found.get(one.nominal_ms)
        if before is None:
            made = _made(pinned, backfill, one, now_ms)
            step.made.append(_in_line(made, pinned, backfill, slots, now_ms))
        else:
            rerun = _rerun(before, pinned, backfill, now_ms)
            step.ended.append(before)
            step.rerun.append(_in_line(rerun, pinned, backfill, slots, now_ms))
        slots -= 1
    # What only stays as it is was looked at for nothing: go on at once.
    more = whole and not step.backfill.exhausted
    step.backfill = replace(
        step.backfill,
        wake_ms=now_ms if more else None,
        made=backfill.made + len(step.made),
        rerun=backfill.rerun + len(step.rerun),
    )
    return step


def _pinned(tx: Transaction, job: Job, backfill: Backfill) -> Job:
    key = (job.id, backfill.revision)
    calendars = tx.revision_calendars([key]).get(key)
    return at_revision(job, backfill.revision, tx.definitions([key])[key], calendars)


def _looked_at(tx: Transaction, pinned: Job, backfill: Backfill) -> Sequence[Considered]:
    first, last = backfill.from_ms, backfill.to_ms
    if backfill.newest_first:
        last = backfill.cursor_ms
    else:
        first = backfill.cursor_ms
    found = times(timetable_of(pinned), first, last, newest_first=backfill.newest_first)
    nominal = list(islice(found, LOOK))
    if not nominal:
        return ()
    ranges = tx.skip_ranges(pinned.id, min(nominal), max(nominal) + 1)
    return list(considered(tx, pinned.id, nominal, ranges, backfill.reprocess))


def _until_full(looked_at: Sequence[Considered], room: int) -> Iterator[Considered]:
    for one in looked_at:
        if one.action is not Action.EXISTS:
            if room == 0:
                return
            room -= 1
        yield one


def _moved(backfill: Backfill, taken: Sequence[Considered], *, ended: bool) -> Backfill:
    """With its cursor behind what was taken, or at the end of its range."""
    existing = backfill.existing + sum(one.action is Action.EXISTS for one in taken)
    if ended:
        end_ms = backfill.from_ms if backfill.newest_first else backfill.to_ms
        return replace(backfill, existing=existing, cursor_ms=end_ms)
    if not taken:
        return backfill
    last_ms = taken[-1].nominal_ms
    cursor_ms = last_ms if backfill.newest_first else last_ms + 1
    return replace(backfill, existing=existing, cursor_ms=cursor_ms)


def _made(pinned: Job, backfill: Backfill, one: Considered, now_ms: int) -> Instance:
    """Runs of what was purged are counted on: a number that was given before names another execution."""
    text = backfill.parameters_json
    made = new_instance(pinned, one.nominal_ms, now_ms, InstanceKind.BACKFILL, text)
    return _of_backfill(replace(made, run=(one.purged_run or 0) + 1), backfill)


def _rerun(before: Instance, pinned: Job, backfill: Backfill, now_ms: int) -> Instance:
    """A new run of the backfill's revision; of parameters, those that the backfill names stand."""
    parameters = {**json.loads(before.parameters_json), **json.loads(backfill.parameters_json)}
    again = replace(
        next_run(before, None, wake_ms=now_ms, now_ms=now_ms),
        attempt=1,
        launch_attempt=1,
        revision=backfill.revision,
        group=pinned.group,
        parameters_json=json.dumps(parameters, sort_keys=True),
        deadline_ms=now_ms + backfill.wait_ms,
        version=before.version + 1,
    )
    return _of_backfill(again, backfill)


def _of_backfill(one: Instance, backfill: Backfill) -> Instance:
    return replace(
        one, backfill=backfill.id, overlap=backfill.overlap, max_active=backfill.max_active
    )


def _in_line(one: Instance, pinned: Job, backfill: Backfill, slots: int, now_ms: int) -> Instance:
    """With a slot while there are any, else in the queue: so they begin in the backfill's order.

    Where there is more to be decided than whose turn it is, the claim decides as for everybody: waiting
    for data occupies no slot.
    """
    if backfill.overlap not in ("allow", "queue") or waits_for_data(pinned):
        return one
    if slots > 0:
        return replace(one, active=True)
    return replace(one, reason=Reason.MAX_ACTIVE, wake_ms=now_ms + SLOT_LOOK_MS, deadline_ms=None)


def _write(engine: Engine, tx: Transaction, step: _Step, now_ms: int) -> None:
    if step.made:
        tx.insert_instances(step.made)
    if step.rerun:
        tx.archive_runs(step.ended)
        tx.save_instances(step.rerun)
        tx.insert_events([_rerun_event(engine, step.backfill, one, now_ms) for one in step.rerun])


def _completed(engine: Engine, tx: Transaction, backfill: Backfill, now_ms: int) -> Backfill:
    tx.insert_events([backfill_event(engine, backfill, "BACKFILL_COMPLETE", ENGINE, now_ms)])
    return replace(backfill, state=BackfillState.COMPLETED, wake_ms=None, ended_ms=now_ms)


def _set_aside(
    tx: Transaction, backfill: Backfill, error: Exception, now_ms: int
) -> BackfillSetAside:
    wait_ms = min(SET_ASIDE_MS << min(backfill.failures, 10), LONGEST_ASIDE_MS)
    text = without_credentials(f"{type(error).__name__}: {error}")
    tx.save_backfill(
        replace(backfill, failures=backfill.failures + 1, error=text, wake_ms=now_ms + wait_ms)
    )
    return BackfillSetAside(
        at_ms=now_ms,
        job_id=backfill.job_id,
        owner=backfill.owner,
        backfill_id=backfill.id,
        error=text,
        again_ms=now_ms + wait_ms,
    )


def backfill_event(
    engine: Engine,
    backfill: Backfill,
    verb: str,
    actor: str,
    now_ms: int,
    reason: str | None = None,
) -> Event:
    """The line of a job's history about one of its backfills."""
    detail = {
        "backfill": backfill.id,
        "from_ms": backfill.from_ms,
        "to_ms": backfill.to_ms,
        "total": backfill.total,
        "created": backfill.made,
        "rerun": backfill.rerun,
        "existing": backfill.existing,
        "revision": backfill.revision,
    }
    return Event(
        id=engine.ids.new(),
        owner=backfill.owner,
        job_id=backfill.job_id,
        at_ms=now_ms,
        actor=actor,
        verb=verb,
        reason=reason,
        detail_json=json.dumps(detail),
    )


def _rerun_event(engine: Engine, backfill: Backfill, one: Instance, now_ms: int) -> Event:
    return Event(
        id=engine.ids.new(),
        owner=one.owner,
        job_id=one.job_id,
        instance_id=one.id,
        at_ms=now_ms,
        actor=backfill.created_by,
        verb="RERUN",
        reason=backfill.reason,
        detail_json=json.dumps(
            {"run": one.run, "nominal_ms": one.nominal_ms, "backfill": backfill.id}
        ),
    )
