"""The same schedule for EventBridge Scheduler, where it has the words for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.model.instants import format_local, parse_duration
from chalicelib.model.schedule import Frequency, Schedule
from chalicelib.schedule.compiling import parse_cron
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.spelling import in_eventbridge
from chalicelib.schedule.timetable import Timetable

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def eventbridge(schedule: Schedule, timetable: Timetable) -> str | None:
    """``cron(…)``, ``rate(…)`` or ``at(…)``, to be given the schedule's zone; None where there is none."""
    if schedule.every is not None:
        return _rate(parse_duration(schedule.every) // 1000)
    if schedule.cron is not None:
        cron = parse_cron(schedule)
        return in_eventbridge(cron) if isinstance(cron, Cron) else _rate(cron)
    first = timetable.next_after(timetable.start_ms - 1)
    if first is None:
        return None
    local = datetime.fromisoformat(format_local(first, timetable.zone)).replace(tzinfo=None)
    if schedule.at is not None:
        return f"at({local.isoformat()})"
    return _frequency(schedule.frequency, local) if schedule.frequency else None


def _rate(seconds: int) -> str | None:
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"rate({seconds // size} {unit}{'s' * (seconds > size)})"
    return None


def _frequency(frequency: Frequency, start: datetime) -> str | None:
    """None where days are clamped to the end of some months and not of all."""
    if start.second:
        return None
    time = f"{start.minute} {start.hour}"
    if frequency is Frequency.DAILY:
        return f"cron({time} * * ? *)"
    if frequency is Frequency.WEEKLY:
        return f"cron({time} ? * {_weekday(start)} *)"
    every = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3, Frequency.YEARLY: 12}[frequency]
    months = sorted((start.month - 1 + step) % 12 + 1 for step in range(0, 12, every))
    day = _day(start, months)
    listed = "*" if every == 1 else ",".join(map(str, months))
    return f"cron({time} {day} {listed} ? *)" if day else None


def _weekday(start: datetime) -> str:
    return ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[start.weekday()]


def _day(start: datetime, months: list[int]) -> str | None:
    shortest = min(28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in months)
    if start.day <= shortest:
        return str(start.day)
    is_last = (start + timedelta(days=1)).month != start.month
    longest = max(29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in months)
    return "L" if is_last and start.day == longest else None
