"""What a job is: plain values, as the store keeps them and the engine moves them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.model.calendar import NamedCalendars, read_snapshot
from chalicelib.model.definition import Definition
from chalicelib.model.states import JobState


@dataclass(frozen=True, slots=True)
class Suspension:
    """Who suspended the job, why, since when, and until when (None: until somebody resumes it)."""

    by: str
    reason: str | None
    since_ms: int
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A definition with an owner, a state and a place in time. Times are UTC milliseconds.

    ``cursor_ms``: every nominal time before it has its disposition; it only grows.
    ``wake_ms``: when the sweep must look at the job; None for never.
    ``edit``: moved by commands only; the ETag. ``failures``: consecutive errors of the sweep on this job.
    ``streak``: how many instances failed one after the other, up to the last one that ended.
    ``group``: the concurrency group that the definition names.
    ``calendars_json``: the calendars that the definition names, as they are in this revision.
    """

    id: str
    owner: str
    name: str
    state: JobState
    revision: int
    definition_json: str
    cursor_ms: int
    wake_ms: int | None
    suspension: Suspension | None = None
    failures: int = 0
    edit: int = 1
    created_ms: int
    created_by: str
    modified_ms: int
    modified_by: str
    calendars_json: str | None = None
    group: str | None = None
    streak: int = 0

    @property
    def definition(self) -> Definition:
        return read_definition(self.definition_json)

    @property
    def calendars(self) -> NamedCalendars:
        return read_snapshot(self.calendars_json, self.definition.schedule.exclude)

    @property
    def calendar_names(self) -> tuple[str, ...]:
        """Without reading the definition."""
        return () if self.calendars_json is None else tuple(json.loads(self.calendars_json))


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """That there is a revision: who made it, when and why. ``changed``: names of fields."""

    job_id: str
    revision: int
    created_ms: int
    created_by: str
    reason: str | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a job's definition; instances keep the one they were created with."""

    entry: RevisionEntry
    definition_json: str


@dataclass(frozen=True, slots=True)
class SkipRange:
    """The nominal times in [from_ms, to_ms) that have no instance, and why.

    ``run``: where instances were purged, the highest number of a run that any of them had.
    """

    job_id: str
    from_ms: int
    to_ms: int
    reason: str
    revision: int
    run: int | None = None


@lru_cache(maxsize=4096)
def read_definition(text: str) -> Definition:
    """A stored definition, parsed once a process."""
    return Definition.model_validate_json(text)
