"""Frequencies: the k-th local time is computed from the anchor each time, so that nothing drifts."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.schedule import Frequency
from chalicelib.schedule.civil import DAY, LAST_WALL, civil, day_number, month_length

_DAYS = {Frequency.DAILY: 1, Frequency.WEEKLY: 7}
_MONTHS = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3, Frequency.YEARLY: 12}


@dataclass(frozen=True, slots=True)
class EveryDays:
    """``anchor`` plus k times so many days, for k from ``first`` on; wall seconds."""

    anchor: int
    days: int
    first: int = 0

    def at_or_after(self, wall: int) -> int | None:
        step = self.days * DAY
        found = self.anchor + step * max(self.first, -((self.anchor - wall) // step))
        return found if found < LAST_WALL else None

    def at_or_before(self, wall: int) -> int | None:
        step = self.days * DAY
        k = (min(wall, LAST_WALL - 1) - self.anchor) // step
        return self.anchor + step * k if k >= self.first else None


@dataclass(frozen=True, slots=True)
class EveryMonths:
    """``anchor`` plus k times so many months, the day clamped, for k from ``first`` on; wall seconds."""

    anchor: int
    months: int
    first: int = 0

    def at_or_after(self, wall: int) -> int | None:
        k = max(self.first, self._steps_to(wall))
        found = self._nth(k)
        if found < wall:
            found = self._nth(k + 1)
        return found if found < LAST_WALL else None

    def at_or_before(self, wall: int) -> int | None:
        wall = min(wall, LAST_WALL - 1)
        k = self._steps_to(wall)
        if self._nth(k) > wall:
            k -= 1
        return self._nth(k) if k >= self.first else None

    def _steps_to(self, wall: int) -> int:
        """The last k whose month is not after that of ``wall``."""
        year, month, _ = civil(wall // DAY)
        first_year, first_month, _ = civil(self.anchor // DAY)
        return (12 * (year - first_year) + month - first_month) // self.months

    def _nth(self, k: int) -> int:
        anchor_day, second = divmod(self.anchor, DAY)
        year, month, day = civil(anchor_day)
        years, month = divmod(month - 1 + self.months * k, 12)
        year += years
        return day_number(year, month + 1, min(day, month_length(year, month + 1))) * DAY + second


def frequency_walls(
    frequency: Frequency, anchor: int, *, first: int = 0
) -> EveryDays | EveryMonths:
    """The local times of a frequency from its anchor on, in wall seconds; ``first`` is the first k."""
    if frequency in _DAYS:
        return EveryDays(anchor, _DAYS[frequency], first)
    return EveryMonths(anchor, _MONTHS[frequency], first)
