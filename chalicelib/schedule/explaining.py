"""A schedule, explained: what comes, in words, and what the clocks will do to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from chalicelib.model.instants import TZDATA_VERSION, format_local
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.cautions import cautions
from chalicelib.schedule.clock_changes import next_change, note_on
from chalicelib.schedule.compiling import compile_schedule
from chalicelib.schedule.equivalents import eventbridge
from chalicelib.schedule.timetable import Timetable, fires
from chalicelib.schedule.wording import in_words


@dataclass(frozen=True, slots=True)
class Fire:
    """A nominal time in UTC ms, what the clocks of the zone show then, and what is odd about it.

    ``excluded_by``: the calendar for which it does not fire then; ``rolls_to_ms``: when it fires instead.
    """

    nominal_ms: int
    local: str
    note: str | None = None
    excluded_by: str | None = None
    rolls_to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a schedule does after an instant.

    ``next_clock_change`` has ``time`` (UTC), ``local``, ``clocks`` and ``effect``; None when no change will
    touch the schedule. ``eventbridge`` is the same in EventBridge Scheduler's words, None where it has none.
    """

    fires: tuple[Fire, ...]
    warnings: tuple[str, ...]
    description: str
    next_clock_change: dict[str, str] | None
    eventbridge: str | None
    tzdata: str


def explain(schedule: Schedule, *, after_ms: int, count: int) -> Explanation:
    """The next ``count`` nominal times strictly after an instant (UTC ms), and what to know about them.

    A schedule without a start is explained as if it were submitted right after the instant.

    Raises:
        InvalidInput: as ``compile_schedule``.
    """
    timetable = compile_schedule(schedule, submitted_ms=after_ms + 1)
    first = timetable.next_after(timetable.start_ms - 1)
    first_local = format_local(timetable.start_ms if first is None else first, timetable.zone)
    return Explanation(
        fires=tuple(_fire(timetable, at) for at in islice(fires(timetable, after_ms), count)),
        warnings=tuple(cautions(schedule, timetable, after_ms)),
        description=in_words(schedule, timetable, first_local),
        next_clock_change=next_change(schedule, timetable, after_ms),
        eventbridge=eventbridge(schedule, timetable),
        tzdata=TZDATA_VERSION,
    )


def _fire(timetable: Timetable, nominal_ms: int) -> Fire:
    return Fire(
        nominal_ms, format_local(nominal_ms, timetable.zone), note_on(timetable, nominal_ms)
    )
