"""What a list may be narrowed by. ``after`` is the id of the last row of the page before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """``name`` matches the beginning, ``tags`` must all be there. Deleted jobs are seen only when asked for
    by state."""

    owner: str | None = None
    state: tuple[str, ...] = ()
    name: str | None = None
    group: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """[from_ms, to_ms) of nominal time. ``among``: of these jobs only, each of which costs a statement;
    None: of all. Not together with ``job_id``."""

    owner: str | None = None
    job_id: str | None = None
    among: tuple[str, ...] | None = None
    backfill: str | None = None
    group: str | None = None
    state: tuple[str, ...] = ()
    kind: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """[from_ms, to_ms) of the time it happened."""

    owner: str | None = None
    job_id: str | None = None
    instance_id: str | None = None
    verb: str | None = None
    actor: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillFilter:
    owner: str | None = None
    job_id: str | None = None
    state: tuple[str, ...] = ()
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsFilter:
    """[from_ms, to_ms) of nominal time. ``limit``: at most so many rows of each kind.

    ``among``: of these jobs only; None: of all.
    """

    owner: str | None = None
    job_id: str | None = None
    among: tuple[str, ...] | None = None
    kind: str | None = None
    from_ms: int
    to_ms: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Where commands of many look: [from_ms, to_ms) of nominal time, by id, so oldest first.

    ``owners``: whose (None: everybody's). ``job_ids`` or ``backfill``: of these only, whatever the owner.
    ``after``: the id of the last one that was looked at.
    """

    state: tuple[str, ...]
    owners: tuple[str, ...] | None = None
    job_ids: tuple[str, ...] = ()
    backfill: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    after: str | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that a ``Selection`` found, with what else it may be narrowed by."""

    id: str
    job_id: str
    state: str
    kind: str
    group: str | None
    run_created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFilter:
    owner: str | None = None
    job_id: str | None = None
    state: tuple[str, ...] = ()
    after: str | None = None
    limit: int = 50
