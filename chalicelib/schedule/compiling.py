"""From the document that a user writes to the timetable that the engine asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.instants import (
    format_instant,
    format_local,
    parse_duration,
    parse_instant,
    read_moment,
    zone,
)
from chalicelib.model.schedule import Schedule
from chalicelib.schedule.absolute import Every, Instants, Once, StartingAt
from chalicelib.schedule.civil import DAY
from chalicelib.schedule.clock import Overlap, clock_of
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_dialects import is_eventbridge, parse_eventbridge, parse_unix
from chalicelib.schedule.cron_parser import CronError, parse_quartz
from chalicelib.schedule.frequency import frequency_walls
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.zoned import Zoned

_KINDS = ("frequency", "cron", "every", "at")
_UTC = zone("UTC")
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone


def compile_schedule(schedule: Schedule, *, submitted_ms: int) -> Timetable:
    """The nominal times of a schedule; a missing start is the whole second of submission (UTC ms).

    Raises:
        InvalidInput: it says nothing, too much or something that is not understood, its window is empty, or
            it never fires in it. All that is wrong is named, each with its field.
    """
    needs_start = schedule.start is None and schedule.at is None
    return _compile(schedule, -(-submitted_ms // 1000) * 1000 if needs_start else 0)


def with_start(schedule: Schedule, submitted_ms: int) -> Schedule:
    """The same with its start written in, local to its zone and with the offset; as it is if it has one.

    Raises:
        InvalidInput: as ``compile_schedule``.
    """
    if schedule.start is not None:
        return schedule
    timetable = compile_schedule(schedule, submitted_ms=submitted_ms)
    return schedule.model_copy(update={"start": format_local(timetable.start_ms, timetable.zone)})


@lru_cache(maxsize=4096)
def _compile(schedule: Schedule, submitted_ms: int) -> Timetable:
    reading = _Reading(schedule)
    timetable = reading.timetable(submitted_ms)
    if timetable is None:
        raise InvalidInput(reading.problems)
    return timetable


def parse_cron(schedule: Schedule) -> Cron | int:
    """The expression in its dialect; the seconds of a rate.

    Raises:
        CronError: it is not understood.
    """
    expression = schedule.cron or ""
    if schedule.dialect == "unix":
        return parse_unix(expression)
    if schedule.dialect == "eventbridge" or is_eventbridge(expression):
        return parse_eventbridge(expression)
    return parse_quartz(expression)


class _Reading:
    """One schedule on its way to a timetable; whatever is wrong with a field is collected."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.problems: list[Problem] = []

    def timetable(self, submitted_ms: int) -> Timetable | None:
        schedule = self.schedule
        self.problems += _about_kinds(schedule)
        place = self._zone()
        cron, step_ms, at_ms = self._cron(), self._every(), self._at(place)
        start_ms, end_ms = self._instant("start", place), self._instant("end", place)
        if self.problems or place is None:
            return None
        if start_ms is None:
            start_ms = submitted_ms if at_ms is None else at_ms
        if end_ms is not None and end_ms <= start_ms:
            self.problems.append(_empty(schedule, start_ms, end_ms))
            return None
        instants = _instants(schedule, place, start_ms // 1000, cron, step_ms, at_ms)
        timetable = Timetable(place, start_ms, end_ms, instants)
        if timetable.next_after(start_ms - 1) is None:
            self.problems.append(_never(timetable, schedule))
            return None
        return timetable

    def _zone(self) -> ZoneInfo | None:
        try:
            return zone(self.schedule.timezone)
        except ValueError as error:
            self._refuse("timezone", error)
            return None

    def _cron(self) -> Cron | int | None:
        if self.schedule.cron is None:
            return None
        try:
            return parse_cron(self.schedule)
        except CronError as error:
            for message in error.messages:
                self.problems.append(Problem("schedule.cron", message, self.schedule.cron))
            return None

    def _every(self) -> int | None:
        if self.schedule.every is None:
            return None
        try:
            return _whole_seconds(parse_duration(self.schedule.every), self.schedule.every)
        except ValueError as error:
            self._refuse("every", error)
            return None

    def _instant(self, field: str, place: ZoneInfo | None) -> int | None:
        text = getattr(self.schedule, field)
        if text is None:
            return None
        try:
            return _whole_seconds(parse_instant(text, place or _UTC), text)
        except ValueError as error:
            self._refuse(field, error)
            return None

    def _at(self, place: ZoneInfo | None) -> int | None:
        """A local time that does not exist or comes twice follows the policies; both would not be once."""
        plain = self._instant("at", place)
        text = self.schedule.at
        if plain is None or place is None or text is None:
            return plain
        wall = _wall(text)
        if wall is None:
            return plain
        overlap: Overlap = "last" if self.schedule.dst_overlap == "last" else "first"
        clock = clock_of(self.schedule.timezone, self.schedule.dst_gap, overlap)
        found = Zoned(Once(wall), clock).at_or_after(wall - 2 * DAY)
        if found is None:
            self._refuse(
                "at",
                ValueError(f"{text!r} is a time that the clocks of {place.key} skip; {_GAP_HINT}"),
            )
            return None
        return found * 1000

    def _refuse(self, field: str, error: ValueError) -> None:
        self.problems.append(
            Problem(f"schedule.{field}", str(error), getattr(self.schedule, field))
        )


_GAP_HINT = "say dst_gap: shift, or another time"


def _whole_seconds(ms: int, text: str) -> int:
    if ms % 1000:
        raise ValueError(f"{text!r} is not in whole seconds; leave out the fraction")
    return ms


def _instants(
    schedule: Schedule,
    place: ZoneInfo,
    start: int,
    cron: Cron | int | None,
    step_ms: int | None,
    at_ms: int | None,
) -> Instants:
    """Whichever of the four kinds was read; the fourth is the frequency."""
    if isinstance(cron, Cron):
        return _cron_instants(cron, schedule)
    if cron is not None:
        return Every(start, cron)
    if step_ms is not None:
        return Every(start, step_ms // 1000)
    if at_ms is not None:
        return Once(at_ms // 1000)
    return _frequency_instants(schedule, start, place)


def _cron_instants(cron: Cron, schedule: Schedule) -> Instants:
    """An expression that names no particular hour fires whenever the clocks show what it says."""
    if not cron.names_hours:
        return Zoned(cron, clock_of(schedule.timezone, "skip", "both"))
    return Zoned(cron, clock_of(schedule.timezone, schedule.dst_gap, schedule.dst_overlap))


def _frequency_instants(schedule: Schedule, start: int, place: ZoneInfo) -> Instants:
    """Counted from the local time that was written; a start with an offset is itself the first time."""
    assert schedule.frequency is not None  # noqa: S101  the last of the four kinds
    clock = clock_of(schedule.timezone, schedule.dst_gap, schedule.dst_overlap)
    wall = None if schedule.start is None else _wall(schedule.start)
    if wall is not None:
        return Zoned(frequency_walls(schedule.frequency, wall), clock)
    shown = datetime.fromtimestamp(start, UTC).astimezone(place).replace(tzinfo=None)
    anchor = (shown - _WALL_EPOCH) // timedelta(seconds=1)
    return StartingAt(start, Zoned(frequency_walls(schedule.frequency, anchor, first=1), clock))


def _wall(text: str) -> int | None:
    """The wall second of a text without an offset; None if it carries one."""
    moment = read_moment(text)
    if moment.tzinfo is not None:
        return None
    return (moment - _WALL_EPOCH) // timedelta(seconds=1)


def _about_kinds(schedule: Schedule) -> list[Problem]:
    kinds = (schedule.frequency, schedule.cron, schedule.every, schedule.at)
    if kinds.count(None) == 3 and (schedule.dialect == "quartz" or schedule.cron is not None):
        return []
    written = [kind for kind, value in zip(_KINDS, kinds, strict=True) if value is not None]
    choice = "exactly one of frequency, cron, every and at says when"
    if not written:
        return [Problem("schedule", f"says no time; {choice}")]
    if len(written) > 1:
        return [Problem("schedule", f"has {' and '.join(written)}; {choice}", written)]
    return [
        Problem(
            "schedule.dialect", "is the grammar of cron, and there is no cron", schedule.dialect
        )
    ]


def _empty(schedule: Schedule, start_ms: int, end_ms: int) -> Problem:
    start, end = format_instant(start_ms), format_instant(end_ms)
    message = (
        f"is not after the start: nothing fires from {start} until before {end}; write a later end"
    )
    return Problem("schedule.end", message, schedule.end)


def _never(timetable: Timetable, schedule: Schedule) -> Problem:
    kind = next(kind for kind in _KINDS if getattr(schedule, kind) is not None)
    value = getattr(schedule, kind)
    start = format_instant(timetable.start_ms)
    end = "the end of 2199" if timetable.end_ms is None else format_instant(timetable.end_ms)
    message = f"{value} never fires from {start} until before {end}"
    return Problem(
        f"schedule.{kind}", f"{message}; write a time that comes, or move start or end", value
    )
