"""Retention: the records of instances that ended long ago are purged, and what protects from doubles stays.

Of every purged nominal time a range of reason PURGED remains: no backfill and no trigger takes it for one
that never ran. The last success of a job stays, because other jobs may wait for it; so does what a
backfill that goes on is about, and of nominal times that the job's cursor has yet to pass everything:
whoever disposes of them looks at instances only. Files are removed after the commit; until they are, their
tokens are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Purged
from chalicelib.engine.filters import BackfillFilter
from chalicelib.engine.history import timetables
from chalicelib.engine.housekeeping_ports import Ended
from chalicelib.engine.ports import Clock, Transaction
from chalicelib.engine.purged_ranges import Gone, marked
from chalicelib.model.backfill import BackfillState
from chalicelib.model.identity import run_token
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job
from chalicelib.model.retention import DAY_MS, Retention
from chalicelib.model.states import InstanceKind, JobState

BATCH = 200
BATCHES = 10
SLICE_MS = 1000
OPEN_BACKFILLS = 1000


class Budget:
    """So much of a minute is housekeeping's: launches wait for nothing longer than one batch."""

    def __init__(self, clock: Clock, batches: int = BATCHES, batch: int = BATCH) -> None:
        self.batch = batch
        self._clock = clock
        self._left = batches
        self._until_ms = clock.now_ms() + SLICE_MS

    def spend(self) -> bool:
        """Whether there is time for one more batch."""
        self._left -= 1
        return not self.over()

    def over(self) -> bool:
        return self._left < 0 or self._clock.now_ms() >= self._until_ms


def purge_job(engine: Engine, job: Job, budget: Budget, now_ms: int) -> bool:
    """All of the job that may go; false when the time was up before."""
    retention = retention_of(job, engine.chores.retention)
    if budget.over():
        return False
    for cut in _cuts(engine, job, retention, now_ms):
        if not _purge_before(engine, job.id, cut, budget, now_ms):
            return False
    age_ms = retention.age_ms
    if job.state is JobState.DELETED and age_ms is not None and job.modified_ms < now_ms - age_ms:
        return _purge_deleted(engine, job.id, budget)
    return True


def _purge_before(
    engine: Engine, job_id: str, cut: tuple[int, int], budget: Budget, now_ms: int
) -> bool:
    """Batch by batch; most nights most jobs have nothing to purge, and cost a look without a lock."""
    ended_ms, to_ms = cut
    from_ms: int | None = 0
    while from_ms is not None:
        span = ended_ms, from_ms, to_ms
        if not engine.store.read(lambda reader, span=span: reader.ended_before(job_id, *span, 1)):  # type: ignore[misc]
            return True
        if not budget.spend():
            return False
        from_ms = _purge(engine, job_id, span, budget.batch, now_ms)
    return True


def retention_of(job: Job, default: Retention) -> Retention:
    """The job's own words first. A definition that this version cannot read says nothing."""
    try:
        policy = job.definition.policies.retention
    except ValueError:
        return default
    return Retention(
        default.age_ms if policy.age is None else parse_duration(policy.age),
        default.count if policy.count is None else policy.count,
    )


def clear_leftovers(engine: Engine, budget: Budget) -> None:
    """Files of runs that were purged before a crash, or while their program was still at work."""
    after = ""
    while budget.spend():
        tokens = engine.store.read(
            lambda reader, after=after: reader.leftovers(after, budget.batch)  # type: ignore[misc]
        )
        _forget_files(engine, tokens)
        if len(tokens) < budget.batch:
            return
        after = tokens[-1]


def _cuts(engine: Engine, job: Job, retention: Retention, now_ms: int) -> Iterator[tuple[int, int]]:
    """What goes: ended before, of nominal times before."""
    if retention.age_ms is not None:
        yield now_ms - retention.age_ms, now_ms - retention.age_ms
    count = retention.count
    if count is not None:
        newest = engine.store.read(lambda reader: reader.nth_newest(job.id, count))
        if newest is not None:
            yield now_ms - DAY_MS, newest


def _purge(
    engine: Engine, job_id: str, cut: tuple[int, int, int], batch: int, now_ms: int
) -> int | None:
    """One batch, under the lock of the job: nothing of it is rerun or backfilled meanwhile.

    From which nominal time on to go on; None when there is no more.
    """

    def unit(tx: Transaction) -> _Batch:
        [job] = tx.lock_jobs([job_id])
        page = tx.ended_before(job_id, *cut, batch)
        spans = _wanted_spans(tx, job)
        gone = _unneeded(tx, job, page, spans)
        if gone:
            _mark(tx, job, gone)
            tx.purge_instances(one.id for one in gone)
        tokens = list(_tokens(gone))
        tx.add_leftovers(tokens)
        more = len(page) == batch
        return _Batch(len(gone), tokens, _behind(page[-1].nominal_ms, spans) if more else None)

    done = engine.store.transact(unit)
    if done.purged:
        engine.listener(Purged(at_ms=now_ms, job_id=job_id, instances=done.purged))
    _forget_files(engine, done.tokens)
    return done.next_ms


@dataclass(frozen=True, slots=True)
class _Batch:
    """``next_ms``: from where to go on; None at the end."""

    purged: int
    tokens: Sequence[str]
    next_ms: int | None


def _tokens(gone: Sequence[Ended]) -> Iterator[str]:
    """Of all their runs that a target may have known."""
    for one in gone:
        if one.launched or one.run > 1:
            yield from (run_token(one.id, run) for run in range(1, one.run + 1))


def _wanted_spans(tx: Transaction, job: Job) -> Sequence[tuple[int, int]]:
    """Nominal times that backfills are about which go on."""
    if job.state is JobState.DELETED:
        return ()
    running = BackfillFilter(job_id=job.id, state=(BackfillState.RUNNING,), limit=OPEN_BACKFILLS)
    return [(one.from_ms, one.to_ms) for one in tx.backfills(running, None)]


def _unneeded(
    tx: Transaction, job: Job, page: Sequence[Ended], spans: Sequence[tuple[int, int]]
) -> Sequence[Ended]:
    """Without what another job, a backfill or the job's own schedule may still look at."""
    if job.state is JobState.DELETED:
        return page
    last = tx.last_success(job.id)
    return [
        one
        for one in page
        if one.nominal_ms != last
        and not (one.nominal_ms >= job.cursor_ms and _may_be_asked_for_again(one))
        and not any(first <= one.nominal_ms < end for first, end in spans)
    ]


def _may_be_asked_for_again(one: Ended) -> bool:
    """Unlike a time that nobody but a trigger gave: no schedule fires between two seconds."""
    return one.kind != InstanceKind.MANUAL or one.nominal_ms % 1000 == 0


def _behind(at_ms: int, spans: Sequence[tuple[int, int]]) -> int:
    """Past the backfill that it belongs to: what that wants may be thousands, and all of it stays."""
    return max([at_ms + 1, *(end for first, end in spans if first <= at_ms < end)])


def _mark(tx: Transaction, job: Job, gone: Sequence[Ended]) -> None:
    """Only what could be asked for again: nothing of deleted jobs."""
    times = [
        Gone(one.nominal_ms, one.run, one.revision) for one in gone if _may_be_asked_for_again(one)
    ]
    if not times or job.state is JobState.DELETED:
        return
    before = tx.ranges_around(job.id, times[0].nominal_ms, times[-1].nominal_ms + 1)
    after = marked(job.id, before, times, timetables(tx, before))
    tx.replace_ranges(before, after)


def _forget_files(engine: Engine, tokens: Sequence[str]) -> None:
    if not tokens:
        return
    gone = engine.artifacts.forget(tokens)
    if gone:
        engine.store.transact(lambda tx: tx.drop_leftovers(gone))


def _purge_deleted(engine: Engine, job_id: str, budget: Budget) -> bool:
    """The job itself, once nothing of it is left."""
    while budget.spend():
        if engine.store.transact(lambda tx: tx.purge_job(job_id, budget.batch)) == 0:
            return True
    return False
