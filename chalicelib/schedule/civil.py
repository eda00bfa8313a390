"""The calendar as arithmetic on days since 1970-01-01, and on wall seconds since its midnight.

A *wall second* is what a clock on the wall shows, counted as if it were UTC. Years are 1970 to 2199.
"""

from __future__ import annotations

from datetime import date

from chalicelib.model.instants import FIRST_YEAR, LAST_YEAR

DAY = 86_400
YEARS = LAST_YEAR - FIRST_YEAR + 1
_EPOCH = date(1970, 1, 1).toordinal()

YEAR_STARTS = tuple(date(FIRST_YEAR + year, 1, 1).toordinal() - _EPOCH for year in range(YEARS + 1))
"""The first day of each year, and the day after the last; the index is the year less 1970."""

LAST_WALL = YEAR_STARTS[-1] * DAY
"""The wall second that is no longer in 2199."""

MONTH_STARTS = tuple(
    tuple(
        (date(year + month // 12, month % 12 + 1, 1) - date(year, 1, 1)).days for month in range(13)
    )
    for year in (2023, 2024)
)
"""For a common and for a leap year: the days of the year before each month, and the days in all."""


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    starts = MONTH_STARTS[is_leap(year)]
    return starts[month] - starts[month - 1]


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01."""
    return date(year, month, day).toordinal() - _EPOCH


def civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of a day number."""
    when = date.fromordinal(day + _EPOCH)
    return when.year, when.month, when.day


def weekday(day: int) -> int:
    """0 is Sunday, as cron counts."""
    return (day + 4) % 7


YEAR_KINDS = tuple(
    2 * weekday(YEAR_STARTS[year]) + is_leap(FIRST_YEAR + year) for year in range(YEARS)
)
"""Years with the same calendar have the same kind, 0 to 13: the weekday of 1 January, and whether it is a
leap year."""
