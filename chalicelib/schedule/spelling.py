"""A compiled cron, written out again: in Quartz's grammar, and in EventBridge's where it has the words."""

from __future__ import annotations

from itertools import pairwise

from chalicelib.model.instants import FIRST_YEAR
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import DayRule, MonthDays, WeekDays
from chalicelib.schedule.cron_fields import (
    DAYS,
    HOURS,
    MINUTES,
    MONTH,
    SECONDS,
    WEEKDAYS,
    YEAR,
    Field,
    every_value,
    members,
)


def in_quartz(cron: Cron) -> str | None:
    """Six fields, or seven; None for a Unix expression that means either of two days."""
    days = _days(cron.rule)
    if days is None:
        return None
    times = f"{_spell(SECONDS, cron.seconds)} {_spell(MINUTES, cron.minutes)} {_spell(HOURS, cron.hours)}"
    year = _years(cron.rule)
    return f"{times} {days[0]} {_spell(MONTH, cron.rule.months)} {days[1]}" + f" {year}" * (
        year != "*"
    )


def in_eventbridge(cron: Cron) -> str | None:
    """``cron(…)``; None when it has seconds, counts back from the last day or means either of two days."""
    days = _days(cron.rule, numbered=True)
    month_days = cron.rule.month_days
    counts_back = month_days is not None and (
        month_days.before_last not in (None, 0)
        or (month_days.before_last == 0 and month_days.nearest_weekday)
    )
    if days is None or counts_back or cron.seconds != 1:
        return None
    times = f"{_spell(MINUTES, cron.minutes)} {_spell(HOURS, cron.hours)}"
    return (
        f"cron({times} {days[0]} {_spell(MONTH, cron.rule.months)} {days[1]} {_years(cron.rule)})"
    )


def _days(rule: DayRule, *, numbered: bool = False) -> tuple[str, str] | None:
    """Day of month and day of week, one of them a question mark."""
    if rule.week_days is None:
        return _month_days(rule.month_days), "?"
    return ("?", _week_days(rule.week_days, numbered=numbered)) if rule.month_days is None else None


def _month_days(days: MonthDays | None) -> str:
    if days is None:
        return "*"
    weekday = "W" if days.nearest_weekday else ""
    if days.before_last is None:
        return _spell(DAYS, days.days) + weekday
    return ("L" if days.before_last == 0 else f"L-{days.before_last}") + weekday


def _week_days(days: WeekDays, *, numbered: bool) -> str:
    if days.nth is None:
        return _runs(members(days.days), WEEKDAYS)
    number = days.days.bit_length()
    name = str(number) if numbered else WEEKDAYS[number - 1]
    return f"{name}L" if days.nth == -1 else f"{name}#{days.nth}"


def _years(rule: DayRule) -> str:
    return _spell(YEAR, rule.years << FIRST_YEAR)


def _spell(field: Field, bits: int) -> str:
    if bits == every_value(field):
        return "*"
    values = members(bits)
    step = even_step(values)
    if step is not None and len(values) > 2 and step > 1 and values[-1] + step > field.high:
        return f"{values[0]}/{step}"
    return _runs(values)


def even_step(values: list[int]) -> int | None:
    """The distance between all of them; None when it varies or there is only one."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def runs_of(values: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of three or more in a row, and the others alone."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return [
        piece
        for first, last in runs
        for piece in ([(first, last)] if last - first != 1 else [(first, first), (last, last)])
    ]


def _runs(values: list[int], names: tuple[str, ...] = ()) -> str:
    def name(value: int) -> str:
        return names[value] if names else str(value)

    return ",".join(
        name(first) if first == last else f"{name(first)}-{name(last)}"
        for first, last in runs_of(values)
    )
