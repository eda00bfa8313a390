"""Ways to ask the engine, in UTC seconds."""

from __future__ import annotations

from itertools import takewhile

from chalicelib.model.schedule import Schedule
from chalicelib.schedule import Timetable, compile_schedule, fires, fires_before

LONG_AGO = "1970-01-02T00:00:00Z"


def timetable(submitted_ms: int = 0, **written: object) -> Timetable:
    return compile_schedule(Schedule.model_validate(written), submitted_ms=submitted_ms)


def forward(table: Timetable, begin: int, end: int) -> list[int]:
    """All nominal times in [begin, end)."""
    return [
        at // 1000 for at in takewhile(lambda at: at < end * 1000, fires(table, begin * 1000 - 1))
    ]


def backward(table: Timetable, begin: int, end: int) -> list[int]:
    """The same, asked from the end, and put in order."""
    found = takewhile(lambda at: at >= begin * 1000, fires_before(table, end * 1000))
    return [at // 1000 for at in found][::-1]
