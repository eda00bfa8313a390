"""A schedule in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.model.instants import FIRST_YEAR
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.absolute import Every
from chalicelib.schedule.compiling import parse_cron
from chalicelib.schedule.cron import ALL_HOURS, Cron
from chalicelib.schedule.cron_days import DayRule, MonthDays, WeekDays
from chalicelib.schedule.cron_dialects import is_eventbridge
from chalicelib.schedule.cron_fields import MONTH, YEAR, every_value, members
from chalicelib.schedule.spelling import even_step, in_quartz, runs_of
from chalicelib.schedule.timetable import Timetable

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_FREQUENCIES = {
    "DAILY": "every day",
    "WEEKLY": "every week",
    "MONTHLY": "every month",
    "QUARTERLY": "every three months",
    "YEARLY": "every year",
}


def in_words(schedule: Schedule, timetable: Timetable, first_local: str) -> str:
    """One sentence; ``first_local`` is the first nominal time of all, as the clocks of the zone show it."""
    text = _meaning(schedule, first_local)
    absolute = isinstance(timetable.instants, Every)
    return (
        text[0].upper()
        + text[1:]
        + ("" if absolute else f", by the clocks of {timetable.zone.key}")
    )


def _meaning(schedule: Schedule, first_local: str) -> str:
    if schedule.frequency is not None:
        return f"{_FREQUENCIES[schedule.frequency]}, counted from {first_local}"
    if schedule.every is not None:
        return f"every {schedule.every} in absolute time, counted from {first_local}"
    if schedule.at is not None:
        return f"once, at {first_local}"
    cron = parse_cron(schedule)
    if isinstance(cron, int):
        return f"every {_amount(cron)} in absolute time, counted from {first_local}"
    time, day = _time(cron), _day(cron.rule)
    if day == "every day" and cron.hours == ALL_HOURS:
        day = ""
    words = " ".join(part for part in (time, day, _dates(cron.rule)) if part)
    foreign = schedule.dialect != "quartz" or is_eventbridge(schedule.cron or "")
    quartz = in_quartz(cron) if foreign else None
    return f"{words} ({quartz} in Quartz)" if quartz else words


def _amount(seconds: int) -> str:
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return name if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"


def _time(cron: Cron) -> str:
    seconds, minutes, hours = members(cron.seconds), members(cron.minutes), members(cron.hours)
    if len(seconds) == len(minutes) == 1 and len(hours) <= 6:
        second = f":{seconds[0]:02}" if seconds[0] else ""
        return "at " + _and([f"{hour:02}:{minutes[0]:02}{second}" for hour in hours])
    parts = [_of(seconds, 60, "second")] if seconds != [0] else []
    if len(minutes) < 60 or seconds == [0]:
        parts.append(_of(minutes, 60, "minute"))
    if parts[-1].startswith("at "):
        parts[-1] += " of every minute" if len(minutes) == 60 else ""
        parts[-1] += " of every hour" if len(minutes) < 60 and cron.hours == ALL_HOURS else ""
    if cron.hours != ALL_HOURS:
        parts.append(f"in {_named('hour', hours)}")
    return " ".join(parts)


def _of(values: list[int], size: int, unit: str) -> str:
    """``every minute``, ``every 15 minutes``, ``at minute 30``."""
    if len(values) == size:
        return f"every {unit}"
    step = even_step(values)
    if step is not None and values[0] == 0 and len(values) * step == size and len(values) > 2:
        return f"every {step} {unit}s"
    return f"at {_named(unit, values)}"


def _named(unit: str, values: list[int]) -> str:
    return f"{unit}{'s' * (len(values) > 1)} {_list(values)}"


def _day(rule: DayRule) -> str:
    kinds = [
        *([_month_day(rule.month_days)] if rule.month_days else []),
        *([_week_day(rule.week_days)] if rule.week_days else []),
    ]
    if not kinds:
        return "every day" if rule.months == every_value(MONTH) else "on every day"
    return (" or " if rule.either else " and also ").join(kinds)


def _month_day(days: MonthDays) -> str:
    if days.before_last is None:
        if days.nearest_weekday:
            return f"on the weekday nearest to day {days.days.bit_length() - 1}"
        return f"on {_named('day', members(days.days))} of the month"
    if days.before_last == 0:
        return f"on the last {'weekday' if days.nearest_weekday else 'day'} of the month"
    counted = f"{days.before_last} day{'s' * (days.before_last > 1)} before the last of the month"
    return (
        f"on the weekday nearest to {counted}" if days.nearest_weekday else f"on the day {counted}"
    )


def _week_day(days: WeekDays) -> str:
    if days.nth is None:
        return f"on {_list(members(days.days), _WEEKDAYS.__getitem__)}"
    name = _WEEKDAYS[days.days.bit_length() - 1]
    return f"on the {_NTH.get(days.nth, 'last')} {name} of the month"


def _dates(rule: DayRule) -> str:
    parts = []
    if rule.months != every_value(MONTH):
        parts.append("in " + _list(members(rule.months), lambda month: _MONTHS[month - 1]))
    if rule.years << FIRST_YEAR != every_value(YEAR):
        parts.append("in " + _list(members(rule.years << FIRST_YEAR)))
    return " ".join(parts)


def _list(values: list[int], name: Callable[[int], str] = str) -> str:
    return _and([name(a) if a == b else f"{name(a)} to {name(b)}" for a, b in runs_of(values)])


def _and(texts: Sequence[str]) -> str:
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last
