"""Instances that begin or end too late, and runs that take too long: watched for, and decided once.

A watch is written with what it watches: with the instance, or with the claim of its run. It is only a time to
look; what is late, and who hears of it, is what the job's definition says then. What counts are the times
that were recorded, so that a sweep that comes late decides as one in time would have. Then the watch is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.disposition import Disposition
from chalicelib.engine.engine import Engine
from chalicelib.engine.moved import Moved
from chalicelib.engine.notifying import News, about, addressed, subscriptions, write
from chalicelib.engine.ports import Transaction
from chalicelib.model.definition import Notify
from chalicelib.model.instance import Instance, Run
from chalicelib.model.instants import format_instant, parse_duration
from chalicelib.model.job import Job
from chalicelib.model.notification import Lateness, Notification, Told, Watch
from chalicelib.model.states import IN_FLIGHT, TERMINAL, InstanceKind, InstanceState

BATCH = 200
_TOLD = {
    Lateness.NOT_STARTED: Told.NOT_STARTED,
    Lateness.NOT_ENDED: Told.NOT_ENDED,
    Lateness.RUNNING_LONG: Told.RUNNING_LONG,
}


def watch_new(tx: Transaction, settled: Iterable[Disposition]) -> None:
    """With the instances of nominal times; also of those that are late already."""
    watches = [
        Watch(one.id, kind, one.job_id, one.nominal_ms + min(limits))
        for each in settled
        if each.instances
        for kind in (Lateness.NOT_STARTED, Lateness.NOT_ENDED)
        if (limits := _limits(each.job, kind))
        for one in each.instances
        if _has_a_time(one)
    ]
    if watches:
        tx.insert_watches(watches)


def watch_moves(
    tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> None:
    """What is claimed is watched from now on; what ends is decided here, and watched no more."""
    late = [moved for moved in moves if _ever_late(jobs[moved.after.job_id])]
    claimed = [
        Watch(moved.after.id, Lateness.RUNNING_LONG, moved.after.job_id, now_ms + min(limits))
        for moved in late
        if moved.before.state is InstanceState.WAITING
        and moved.after.state is InstanceState.LAUNCHING
        and (limits := _limits(jobs[moved.after.job_id], Lateness.RUNNING_LONG))
    ]
    if claimed:
        tx.insert_watches(claimed)
    ended = {
        moved.after.id: moved.superseded or moved.after
        for moved in late
        if moved.ends or moved.superseded is not None
    }
    if not ended:
        return
    retried = {moved.after.id for moved in late if moved.superseded is not None}
    watches = [
        watch
        for watch in tx.lock_watches(ended)
        if watch.kind is Lateness.RUNNING_LONG or watch.instance_id not in retried
    ]
    _decide(tx, jobs, ended, watches, now_ms)


def look_for_lateness(engine: Engine, stop_ms: int) -> int:
    """Decide the watches that are due, batch by batch; how many there were."""
    count = 0
    while True:
        found = _look(engine)
        count += found
        if found < BATCH or engine.clock.now_ms() >= stop_ms:
            return count


def _look(engine: Engine) -> int:
    """One batch. What is due is found without a lock, and looked at again under those of its job."""
    due = engine.store.read(lambda reader: reader.due_watches(engine.clock.now_ms(), BATCH))
    if due:
        engine.store.transact(lambda tx: _look_at(tx, due, engine.clock.now_ms()))
    return len(due)


def _look_at(tx: Transaction, due: Sequence[Watch], now: int) -> None:
    """Under the locks of jobs and instances: nobody ends what is being looked at."""
    jobs = {job.id: job for job in tx.lock_jobs({watch.job_id for watch in due})}
    ids = {watch.instance_id for watch in due}
    instances = {one.id: one for one in tx.lock_instances(ids)}
    watches = [watch for watch in tx.lock_watches(ids) if watch.due_ms <= now]
    _decide(tx, jobs, instances, watches, now)


def _decide(
    tx: Transaction,
    jobs: Mapping[str, Job],
    instances: Mapping[str, Instance],
    watches: Sequence[Watch],
    now_ms: int,
) -> None:
    again = {one.id for one in instances.values() if one.run > 1}
    runs = tx.runs(sorted(again)) if again else {}
    rows: list[Notification] = []
    later: list[Watch] = []
    for watch in watches:
        one, job = instances.get(watch.instance_id), jobs.get(watch.job_id)
        if one is None or job is None:  # it was purged
            continue
        course = _course(watch.kind, one, runs.get(one.id, ()))
        if course is None:
            continue
        for entry in _late(job, course, now_ms):
            rows += _told(job, one, course, entry, now_ms)
        next_ms = _next_look(job, course, now_ms)
        if next_ms is not None:
            later.append(replace(watch, due_ms=next_ms))
    write(tx, rows)
    if watches:
        tx.delete_watches(watches)
    if later:
        tx.insert_watches(later)


@dataclass(frozen=True, slots=True)
class _Course:
    """From when lateness counts, and when what was waited for came; None: not yet."""

    kind: Lateness
    since_ms: int | None
    came_ms: int | None


def _course(kind: Lateness, one: Instance, before: Sequence[Run]) -> _Course | None:
    """None: there is nothing to be late any more, or never was."""
    if kind is Lateness.RUNNING_LONG:
        if one.state in IN_FLIGHT or one.state in TERMINAL:
            return _Course(kind, _began_ms(one.latest_run), one.ended_ms)
        return None  # a retry that waits is watched anew with its claim
    if not _has_a_time(one):
        return None
    if kind is Lateness.NOT_ENDED:
        return _Course(kind, one.nominal_ms, one.ended_ms)
    began = [_began_ms(run) for run in (*before, one.latest_run)]
    moments = [
        at for at in (*began, one.ended_ms) if at is not None
    ]  # a launch that failed began nothing
    return _Course(kind, one.nominal_ms, min(moments, default=None))


def _began_ms(run: Run) -> int | None:
    times = [at for at in (run.launched_ms, run.started_ms) if at is not None]
    return min(times, default=None)


def _late(job: Job, course: _Course, now_ms: int) -> Iterator[Notify]:
    for entry, limit_ms in _entries(job, course.kind):
        if course.since_ms is None:
            continue
        due_ms = course.since_ms + limit_ms
        if due_ms <= now_ms and (course.came_ms is None or course.came_ms > due_ms):
            yield entry


def _next_look(job: Job, course: _Course, now_ms: int) -> int | None:
    """When the next of the limits is over; a run that has not begun has all of its time before it."""
    if course.came_ms is not None:
        return None
    since_ms = now_ms if course.since_ms is None else course.since_ms
    ahead = [since_ms + limit for limit in _limits(job, course.kind) if since_ms + limit > now_ms]
    return min(ahead, default=None)


def _told(
    job: Job, one: Instance, course: _Course, entry: Notify, now_ms: int
) -> Sequence[Notification]:
    """Once an instance, whatever its runs: the key names none."""
    limit = _limit(entry, course.kind)
    due_ms = (course.since_ms or 0) + parse_duration(limit or "PT0S")
    data = {**about(one), "limit": limit, "due_time": format_instant(due_ms)}
    told = _TOLD[course.kind]
    news = News(told, one.nominal_ms, (job.id, one.id), data, one.id)
    return addressed(job, news, [entry], now_ms)


def _has_a_time(one: Instance) -> bool:
    """Whether somebody expects it at its nominal time: not what a person or a backfill made later."""
    return one.kind is InstanceKind.SCHEDULED and one.backfill is None


def _limit(entry: Notify, kind: Lateness) -> str | None:
    if kind is Lateness.NOT_STARTED:
        return entry.not_started_within
    if kind is Lateness.NOT_ENDED:
        return entry.not_ended_within
    return entry.running_longer_than


def _entries(job: Job, kind: Lateness) -> Iterator[tuple[Notify, int]]:
    for entry in subscriptions(job):
        limit = _limit(entry, kind)
        if limit is not None:
            yield entry, parse_duration(limit)


def _limits(job: Job, kind: Lateness) -> Sequence[int]:
    return [limit for _, limit in _entries(job, kind)]


def _ever_late(job: Job) -> bool:
    return any(_limits(job, kind) for kind in Lateness)
