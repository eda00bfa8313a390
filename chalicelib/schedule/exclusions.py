"""What calendars exclude, as days and seconds of the day on the clocks of one zone.

The seconds of a day are the bits of an integer; bit 0 is midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from chalicelib.model.calendar import (
    Calendar,
    NamedCalendars,
    civil_dates,
    month_days,
    span_ends,
)
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.instants import FIRST_YEAR, read_moment
from chalicelib.schedule.civil import (
    DAY,
    LAST_WALL,
    YEAR_STARTS,
    YEARS,
    civil,
    day_number,
    is_leap,
)
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import DayRule, DayTable, WeekDays, table_of
from chalicelib.schedule.cron_fields import WEEKDAYS, members
from chalicelib.schedule.cron_parser import CronError, parse_quartz

ALL_DAY = (1 << DAY) - 1
_EVERY_MONTH, _EVERY_YEAR = 0b1_1111_1111_1110, (1 << YEARS) - 1
_EPOCH = date(1970, 1, 1)
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone


def check_calendar(calendar: Calendar) -> None:
    """Raises InvalidInput when its expression is not understood; the rest of it is checked as it is read."""
    try:
        _cron_of(calendar)
    except CronError as error:
        problems = [Problem("cron", message, calendar.cron) for message in error.messages]
        raise InvalidInput(problems) from None


def seconds_of(cron: Cron) -> int:
    """The seconds of a day that an expression names."""
    minute = cron.seconds
    hour = sum(minute << 60 * each for each in members(cron.minutes))
    return sum(hour << 3600 * each for each in members(cron.hours))


def days_of_year(year: int) -> int:
    """All the days of the year that many years after 1970."""
    return (1 << YEAR_STARTS[year + 1] - YEAR_STARTS[year]) - 1


def year_of(day: int) -> int:
    """The year of a day number, less 1970."""
    return civil(day)[0] - FIRST_YEAR


class Exclusion:
    """One calendar on the clocks of a zone."""

    def __init__(self, name: str, calendar: Calendar, place: ZoneInfo) -> None:
        self.name = name
        self._calendar = calendar
        self.masks: list[int | None] = [None] * YEARS
        self._days: dict[int, int] = {}
        self.parts: dict[int, int] = {}
        for text in calendar.dates:
            first, last = ((day - _EPOCH).days for day in civil_dates(text))
            self._add_days(first, last)
        for text in calendar.spans:
            begin, end = (_wall(moment, place) for moment in span_ends(text))
            self._add_span(begin, end)
        self._weekdays = _weekday_table(calendar)
        cron = _cron_of(calendar)
        self.cron: tuple[DayTable, int] | None = None
        if cron is not None:
            self.cron = (table_of(cron.rule), seconds_of(cron))

    def mask(self, year: int) -> int:
        """The days of a year that are excluded as a whole, by other means than the expression."""
        found = self.masks[year]
        if found is None:
            found = self._days.get(year, 0) | _yearly(
                self._calendar.yearly, is_leap(FIRST_YEAR + year)
            )
            if self._weekdays is not None:
                found |= self._weekdays.mask(year)
            self.masks[year] = found
        return found

    def seconds(self, day: int) -> int:
        """What is excluded of a day."""
        year = year_of(day)
        bit = day - YEAR_STARTS[year]
        if self.mask(year) >> bit & 1:
            return ALL_DAY
        found = self.parts.get(day, 0)
        if self.cron is not None and self.cron[0].mask(year) >> bit & 1:
            found |= self.cron[1]
        return found

    def _add_days(self, first: int, last: int) -> None:
        for year in range(year_of(first), year_of(last) + 1):
            begin = max(first, YEAR_STARTS[year])
            end = min(last + 1, YEAR_STARTS[year + 1])
            bits = (1 << end - begin) - 1 << begin - YEAR_STARTS[year]
            self._days[year] = self._days.get(year, 0) | bits

    def _add_span(self, begin: int, end: int) -> None:
        """The days between both ends are whole."""
        begin, end = max(begin, 0), min(end, LAST_WALL)
        if begin >= end:
            return
        first, last = begin // DAY, (end - 1) // DAY
        for day in {first, last}:
            low, high = max(begin - day * DAY, 0), min(end - day * DAY, DAY)
            self.parts[day] = self.parts.get(day, 0) | (1 << high) - (1 << low)
        if last - first > 1:
            self._add_days(first + 1, last - 1)


class Exclusions:
    """All calendars of a schedule."""

    def __init__(self, calendars: NamedCalendars, place: ZoneInfo) -> None:
        self.each = tuple(Exclusion(name, calendar, place) for name, calendar in calendars)
        self.crons = tuple(one.cron for one in self.each if one.cron is not None)
        self.parts: dict[int, int] = {}
        for one in self.each:
            for day, bits in one.parts.items():
                self.parts[day] = self.parts.get(day, 0) | bits

    def mask(self, year: int) -> int:
        """The days of a year that are excluded as a whole, by other means than an expression."""
        found = 0
        for one in self.each:
            found |= one.mask(year)
        return found

    def seconds(self, day: int) -> int:
        """What is excluded of a day."""
        found = 0
        for one in self.each:
            found |= one.seconds(day)
        return found

    def who(self, wall: int) -> str | None:
        """The first calendar that excludes a wall second; None if none does."""
        day, second = divmod(wall, DAY)
        return next((one.name for one in self.each if one.seconds(day) >> second & 1), None)

    def classes(self, year: int) -> Iterator[tuple[int, int]]:
        """The days of a year in groups (as bits) of which the same seconds are excluded."""
        whole = self.mask(year)
        start, end = YEAR_STARTS[year], YEAR_STARTS[year + 1]
        rest = days_of_year(year) & ~whole
        if whole:
            yield whole, ALL_DAY
        for day in sorted(day for day in self.parts if start <= day < end):
            if rest >> day - start & 1:
                rest ^= 1 << day - start
                yield 1 << day - start, self.seconds(day)
        groups = [(rest, 0)]
        for table, seconds in self.crons:
            mask = table.mask(year)
            groups = [(days & mask, bits | seconds) for days, bits in groups] + [
                (days & ~mask, bits) for days, bits in groups
            ]
            groups = [group for group in groups if group[0]]
        yield from (group for group in groups if group[0])


@lru_cache(maxsize=512)
def exclusions_of(calendars: NamedCalendars, place: ZoneInfo) -> Exclusions:
    """Shared by all jobs of a zone that name the same calendars."""
    return Exclusions(calendars, place)


def _cron_of(calendar: Calendar) -> Cron | None:
    return None if calendar.cron is None else parse_quartz(calendar.cron)


def _weekday_table(calendar: Calendar) -> DayTable | None:
    if not calendar.weekdays:
        return None
    bits = sum(1 << WEEKDAYS.index(name) for name in set(calendar.weekdays))
    return table_of(DayRule(_EVERY_MONTH, _EVERY_YEAR, week_days=WeekDays(bits)))


@lru_cache(maxsize=1024)
def _yearly(texts: tuple[str, ...], leap: bool) -> int:  # noqa: FBT001  a key of the cache
    """29 February is in leap years only, also as the end of a range."""
    year = 2024 if leap else 2023
    start, bits = day_number(year, 1, 1), 0
    for text in texts:
        first, last = month_days(text)
        low = day_number(year, *_existing(first, leap=leap, later=True)) - start
        high = day_number(year, *_existing(last, leap=leap, later=False)) - start
        bits |= (1 << high + 1) - (1 << low) if low <= high else 0
    return bits


def _existing(day: tuple[int, int], *, leap: bool, later: bool) -> tuple[int, int]:
    if day == (2, 29) and not leap:
        return (3, 1) if later else (2, 28)
    return day


def _wall(text: str, place: ZoneInfo) -> int:
    """What the clocks of the zone show then; a text without an offset says it itself."""
    moment = read_moment(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).astimezone(place).replace(tzinfo=None)
    return (moment - _WALL_EPOCH) // timedelta(seconds=1)
