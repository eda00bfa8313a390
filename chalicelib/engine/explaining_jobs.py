"""Why a job does or does not run, in words: its state, its latest instance, and what was skipped lately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.engine.access import find_job
from chalicelib.engine.engine import Engine
from chalicelib.engine.explaining import explained
from chalicelib.engine.filters import InstanceFilter
from chalicelib.engine.ports import Reader
from chalicelib.engine.queries import next_fire
from chalicelib.engine.telling import moment, span
from chalicelib.model.instants import format_instant, zone
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Reason

LATELY = 3  # skip ranges that are told
END_OF_TIME_MS = 1 << 52


@dataclass(frozen=True, slots=True)
class JobWhy:
    """``because``: one sentence about its state. ``lately``: sentences about what was."""

    job: Job
    because: str
    lately: Sequence[str]


def why_job(engine: Engine, principal: Principal, job_ref: str) -> JobWhy:
    """Raises NotFound when there is no such job, for this principal."""
    now = engine.clock.now_ms()

    def work(reader: Reader) -> JobWhy:
        job = find_job(reader, principal, job_ref)
        return JobWhy(job, _because(engine, job, now), list(_lately(reader, job, now)))

    return engine.store.read(work)


def _because(engine: Engine, job: Job, now_ms: int) -> str:
    match job.state:
        case JobState.NEW:
            return f"it has never been scheduled; noonday job schedule {job.name} begins it"
        case JobState.SUSPENDED:
            return _suspended(job, now_ms)
        case JobState.EXPIRED:
            return "its schedule has ended; move its end and schedule it again, and it goes on"
        case JobState.DELETED:
            return "it is deleted"
    if job.failures and job.wake_ms is not None:
        again = span(job.wake_ms - now_ms)
        return f"its schedule could not be followed, {job.failures} times by now; tried again in {again}"
    next_ms = next_fire(engine, job)
    if next_ms is None:
        return "it is scheduled, and nothing of its schedule is left to come"
    return f"it is scheduled, and fires next at {_at(job, next_ms, now_ms)}, in {span(next_ms - now_ms)}"


def _suspended(job: Job, now_ms: int) -> str:
    suspension = job.suspension
    if suspension is None:
        return "it is suspended"
    because = f" ({suspension.reason})" if suspension.reason else ""
    until = suspension.until_ms
    end = "until somebody resumes it" if until is None else f"until {_at(job, until, now_ms)}"
    since = _at(job, suspension.since_ms, now_ms)
    return f"it is suspended by {suspension.by} since {since}{because}, {end}"


def _lately(reader: Reader, job: Job, now_ms: int) -> Iterator[str]:
    """Its newest instance, and the newest ranges of nominal times that have none."""
    newest = reader.instances(InstanceFilter(job_id=job.id, limit=1), None)
    if newest:
        [one] = newest
        about = explained(reader, one, now_ms).because
        yield f"its latest instance, of {format_instant(one.nominal_ms)}, {one.state}: {about}"
    else:
        yield "it has no instance yet"
    for skipped in reader.skip_page(job.id, END_OF_TIME_MS, LATELY):
        yield _skipped(job, skipped)


def _skipped(job: Job, skipped: SkipRange) -> str:
    why = skipped.reason.lower().replace("_", " ")
    first, last = format_instant(skipped.from_ms), format_instant(skipped.to_ms)
    if skipped.reason == Reason.QUOTA:
        why += (
            f", {job.owner} had as many instances waiting as it may have (noonday owner show {job.owner}); "
            f"noonday backfill create {job.name} --from {first} --to {last} runs them"
        )
    return f"nothing ran of the nominal times from {first} to {last}: {why}"


def _at(job: Job, at_ms: int, now_ms: int) -> str:
    try:
        name = job.definition.schedule.timezone
    except ValueError:  # a definition that this version cannot read
        name = "UTC"
    return moment(at_ms, now_ms, zone(name))
