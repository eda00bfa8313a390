"""The calendars that a definition names: found, locked, and kept with the job as they are now."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.calendar import NamedCalendars, StoredCalendar, read_snapshot, snapshot
from chalicelib.model.errors import Problem

MOST_JOBS = 1000
"""So many jobs may name a calendar: a change of it settles all of them in one transaction."""


@dataclass(frozen=True, slots=True)
class Named:
    """``snapshot``: what the job's row keeps. ``problems``: why it must not."""

    names: tuple[str, ...]
    snapshot: str | None
    problems: Sequence[Problem]

    @property
    def calendars(self) -> NamedCalendars:
        return read_snapshot(self.snapshot, self.names)


NONE = Named((), None, ())


def name_calendars(
    tx: Transaction, owner: str, names: tuple[str, ...], *, job_id: str | None = None
) -> Named:
    """Lock them, for a job that will name them; ``job_id``: one that exists, and may name them already.

    Call it before the job is locked. A job that names a calendar is written under the calendar's lock, so
    that a change of the calendar misses none.
    """
    if not names:
        return NONE
    named = _named(tx, owner, names, tx.lock_calendars(owner, names))
    crowded = [name for name in names if _is_crowded(tx, owner, name, job_id)]
    message = f"names a calendar of {MOST_JOBS} jobs, and no more may; copy it under another name"
    problems = [Problem("schedule.exclude", message, name) for name in crowded]
    return Named(named.names, named.snapshot, (*named.problems, *problems))


def name_group(tx: Transaction, owner: str, name: str | None) -> Sequence[Problem]:
    """Lock the group for a job that will name it, before the job; why it must not.

    A job that names a group is written under the group's lock, so that a deletion of the group misses none.
    """
    if name is None:
        return ()
    tx.lock_groups([(owner, name)])
    return group_problems(tx, owner, name)


def group_problems(reader: Reader, owner: str, name: str | None) -> Sequence[Problem]:
    """Why a definition of that owner must not name the group."""
    if name is None or reader.groups_named(owner, [name]):
        return ()
    known = [one.name for one in reader.groups([owner])]
    message = (
        f"{owner} has no group of that name; {_hint(name, known)}; "
        f"noonday group set {name} SIZE makes it"
    )
    return [Problem("policies.group", message, name)]


def read_calendars(engine: Engine, owner: str, names: tuple[str, ...]) -> Named:
    """The same without a lock, for who only asks."""
    return engine.store.read(lambda reader: find_calendars(reader, owner, names)) if names else NONE


def find_calendars(reader: Reader, owner: str, names: tuple[str, ...]) -> Named:
    """The same for who reads already."""
    if not names:
        return NONE
    return _named(reader, owner, names, reader.calendars_named(owner, names))


def _named(
    reader: Reader, owner: str, names: tuple[str, ...], found: Sequence[StoredCalendar]
) -> Named:
    missing = [name for name in names if name not in {one.name for one in found}]
    problems = []
    if missing:
        known = [one.name for one in reader.calendars([owner])]
        problems = [_unknown(owner, name, known) for name in missing]
    if len(set(names)) < len(names):
        message = "names a calendar twice; once is enough"
        problems.append(Problem("schedule.exclude", message, list(names)))
    return Named(names, snapshot(found), problems)


def _unknown(owner: str, name: str, known: Sequence[str]) -> Problem:
    message = f"{owner} has no calendar of that name; {_hint(name, known)}"
    return Problem("schedule.exclude", message, name)


def _hint(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(known[:10])}" if known else "it has none yet"


def _is_crowded(tx: Transaction, owner: str, name: str, job_id: str | None) -> bool:
    users = tx.calendar_jobs(owner, name, MOST_JOBS)
    return len(users) >= MOST_JOBS and job_id not in {user for user, _ in users}
