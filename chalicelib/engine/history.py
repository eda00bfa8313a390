"""What people ask about the past: how well things went, and what did not run and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.engine.access import find_job
from chalicelib.engine.engine import Engine
from chalicelib.engine.filters import StatisticsFilter
from chalicelib.engine.ports import Reader
from chalicelib.engine.statistics import SAMPLE, By, Sample, Skipped, Statistics, summarise
from chalicelib.engine.tagged import Tags, tagged
from chalicelib.engine.views import Page
from chalicelib.model.calendar import read_snapshot
from chalicelib.model.errors import InvalidInput, NotFound, Problem
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job, Revision, RevisionEntry, SkipRange, read_definition
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceKind, Reason
from chalicelib.schedule import Timetable, fires
from chalicelib.schedule.excluding import compile_excluding

DAY_MS = 86_400_000
WINDOW_MS = 7 * DAY_MS
MINUTE_MS = 60_000
COUNTED = 1000
"""So many nominal times of a range are counted; of a page of ranges, and in statistics, ten times as many."""
TAGGED = 1000
"""Statistics by tag are made of so many jobs at most."""
REVISIONS = 200
"""Of so many revisions of jobs the skipped times are counted in statistics."""


@dataclass(frozen=True, slots=True)
class Asked:
    """[from_ms, to_ms) of nominal time; by default the last seven days."""

    by: By | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    owner: str | None = None
    kind: str | None = None
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """``names``: of the jobs that the statistics are told apart by."""

    by: By | None
    from_ms: int
    to_ms: int
    statistics: Statistics
    names: Mapping[str, str]


def statistics(
    engine: Engine, principal: Principal, asked: Asked, job_ref: str | None = None
) -> Answer:
    """Over the newest finished instances that the principal sees; of one job if it is named.

    Raises:
        InvalidInput: the window is empty, or too many jobs have the tags.
        NotFound: there is no such job, or no such owner, for this principal.
    """
    from_ms, to_ms = _window(asked, engine.clock.now_ms())
    _check_owner(principal, asked.owner)

    def work(reader: Reader) -> Answer:
        job_id = None if job_ref is None else find_job(reader, principal, job_ref).id
        wanted = StatisticsFilter(
            owner=asked.owner,
            job_id=job_id,
            among=tagged(reader, principal, asked.tags, asked.owner, most=TAGGED)
            if asked.tags
            else None,
            kind=asked.kind,
            from_ms=from_ms,
            to_ms=to_ms,
            limit=SAMPLE + 1,
        )
        sample = _sample(reader, wanted, principal)
        sample = replace(sample, skipped=_with_times(reader, sample.skipped, from_ms, to_ms))
        told = summarise(sample, asked.by, from_ms)
        jobs = [key for key, _ in told.groups] if asked.by is By.JOB else []
        return Answer(asked.by, from_ms, to_ms, told, reader.job_names(jobs) if jobs else {})

    return engine.store.read(work)


def _sample(reader: Reader, wanted: StatisticsFilter, principal: Principal) -> Sample:
    scheduled = wanted.kind in (None, InstanceKind.SCHEDULED)
    return Sample(
        reader.finished(wanted, principal.sees),
        reader.unfinished(wanted, principal.sees),
        reader.skipped(wanted, principal.sees) if scheduled else (),
    )


def _with_times(
    reader: Reader, skipped: Sequence[Skipped], from_ms: int, to_ms: int
) -> Sequence[Skipped]:
    """With the nominal times in the window, of the newest ranges first, as far as they are counted."""
    newest = sorted(skipped, key=lambda one: one.span.from_ms, reverse=True)
    keys = list(dict.fromkeys((one.job_id, one.span.revision) for one in newest))[:REVISIONS]
    wanted = frozenset(keys)
    known = timetables(
        reader, [one.span for one in newest if (one.job_id, one.span.revision) in wanted]
    )
    left = 10 * COUNTED
    found = []
    for one in newest:
        timetable = known.get((one.job_id, one.span.revision))
        if timetable is None or left <= 0:
            found.append(replace(one, more=True))
            continue
        span = replace(
            one.span, from_ms=max(one.span.from_ms, from_ms), to_ms=min(one.span.to_ms, to_ms)
        )
        times = tuple(islice(_within(timetable, span), left + 1))
        found.append(replace(one, times=times[:left], more=len(times) > left))
        left -= len(times)
    return found


def _window(asked: Asked, now_ms: int) -> tuple[int, int]:
    """Up to the end of this minute unless said otherwise: what is triggered now has a time just ahead."""
    to_ms = now_ms - now_ms % MINUTE_MS + MINUTE_MS if asked.to_ms is None else asked.to_ms
    from_ms = max(to_ms - WINDOW_MS, 0) if asked.from_ms is None else asked.from_ms
    if from_ms >= to_ms:
        message = f"must be before the end of the window, {format_instant(to_ms)}"
        raise InvalidInput([Problem("from", message, format_instant(from_ms))])
    return from_ms, to_ms


def _check_owner(principal: Principal, owner: str | None) -> None:
    if owner is not None and not principal.admin and owner not in principal.roles:
        raise NotFound(f"there is no owner {owner!r} for {principal.name}")


@dataclass(frozen=True, slots=True)
class SkipView:
    """``times``: how many nominal times are in the range; None where that is not known.

    ``more``: there are at least so many.
    """

    span: SkipRange
    times: int | None
    more: bool = False


def skips(
    engine: Engine,
    principal: Principal,
    job_ref: str,
    *,
    from_ms: int = 0,
    before_ms: int | None = None,
    limit: int = 50,
) -> tuple[Job, Page[SkipView]]:
    """The job's skip ranges, the newest first, with what they hold. The cursor is a range's begin, as an id.

    Those that begin before ``before_ms`` and end after ``from_ms``.

    Raises:
        NotFound: there is no such job for this principal.
    """

    def work(reader: Reader) -> tuple[Job, Page[SkipView]]:
        job = find_job(reader, principal, job_ref)
        before = 1 << 52 if before_ms is None else before_ms
        found = reader.skip_page(job.id, before, limit + 1)
        rows = [
            one for one in found if one.to_ms > from_ms
        ]  # they never overlap: the rest is older
        shown = rows[:limit]
        following = f"{shown[-1].from_ms:032x}" if len(rows) > limit else None
        return job, Page(_counted(shown, timetables(reader, shown)), following)

    return engine.store.read(work)


def timetables(reader: Reader, ranges: Sequence[SkipRange]) -> Mapping[tuple[str, int], Timetable]:
    """By job and revision of the ranges; one that this version cannot read is missing."""
    keys = {(one.job_id, one.revision) for one in ranges}
    texts = reader.definitions(keys) if keys else {}
    snapshots = reader.revision_calendars(keys) if keys else {}
    found = {}
    for key, text in texts.items():
        try:
            schedule = read_definition(text).schedule
            calendars = read_snapshot(snapshots.get(key), schedule.exclude)
            found[key] = compile_excluding(schedule, calendars, submitted_ms=0)
        except (ValueError, KeyError, InvalidInput):
            continue
    return found


def _counted(
    ranges: Sequence[SkipRange], known: Mapping[tuple[str, int], Timetable]
) -> Sequence[SkipView]:
    left = 10 * COUNTED
    views = []
    for one in ranges:
        timetable = known.get((one.job_id, one.revision))
        if timetable is None or one.reason == Reason.PURGED or left <= 0:
            views.append(SkipView(one, None))
            continue
        limit = min(COUNTED, left)
        times = sum(1 for _ in islice(_within(timetable, one), limit + 1))
        left -= min(times, limit)
        views.append(SkipView(one, min(times, limit), more=times > limit))
    return views


def _within(timetable: Timetable, span: SkipRange) -> Iterator[int]:
    for at_ms in fires(timetable, span.from_ms - 1):
        if at_ms >= span.to_ms:
            return
        yield at_ms


def revisions(
    engine: Engine, principal: Principal, job_ref: str, *, before: int | None, limit: int
) -> tuple[Sequence[RevisionEntry], int | None]:
    """The job's revisions below that one, newest first; and the ``before`` of the next page."""

    def work(reader: Reader) -> Sequence[RevisionEntry]:
        return reader.revisions(find_job(reader, principal, job_ref).id, before, limit + 1)

    rows = engine.store.read(work)
    page = rows[:limit]
    return page, page[-1].revision if len(rows) > limit else None


def revision(engine: Engine, principal: Principal, job_ref: str, number: int) -> Revision:
    """Raises NotFound when the job has no such revision."""

    def work(reader: Reader) -> Revision:
        job = find_job(reader, principal, job_ref)
        found = reader.revision(job.id, number)
        if found is None:
            raise NotFound(f"{job.name} has revisions up to {job.revision}, and no {number}")
        return found

    return engine.store.read(work)
