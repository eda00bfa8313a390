"""A compiled schedule: nominal times in a window, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from chalicelib.schedule.absolute import Instants


@dataclass(frozen=True, slots=True)
class Timetable:
    """The nominal times of a schedule in ``[start_ms, end_ms)``, in UTC milliseconds; no end: up to 2199.

    They are whole seconds, strictly increasing, and the same set in both directions.
    """

    zone: ZoneInfo
    start_ms: int
    end_ms: int | None
    instants: Instants

    def next_after(self, after_ms: int) -> int | None:
        """The first nominal time strictly after an instant; None when none is left."""
        if after_ms < self.start_ms:
            after_ms = self.start_ms - 1
        found = self.instants.at_or_after(after_ms // 1000 + 1)
        if found is None:
            return None
        found *= 1000
        return found if self.end_ms is None or found < self.end_ms else None

    def previous_before(self, before_ms: int) -> int | None:
        """The last nominal time strictly before an instant; None when there is none."""
        if self.end_ms is not None and before_ms > self.end_ms:
            before_ms = self.end_ms
        found = self.instants.at_or_before((before_ms - 1) // 1000)
        if found is None:
            return None
        found *= 1000
        return found if found >= self.start_ms else None


def fires(timetable: Timetable, after_ms: int) -> Iterator[int]:
    """All nominal times strictly after an instant, in order."""
    at = timetable.next_after(after_ms)
    while at is not None:
        yield at
        at = timetable.next_after(at)


def fires_before(timetable: Timetable, before_ms: int) -> Iterator[int]:
    """All nominal times strictly before an instant, the latest first."""
    at = timetable.previous_before(before_ms)
    while at is not None:
        yield at
        at = timetable.previous_before(at)
