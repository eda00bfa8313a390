"""Concurrency groups: at most so many instances of all jobs that name the group are at work at once."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A named limit of one owner. ``size``: 0 to 10,000; 0 lets nothing begin. Times are UTC milliseconds."""

    owner: str
    name: str
    size: int
    description: str = ""
    edit: int = 1
    created_ms: int
    created_by: str
    modified_ms: int
    modified_by: str
