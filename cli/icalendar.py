"""iCalendar files (RFC 5545) as calendars of Noonday: what each event covers is excluded.

All-day events become ``dates``, or ``yearly`` when they recur every year; timed events become ``spans``.
What cannot be carried over faithfully is refused with its line, never left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cli.errors import Unreadable

_PROPERTY = re.compile(r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:]*))*):(.*)', re.DOTALL)
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=(?:"([^"]*)"|([^";:]*))')
_NOT_CARRIED_OVER = ("EXDATE", "RDATE", "EXRULE", "RECURRENCE-ID", "DURATION")
_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"(\d{8}T\d{6})(Z?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Property:
    line: int
    name: str
    parameters: Mapping[str, str]
    value: str


@dataclass(slots=True)
class _Event:
    line: int
    properties: dict[str, _Property] = field(default_factory=dict)


def looks_like_icalendar(text: str) -> bool:
    """Whether a text is meant to be one, by its first line."""
    return text.lstrip().upper().startswith("BEGIN:VCALENDAR")


def read_icalendar(text: str, title: str) -> dict[str, Any]:
    """The calendar document of all events of a file.

    Raises:
        Unreadable: it is no iCalendar file, or an event says what a calendar cannot; names the line.
    """
    found: dict[str, set[str]] = {"dates": set(), "yearly": set(), "spans": set()}
    for event in _events(text, title):
        status = event.properties.get("STATUS")
        if status is not None and status.value.upper() == "CANCELLED":
            continue
        kind, entry = _entry(event, title)
        found[kind].add(entry)
    if not any(found.values()):
        raise Unreadable(f"{title} holds no event", hint="an event begins with BEGIN:VEVENT")
    return {kind: sorted(entries) for kind, entries in found.items() if entries}


def _events(text: str, title: str) -> Iterator[_Event]:
    open_parts: list[str] = []
    event: _Event | None = None
    for one in _properties(text, title):
        if one.name == "BEGIN":
            open_parts.append(one.value.upper())
            if open_parts[-1] == "VEVENT":
                event = _Event(one.line)
        elif one.name == "END":
            if not open_parts or open_parts.pop() != one.value.upper():
                raise _complaint(title, one.line, f"END:{one.value} ends nothing that is open")
            if event is not None and one.value.upper() == "VEVENT":
                yield event
                event = None
        elif event is not None and open_parts[-1] == "VEVENT":  # an alarm within it is not its own
            event.properties[one.name] = one
    if open_parts:
        raise Unreadable(f"{title} ends within a {open_parts[-1]}; the file is cut off")


def _properties(text: str, title: str) -> Iterator[_Property]:
    """Lines that begin with a blank go on with the line before (RFC 5545, 3.1)."""
    unfolded: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t") and unfolded:
            first, before = unfolded[-1]
            unfolded[-1] = (first, before + line[1:])
        elif line.strip():
            unfolded.append((number, line))
    for number, line in unfolded:
        match = _PROPERTY.fullmatch(line)
        if match is None:
            raise _complaint(title, number, f"{line[:60]!r} is no property; it has no colon")
        parameters = {
            name.upper(): quoted or plain for name, quoted, plain in _PARAMETER.findall(match[2])
        }
        yield _Property(number, match[1].upper(), parameters, match[3].strip())


def _entry(event: _Event, title: str) -> tuple[str, str]:
    for name in _NOT_CARRIED_OVER:
        if name in event.properties:
            line = event.properties[name].line
            raise _complaint(title, line, f"{name} has no place in a calendar of Noonday")
    start = event.properties.get("DTSTART")
    if start is None:
        raise _complaint(title, event.line, "the event has no DTSTART")
    yearly = _recurs_yearly(event.properties.get("RRULE"), title)
    end = event.properties.get("DTEND")
    if _DATE.fullmatch(start.value):
        return _days(start, end, title, yearly=yearly)
    if yearly:
        message = "only whole days can recur every year; write DTSTART;VALUE=DATE"
        raise _complaint(title, start.line, message)
    if end is None:
        raise _complaint(title, start.line, "the event has no DTEND, so it covers no time")
    return "spans", f"{_moment(start, title)}/{_moment(end, title)}"


def _recurs_yearly(rule: _Property | None, title: str) -> bool:
    if rule is None:
        return False
    if rule.value.upper() not in ("FREQ=YEARLY", "FREQ=YEARLY;INTERVAL=1"):
        message = f"the rule {rule.value} is not carried over; only FREQ=YEARLY is"
        raise _complaint(title, rule.line, message)
    return True


def _days(start: _Property, end: _Property | None, title: str, *, yearly: bool) -> tuple[str, str]:
    """The end of an all-day event is the day after its last (RFC 5545, 3.6.1)."""
    first = _day(start, title)
    last = _day(end, title) - timedelta(days=1) if end is not None else first
    last = max(last, first)  # DTEND of the same day is common, and means that day
    if not yearly:
        return "dates", f"{first}" if first == last else f"{first}/{last}"
    if first.year != last.year:
        raise _complaint(title, start.line, "a yearly event must end in the year it begins in")
    ends = [f"{day:%m-%d}" for day in (first, last)]
    return "yearly", ends[0] if first == last else "/".join(ends)


def _day(one: _Property, title: str) -> date:
    try:
        return datetime.strptime(one.value, "%Y%m%d").date()  # noqa: DTZ007 -- a civil day
    except ValueError:
        raise _complaint(title, one.line, f"{one.name} {one.value!r} is no day") from None


def _moment(one: _Property, title: str) -> str:
    """With an offset when the file says one, else on the clocks of the zone of each job."""
    match = _TIME.fullmatch(one.value)
    try:
        if match is None:
            raise ValueError
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007 -- zone follows
    except ValueError:
        raise _complaint(title, one.line, f"{one.name} {one.value!r} is no time") from None
    if match[2]:
        return f"{moment.isoformat()}Z"
    if "TZID" not in one.parameters:
        return moment.isoformat()
    try:
        return moment.replace(tzinfo=ZoneInfo(one.parameters["TZID"])).isoformat()
    except (ZoneInfoNotFoundError, ValueError):
        message = f"TZID {one.parameters['TZID']!r} is no IANA time zone"
        raise _complaint(title, one.line, message) from None


def _complaint(title: str, line: int, message: str) -> Unreadable:
    return Unreadable(f"{title}, line {line}: {message}")
