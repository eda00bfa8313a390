"""What people ask: every answer is limited to what the asker may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from chalicelib.engine.access import (
    choose_owner,
    find_backfill,
    find_instance,
    find_job,
    require,
    require_admin,
)
from chalicelib.engine.callback_keys import KeptKey, kept_keys
from chalicelib.engine.commands.naming import NONE, read_calendars
from chalicelib.engine.disposition import timetable_of
from chalicelib.engine.engine import Engine
from chalicelib.engine.filters import BackfillFilter, EventFilter, InstanceFilter, JobFilter
from chalicelib.engine.ports import Reader
from chalicelib.engine.quotas import use_of
from chalicelib.engine.tagged import Tags, tagged, written
from chalicelib.engine.views import BackfillView, InstanceView, OwnerView, Page
from chalicelib.model.backfill import Backfill
from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.errors import InvalidInput, NotFound, Problem
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.pause import Pause
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.schedule import Schedule
from chalicelib.model.states import InstanceState, JobState, Role
from chalicelib.schedule import Explanation
from chalicelib.schedule.previewing import explain_excluding

TAGGED = 100
"""Instances of jobs with a tag are looked for in so many jobs at most, one after the other."""

T = TypeVar("T")


def job(engine: Engine, principal: Principal, job_ref: str) -> Job:
    """By id (also a deleted one), name, or owner:name."""
    return engine.store.read(lambda reader: find_job(reader, principal, job_ref))


def jobs(engine: Engine, principal: Principal, wanted: JobFilter) -> Page[Job]:
    def work(reader: Reader) -> Page[Job]:
        rows = reader.jobs(_one_more(wanted), principal.sees)
        return replace(_page(rows, wanted.limit, lambda row: row.id), pause=reader.pause())

    return engine.store.read(work)


def instance(engine: Engine, principal: Principal, instance_id: str) -> InstanceView:
    def work(reader: Reader) -> InstanceView:
        return _views(reader, [find_instance(reader, principal, instance_id)])[0]

    return engine.store.read(work)


def instances(
    engine: Engine,
    principal: Principal,
    wanted: InstanceFilter,
    job_ref: str | None = None,
    tags: Tags = (),
) -> Page[InstanceView]:
    """Newest nominal time first; of one job if it is named, or of the jobs that have all the tags.

    Raises:
        InvalidInput: both are given, or too many jobs have the tags.
    """
    if job_ref is not None and tags:
        said = "a job is one, tags are for many: use one of both"
        raise InvalidInput([Problem("tag", said, written(tags))])

    def work(reader: Reader) -> Page[InstanceView]:
        narrowed = wanted
        if job_ref is not None:
            narrowed = replace(wanted, job_id=find_job(reader, principal, job_ref).id)
        if tags:
            among = tagged(reader, principal, tags, wanted.owner, most=TAGGED)
            narrowed = replace(wanted, among=among)
        rows = reader.instances(_one_more(narrowed), principal.sees)
        page = _page(rows, wanted.limit, lambda row: row.id)
        return Page(_views(reader, page.items), page.next, reader.pause())

    return engine.store.read(work)


def events(
    engine: Engine, principal: Principal, wanted: EventFilter, job_ref: str | None = None
) -> Page[Event]:
    """Newest first; of one job if it is named."""

    def work(reader: Reader) -> Page[Event]:
        narrowed = wanted
        if job_ref is not None:
            narrowed = replace(wanted, job_id=find_job(reader, principal, job_ref).id)
        rows = reader.events(_one_more(narrowed), principal.sees)
        return _page(rows, wanted.limit, lambda row: row.id)

    return engine.store.read(work)


def backfill(engine: Engine, principal: Principal, backfill_id: str) -> BackfillView:
    def work(reader: Reader) -> BackfillView:
        return _backfill_views(reader, [find_backfill(reader, principal, backfill_id)])[0]

    return engine.store.read(work)


def backfills(
    engine: Engine, principal: Principal, wanted: BackfillFilter, job_ref: str | None = None
) -> Page[BackfillView]:
    """Newest first; of one job if it is named."""

    def work(reader: Reader) -> Page[BackfillView]:
        narrowed = wanted
        if job_ref is not None:
            narrowed = replace(wanted, job_id=find_job(reader, principal, job_ref).id)
        rows = reader.backfills(_one_more(narrowed), principal.sees)
        page = _page(rows, wanted.limit, lambda row: row.id)
        return Page(_backfill_views(reader, page.items), page.next, reader.pause())

    return engine.store.read(work)


def upcoming(engine: Engine, principal: Principal, job_ref: str, count: int) -> Explanation:
    """The next nominal times, as the definition says them, whether or not the job is scheduled."""
    found = job(engine, principal, job_ref)
    now = engine.clock.now_ms()
    schedule = found.definition.schedule
    return explain_excluding(schedule, found.calendars, after_ms=now, count=count)


def preview(
    engine: Engine,
    principal: Principal,
    schedule: Schedule,
    *,
    after_ms: int,
    count: int,
    owner: str | None = None,
) -> Explanation:
    """What a schedule does that is nobody's yet; its calendars are those of the owner.

    Raises:
        InvalidInput: it is no schedule, or names a calendar that there is not.
    """
    named = NONE
    if schedule.exclude:
        chosen = choose_owner(principal, owner)
        require(principal, chosen, Role.VIEWER)
        named = read_calendars(engine, chosen, schedule.exclude)
        if named.problems:
            raise InvalidInput(named.problems)
    return explain_excluding(schedule, named.calendars, after_ms=after_ms, count=count)


def next_fire(engine: Engine, job: Job) -> int | None:
    """When the job will fire next; None when it will not as things stand."""
    if job.state is not JobState.SCHEDULED:
        return None
    return timetable_of(job).next_after(max(job.cursor_ms, engine.clock.now_ms()) - 1)


def artifact(
    engine: Engine,
    principal: Principal,
    instance_id: str,
    run: int | None,
    which: Literal["log", "result"],
) -> tuple[str, bytes]:
    """The path and the bytes of what a run left; of the latest run unless one is named.

    Raises:
        NotFound: there is no such run, it left none, or it is gone.
    """
    view = instance(engine, principal, instance_id)
    runs = [one for one in view.runs if run in (None, one.number)]
    if not runs:
        raise NotFound(f"the instance has runs 1 to {view.instance.run}, not {run}")
    path = runs[-1].log_path if which == "log" else runs[-1].result_path
    if path is None:
        raise NotFound(f"run {runs[-1].number} of this instance ({runs[-1].state}) left no {which}")
    try:
        return path, engine.artifacts.read(path)
    except NotFound:
        raise NotFound(
            f"run {runs[-1].number} of this instance ({runs[-1].state}) wrote its {which} to {path}, "
            "and there is no such file any more: it was removed, or is on another machine"
        ) from None


def calendars(
    engine: Engine, principal: Principal, owner: str | None = None
) -> Sequence[StoredCalendar]:
    """Those of the principal's owners, or of one of them; by owner and name."""
    sees = principal.sees if owner is None else [choose_owner(principal, owner)]
    return engine.store.read(lambda reader: reader.calendars(sees))


def calendar(
    engine: Engine, principal: Principal, name: str, owner: str | None = None
) -> tuple[StoredCalendar, Sequence[str]]:
    """The calendar, and the names of the jobs that name it, at most 1,000.

    Raises:
        NotFound: the owner has none of that name.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.VIEWER)

    def work(reader: Reader) -> tuple[StoredCalendar, Sequence[str]]:
        found = reader.calendars_named(chosen, [name])
        if not found:
            raise NotFound(f"{chosen} has no calendar {name!r}")
        return found[0], [job for _, job in reader.calendar_jobs(chosen, name, 1000)]

    return engine.store.read(work)


def owners(engine: Engine, principal: Principal) -> Sequence[str]:
    every = engine.store.read(lambda reader: reader.owners())
    return [name for name in every if principal.admin or name in principal.roles]


def owner_of_new_jobs(principal: Principal, owner: str | None) -> str | None:
    """None when the principal has several and must name one."""
    try:
        return choose_owner(principal, owner)
    except InvalidInput:
        if owner is not None:
            raise
        return None


def owner(engine: Engine, principal: Principal, name: str) -> OwnerView:
    """What the owner may have, and what it has.

    Raises:
        NotFound: there is no such owner, for this principal.
    """

    def work(reader: Reader) -> OwnerView:
        found = reader.owner(name) if principal.admin or name in principal.roles else None
        if found is None:
            raise NotFound(f"there is no owner {name!r}")
        return OwnerView(found, found.quotas(engine.quotas), use_of(reader, name))

    return engine.store.read(work)


def pause(engine: Engine) -> Pause | None:
    """What holds all; None: nothing does."""
    return engine.store.read(lambda reader: reader.pause())


def callback_keys(engine: Engine, principal: Principal) -> Sequence[KeptKey]:
    """Those that vouch, the one that signs first; an admin's to see."""
    require_admin(principal)
    return engine.store.read(kept_keys)


def members(engine: Engine, principal: Principal, owner: str) -> Sequence[Membership]:
    """Raises NotFound when there is no such owner, for this principal."""
    if owner not in owners(engine, principal):
        raise NotFound(f"there is no owner {owner!r}")
    require(principal, owner, Role.VIEWER)
    return engine.store.read(lambda reader: reader.memberships(owner))


def _backfill_views(reader: Reader, rows: Sequence[Backfill]) -> Sequence[BackfillView]:
    counts = reader.backfill_counts(row.id for row in rows)
    jobs = {job.id: job for job in reader.jobs_by_id(row.job_id for row in rows)}
    pause = reader.pause()
    return [BackfillView(row, jobs[row.job_id], counts[row.id], pause) for row in rows]


def _views(reader: Reader, rows: Sequence[Instance]) -> Sequence[InstanceView]:
    if not rows:
        return ()
    names = reader.job_names({row.job_id for row in rows})
    superseded = reader.runs([row.id for row in rows if row.run > 1])
    waits = any(row.state is InstanceState.WAITING for row in rows)
    pause = reader.pause() if waits else None
    return [InstanceView(row, names[row.job_id], superseded.get(row.id, ()), pause) for row in rows]


F = TypeVar("F", JobFilter, InstanceFilter, EventFilter, BackfillFilter)


def _one_more(wanted: F) -> F:
    """One row more than the page tells whether there is another page."""
    return replace(wanted, limit=wanted.limit + 1)


def _page(rows: Sequence[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], key(rows[limit - 1]))
