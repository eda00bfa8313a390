"""A cron expression, compiled: the local times that it names."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from chalicelib.schedule.civil import DAY, YEAR_STARTS
from chalicelib.schedule.cron_days import DayTable
from chalicelib.schedule.cron_fields import members

ALL_HOURS = (1 << 24) - 1
_ALL_SIXTY = (1 << 60) - 1
_LAST_DAY = YEAR_STARTS[-1] - 1


class Cron:
    """Local times in wall seconds: hours, minutes and seconds as bits, days by a rule. Immutable."""

    __slots__ = (
        "_days",
        "_earlier",
        "_first",
        "_last",
        "_later",
        "_within",
        "hours",
        "minutes",
        "rule",
        "seconds",
    )

    def __init__(self, seconds: int, minutes: int, hours: int, days: DayTable) -> None:
        self.seconds, self.minutes, self.hours, self.rule = seconds, minutes, hours, days.rule
        self._days = days
        self._within = _within_hour(minutes, seconds)
        self._later, self._earlier = _neighbours(hours)
        self._first = self._later[0] * 3600 + self._within[0]
        self._last = self._earlier[24] * 3600 + self._within[-1]

    @property
    def names_hours(self) -> bool:
        """Whether a particular hour is named; if none is, the expression follows absolute time."""
        return self.hours != ALL_HOURS

    def at_or_after(self, wall: int) -> int | None:
        """The first of them from ``wall`` on; None when there is none up to 2199."""
        day, second = divmod(wall, DAY)
        if not 0 <= day <= _LAST_DAY:
            if day > 0:
                return None
            day = second = 0
        year = bisect_right(YEAR_STARTS, day) - 1
        start = YEAR_STARTS[year]
        mask = self._days.mask(year) >> day - start
        if mask & 1:
            hour = second // 3600
            later = self._later[hour]
            within = self._within
            if later == hour:
                index = bisect_left(within, second - hour * 3600)
                if index < len(within):
                    return day * DAY + hour * 3600 + within[index]
                later = self._later[hour + 1]
            if later < 24:
                return day * DAY + later * 3600 + within[0]
            mask ^= 1
        if mask:
            return (day + (mask & -mask).bit_length() - 1) * DAY + self._first
        return self._in_later_year(year)

    def at_or_before(self, wall: int) -> int | None:
        """The last of them up to ``wall``, itself included; None when there is none since 1970."""
        day, second = divmod(wall, DAY)
        if not 0 <= day <= _LAST_DAY:
            if day < 0:
                return None
            day, second = _LAST_DAY, DAY - 1
        year = bisect_right(YEAR_STARTS, day) - 1
        start = YEAR_STARTS[year]
        mask = self._days.mask(year) & (2 << day - start) - 1
        if mask >> day - start:
            hour = second // 3600
            within = self._within
            earlier = self._earlier[hour + 1]
            if earlier == hour:
                index = bisect_right(within, second - hour * 3600)
                if index:
                    return day * DAY + hour * 3600 + within[index - 1]
                earlier = self._earlier[hour]
            if earlier >= 0:
                return day * DAY + earlier * 3600 + within[-1]
            mask ^= 1 << day - start
        if mask:
            return (start + mask.bit_length() - 1) * DAY + self._last
        return self._in_earlier_year(year)

    def _in_later_year(self, year: int) -> int | None:
        years = self.rule.years >> year + 1
        while years:
            step = (years & -years).bit_length()
            year += step
            years >>= step
            mask = self._days.mask(year)
            if mask:
                return (YEAR_STARTS[year] + (mask & -mask).bit_length() - 1) * DAY + self._first
        return None

    def _in_earlier_year(self, year: int) -> int | None:
        years = self.rule.years & (1 << year) - 1
        while years:
            year = years.bit_length() - 1
            years ^= 1 << year
            mask = self._days.mask(year)
            if mask:
                return (YEAR_STARTS[year] + mask.bit_length() - 1) * DAY + self._last
        return None


@lru_cache(maxsize=1024)
def _within_hour(minutes: int, seconds: int) -> Sequence[int]:
    """The seconds of the hour, in order."""
    if minutes == seconds == _ALL_SIXTY:
        return range(3600)
    return tuple(60 * minute + second for minute in members(minutes) for second in members(seconds))


@lru_cache(maxsize=1024)
def _neighbours(hours: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For 0 to 24: the first of the hours from there on (24: none), and the last one before (-1: none)."""
    named = members(hours)
    later = tuple(min((hour for hour in named if hour >= start), default=24) for start in range(25))
    earlier = tuple(max((hour for hour in named if hour < end), default=-1) for end in range(25))
    return later, earlier
