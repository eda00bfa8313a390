"""First half of the sweep: jobs whose time has come get the instances of their nominal times."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from chalicelib.engine.consequences import ENGINE, write_disposition
from chalicelib.engine.disposition import Disposition, armed, dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Fact, JobSetAside, OverQuota, TimesSkipped
from chalicelib.engine.narration import commanded
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import NoondayError
from chalicelib.model.event import Event
from chalicelib.model.identity import instance_id
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.states import JobState, Reason

SET_ASIDE_MS = 60_000
LONGEST_ASIDE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Materialised:
    """One batch: how many jobs were looked at, how late the oldest was, and what there is to tell."""

    jobs: int
    lateness_ms: int
    facts: Sequence[Fact] = ()


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one job's turn in the batch leaves to be written."""

    job: Job
    instances: tuple[Instance, ...] = ()
    skipped: tuple[SkipRange, ...] = ()
    events: tuple[Event, ...] = ()
    resumed_since_ms: int | None = None
    set_aside: JobSetAside | None = None


def materialise(engine: Engine, limit: int) -> Materialised:
    """Dispose of every due nominal time of at most ``limit`` jobs: one transaction moves their cursors
    and inserts their instances. A job that raises, or whose turn the schema refuses to take, is set aside
    alone, and looked at again later.

    An owner whose lock somebody keeps for too long is left out at the next attempt, so that the others go on.
    """
    attempts = count()
    try:
        batch = engine.store.transact(
            lambda tx: _batch(engine, tx, limit, patient=next(attempts) == 0)
        )
    except NoondayError:
        raise
    except Exception:  # noqa: BLE001  the schema refused what one of them leaves to be written
        batch = _one_by_one(engine, limit)
    for fact in batch.facts:
        engine.listener(fact)
    return batch


def _batch(engine: Engine, tx: Transaction, limit: int, *, patient: bool) -> Materialised:
    if tx.share_pause() is not None:
        return Materialised(0, 0)
    now = engine.clock.now_ms()
    owners = tx.lock_due_owners(now, limit, patient=patient)
    # Whose owner has a job due only since then has its turn in the next batch.
    due = [job for job in tx.lock_due_jobs(now, limit) if job.owner in owners]
    turns = [_turn(engine, job, now) for job in sorted(due, key=_place)]
    written = _write(engine, tx, turns, now)
    lateness = max((now - (job.wake_ms or now) for job in due), default=0)
    return Materialised(len(due), lateness, [*_told(turns), *_skipped(written, now)])


def _one_by_one(engine: Engine, limit: int) -> Materialised:
    """Each in a transaction of its own, so that the others have their turn; the next sweep is whole again."""
    turns: list[Materialised] = []
    while len(turns) < limit and (not turns or turns[-1].jobs):
        turns.append(_alone(engine))
    return Materialised(
        sum(turn.jobs for turn in turns),
        max(turn.lateness_ms for turn in turns),
        [fact for turn in turns for fact in turn.facts],
    )


def _alone(engine: Engine) -> Materialised:
    """The next that is due; if its turn cannot be written, it is set aside like one that raises."""
    try:
        return engine.store.transact(lambda tx: _batch(engine, tx, 1, patient=True))
    except NoondayError:
        raise
    except Exception as error:  # noqa: BLE001  see above
        refused = error

    def unit(tx: Transaction) -> Materialised:
        now = engine.clock.now_ms()
        turns = [_set_aside(job, refused, now) for job in tx.lock_due_jobs(now, 1)]
        tx.save_jobs([turn.job for turn in turns])
        return Materialised(len(turns), 0, list(_told(turns)))

    return engine.store.transact(unit)


def _place(job: Job) -> str:
    """Who has waited longest comes first. Of those that are due at the same moment each time another: where
    a quota has no room for all, nobody goes without every time."""
    return instance_id(job.id, job.wake_ms or 0)


def _write(
    engine: Engine, tx: Transaction, turns: Sequence[_Turn], now_ms: int
) -> Sequence[Disposition]:
    if not turns:
        return ()
    settled = [Disposition(turn.job, turn.instances, turn.skipped) for turn in turns]
    written = write_disposition(engine, tx, settled, now_ms)
    tx.save_jobs([turn.job for turn in turns])
    tx.insert_events([event for turn in turns for event in turn.events])
    for turn in turns:
        if turn.resumed_since_ms is not None:
            tx.release_instances(turn.job.id, now_ms, turn.resumed_since_ms, now_ms)
            tx.wake_backfills_of(turn.job.id, now_ms)
    return written


def _told(turns: Sequence[_Turn]) -> Iterator[Fact]:
    for turn in turns:
        if turn.set_aside is not None:
            yield turn.set_aside
        yield from (commanded(event, turn.job.name) for event in turn.events)


def _skipped(written: Sequence[Disposition], now_ms: int) -> Iterator[Fact]:
    """The ranges, and of which owners something was skipped for want of room, of how many of their jobs."""
    for one in written:
        for skip in one.skipped:
            yield TimesSkipped(
                at_ms=now_ms,
                job_id=one.job.id,
                job=one.job.name,
                owner=one.job.owner,
                reason=skip.reason,
                from_ms=skip.from_ms,
                to_ms=skip.to_ms,
            )
    owners = Counter(
        one.job.owner for one in written if any(skip.reason == Reason.QUOTA for skip in one.skipped)
    )
    for owner, jobs in sorted(owners.items()):
        yield OverQuota(at_ms=now_ms, owner=owner, jobs=jobs)


def _turn(engine: Engine, job: Job, now_ms: int) -> _Turn:
    try:
        if job.state is JobState.SUSPENDED:
            return _resumed(engine, job, now_ms)
        return _due(engine, job, now_ms)
    except Exception as error:  # noqa: BLE001  whatever is wrong with one job must not delay another
        return _set_aside(job, error, now_ms)


def _due(engine: Engine, job: Job, now_ms: int) -> _Turn:
    disposition = dispose(job, now_ms + 1, now_ms)
    after = armed(replace(disposition.job, failures=0))
    expired = after.state is not job.state
    events = (_event(engine, after, "EXPIRE", now_ms, "the schedule has ended"),) if expired else ()
    return _Turn(after, disposition.instances, disposition.skipped, events)


def _resumed(engine: Engine, job: Job, now_ms: int) -> _Turn:
    """A suspension with an end: its span is skipped up to that end, and from there the job fires."""
    suspension = job.suspension
    if suspension is None or suspension.until_ms is None or suspension.until_ms > now_ms:
        return _Turn(armed(job))
    settled = dispose(job, now_ms + 1, now_ms)
    back = replace(
        settled.job, state=JobState.SCHEDULED, suspension=None, streak=0, edit=job.edit + 1
    )
    turn = _due(engine, back, now_ms)
    resumed = _event(engine, turn.job, "RESUME", now_ms, "the suspension has ended")
    return replace(
        turn,
        instances=settled.instances,
        skipped=settled.skipped,
        events=(resumed, *turn.events),
        resumed_since_ms=suspension.since_ms,
    )


def _set_aside(job: Job, error: Exception, now_ms: int) -> _Turn:
    wait_ms = min(SET_ASIDE_MS << min(job.failures, 10), LONGEST_ASIDE_MS)
    text = f"{type(error).__name__}: {error}"
    aside = JobSetAside(
        at_ms=now_ms,
        job_id=job.id,
        job=job.name,
        owner=job.owner,
        error=text,
        again_ms=now_ms + wait_ms,
    )
    later = replace(job, failures=job.failures + 1, wake_ms=now_ms + wait_ms)
    return _Turn(later, set_aside=aside)


def _event(engine: Engine, job: Job, verb: str, now_ms: int, reason: str) -> Event:
    return Event(
        id=engine.ids.new(),
        owner=job.owner,
        job_id=job.id,
        at_ms=now_ms,
        actor=ENGINE,
        verb=verb,
        reason=reason,
        detail_json=json.dumps({"to": job.state, "revision": job.revision}),
    )
