"""The next times of a schedule with calendars: excluded ones are shown, and say so."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.model.calendar import NamedCalendars
from chalicelib.model.instants import format_local
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.absolute import Once
from chalicelib.schedule.civil import DAY
from chalicelib.schedule.clock import clock_of
from chalicelib.schedule.compiling import compile_schedule
from chalicelib.schedule.excluding import RUN_IN, compile_excluding
from chalicelib.schedule.exclusions import exclusions_of
from chalicelib.schedule.explaining import Explanation, Fire, explain
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.zoned import Zoned

_LOOKED_AT = 4
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone


def explain_excluding(
    schedule: Schedule, calendars: NamedCalendars, *, after_ms: int, count: int
) -> Explanation:
    """As ``explain``, but ``fires`` also has the times that a calendar excludes, marked, up to the last of
    ``count`` that fire; of a long run of excluded times the first are shown.

    Raises:
        InvalidInput: as ``compile_schedule``.
    """
    if not calendars:
        return explain(schedule, after_ms=after_ms, count=count)
    plain = compile_schedule(schedule, submitted_ms=after_ms + 1)
    table = compile_excluding(schedule, calendars, submitted_ms=after_ms + 1)
    explanation = explain(schedule, after_ms=after_ms, count=min(_LOOKED_AT * count, 1000))
    named = {fire.nominal_ms: fire for fire in explanation.fires}
    firing = _next(table, after_ms, count)
    shown = {at: named.get(at) or _fire(at, table, plain) for at in firing}
    last = firing[-1] if len(firing) == count else None
    excluded = [at for at in named if at not in shown and (last is None or at < last)]
    excluded = [at for at in excluded if table.next_after(at - 1) != at]
    for at in excluded[: _LOOKED_AT * count]:
        shown[at] = _excluded(named[at], schedule, calendars, table)
    return replace(explanation, fires=tuple(shown[at] for at in sorted(shown)))


def _next(table: Timetable, after_ms: int, count: int) -> list[int]:
    found: list[int] = []
    at = table.next_after(after_ms)
    while at is not None and len(found) < count:
        found.append(at)
        at = table.next_after(at)
    return found


def _fire(at: int, table: Timetable, plain: Timetable) -> Fire:
    rolled = plain.next_after(at - 1) != at
    note = "an excluded time of another day, rolled to this one" if rolled else None
    return Fire(at, format_local(at, table.zone), note)


def _excluded(fire: Fire, schedule: Schedule, calendars: NamedCalendars, table: Timetable) -> Fire:
    """After a change of the clocks it may be a time that they skipped, and rolls by the name it has."""
    exclusions = exclusions_of(calendars, table.zone)
    second = fire.nominal_ms // 1000
    shown = datetime.fromtimestamp(second, UTC).astimezone(table.zone).replace(tzinfo=None)
    walls = [(shown - _WALL_EPOCH) // timedelta(seconds=1)]
    clock = clock_of(schedule.timezone, schedule.dst_gap, schedule.dst_overlap)
    skipped = clock.shifted[min(bisect_right(clock.starts, second), len(clock.offsets)) - 1]
    if skipped is not None:
        walls.append(second + skipped)
    targets = [_target(wall, schedule, calendars, table) for wall in walls]
    who = next(filter(None, map(exclusions.who, walls)), calendars[0][0])
    target = next((each for each in targets if each is not None), None)
    return replace(fire, excluded_by=who, rolls_to_ms=target)


def _target(
    wall: int, schedule: Schedule, calendars: NamedCalendars, table: Timetable
) -> int | None:
    """Where a time that is shown as ``wall`` rolls to; None when it is skipped."""
    if schedule.roll == "skip":
        return None
    exclusions = exclusions_of(calendars, table.zone)
    step = DAY if schedule.roll == "next" else -DAY
    clock = clock_of(schedule.timezone, schedule.dst_gap, schedule.dst_overlap)
    for _ in range(RUN_IN):
        wall += step
        if wall < 0:
            return None
        if exclusions.who(wall) is None:
            found = Zoned(Once(wall), clock).at_or_after(wall - 2 * DAY)
            fires = found is not None and table.next_after(found * 1000 - 1) == found * 1000
            return found * 1000 if found is not None and fires else None
    return None
