"""Calendars: set and deleted. A change settles every job that names the calendar, and then counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.access import choose_owner, require
from chalicelib.engine.commands.naming import MOST_JOBS
from chalicelib.engine.commands.settling import of_job, settle_span, stamped
from chalicelib.engine.disposition import armed
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.engine.quotas import lock_owner
from chalicelib.engine.wakeups import ring
from chalicelib.model.calendar import Calendar, StoredCalendar
from chalicelib.model.errors import (
    CalendarInUse,
    Conflict,
    InvalidInput,
    NotFound,
    Problem,
    StaleEdit,
)
from chalicelib.model.event import Event
from chalicelib.model.identity import SLUG
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.schedule.excluding import check_remaining
from chalicelib.schedule.exclusions import check_calendar

VERB = "CALENDAR"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CalendarSet:
    """``created``: there was none of that name. ``jobs``: whose times may have changed."""

    calendar: StoredCalendar
    created: bool = False
    jobs: Sequence[Job] = ()
    wakes: Sequence[int | None] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """Who makes which calendar out of what was there, when and why."""

    principal: Principal
    calendar: StoredCalendar
    reason: str | None
    now_ms: int


def set_calendar(
    engine: Engine,
    principal: Principal,
    name: str,
    calendar: Calendar,
    *,
    owner: str | None = None,
    if_match: int | None = None,
    reason: str | None = None,
) -> CalendarSet:
    """Create or replace a calendar. What lies behind keeps what the old one said; from now on the new one
    counts, for every job that names it. An equal calendar is no change.

    Raises:
        InvalidInput, Forbidden, StaleEdit: nothing was changed.
        Conflict: it would leave nothing of a job that names it.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)
    if SLUG.fullmatch(name) is None:
        message = "must be 1 to 100 of a-z, 0-9, dot, underscore, hyphen, a letter or digit first"
        raise InvalidInput([Problem("name", message, name)])
    check_calendar(calendar)
    text = calendar.to_json()

    def unit(tx: Transaction) -> CalendarSet:
        now = engine.clock.now_ms()
        lock_owner(engine, tx, chosen)
        found = tx.lock_calendars(chosen, [name])
        if not found:
            if if_match is not None:
                raise StaleEdit(f"{chosen} has no calendar {name}; send no If-Match to create it")
            fresh = _new(principal, chosen, name, text, now)
            tx.insert_calendar(fresh)
            return CalendarSet(fresh, created=True)
        [before] = found
        _check_edit(before, if_match)
        if before.document_json == text:
            return CalendarSet(before)
        after = replace(
            before,
            document_json=text,
            edit=before.edit + 1,
            modified_ms=now,
            modified_by=principal.name,
        )
        tx.save_calendar(after)
        return _change_jobs(engine, tx, _Change(principal, after, reason, now))

    result = engine.store.transact(unit)
    for job in result.jobs:
        engine.listener(of_job(job, VERB, principal, engine.clock.now_ms()))
    ring(engine, result.wakes, arms=True)
    return result


def delete_calendar(
    engine: Engine,
    principal: Principal,
    name: str,
    *,
    owner: str | None = None,
    if_match: int | None = None,
) -> None:
    """Raises NotFound when there is none, CalendarInUse while jobs name it (deleted ones do not count)."""
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)

    def unit(tx: Transaction) -> None:
        found = tx.lock_calendars(chosen, [name])
        if not found:
            raise NotFound(f"{chosen} has no calendar {name!r}")
        _check_edit(found[0], if_match)
        users = [job for _, job in tx.calendar_jobs(chosen, name, MOST_JOBS)]
        if users:
            raise CalendarInUse(
                f"{name} is named by {_listed(users)}; take it out of their schedule.exclude first"
            )
        tx.delete_calendar(chosen, name)

    engine.store.transact(unit)
    administered(engine, principal.name, "CALENDAR_DELETE", f"calendar {name}", chosen)


def _new(principal: Principal, owner: str, name: str, text: str, now: int) -> StoredCalendar:
    return StoredCalendar(
        owner=owner,
        name=name,
        document_json=text,
        created_ms=now,
        created_by=principal.name,
        modified_ms=now,
        modified_by=principal.name,
    )


def _change_jobs(engine: Engine, tx: Transaction, change: _Change) -> CalendarSet:
    """Settle, then change, for each job that names the calendar; its lock keeps others from beginning to."""
    calendar, now = change.calendar, change.now_ms
    users = [job_id for job_id, _ in tx.calendar_jobs(calendar.owner, calendar.name, MOST_JOBS)]
    changed: list[Job] = []
    wakes: list[int | None] = []
    hopeless: list[str] = []
    for job in tx.lock_jobs(users) if users else ():
        if calendar.name not in job.calendar_names or job.state is JobState.DELETED:
            continue
        settled, due = settle_span(engine, tx, job, now)
        revised = _with(settled, calendar)
        if not _fires(revised):
            hopeless.append(job.name)
            continue
        after = stamped(armed(revised), change.principal, now)
        tx.revise_job(after, change.reason, [f"calendar {calendar.name}"])
        changed.append(after)
        wakes += [*due, after.wake_ms]
    if hopeless:
        raise Conflict(
            f"this {calendar.name} would leave no time at which {_listed(hopeless)} could fire; "
            "exclude less, or take the calendar out of that schedule first"
        )
    tx.save_jobs(changed)
    tx.insert_events([_event(engine, job, change) for job in changed])
    return CalendarSet(calendar, jobs=changed, wakes=wakes)


def _with(job: Job, calendar: StoredCalendar) -> Job:
    snapshot = json.loads(job.calendars_json or "{}")
    snapshot[calendar.name] = json.loads(calendar.document_json)
    return replace(job, revision=job.revision + 1, calendars_json=json.dumps(snapshot))


def _fires(job: Job) -> bool:
    schedule = job.definition.schedule
    try:
        check_remaining(schedule, job.calendars, submitted_ms=job.created_ms)
    except InvalidInput:
        return False
    return True


def _event(engine: Engine, job: Job, change: _Change) -> Event:
    facts = {
        "calendar": change.calendar.name,
        "edit": change.calendar.edit,
        "to": job.state,
        "revision": job.revision,
    }
    return Event(
        id=engine.ids.new(),
        owner=job.owner,
        job_id=job.id,
        at_ms=change.now_ms,
        actor=change.principal.name,
        verb=VERB,
        reason=change.reason,
        detail_json=json.dumps(facts),
    )


def _check_edit(calendar: StoredCalendar, if_match: int | None) -> None:
    if if_match is not None and if_match != calendar.edit:
        raise StaleEdit(
            f"the calendar has moved on: it is at edit {calendar.edit}, the request was for {if_match}; "
            "read it again and decide anew"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
