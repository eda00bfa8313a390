"""A timetable without what calendars exclude.

Exclusion is decided on local times, before clocks make instants of them: a time keeps its name when it rolls
to another day, and a clock change moves it there or not, as on any other day.

Days and seconds of the day are kept apart. For each year it is known on which days something may remain, so
that the cost of a search does not grow with what is excluded between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from typing import Literal, Protocol

from chalicelib.model.calendar import NamedCalendars
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.absolute import Every, Instants, Once, StartingAt
from chalicelib.schedule.civil import DAY, LAST_WALL, YEAR_STARTS, YEARS
from chalicelib.schedule.clock import Clock, clock_of
from chalicelib.schedule.compiling import compile_schedule
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import table_of
from chalicelib.schedule.exclusions import (
    ALL_DAY,
    Exclusions,
    days_of_year,
    exclusions_of,
    seconds_of,
    year_of,
)
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.zoned import WallTimes, Zoned

Roll = Literal["skip", "next", "previous"]
RUN_IN = 365
"""Times roll at least so many days, and at most to the end of the year after that: then they are skipped."""
_LAST_DAY = YEAR_STARTS[-1] - 1


class Base(Protocol):
    """The local times of a schedule. ``ever`` holds every second of the day at which it can fire."""

    ever: int

    def mask(self, year: int) -> int:
        """The days of a year on which it may fire."""
        ...

    def seconds(self, day: int) -> int:
        """The seconds of a day at which it fires."""
        ...


class CronBase:
    def __init__(self, cron: Cron) -> None:
        self.ever = seconds_of(cron)
        self._table = table_of(cron.rule)

    def mask(self, year: int) -> int:
        return self._table.mask(year)

    def seconds(self, day: int) -> int:
        year = year_of(day)
        return self.ever if self.mask(year) >> day - YEAR_STARTS[year] & 1 else 0


class DailyBase:
    """Local times of which a day has one at most, always at the same second; or only one at all."""

    def __init__(self, walls: WallTimes, second: int) -> None:
        self.ever = 1 << second
        self._walls = walls
        self._masks: dict[int, int] = {}

    def mask(self, year: int) -> int:
        found = self._masks.get(year)
        if found is None:
            start, end = YEAR_STARTS[year], YEAR_STARTS[year + 1]
            found, wall = 0, self._walls.at_or_after(start * DAY)
            while wall is not None and wall < end * DAY:
                found |= 1 << wall // DAY - start
                wall = self._walls.at_or_after(wall + 1)
            self._masks[year] = found
        return found

    def seconds(self, day: int) -> int:
        year = year_of(day)
        return self.ever if self.mask(year) >> day - YEAR_STARTS[year] & 1 else 0


class SteadyBase:
    """What the clocks of a zone show at ``start`` plus k times ``step``, in UTC seconds."""

    def __init__(self, start: int, step: int, clock: Clock) -> None:
        self._start, self._step, self._clock = start, step, clock
        self._shared = gcd(step, DAY)
        self.ever = 0
        for offset in {offset for offset in clock.offsets if offset is not None}:
            self.ever |= _progression((start + offset) % self._shared, self._shared)

    def mask(self, year: int) -> int:
        start, end = YEAR_STARTS[year], YEAR_STARTS[year + 1]
        first = self._start // DAY - 2
        if self._step <= DAY - 3 * 3600:
            return days_of_year(year) >> max(0, first - start) << max(0, first - start)
        found, step = 0, self._step
        second = self._start + step * max(0, -((self._start - (start - 2) * DAY) // step))
        while second < (end + 2) * DAY:
            day = self._shown(second) // DAY
            if start <= day < end:
                found |= 1 << day - start
            second += step
        return found

    def seconds(self, day: int) -> int:
        """Piece by piece: in most days there is one offset."""
        clock, begin, end = self._clock, day * DAY, (day + 1) * DAY
        found = 0
        index = max(0, bisect_right(clock.starts, begin - 2 * DAY) - 1)
        while index < len(clock.offsets) and clock.starts[index] < end + 2 * DAY:
            offset = clock.offsets[index]
            if offset is not None:
                low = max(begin, clock.starts[index] + offset)
                high = min(end, clock.starts[index + 1] + offset)
                found |= self._within(low - offset, high - offset) << max(0, low - begin)
            index += 1
        return found

    def _within(self, low: int, high: int) -> int:
        """Bits from UTC second ``low`` until ``high``."""
        if high <= low:
            return 0
        first = self._start + self._step * max(0, -((self._start - low) // self._step))
        if first >= high:
            return 0
        return _progression(first - low, self._step) & (1 << high - low) - 1

    def _shown(self, second: int) -> int:
        clock = self._clock
        index = min(bisect_right(clock.starts, second), len(clock.offsets)) - 1
        return second + (clock.offsets[index] or 0)


@lru_cache(maxsize=256)
def _progression(first: int, step: int) -> int:
    """Bits ``first``, ``first`` + ``step`` and so on, within a day."""
    bits, reach = 1 << first, step
    while first + reach < DAY:
        bits |= bits << reach
        reach *= 2
    return bits & ALL_DAY


@dataclass(frozen=True, slots=True)
class Bounds:
    """Wall seconds: only what the schedule itself has in [low, high) rolls to another day."""

    low: int
    high: int

    def within(self, day: int, seconds: int) -> int:
        if (day + 1) * DAY > self.high:
            seconds &= (1 << max(0, self.high - day * DAY)) - 1
        if day * DAY < self.low:
            below = min(self.low - day * DAY, DAY)
            seconds = seconds >> below << below
        return seconds


class Remaining:
    """Local times: those of the base that are kept (``kept``), and those that roll to a day (``rolling``)."""

    def __init__(
        self,
        base: Base,
        exclusions: Exclusions,
        roll: Roll,
        bounds: Bounds,
        *,
        kept: bool = True,
    ) -> None:
        self._base, self._exclusions, self._roll = base, exclusions, roll
        self._bounds, self._kept = bounds, kept
        self._masks: list[int | None] = [None] * YEARS
        self._arriving: dict[int, dict[int, int]] = {}
        self._gone: dict[int, int] = {}

    def at_or_after(self, wall: int) -> int | None:
        day, second = divmod(max(wall, 0), DAY)
        if day > _LAST_DAY:
            return None
        for year in range(year_of(day), YEARS):
            start = YEAR_STARTS[year]
            skipped = max(0, day - start)
            mask = self._mask(year) >> skipped << skipped
            while mask:
                found = start + (mask & -mask).bit_length() - 1
                low = second if found == day else 0
                bits = self.seconds(found) >> low
                if bits:
                    return found * DAY + low + (bits & -bits).bit_length() - 1
                mask &= mask - 1
        return None

    def at_or_before(self, wall: int) -> int | None:
        day, second = divmod(min(wall, LAST_WALL - 1), DAY)
        if day < 0:
            return None
        for year in range(year_of(day), -1, -1):
            start = YEAR_STARTS[year]
            mask = self._mask(year)
            if day - start < days_of_year(year).bit_length():
                mask &= (2 << day - start) - 1
            while mask:
                last = mask.bit_length() - 1
                bits = self.seconds(start + last)
                if start + last == day:
                    bits &= (2 << second) - 1
                if bits:
                    return (start + last) * DAY + bits.bit_length() - 1
                mask ^= 1 << last
        return None

    def seconds(self, day: int) -> int:
        """The seconds of a day that remain."""
        found = 0
        if self._kept:
            found = self._base.seconds(day)
            if found:
                found &= ~self._exclusions.seconds(day)
        if self._roll != "skip":
            found |= self._arrivals(year_of(day)).get(day, 0)
        return found

    def _mask(self, year: int) -> int:
        """The days of a year on which something may remain."""
        mask = self._masks[year]
        if mask is None:
            mask = 0
            if self._kept:
                mask = days_of_year(year) & ~self._closed(year)
                if mask:
                    mask &= self._base.mask(year)
            if self._roll != "skip":
                for day in self._arrivals(year):
                    mask |= 1 << day - YEAR_STARTS[year]
            self._masks[year] = mask
        return mask

    def _closed(self, year: int) -> int:
        """The days of which every second is excluded at which the base can ever fire."""
        found = self._gone.get(year)
        if found is None:
            found = 0
            for days, seconds in self._exclusions.classes(year):
                if not self._base.ever & ~seconds:
                    found |= days
            self._gone[year] = found
        return found

    def _arrivals(self, year: int) -> dict[int, int]:
        """What rolls to the days of a year from others: from excluded days to the next that is not."""
        found = self._arriving.get(year)
        if found is None:
            found = {} if self._closed(year) == days_of_year(year) else self._arrivals_of(year)
            self._arriving[year] = found
        return found

    def _arrivals_of(self, year: int) -> dict[int, int]:
        first, last = YEAR_STARTS[year], YEAR_STARTS[year + 1] - 1
        days: Sequence[int]
        if self._roll == "next":
            days, neighbour = range(max(0, first - RUN_IN), last + 1), year - 1
        else:
            days, neighbour = range(min(_LAST_DAY, last + RUN_IN), first - 1, -1), year + 1
        near = [each for each in (year, neighbour) if 0 <= each < YEARS]
        if not any(self._base.mask(each) for each in near) or self._uniform(near):
            return {}
        touched = {each: self._touched(each) for each in near}
        arrivals: dict[int, int] = {}
        carried = 0
        for day in days:
            of_year = year if first <= day <= last else neighbour
            excluded = 0
            if touched[of_year] >> day - YEAR_STARTS[of_year] & 1:
                excluded = self._exclusions.seconds(day)
            elif not carried:
                continue
            arriving = carried & ~excluded
            if arriving and first <= day <= last:
                arrivals[day] = arriving
            if not excluded:
                carried = 0
                continue
            own = self._base.seconds(day)
            carried = (carried | self._bounds.within(day, own)) & excluded
        return arrivals

    def _uniform(self, years: Sequence[int]) -> bool:
        """Whether the same seconds are excluded of every day: then nothing finds a day to roll to."""
        ever = self._base.ever
        classes = [bits & ever for year in years for _, bits in self._exclusions.classes(year)]
        return all(bits == classes[0] for bits in classes)

    def _touched(self, year: int) -> int:
        found = 0
        for days, seconds in self._exclusions.classes(year):
            if self._base.ever & seconds:
                found |= days
        return found


@dataclass(frozen=True, slots=True)
class Steps:
    """Those of ``walls`` that are ``start`` plus k times ``step``: a local time that comes twice is one
    of them perhaps once."""

    walls: Zoned
    start: int
    step: int

    def at_or_after(self, second: int) -> int | None:
        found = self.walls.at_or_after(max(second, self.start))
        while found is not None and (found - self.start) % self.step:
            found = self.walls.at_or_after(found + 1)
        return found

    def at_or_before(self, second: int) -> int | None:
        found = self.walls.at_or_before(second)
        while found is not None and (found - self.start) % self.step:
            found = self.walls.at_or_before(found - 1)
        return found if found is not None and found >= self.start else None


@dataclass(frozen=True, slots=True)
class Both:
    """The union of two sets of UTC seconds."""

    one: Instants
    other: Instants

    def at_or_after(self, second: int) -> int | None:
        found = (self.one.at_or_after(second), self.other.at_or_after(second))
        return min((each for each in found if each is not None), default=None)

    def at_or_before(self, second: int) -> int | None:
        found = (self.one.at_or_before(second), self.other.at_or_before(second))
        return max((each for each in found if each is not None), default=None)


def compile_excluding(
    schedule: Schedule, calendars: NamedCalendars, *, submitted_ms: int
) -> Timetable:
    """The nominal times of a schedule without what its calendars exclude; perhaps none.

    ``calendars``: those that ``schedule.exclude`` names, in that order.

    Raises:
        InvalidInput: as ``compile_schedule``.
    """
    timetable = compile_schedule(schedule, submitted_ms=submitted_ms)
    return _excluding(timetable, schedule, calendars) if calendars else timetable


def check_remaining(schedule: Schedule, calendars: NamedCalendars, *, submitted_ms: int) -> None:
    """Raises InvalidInput when the calendars leave nothing of the schedule."""
    timetable = compile_excluding(schedule, calendars, submitted_ms=submitted_ms)
    if timetable.next_after(timetable.start_ms - 1) is None:
        message = "leaves no time at which the schedule fires; name fewer, or change the schedule"
        raise InvalidInput([Problem("schedule.exclude", message, list(schedule.exclude))])


@lru_cache(maxsize=4096)
def _excluding(timetable: Timetable, schedule: Schedule, calendars: NamedCalendars) -> Timetable:
    exclusions = exclusions_of(calendars, timetable.zone)
    clock = clock_of(schedule.timezone, schedule.dst_gap, schedule.dst_overlap)
    instants = _instants(timetable, exclusions, schedule.roll, clock)
    return replace(timetable, instants=instants)


def _instants(timetable: Timetable, exclusions: Exclusions, roll: Roll, clock: Clock) -> Instants:
    bounds = _bounds(timetable, clock)
    instants = timetable.instants
    if isinstance(instants, Zoned):
        base = base_of(instants.walls)
        return Zoned(Remaining(base, exclusions, roll, bounds), instants.clock)
    if isinstance(instants, StartingAt):
        return _starting(instants, exclusions, roll, bounds)
    start, step = _steps_of(instants)
    shown = _absolute(timetable)
    steady = SteadyBase(start, step, shown)
    kept = Steps(Zoned(Remaining(steady, exclusions, "skip", bounds), shown), start, step)
    if roll == "skip":
        return kept
    return Both(kept, Zoned(Remaining(steady, exclusions, roll, bounds, kept=False), clock))


def base_of(walls: WallTimes) -> Base:
    if isinstance(walls, Cron):
        return CronBase(walls)
    first = walls.at_or_after(0)
    return DailyBase(walls, (first or 0) % DAY)


def _starting(instants: StartingAt, exclusions: Exclusions, roll: Roll, bounds: Bounds) -> Instants:
    """The anchor is an instant of its own, which may be the second of two that look alike."""
    rest = instants.rest
    assert isinstance(rest, Zoned)  # noqa: S101  so it is compiled
    if exclusions.who(bounds.low) is None:
        remaining = Remaining(base_of(rest.walls), exclusions, roll, bounds)
        return StartingAt(instants.first, Zoned(remaining, rest.clock))
    whole = replace(rest.walls, first=0)  # type: ignore[type-var]  # a frequency has its first k
    return Zoned(Remaining(base_of(whole), exclusions, roll, bounds), rest.clock)


def _steps_of(instants: Instants) -> tuple[int, int]:
    if isinstance(instants, Every):
        return instants.start, instants.step
    assert isinstance(instants, Once)  # noqa: S101  there is no other kind
    return instants.second, LAST_WALL


def _absolute(timetable: Timetable) -> Clock:
    """Every instant at what the clocks show then."""
    return clock_of(timetable.zone.key, "skip", "both")


def _bounds(timetable: Timetable, clock: Clock) -> Bounds:
    end = LAST_WALL if timetable.end_ms is None else _shown(clock, timetable.end_ms // 1000)
    return Bounds(_shown(clock, -(-timetable.start_ms // 1000)), end)


def _shown(clock: Clock, second: int) -> int:
    """The earliest local time that fires from that UTC second on."""
    index = min(bisect_right(clock.starts, second), len(clock.offsets)) - 1
    offset = clock.offsets[index]
    if offset is None:
        index += 1
        second, offset = clock.starts[index], clock.offsets[index] or 0
    shifted = clock.shifted[index]
    return second + (offset if shifted is None else min(offset, shifted))
