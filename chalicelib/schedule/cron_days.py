"""On which days of a year a cron expression can fire, as one bit a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from chalicelib.schedule.civil import MONTH_STARTS, YEAR_KINDS, YEARS

_UNKNOWN = -1
_WEEKS = sum(1 << 7 * week for week in range(54))


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Bits 1 to 31; or so many days before the last; or the weekday nearest to the day, in the month."""

    days: int = 0
    before_last: int | None = None
    nearest_weekday: bool = False


@dataclass(frozen=True, slots=True)
class WeekDays:
    """Bits 0 (Sunday) to 6; the n-th of the month only, 1 to 5, or the last of the month (-1)."""

    days: int
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class DayRule:
    """Days of the month and of the week (None: any), in some months (bits 1 to 12) and years (bit 0 is 1970).

    ``either`` is Unix: a day is meant when one of the two names it.
    """

    months: int
    years: int
    month_days: MonthDays | None = None
    week_days: WeekDays | None = None
    either: bool = False


class DayTable:
    """The days of each year, found when the year is first asked for."""

    __slots__ = ("_kinds", "masks", "rule")

    def __init__(self, rule: DayRule) -> None:
        self.rule = rule
        self._kinds = [_UNKNOWN] * 14
        self.masks = [_UNKNOWN] * YEARS

    def mask(self, year: int) -> int:
        """Bit n is the n-th day of the year that many years after 1970; n from 0."""
        mask = self.masks[year]
        if mask == _UNKNOWN:
            mask = self.masks[year] = self._compute(year)
        return mask

    def _compute(self, year: int) -> int:
        if not self.rule.years >> year & 1:
            return 0
        kind = YEAR_KINDS[year]
        if self._kinds[kind] == _UNKNOWN:
            self._kinds[kind] = _days_of_year(self.rule, *divmod(kind, 2))
        return self._kinds[kind]


@lru_cache(maxsize=1024)
def table_of(rule: DayRule) -> DayTable:
    """The table of a rule; expressions that differ in the time of day only share one."""
    return DayTable(rule)


def _days_of_year(rule: DayRule, first_weekday: int, leap: int) -> int:
    starts = MONTH_STARTS[leap]
    days = 0
    for month in range(12):
        if rule.months >> month + 1 & 1:
            start, length = starts[month], starts[month + 1] - starts[month]
            days |= _days_of_month(rule, (first_weekday + start) % 7, length) << start
    return days


def _days_of_month(rule: DayRule, first_weekday: int, length: int) -> int:
    """Bit 0 is the first day of the month."""
    whole = (1 << length) - 1
    by_date = whole if rule.month_days is None else _by_date(rule.month_days, first_weekday, length)
    by_week = whole if rule.week_days is None else _by_week(rule.week_days, first_weekday, length)
    return (by_date | by_week if rule.either else by_date & by_week) & whole


def _by_date(days: MonthDays, first_weekday: int, length: int) -> int:
    if days.before_last is None:
        mask = days.days >> 1
    elif days.before_last < length:
        mask = 1 << length - 1 - days.before_last
    else:
        return 0
    if days.nearest_weekday and mask >> length == 0:
        day = mask.bit_length() - 1
        return 1 << day + _to_weekday((first_weekday + day) % 7, day, length)
    return mask


def _to_weekday(weekday: int, day: int, length: int) -> int:
    """How many days to the nearest of Monday to Friday that is in the same month; ``day`` is from 0."""
    if weekday == 6:
        return -1 if day > 0 else 2
    if weekday == 0:
        return 1 if day + 1 < length else -2
    return 0


def _by_week(days: WeekDays, first_weekday: int, length: int) -> int:
    turned = days.days << 7 | days.days
    mask = (turned >> first_weekday & 0b111_1111) * _WEEKS & (1 << length) - 1
    if days.nth is None:
        return mask
    first = mask & 0b111_1111
    if days.nth > 0:
        return first << 7 * (days.nth - 1)
    return mask & ~((1 << length - 7) - 1)
