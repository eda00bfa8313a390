"""What a schedule means, written from docs/time.md to be obviously right: it is slow, and asks each instant.

It shares no code with the engine: expressions are asked value by value, and clocks are watched through the
standard library, one step at a time.
"""

from __future__ import annotations

import calendar
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from math import gcd
from zoneinfo import ZoneInfo

zoneinfo.reset_tzpath(())

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

Wall = datetime
"""What a clock on the wall shows: a datetime without a zone."""


# ---- expressions -----------------------------------------------------------------------------------------


def allows(text: str, value: int, low: int, high: int, names: Sequence[str] = ()) -> bool:
    """Whether a field of lists, ranges (that may wrap around) and steps names the value."""
    size = high - low + 1
    for part in text.upper().split(","):
        values, _, step = part.partition("/")
        if values in ("*", ""):
            first, last = low, high
        elif "-" in values:
            first, last = (_number(end, low, names) for end in values.split("-"))
        else:
            first = _number(values, low, names)
            last = high if step else first
        distance, reach = (value - first) % size, (last - first) % size
        if distance <= reach and distance % int(step or 1) == 0:
            return True
    return False


def _number(text: str, low: int, names: Sequence[str]) -> int:
    return names.index(text) + low if text in names else int(text)


@lru_cache(maxsize=100_000)
def named(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    return frozenset(
        value for value in range(low, high + 1) if allows(text, value, low, high, names)
    )


def _month_day_matches(text: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if text == "?":
        return True
    if text.endswith("W"):
        wanted = text.removesuffix("W")
        number = _from_last(wanted, last) if wanted.startswith("L") else int(wanted)
        return 1 <= number <= last and day.day == _nearest_weekday(day.replace(day=number), last)
    if text.startswith("L"):
        return day.day == _from_last(text, last)
    return day.day in named(text, 1, 31)


def _from_last(text: str, last: int) -> int:
    return last - int(text[2:] or 0)


def _nearest_weekday(wanted: date, last: int) -> int:
    """The day of the same month that is Monday to Friday and the fewest days away."""
    candidates = [
        number for number in range(1, last + 1) if wanted.replace(day=number).isoweekday() <= 5
    ]
    return min(candidates, key=lambda number: abs(number - wanted.day))


def _week_day_matches(text: str, day: date) -> bool:
    if text == "?":
        return True
    number = day.isoweekday() % 7 + 1  # 1 is Sunday
    last = calendar.monthrange(day.year, day.month)[1]
    if text == "L":
        return number == 7
    if "#" in text:
        name, nth = text.split("#")
        return number == _number(name, 1, WEEKDAYS) and (day.day - 1) // 7 + 1 == int(nth)
    if text.endswith("L"):
        return number == _number(text[:-1], 1, WEEKDAYS) and day.day + 7 > last
    return number in named(text, 1, 7, WEEKDAYS)


class CronOracle:
    """A Quartz expression, asked whether a wall time is one of its times."""

    def __init__(self, expression: str) -> None:
        self.fields = [*expression.split(), "*"][:7]
        second, minute, hour, self.month_day, month, self.week_day, year = self.fields
        self.seconds, self.minutes = named(second, 0, 59), named(minute, 0, 59)
        self.hours = named(hour, 0, 23)
        self.months, self.years = named(month, 1, 12, MONTHS), named(year, 1970, 2199)
        self.names_hours = len(self.hours) < 24

    def matches(self, wall: Wall) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.second in self.seconds
            and self.matches_day(wall)
        )

    def matches_day(self, day: date) -> bool:
        return (
            day.month in self.months
            and day.year in self.years
            and _month_day_matches(self.month_day.upper(), day)
            and _week_day_matches(self.week_day.upper(), day)
        )

    @property
    def times_of_day(self) -> list[int]:
        """Seconds of the day."""
        of_hour = sorted(60 * minute + second for minute in self.minutes for second in self.seconds)
        return [3600 * hour + second for hour in sorted(self.hours) for second in of_hour]


@dataclass(frozen=True)
class FrequencyOracle:
    """A frequency, asked whether a wall time is its anchor plus a whole number of its steps."""

    frequency: str
    anchor: Wall
    names_hours: bool = True

    def matches(self, wall: Wall) -> bool:
        if wall.time() != self.anchor.time() or wall < self.anchor:
            return False
        days = (wall.date() - self.anchor.date()).days
        if self.frequency in ("DAILY", "WEEKLY"):
            return days % {"DAILY": 1, "WEEKLY": 7}[self.frequency] == 0
        months = 12 * (wall.year - self.anchor.year) + wall.month - self.anchor.month
        last = calendar.monthrange(wall.year, wall.month)[1]
        every = {"MONTHLY": 1, "QUARTERLY": 3, "YEARLY": 12}[self.frequency]
        return months % every == 0 and wall.day == min(self.anchor.day, last)


# ---- clocks ----------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """The clocks of a zone, watched from one UTC second to another, in steps small enough to see all.

    ``also`` are seconds past the hour that the steps must meet, beside its quarters.
    """

    zone: ZoneInfo
    begin: int
    end: int
    step: int = 0
    also: int = 0
    shown: list[tuple[int, Wall]] = field(default_factory=list)
    skipped: list[tuple[int, Wall]] = field(default_factory=list)
    occurrences: dict[Wall, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.step = self.step or gcd(self.also, _step(self.zone, self.begin, self.end))
        first = self.begin - (self.begin + _offset(self.zone, self.begin)) % self.step
        before: tuple[int, Wall] | None = None
        for at in range(first, self.end, self.step):
            wall = wall_at(self.zone, at)
            self.shown.append((at, wall))
            self.occurrences.setdefault(wall, []).append(at)
            if before is not None and wall > before[1] + timedelta(seconds=self.step):
                self._skip(before, wall)
            before = (at, wall)

    def _skip(self, before: tuple[int, Wall], until: Wall) -> None:
        """The clock jumped: what it would have shown had it gone on as before."""
        at, wall = before
        while (wall := wall + timedelta(seconds=self.step)) < until:
            at += self.step
            self.skipped.append((at, wall))

    def fires(
        self, matches: Callable[[Wall], bool], gap: str, overlap: str, *, names_hours: bool
    ) -> list[int]:
        """The UTC seconds at which it fires, in order."""
        if not names_hours:
            return [at for at, wall in self.shown if matches(wall)]
        found = {at for at, wall in self.shown if matches(wall) and self._chosen(at, wall, overlap)}
        if gap == "shift":
            found |= {
                at for at, wall in self.skipped if matches(wall) and wall not in self.occurrences
            }
        return sorted(found)

    def _chosen(self, at: int, wall: Wall, overlap: str) -> bool:
        times = self.occurrences[wall]
        return {"first": at == times[0], "last": at == times[-1], "both": True}[overlap]


def wall_at(zone: ZoneInfo, at: int) -> Wall:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None)


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _step(zone: ZoneInfo, begin: int, end: int) -> int:
    """The largest step, up to a quarter of an hour, that all offsets of the time are multiples of."""
    return gcd(900, *(_offset(zone, at) for at in range(begin, end, 21_600)), _offset(zone, end))


@cache
def changes_of(name: str, first_year: int, last_year: int) -> list[int]:
    """The UTC seconds at which the offset of a zone changes, found by asking every day and halving."""
    zone = ZoneInfo(name)
    begin, end = (calendar.timegm((year, 1, 1, 0, 0, 0)) for year in (first_year, last_year + 1))
    days = range(begin, end, 86_400)
    return [
        _halve(zone, day, day + 86_400)
        for day in days
        if _offset(zone, day) != _offset(zone, day + 86_400)
    ]


def _halve(zone: ZoneInfo, low: int, high: int) -> int:
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def utc_fires(oracle: CronOracle, after: int, count: int, days: int) -> Iterator[int]:
    """In UTC, where every wall time is an instant: up to ``count`` after a UTC second, in so many days."""
    times, found = oracle.times_of_day, 0
    today = datetime.fromtimestamp(after, UTC).date()
    for ahead in range(days):
        day = today + timedelta(days=ahead)
        if not oracle.matches_day(day):
            continue
        midnight = calendar.timegm(day.timetuple())
        for time in times:
            if midnight + time > after:
                yield midnight + time
                found += 1
                if found == count:
                    return
