"""What becomes of the nominal times in a span: pure, and the same for the sweep and for every command.

Each nominal time ends as an instance or inside one skip range; the cursor says up to where that is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.model.definition import CatchUp
from chalicelib.model.identity import instance_id
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.states import InstanceKind, JobState, Reason
from chalicelib.schedule import Timetable, fires_before
from chalicelib.schedule.excluding import compile_excluding

ON_TIME_MS = (
    60_000  # a nominal time this young is not late: the minute hand may just have been lost once
)


@dataclass(frozen=True, slots=True)
class Disposition:
    """``job`` with its cursor moved, and what the move left behind."""

    job: Job
    instances: tuple[Instance, ...] = ()
    skipped: tuple[SkipRange, ...] = ()


def within(settled: Disposition, room: int) -> Disposition:
    """As many of the instances as there is room for, the newest; what is older is skipped for the quota.

    They are all the nominal times from the oldest of them to the cursor: the range holds nothing else.
    """
    cut = len(settled.instances) - max(room, 0)
    if cut <= 0:
        return settled
    gone, kept = settled.instances[:cut], settled.instances[cut:]
    job = settled.job
    to_ms = kept[0].nominal_ms if kept else job.cursor_ms
    skip = SkipRange(job.id, gone[0].nominal_ms, to_ms, Reason.QUOTA, job.revision)
    return replace(settled, instances=kept, skipped=(*settled.skipped, skip))


def timetable_of(job: Job) -> Timetable:
    """The job's schedule without what its calendars exclude; a stored definition always says its start."""
    schedule = job.definition.schedule
    return compile_excluding(schedule, job.calendars, submitted_ms=job.created_ms)


def dispose(job: Job, until_ms: int, now_ms: int, catch_up: CatchUp | None = None) -> Disposition:
    """Account for every nominal time in [cursor, until), as the job's state demands.

    ``catch_up`` overrides both the state and the job's own policy: a resume that asks for its span.
    """
    if job.state is JobState.NEW or until_ms <= job.cursor_ms:
        return Disposition(job)
    if job.state is JobState.DELETED:
        return Disposition(job)
    moved = replace(job, cursor_ms=until_ms)
    timetable = timetable_of(job)
    if catch_up is not None or job.state is JobState.SCHEDULED:
        policy = catch_up or job.definition.policies.catch_up
        return _catch_up(moved, timetable, job.cursor_ms, now_ms, policy)
    if job.state is JobState.EXPIRED:
        skipped = _skip(moved, timetable, job.cursor_ms, until_ms, Reason.EXPIRED)
        return Disposition(moved, skipped=skipped)
    return _suspended(job, timetable, until_ms, now_ms)


def reopened(job: Job, spans: Iterable[SkipRange], now_ms: int, limit: int) -> tuple[Instance, ...]:
    """Instances for the newest nominal times, at most ``limit``, of spans that were skipped: those of the
    present schedule, as in a backfill. The spans stay on record, and account for the rest."""
    timetable = timetable_of(job)
    newest = (
        nominal_ms
        for span in sorted(spans, key=lambda one: one.from_ms, reverse=True)
        for nominal_ms in _newest(timetable, span.to_ms, span.from_ms, limit)
    )
    kept = list(islice(newest, limit))
    return tuple(new_instance(job, nominal_ms, now_ms) for nominal_ms in reversed(kept))


def _suspended(job: Job, timetable: Timetable, until_ms: int, now_ms: int) -> Disposition:
    """Skipped up to the suspension's end, if it has one: from there on the job fires, whether or not a
    sweep has come by to say so."""
    end_ms = suspended_until(job, until_ms)
    moved = replace(job, cursor_ms=until_ms)
    skipped = _skip(job, timetable, job.cursor_ms, end_ms, Reason.SUSPENDED)
    if end_ms >= until_ms:
        return Disposition(moved, skipped=skipped)
    policy = job.definition.policies.catch_up
    fired = _catch_up(moved, timetable, max(end_ms, job.cursor_ms), now_ms, policy)
    return replace(fired, skipped=(*skipped, *fired.skipped))


def suspended_until(job: Job, at_ms: int) -> int:
    """The end of the job's suspension, ``at_ms`` at the latest."""
    until_ms = job.suspension.until_ms if job.suspension is not None else None
    return at_ms if until_ms is None else min(until_ms, at_ms)


def _catch_up(
    moved: Job, timetable: Timetable, from_ms: int, now_ms: int, policy: CatchUp
) -> Disposition:
    """Newest first, so that ten years of a minutely job cost no more than the limit.

    What is too old is skipped as that, also where it would have been too much.
    """
    once = moved.definition.schedule.at is not None
    floor = from_ms if once else max(from_ms, _oldest_wanted(policy, now_ms))
    floor = min(floor, moved.cursor_ms)
    limit = 1 if policy.mode == "latest" else policy.limit
    kept = list(_newest(timetable, moved.cursor_ms, floor, limit))
    rest_ms = kept[-1] if kept else floor
    old = Reason.CATCH_UP_NONE if policy.mode == "none" else Reason.CATCH_UP_WINDOW
    many = Reason.CATCH_UP_LATEST if policy.mode == "latest" else Reason.CATCH_UP_LIMIT
    return Disposition(
        moved,
        tuple(new_instance(moved, nominal_ms, now_ms) for nominal_ms in reversed(kept)),
        (
            *_skip(moved, timetable, from_ms, floor, old),
            *_skip(moved, timetable, floor, rest_ms, many),
        ),
    )


def _oldest_wanted(policy: CatchUp, now_ms: int) -> int:
    if policy.mode == "none":
        return now_ms - ON_TIME_MS
    return now_ms - parse_duration(policy.window) if policy.window else 0


def _newest(timetable: Timetable, before_ms: int, floor_ms: int, limit: int) -> Iterator[int]:
    for count, nominal_ms in enumerate(fires_before(timetable, before_ms)):
        if nominal_ms < floor_ms or count == limit:
            return
        yield nominal_ms


def _skip(
    job: Job, timetable: Timetable, from_ms: int, to_ms: int, reason: Reason
) -> tuple[SkipRange, ...]:
    """The range, if a nominal time is in it."""
    newest = timetable.previous_before(to_ms) if from_ms < to_ms else None
    if newest is None or newest < from_ms:
        return ()
    return (SkipRange(job.id, from_ms, to_ms, reason, job.revision),)


def new_instance(
    job: Job,
    nominal_ms: int,
    now_ms: int,
    kind: InstanceKind = InstanceKind.SCHEDULED,
    parameters_json: str = "{}",
) -> Instance:
    """A waiting instance of the job's present revision, due for its launch now."""
    return Instance(
        id=instance_id(job.id, nominal_ms),
        job_id=job.id,
        owner=job.owner,
        nominal_ms=nominal_ms,
        kind=kind,
        parameters_json=parameters_json,
        revision=job.revision,
        group=job.group,
        wake_ms=now_ms,
        deadline_ms=now_ms + parse_duration(job.definition.policies.timeouts.wait),
        created_ms=now_ms,
        run_created_ms=now_ms,
    )


def armed(job: Job) -> Job:
    """The job with the time of its next fire, or EXPIRED when nothing can fire any more."""
    if job.state is JobState.SUSPENDED:
        until = job.suspension.until_ms if job.suspension else None
        return replace(job, wake_ms=until)
    if job.state is not JobState.SCHEDULED:
        return replace(job, wake_ms=None)
    next_ms = timetable_of(job).next_after(job.cursor_ms - 1)
    if next_ms is None:
        return replace(job, state=JobState.EXPIRED, wake_ms=None)
    return replace(job, wake_ms=next_ms)
