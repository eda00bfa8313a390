"""The rule at the end of a zone's file, which says how its clocks change for ever after (POSIX ``TZ``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.schedule.civil import DAY, day_number, is_leap, month_length, weekday

_NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)"
_TIME = r"[+-]?\d{1,3}(?::\d\d(?::\d\d)?)?"
_RULE = re.compile(
    rf"{_NAME}(?P<standard>{_TIME})"
    rf"(?:{_NAME}(?P<summer>{_TIME})?,(?P<begin>[^,/]+)(?:/(?P<begin_time>{_TIME}))?"
    rf",(?P<end>[^,/]+)(?:/(?P<end_time>{_TIME}))?)?"
)


@dataclass(frozen=True, slots=True)
class PosixRule:
    """Seconds east of UTC, and the two days of each year at which they change, with local seconds."""

    standard: int
    summer: int
    begin: tuple[str, int]
    end: tuple[str, int]


def parse_rule(text: str) -> PosixRule | None:
    """None when the clocks do not change any more.

    Raises:
        ValueError: it is no such rule.
    """
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no rule of a time zone")
    if match["begin"] is None:
        return None
    standard = -_seconds(match["standard"])
    summer = -_seconds(match["summer"]) if match["summer"] else standard + 3600
    begin = (match["begin"], _seconds(match["begin_time"] or "2"))
    return PosixRule(standard, summer, begin, (match["end"], _seconds(match["end_time"] or "2")))


def changes_in(rule: PosixRule, year: int) -> list[tuple[int, int]]:
    """The two changes of a year, in order: UTC second and the offset from then on."""
    begin = _day(rule.begin[0], year) * DAY + rule.begin[1] - rule.standard
    end = _day(rule.end[0], year) * DAY + rule.end[1] - rule.summer
    return sorted([(begin, rule.summer), (end, rule.standard)])


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [*map(int, text.lstrip("+-").split(":")), 0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def _day(text: str, year: int) -> int:
    """Day number of ``M3.5.0`` (the last Sunday of March), ``J60`` (never 29 February) or ``59``."""
    if text.startswith("M"):
        month, week, wanted = map(int, text[1:].split("."))
        first = day_number(year, month, 1)
        day = (wanted - weekday(first)) % 7 + 7 * (week - 1)
        return first + (day if day < month_length(year, month) else day - 7)
    first = day_number(year, 1, 1)
    if text.startswith("J"):
        day = int(text[1:])
        return first + day - 1 + (is_leap(year) and day >= 60)
    return first + int(text)
