"""What people overlook in a schedule, said before it surprises them."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.model.instants import parse_duration
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.civil import DAY, civil
from chalicelib.schedule.compiling import parse_cron
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import MonthDays
from chalicelib.schedule.cron_fields import HOURS, MINUTES, SECONDS, Field, members
from chalicelib.schedule.spelling import even_step
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.tzif import offsets_of

_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def cautions(schedule: Schedule, timetable: Timetable, after_ms: int) -> Iterator[str]:
    """Sentences; none for a schedule that does what it seems to say."""
    if schedule.cron is not None:
        cron = parse_cron(schedule)
        if isinstance(cron, Cron):
            yield from _about_cron(cron)
    if schedule.frequency in ("MONTHLY", "QUARTERLY", "YEARLY"):
        yield from _about_clamping(timetable)
    if schedule.every is not None:
        yield from _about_every(parse_duration(schedule.every), timetable)
    if schedule.at is not None and timetable.start_ms <= after_ms:
        yield f"{schedule.at} is past: the job fires once, at once"


def _about_cron(cron: Cron) -> Iterator[str]:
    rule = cron.rule
    if rule.month_days is not None:
        yield from _about_days(rule.month_days, members(rule.months))
    if rule.week_days is not None and rule.week_days.nth == 5:
        yield "#5 skips the months that have that weekday only four times"
    if rule.either:
        yield "Unix: a day is meant when day of month or day of week names it, not only when both do"
    for field, bits in ((SECONDS, cron.seconds), (MINUTES, cron.minutes), (HOURS, cron.hours)):
        yield from _about_steps(field, members(bits))


def _about_days(days: MonthDays, months: list[int]) -> Iterator[str]:
    shortest = min(_LONGEST.get(month, 31) - (month == 2) for month in months)
    if days.before_last is not None:
        if days.before_last >= shortest:
            yield f"L-{days.before_last} skips the months that have fewer than {days.before_last + 1} days"
        return
    first = members(days.days)[0]
    if first <= shortest:
        return
    if months == [2]:
        yield "29 February comes in leap years only; L 2 is the last day of each February"
    else:
        yield f"{first} skips the months that have no such day; L is the last day of each month"


def _about_steps(field: Field, values: list[int]) -> Iterator[str]:
    size = field.high - field.low + 1
    step = even_step(values)
    if (
        step is None
        or step == 1
        or values[0] >= step
        or values[-1] + step < size
        or size % step == 0
    ):
        return
    last = size - values[-1] + values[0]
    yield f"every {step} {field.name}s starts anew after {values[-1]}: the last step is {last} {field.name}s"


def _about_clamping(timetable: Timetable) -> Iterator[str]:
    table, start = offsets_of(timetable.zone.key), timetable.start_ms // 1000
    day = civil((start + table.offsets[table.index_at(start)]) // DAY)[2]
    if day > 28:
        yield f"day {day} becomes the last day of the months that are shorter"


def _about_every(ms: int, timetable: Timetable) -> Iterator[str]:
    if ms % (DAY * 1000) == 0 and len(offsets_of(timetable.zone.key).offsets) > 1:
        weeks = ms % (7 * DAY * 1000) == 0
        kind = "WEEKLY" if weeks else "DAILY"
        yield f"days of 24 hours move on the clocks of the zone when these change; frequency: {kind} does not"
