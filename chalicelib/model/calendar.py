"""A calendar: the days and times at which the jobs that name it do not fire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chalicelib.model.document import Document
from chalicelib.model.instants import FIRST_YEAR, LAST_YEAR, read_moment

LONGEST_SPAN = timedelta(days=366)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH_DAY = re.compile(r"\d\d-\d\d", re.ASCII)


def civil_dates(text: str) -> tuple[date, date]:
    """The first and the last day of ``2026-12-25`` or ``2026-12-24/2026-12-26``.

    Raises:
        ValueError: it is neither, or not in the years 1970 to 2199.
    """
    first_text, slash, last_text = text.partition("/")
    first = _civil_date(first_text, text)
    last = _civil_date(last_text, text) if slash else first
    if last < first:
        raise ValueError(f"{text!r} ends before it begins; the earlier day comes first")
    return first, last


def month_days(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last (month, day) of ``12-25`` or ``12-24/12-26``.

    Raises:
        ValueError: it is neither.
    """
    first_text, slash, last_text = text.partition("/")
    first = _month_day(first_text, text)
    last = _month_day(last_text, text) if slash else first
    if last < first:
        raise ValueError(f"{text!r} ends before it begins; write two, one up to 12-31")
    return first, last


def _civil_date(text: str, whole: str) -> date:
    hint = "write 2026-12-25 or 2026-12-24/2026-12-26"
    if _DATE.fullmatch(text) is None:
        raise ValueError(f"{whole!r} is no date; {hint}")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{whole!r} is no date: there is no {text}; {hint}") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"{whole!r} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _month_day(text: str, whole: str) -> tuple[int, int]:
    if _MONTH_DAY.fullmatch(text):
        try:
            day = date.fromisoformat(f"2000-{text}")
        except ValueError:
            pass
        else:
            return day.month, day.day
    raise ValueError(f"{whole!r} is no day of a year; write 12-25, the month first")


def span_ends(text: str) -> tuple[str, str]:
    """Both ends of ``2026-12-24T12:00:00/2026-12-24T18:00:00``, each as an instant is written.

    Raises:
        ValueError: it is no such text, or lasts more than 366 days.
    """
    first, slash, last = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} has one end; write 2026-12-24T12:00:00/2026-12-24T18:00:00")
    begin, end = read_moment(first), read_moment(last)
    if (begin.tzinfo is None) != (end.tzinfo is None):
        raise ValueError(f"{text!r} says the offset of one end only; write both or none")
    if begin.microsecond or end.microsecond:
        raise ValueError(f"{text!r} is not in whole seconds; leave out the fractions")
    if end <= begin:
        raise ValueError(f"{text!r} ends before it begins; the earlier time comes first")
    if end - begin > LONGEST_SPAN:
        raise ValueError(f"{text!r} is longer than 366 days; write whole days under dates")
    return first, last


def _checked_date(text: str) -> str:
    civil_dates(text)
    return text


def _checked_month_day(text: str) -> str:
    month_days(text)
    return text


def _checked_span(text: str) -> str:
    span_ends(text)
    return text


Weekday = Literal["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class Calendar(Document):
    """When jobs that name it do not fire; all of it on the clocks of the zone of each job."""

    description: str = Field("", max_length=2000)
    dates: tuple[Annotated[str, AfterValidator(_checked_date)], ...] = Field(
        (),
        strict=False,
        max_length=2000,
        description="Whole days, or ranges of them with both ends",
        examples=[["2026-12-25", "2026-12-24/2026-12-26"]],
    )
    weekdays: tuple[Weekday, ...] = Field(
        (),
        strict=False,
        max_length=7,
        description="Whole days of every week",
        examples=[["SAT", "SUN"]],
    )
    yearly: tuple[Annotated[str, AfterValidator(_checked_month_day)], ...] = Field(
        (),
        strict=False,
        max_length=366,
        description="Whole days of every year, or ranges, the month first",
        examples=[["12-25", "12-24/12-26"]],
    )
    spans: tuple[Annotated[str, AfterValidator(_checked_span)], ...] = Field(
        (),
        strict=False,
        max_length=1000,
        description="Parts of days, up to 366 days each; the end is not in it",
        examples=[["2026-12-24T12:00:00/2026-12-24T18:00:00"]],
    )
    cron: str | None = Field(
        None,
        max_length=1000,
        description="Every second that this Quartz expression names",
        examples=["* * 0-7,18-23 ? * *"],
    )

    def to_json(self) -> str:
        return self.model_dump_json(exclude_unset=True)


NamedCalendars = tuple[tuple[str, Calendar], ...]
"""The calendars that a definition names, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalendar:
    """A calendar of an owner. ``edit`` is its ETag; times are UTC milliseconds."""

    owner: str
    name: str
    document_json: str
    edit: int = 1
    created_ms: int
    created_by: str
    modified_ms: int
    modified_by: str

    @property
    def calendar(self) -> Calendar:
        return read_calendar(self.document_json)


def snapshot(calendars: Iterable[StoredCalendar]) -> str | None:
    """What a job keeps of the calendars that it names: their documents by name; None for no calendars."""
    found = {one.name: json.loads(one.document_json) for one in calendars}
    return json.dumps(found) if found else None


@lru_cache(maxsize=1024)
def read_snapshot(text: str | None, names: tuple[str, ...]) -> NamedCalendars:
    """The calendars of a snapshot, in the order of the names."""
    if text is None:
        return ()
    found = json.loads(text)
    return tuple((name, Calendar.model_validate(found[name])) for name in names)


@lru_cache(maxsize=1024)
def read_calendar(text: str) -> Calendar:
    """A stored document, parsed once a process."""
    return Calendar.model_validate_json(text)
