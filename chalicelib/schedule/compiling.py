"""From the document that a user writes to the timetable that the engine asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from chalicelib.schedule.clock import clock_of
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_dialects import parse_eventbridge, parse_unix
from chalicelib.schedule.cron_parser import CronError, parse_quartz
from chalicelib.schedule.frequency import frequency_walls
from chalicelib.schedule.timetable import Timetable
from chalicelib.schedule.zoned import Zoned

_KINDS = ("frequency", "cron", "every", "at")
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
    problems: list[Problem] = []
    parts = _Parts(schedule, submitted_ms, problems)
    timetable = parts.timetable()
    if timetable is None or problems:
        raise InvalidInput(problems)
    return timetable


def parse_cron(schedule: Schedule) -> Cron | int:
    """The expression in its dialect; the seconds of a rate.

    Raises:
        CronError: it is not understood.
    """
    expression = schedule.cron or ""
    if schedule.dialect == "unix":
        return parse_unix(expression)
    if schedule.dialect == "eventbridge":
        return parse_eventbridge(expression)
    return parse_quartz(expression)


@dataclass(frozen=True, slots=True)
class _Parts:
    """One schedule on its way to a timetable; what is wrong is added to ``problems``."""

    schedule: Schedule
    submitted_ms: int
    problems: list[Problem]

    def timetable(self) -> Timetable | None:
        written = [kind for kind in _KINDS if getattr(self.schedule, kind) is not None]
        self.problems.extend(_about_kinds(written, self.schedule))
        place = self._zone()
        cron = self._cron()
        step_ms = self._every()
        start_ms = self._instant("start", place)
        end_ms = self._instant("end", place)
        at_ms = self._at(place)
        if self.problems or place is None:
            return None
        if start_ms is None:
            start_ms = self.submitted_ms if at_ms is None else at_ms
        if end_ms is not None and end_ms <= start_ms:
            self.problems.append(_empty(self.schedule, start_ms, end_ms))
            return None
        start = start_ms // 1000
        instants: Instants
        if at_ms is not None:
            instants = Once(at_ms // 1000)
        elif step_ms is not None:
            instants = Every(start, step_ms // 1000)
        elif isinstance(cron, int):
            instants = Every(start, cron)
        elif cron is not None:
            instants = _cron_instants(cron, self.schedule)
        else:
            instants = _frequency_instants(self.schedule, start, place)
        timetable = Timetable(place, start_ms, end_ms, instants)
        if timetable.next_after(start_ms - 1) is None:
            self.problems.append(_never(written[0], timetable, self.schedule))
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
            ms = parse_duration(self.schedule.every)
            if ms % 1000:
                raise ValueError(
                    f"{self.schedule.every!r} is not in whole seconds; write PT1S or more"
                )
        except ValueError as error:
            self._refuse("every", error)
            return None
        return ms

    def _instant(self, field: str, place: ZoneInfo | None) -> int | None:
        text = getattr(self.schedule, field)
        if text is None:
            return None
        try:
            ms = parse_instant(text, place or ZoneInfo("UTC"))
            if ms % 1000:
                raise ValueError(f"{text!r} is not a whole second; schedules fire on whole seconds")
        except ValueError as error:
            self._refuse(field, error)
            return None
        return ms

    def _at(self, place: ZoneInfo | None) -> int | None:
        """A local time that does not exist or comes twice follows the policies; both would not be once."""
        plain = self._instant("at", place)
        if plain is None or place is None or self.schedule.at is None:
            return plain
        wall = _wall(self.schedule.at)
        if wall is None:
            return plain
        overlap = "last" if self.schedule.dst_overlap == "last" else "first"
        clock = clock_of(self.schedule.timezone, self.schedule.dst_gap, overlap)
        found = Zoned(Once(wall), clock).at_or_after(wall - 2 * 86_400)
        if found is None:
            message = (
                f"{self.schedule.at!r} does not exist in {place.key}, where the clocks skip it"
            )
            self.problems.append(
                Problem(
                    "schedule.at",
                    f"{message}; say dst_gap: shift, or another time",
                    self.schedule.at,
                )
            )
            return None
        return found * 1000

    def _refuse(self, field: str, error: ValueError) -> None:
        self.problems.append(
            Problem(f"schedule.{field}", str(error), getattr(self.schedule, field))
        )


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
    shown = (datetime.fromtimestamp(start, UTC).astimezone(place)).replace(tzinfo=None)
    anchor = (shown - _WALL_EPOCH) // timedelta(seconds=1)
    return StartingAt(start, Zoned(frequency_walls(schedule.frequency, anchor, first=1), clock))


def _wall(text: str) -> int | None:
    """The wall second of a text without an offset; None if it carries one."""
    moment = read_moment(text)
    if moment.tzinfo is not None:
        return None
    return (moment - _WALL_EPOCH) // timedelta(seconds=1)


def _about_kinds(written: list[str], schedule: Schedule) -> Iterator[Problem]:
    choice = "exactly one of frequency, cron, every and at says when"
    if not written:
        yield Problem("schedule", f"says no time; {choice}")
    if len(written) > 1:
        yield Problem("schedule", f"has {' and '.join(written)}; {choice}", written)
    if schedule.dialect != "quartz" and schedule.cron is None:
        yield Problem(
            "schedule.dialect", "is the grammar of cron, and there is no cron", schedule.dialect
        )


def _empty(schedule: Schedule, start_ms: int, end_ms: int) -> Problem:
    start, end = format_instant(start_ms), format_instant(end_ms)
    message = (
        f"is not after the start: nothing fires from {start} until before {end}; write a later end"
    )
    return Problem("schedule.end", message, schedule.end)


def _never(kind: str, timetable: Timetable, schedule: Schedule) -> Problem:
    value = getattr(schedule, kind)
    start = format_instant(timetable.start_ms)
    end = "the end of 2199" if timetable.end_ms is None else format_instant(timetable.end_ms)
    message = f"{value} never fires from {start} until before {end}"
    return Problem(
        f"schedule.{kind}", f"{message}; write a time that comes, or move start or end", value
    )
