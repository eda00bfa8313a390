"""A schedule, explained: what comes, in words, and what the clocks will do to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from chalicelib.model.instants import TZDATA_VERSION, format_local
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.compiling import compile_schedule
from chalicelib.schedule.timetable import fires


@dataclass(frozen=True, slots=True)
class Fire:
    """A nominal time in UTC ms, what the clocks of the zone show then, and what is odd about it."""

    nominal_ms: int
    local: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a schedule does after an instant."""

    fires: tuple[Fire, ...]
    warnings: tuple[str, ...]
    description: str
    next_clock_change: dict[str, str] | None
    eventbridge: str | None
    tzdata: str


def explain(schedule: Schedule, *, after_ms: int, count: int) -> Explanation:
    """The next ``count`` nominal times strictly after an instant (UTC ms), and what to know about them.

    Raises:
        InvalidInput: as ``compile_schedule``.
    """
    timetable = compile_schedule(schedule, submitted_ms=after_ms + 1)
    times = islice(fires(timetable, after_ms), count)
    shown = tuple(Fire(at, format_local(at, timetable.zone)) for at in times)
    return Explanation(shown, (), _description(schedule), None, None, TZDATA_VERSION)


def _description(schedule: Schedule) -> str:
    return f"{schedule.frequency or schedule.cron or schedule.every or schedule.at} in {schedule.timezone}"
