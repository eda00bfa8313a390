"""The other ways of writing cron: Unix with its five fields, and EventBridge's cron(…) and rate(…)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from chalicelib.model.instants import FIRST_YEAR
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import DayRule, MonthDays, WeekDays, table_of
from chalicelib.schedule.cron_fields import (
    DAYS,
    HOURS,
    MINUTES,
    MONTH,
    WEEKDAYS,
    YEAR,
    Field,
    every_value,
    values_of,
)
from chalicelib.schedule.cron_parser import CronError, Fields, check_days, counted, days_of, read

_UNIX_FIELDS = tuple(
    replace(field, wraps=False, lone_steps=False, special="")
    for field in (MINUTES, HOURS, DAYS, MONTH)
)
_UNIX_WEEKDAY = Field(
    "day of week",
    0,
    7,
    {name: number for number, name in enumerate(WEEKDAYS)},
    wraps=False,
    lone_steps=False,
    largest_step=7,
)
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVENTBRIDGE = re.compile(r"\s*(cron|rate)\((.*)\)\s*", re.ASCII | re.IGNORECASE | re.DOTALL)
_EVENTBRIDGE_FIELDS = "minute, hour, day of month, month, day of week, year"
_RATE = re.compile(r"\s*([1-9]\d{0,8})\s+(minute|hour|day)(s?)\s*", re.ASCII)
_RATE_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@lru_cache(maxsize=4096)
def parse_unix(expression: str) -> Cron:
    """Minute, hour, day of month, month, day of week, 0 and 7 being Sunday.

    A day is meant when day of month **or** day of week name it, if both name some; a field that begins with
    ``*`` names none, and then both must agree.

    Raises:
        CronError: something is not understood; all of it is named.
    """
    fields = Fields(expression)
    if len(fields) != 5:
        raise CronError(expression, [_wrong_count(fields)])
    complaints: list[str] = []
    minutes, hours, days, months = (
        read(values_of, field, fields, index, complaints)
        for index, field in enumerate(_UNIX_FIELDS)
    )
    week = read(values_of, _UNIX_WEEKDAY, fields, 4, complaints)
    if not (minutes and hours and days and months and week):
        raise CronError(expression, complaints)
    month_day, week_day = fields.texts[2], fields.texts[4]
    rule = DayRule(
        months,
        every_value(YEAR) >> FIRST_YEAR,
        None if month_day == "*" else MonthDays(days),
        None if week_day == "*" else WeekDays(_sunday_first(week)),
        either=not (month_day.startswith("*") or week_day.startswith("*")),
    )
    return Cron(1, minutes, hours, table_of(rule))


def _sunday_first(week: int) -> int:
    """7 is Sunday too."""
    return week & 0b111_1111 | week >> 7


def _wrong_count(fields: Fields) -> str:
    first = fields.texts[0] if fields else ""
    if len(fields) == 1 and first.lower() in _MACROS:
        return f'"{first}" is a nickname (character 1); write {_MACROS[first.lower()]}'
    hint = "; leave out dialect: unix for Quartz, which has 6 or 7" if len(fields) in (6, 7) else ""
    return (
        f"has {counted(fields)}, and Unix has 5: "
        f"minute, hour, day of month, month, day of week{hint}"
    )


def is_eventbridge(expression: str) -> bool:
    """Whether the expression itself says that it is EventBridge's."""
    return expression.lstrip()[:5].lower() in ("cron(", "rate(")


@lru_cache(maxsize=4096)
def parse_eventbridge(expression: str) -> Cron | int:
    """``cron(…)`` of six fields, minute first and year last, or the seconds of a ``rate(…)``.

    Raises:
        CronError: something is not understood; all of it is named.
    """
    match = _EVENTBRIDGE.fullmatch(expression)
    if match is None:
        raise CronError(
            expression,
            [
                "is not EventBridge's cron(…) or rate(…); write cron(0 6 ? * MON-FRI *) or rate(5 minutes)"
            ],
        )
    if match[1].lower() == "rate":
        return _rate(expression, match[2])
    fields = Fields(match[2], match.start(2))
    if len(fields) != 6:
        raise CronError(
            expression,
            [f"has {counted(fields)}, and EventBridge has 6: {_EVENTBRIDGE_FIELDS}"],
        )
    complaints: list[str] = []
    minutes = read(values_of, MINUTES, fields, 0, complaints)
    hours = read(values_of, HOURS, fields, 1, complaints)
    check_days(fields, 2, complaints)
    if complaints or minutes is None or hours is None:
        raise CronError(expression, complaints)
    return Cron(1, minutes, hours, days_of(*map(str.upper, fields.texts[2:])))


def _rate(expression: str, text: str) -> int:
    match = _RATE.fullmatch(text)
    if match is None:
        raise CronError(
            expression,
            [
                f'"{text}" is no rate; write a number and minutes, hours or days, as in rate(5 minutes)'
            ],
        )
    if (match[1] == "1") == bool(match[3]):
        right = match[2] if match[1] == "1" else f"{match[2]}s"
        raise CronError(expression, [f'"{text}" is no rate; write rate({match[1]} {right})'])
    return int(match[1]) * _RATE_SECONDS[match[2]]
