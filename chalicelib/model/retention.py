"""How long the record of what has ended is kept."""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 86_400_000
MOST_DAYS = 36_500
MOST_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class Retention:
    """What is purged: instances that ended longer ago than ``age_ms``, and all but the newest ``count``.

    None bounds nothing. Whatever it says, what ended within the last day stays.
    """

    age_ms: int | None = None
    count: int | None = None
