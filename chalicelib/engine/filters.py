"""What a list may be narrowed by. ``after`` is the id of the last row of the page before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """``name`` matches the beginning. Deleted jobs are seen only when asked for by state."""

    owner: str | None = None
    state: tuple[str, ...] = ()
    name: str | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """[from_ms, to_ms) of nominal time."""

    owner: str | None = None
    job_id: str | None = None
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
    """[from_ms, to_ms) of nominal time. ``limit``: at most so many rows of each kind."""

    owner: str | None = None
    job_id: str | None = None
    kind: str | None = None
    from_ms: int
    to_ms: int
    limit: int
