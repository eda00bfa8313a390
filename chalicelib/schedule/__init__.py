"""From a schedule to its nominal times. Pure: no clock, no zone or locale of the process, no I/O but the
pinned zone database."""

from __future__ import annotations

from chalicelib.schedule.compiling import compile_schedule, with_start
from chalicelib.schedule.explaining import Explanation, Fire, explain
from chalicelib.schedule.timetable import Timetable, fires, fires_before

__all__ = [
    "Explanation",
    "Fire",
    "Timetable",
    "compile_schedule",
    "explain",
    "fires",
    "fires_before",
    "with_start",
]
