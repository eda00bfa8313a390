"""Cron expressions as text: the Quartz grammar, and what every grammar shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from chalicelib.model.instants import FIRST_YEAR
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_days import DayRule, DayTable, MonthDays, WeekDays, table_of
from chalicelib.schedule.cron_fields import (
    DAYS,
    HOURS,
    MINUTES,
    MONTH,
    SECONDS,
    WEEKDAY,
    YEAR,
    Field,
    FieldError,
    every_value,
    values_of,
)

T = TypeVar("T")
_WORD = re.compile(r"[^ \t\r\n]+")
_BEFORE_LAST = re.compile(r"L(?:-(\d{1,2}))?(W?)", re.ASCII)
_NEAREST = re.compile(r"(\d{1,2})W", re.ASCII)
_LAST_WEEKDAY = re.compile(r"([1-7]|[A-Z]{3})L", re.ASCII)
_NTH_WEEKDAY = re.compile(r"([1-7]|[A-Z]{3})#(\d)", re.ASCII)


class CronError(ValueError):
    """All that is wrong with an expression, each as a sentence that begins with the expression."""

    def __init__(self, expression: str, complaints: Sequence[str]) -> None:
        super().__init__("; ".join(complaints))
        self.messages = tuple(f"{expression}: {complaint}" for complaint in complaints)


class Fields:
    """The fields of an expression, parted by blanks, tabs and line ends only; ``offset`` precedes it."""

    __slots__ = ("_offset", "_text", "texts")

    def __init__(self, text: str, offset: int = 0) -> None:
        self.texts: list[str] = _WORD.findall(text)
        self._text, self._offset = text, offset

    def __len__(self) -> int:
        return len(self.texts)

    def position(self, index: int) -> int:
        """Where a field begins; 1 is the first character."""
        begin = [match.start() for match in _WORD.finditer(self._text)][index]
        return self._offset + begin + 1


@lru_cache(maxsize=4096)
def parse_quartz(expression: str) -> Cron:
    """Six fields, or seven with the year: second, minute, hour, day of month, month, day of week, year.

    Raises:
        CronError: something is not understood; all of it is named.
    """
    try:
        texts = _WORD.findall(expression.upper() if expression.isascii() else expression)
        second, minute, hour, month_day, month, week_day, *year = texts
        return Cron(
            values_of(SECONDS, second),
            values_of(MINUTES, minute),
            values_of(HOURS, hour),
            days_of(month_day, month, week_day, *year),
        )
    except (TypeError, ValueError):
        raise CronError(expression, _complaints(expression)) from None


@lru_cache(maxsize=4096)
def days_of(month_day: str, month: str, week_day: str, year: str = "*") -> DayTable:
    """The days that four fields name, in upper case; expressions share what they have in common.

    Raises:
        ValueError: one is not understood, or not exactly one of the two day fields is a question mark.
    """
    if (month_day == "?") == (week_day == "?"):
        raise ValueError(_both_days(month_day, week_day))
    month_days, week_days = month_days_of(DAYS, month_day), week_days_of(WEEKDAY, week_day)
    rule = DayRule(
        values_of(MONTH, month),
        values_of(YEAR, year) >> FIRST_YEAR,
        None if isinstance(month_days, str) else month_days,
        None if isinstance(week_days, str) else week_days,
    )
    return table_of(rule)


def _complaints(expression: str) -> list[str]:
    """What was refused is read again, slowly, to say all that is wrong with it and where."""
    fields = Fields(expression)
    if len(fields) not in (6, 7):
        return [_wrong_count(fields)]
    complaints: list[str] = []
    for index, field in enumerate((SECONDS, MINUTES, HOURS)):
        read(values_of, field, fields, index, complaints)
    check_days(fields, 3, complaints)
    return complaints


def check_days(fields: Fields, first: int, complaints: list[str]) -> None:
    """Day of month, month, day of week and perhaps year, from that field on."""
    read(month_days_of, DAYS, fields, first, complaints)
    read(values_of, MONTH, fields, first + 1, complaints)
    read(week_days_of, WEEKDAY, fields, first + 2, complaints)
    if len(fields) > first + 3:
        read(values_of, YEAR, fields, first + 3, complaints)
    month_day, week_day = fields.texts[first], fields.texts[first + 2]
    if (month_day == "?") == (week_day == "?"):
        complaints.append(_both_days(month_day, week_day))


@lru_cache(maxsize=4096)
def month_days_of(field: Field, text: str) -> MonthDays | str:
    """``"*"`` for any day.

    Raises:
        FieldError: it is no list, range or step of days, nor one of L, L-3, LW, L-3W and 15W.
    """
    if text in ("*", "?"):
        return "*"
    if "?" in text:
        raise FieldError(text, "has a ? that is not alone", "write ? and nothing else")
    match = _BEFORE_LAST.fullmatch(text)
    if match is not None:
        return _before_last(text, match)
    match = _NEAREST.fullmatch(text)
    if match is not None and 1 <= int(match[1]) <= 31:
        return MonthDays(1 << int(match[1]), nearest_weekday=True)
    if "W" in text or "L" in text:
        raise FieldError(text, *_bad_letter(text))
    days = values_of(field, text)
    return "*" if days == every_value(field) else MonthDays(days)


def _before_last(text: str, match: re.Match[str]) -> MonthDays:
    if match[1] is not None and not 1 <= int(match[1]) <= 30:
        raise FieldError(text, f"counts {match[1]} days back", f"write L{match[2]}, or L-1 to L-30")
    return MonthDays(before_last=int(match[1] or 0), nearest_weekday=bool(match[2]))


def _bad_letter(text: str) -> tuple[str, str]:
    if "W" not in text:
        return "is not a lone L or L-3", "L and L-3 stand alone, not in a list, range or step"
    if re.fullmatch(r"\d+W", text, re.ASCII):
        return "is out of range", "write 1W to 31W"
    return (
        "does not put W after one day",
        "W stands after one day and not in a list or range: 15W, LW, L-3W",
    )


@lru_cache(maxsize=4096)
def week_days_of(field: Field, text: str) -> WeekDays | str:
    """``"*"`` for any day.

    Raises:
        FieldError: it is no list, range or step of weekdays, nor one of L, 6L, FRIL, 2#1 and MON#5.
    """
    if text in ("*", "?"):
        return "*"
    if "?" in text:
        raise FieldError(text, "has a ? that is not alone", "write ? and nothing else")
    if text == "L":
        return WeekDays(1 << 6)
    match = _LAST_WEEKDAY.fullmatch(text)
    if match is not None:
        return WeekDays(values_of(field, match[1]) >> 1, -1)
    match = _NTH_WEEKDAY.fullmatch(text)
    if match is not None:
        return _nth(field, text, match)
    if "#" in text:
        raise FieldError(
            text, "does not put # between one weekday and 1 to 5", "write MON#1 or 2#1, alone"
        )
    if "L" in text or "W" in text.replace("WED", ""):
        raise FieldError(text, *_bad_weekday(text))
    days = values_of(field, text)
    return "*" if days == every_value(field) else WeekDays(days >> 1)


def _nth(field: Field, text: str, match: re.Match[str]) -> WeekDays:
    if not 1 <= int(match[2]) <= 5:
        raise FieldError(
            text, f"asks for number {match[2]} of its weekday in a month", "write #1 to #5"
        )
    return WeekDays(values_of(field, match[1]) >> 1, int(match[2]))


def _bad_weekday(text: str) -> tuple[str, str]:
    if "W" in text:
        return "has a W", "W belongs to the day of month, as in 15W"
    return (
        "does not put L after one weekday",
        "write FRIL or 6L, alone, for the last Friday of the month",
    )


def read(
    reader: Callable[[Field, str], T],
    field: Field,
    fields: Fields,
    index: int,
    complaints: list[str],
) -> T | None:
    """What the reader makes of a field; None, and a complaint, if it refuses it."""
    text = fields.texts[index]
    try:
        return reader(field, text.upper() if text.isascii() else text)
    except FieldError as error:
        shown = text[error.offset : error.offset + len(error.text)]
        where = f"(character {fields.position(index) + error.offset})"
        remedy = f"; {error.remedy}" if error.remedy else ""
        complaints.append(f'"{shown}" in {field.name} {error.complaint} {where}{remedy}')
        return None


def counted(fields: Fields) -> str:
    return f"{len(fields)} field{'s' * (len(fields) != 1)}"


def _wrong_count(fields: Fields) -> str:
    if not fields:
        return "is empty; write six fields: second, minute, hour, day of month, month, day of week"
    first = fields.texts[0]
    if first.startswith("@"):
        return f'"{first}" is no expression (character 1); write frequency: DAILY, or six fields of cron'
    if len(fields) == 5:
        return (
            "has 5 fields, and Quartz has 6 or 7, the second first; "
            "say dialect: unix, or put 0 before them and ? for one of the days"
        )
    extra = (
        f' from "{fields.texts[7]}" on (character {fields.position(7)})' if len(fields) > 7 else ""
    )
    return (
        f"has {counted(fields)}{extra}, and Quartz has 6 or 7; write "
        "second, minute, hour, day of month, month, day of week, and perhaps year"
    )


def _both_days(month_day: str, week_day: str) -> str:
    if month_day == "?":
        return "has ? in day of month and in day of week; write * in one of them for any day"
    if week_day == "*":
        return "names the day of month and the day of week; write ? for the day of week"
    if month_day == "*":
        return "names the day of month and the day of week; write ? for the day of month"
    return "names the day of month and the day of week; write ? for one of them, or make two jobs"
