"""What clock changes do to a schedule: a note on each nominal time they touch, and the next one that will."""

from __future__ import annotations

from bisect import bisect_right

from chalicelib.model.instants import format_instant, format_local
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.absolute import Every, Once, StartingAt
from chalicelib.schedule.civil import DAY, civil
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.tzif import offsets_of
from chalicelib.schedule.zoned import WallTimes, Zoned


def note_on(timetable: Timetable, nominal_ms: int) -> str | None:
    """What is odd about a nominal time: it was moved out of a gap, or is one of two."""
    zoned = _zoned(timetable)
    if zoned is None:
        return None
    second = nominal_ms // 1000
    index = bisect_right(zoned.clock.starts, second) - 1
    offset, shifted = zoned.clock.offsets[index], zoned.clock.shifted[index]
    if offset is None:
        return None
    own = _holds(zoned.walls, second + offset)
    if shifted is not None and not own and _holds(zoned.walls, second + shifted):
        return f"moved from {_clock(second + shifted)}, which the clocks skip"
    return _occurrence(timetable, second)


def _occurrence(timetable: Timetable, second: int) -> str | None:
    table = offsets_of(timetable.zone.key)
    index = table.index_at(second)
    wall = second + table.offsets[index]
    if index and wall - table.offsets[index - 1] < table.starts[index]:
        return f"the second of two {_clock(wall)}"
    if (
        index + 1 < len(table.offsets)
        and wall - table.offsets[index + 1] >= table.starts[index + 1]
    ):
        return f"the first of two {_clock(wall)}"
    return None


def next_change(schedule: Schedule, timetable: Timetable, after_ms: int) -> dict[str, str] | None:
    """The next clock change that touches the schedule, and its effect; None when none will."""
    if isinstance(timetable.instants, Once):
        return None
    table = offsets_of(timetable.zone.key)
    first = bisect_right(table.starts, max(after_ms, timetable.start_ms) // 1000)
    for index in range(max(first, 1), len(table.offsets)):
        at = table.starts[index]
        if timetable.end_ms is not None and at * 1000 >= timetable.end_ms:
            return None
        before, after = table.offsets[index - 1], table.offsets[index]
        effect = _effect(schedule, timetable, at, before, after)
        if effect is not None:
            return {
                "time": format_instant(at * 1000),
                "local": format_local(at * 1000, timetable.zone),
                "clocks": _turn(at, before, after),
                "effect": effect,
            }
    return None


def _turn(at: int, before: int, after: int) -> str:
    dated = abs(after - before) >= DAY
    way = "forward" if after > before else "back"
    return f"{way} from {_clock(at + before, dated=dated)} to {_clock(at + after, dated=dated)}"


def _effect(
    schedule: Schedule, timetable: Timetable, at: int, before: int, after: int
) -> str | None:
    if isinstance(timetable.instants, Every):
        return f"absolute time goes on; local times are {_length(after - before)} from then on"
    zoned = _zoned(timetable)
    if zoned is None:
        return None
    begin, end = at + min(before, after), at + max(before, after)
    touched = _within(zoned.walls, begin, end)
    if not touched:
        return None
    if after > before:
        return _gap(schedule, touched, after - before, timetable)
    return _overlap(schedule, touched, timetable)


def _gap(schedule: Schedule, touched: list[int], length: int, timetable: Timetable) -> str:
    if follows_absolute_time(timetable):
        return f"the clocks skip {_times(touched)}; absolute time goes on"
    if schedule.dst_gap == "skip":
        return f"the clocks skip {_times(touched)}, and so does the schedule"
    dated = length >= DAY
    moved = ", ".join(
        f"{_clock(wall, dated=dated)} fires at {_clock(wall + length, dated=dated)}"
        for wall in touched[:3]
    )
    return moved + (" and so on" if len(touched) > 3 else "")


def _overlap(schedule: Schedule, touched: list[int], timetable: Timetable) -> str:
    if follows_absolute_time(timetable) or schedule.dst_overlap == "both":
        return f"the clocks show {_times(touched)} twice; both fire"
    return f"the clocks show {_times(touched)} twice; the {schedule.dst_overlap} fires"


def follows_absolute_time(timetable: Timetable) -> bool:
    """Whether local times fire whenever the clocks show them: crons that name no hour."""
    zoned = _zoned(timetable)
    return zoned is not None and not getattr(zoned.walls, "names_hours", True)


def _times(walls: list[int]) -> str:
    shown = ", ".join(_clock(wall) for wall in walls[:3])
    return shown + (" and so on" if len(walls) > 3 else "")


def _within(walls: WallTimes, begin: int, end: int) -> list[int]:
    """The first few local times in [begin, end)."""
    found: list[int] = []
    wall = walls.at_or_after(begin)
    while wall is not None and wall < end and len(found) < 4:
        found.append(wall)
        wall = walls.at_or_after(wall + 1)
    return found


def _holds(walls: WallTimes, wall: int) -> bool:
    return walls.at_or_after(wall) == wall


def _zoned(timetable: Timetable) -> Zoned | None:
    instants = timetable.instants
    if isinstance(instants, StartingAt):
        instants = instants.rest
    return instants if isinstance(instants, Zoned) else None


def _clock(wall: int, *, dated: bool = False) -> str:
    """``02:30``, and ``2011-12-30 02:30`` where the day matters."""
    day = "{}-{:02}-{:02} ".format(*civil(wall // DAY)) if dated else ""
    hour, rest = divmod(wall % DAY, 3600)
    minute, second = divmod(rest, 60)
    return f"{day}{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _length(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    parts = [f"{hours} h"] * (hours > 0) + [f"{rest // 60} min"] * (rest >= 60)
    return f"{' '.join(parts)} {'later' if seconds > 0 else 'earlier'}"
