"""What is refused, and with which words: the place, the value, and what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.model.errors import InvalidInput, Problem
from tests.schedule.asking import timetable

CRONS = [
    (
        "0 0 12 ? * \u017fun",
        '"\u017fun" in day of week is not a number, a name, a range or L or # (character 12)',
    ),
    (
        "0 0 12 1x * ?",
        '"1x" in day of month is not a number, a range or W (character 8); write 1 to 31',
    ),
    ("0 61 12 * * ?", '"61" in minute is out of range (character 3); the minute is 0 to 59'),
    (
        "0 0 12 ? * MON-6",
        '"MON-6" in day of week mixes a name and a number (character 12); write 2-6',
    ),
    (
        "0 0 12 1 JAN-JUN/2 ?",
        "steps through names, which Quartz ignores (character 10); write 1-6/2",
    ),
    ("0 0 12 1 JAN/3 ?", "steps from a name, which Quartz ignores (character 10); write 1/3"),
    (
        "0 */0 12 * * ?",
        '"*/0" in minute has a step of 0 (character 3); a step of the minute is 1 to 59',
    ),
    (
        "0 0 12 1,,2 * ?",
        "has a comma with nothing beside it (character 8); write one value between",
    ),
    (
        "0 0 12 L-0 * ?",
        '"L-0" in day of month counts 0 days back (character 8); write L, or L-1 to L-30',
    ),
    (
        "0 0 12 ? * 2#6",
        "asks for number 6 of its weekday in a month (character 12); write #1 to #5",
    ),
    (
        "0 0 12 1 1 ? 2030-2026",
        "is a range that ends before it begins (character 14); write 2026-2030",
    ),
    ("0 0 12 * * *", "names the day of month and the day of week; write ? for the day of week"),
    (
        "*/5 * * * *",
        "has 5 fields, and Quartz has 6 or 7, the second first; say dialect: unix, or put 0",
    ),
    (
        "@daily",
        '"@daily" is no expression (character 1); write frequency: DAILY, or six fields of cron',
    ),
    ("", "is empty; write six fields: second, minute, hour, day of month, month, day of week"),
]


@pytest.mark.parametrize(("expression", "complaint"), CRONS)
def test_a_cron_says_where_and_what_instead(expression: str, complaint: str) -> None:
    (problem,) = problems(cron=expression)
    assert (problem.field, problem.value) == ("schedule.cron", expression)
    assert problem.message.startswith(f"{expression}: ")
    assert complaint in problem.message


UNIX = [
    (
        "0 12 * * * *",
        "has 6 fields, and Unix has 5: minute, hour, day of month, month, day of week; leave",
    ),
    ("@daily", '"@daily" is a nickname (character 1); write 0 0 * * *'),
    ("5/15 * * * *", '"5/15" in minute steps from a single value (character 1); write 5-59/15'),
    ("0 0 1 JAN/3 *", '"JAN/3" in month steps from a single value (character 7); write 1-12/3'),
    ("0 22-2 * * *", "ends before it begins (character 3); write two ranges: 22-23,0-2"),
    ("0 0 L * *", '"L" in day of month is not a number or a range (character 5); write 1 to 31'),
    ("0 0 ? * 1", '"?" in day of month is not a number or a range (character 5); write 1 to 31'),
    ("0 0 * * MON#1", '"MON#1" in day of week is not a number, a name or a range (character 9)'),
]


@pytest.mark.parametrize(("expression", "complaint"), UNIX)
def test_unix_is_unix(expression: str, complaint: str) -> None:
    (problem,) = problems(cron=expression, dialect="unix")
    assert complaint in problem.message


EVENTBRIDGE = [
    (
        "0 12 * * ? *",
        "is not EventBridge's cron(…) or rate(…); write cron(0 6 ? * MON-FRI *) or rate",
    ),
    ("cron(0 12 * * ?)", "has 5 fields, and EventBridge has 6: minute, hour, day of month, month"),
    ("cron(0 25 * * ? *)", '"25" in hour is out of range (character 8); the hour is 0 to 23'),
    ("rate(1 minutes)", '"1 minutes" is no rate; write rate(1 minute)'),
    (
        "rate(0 minutes)",
        '"0 minutes" is no rate; write a number and minutes, hours or days, as in rate',
    ),
]


@pytest.mark.parametrize(("expression", "complaint"), EVENTBRIDGE)
def test_eventbridge_is_eventbridge(expression: str, complaint: str) -> None:
    (problem,) = problems(cron=expression, dialect="eventbridge")
    assert complaint in problem.message


def test_everything_wrong_is_said_at_once() -> None:
    found = problems(cron="x 0 25 * * ?", timezone="Europe/Berln", start="soon", end="2026-02-30")
    assert [problem.field for problem in found] == [
        "schedule.timezone",
        "schedule.cron",
        "schedule.cron",
        "schedule.start",
        "schedule.end",
    ]
    assert "did you mean Europe/Berlin" in found[0].message


WHOLE = [
    ({}, "schedule", "says no time; exactly one of frequency, cron, every and at says when"),
    (
        {"every": "PT1H", "at": "2026-01-01"},
        "schedule",
        "has every and at; exactly one of frequency, cron, every and at says when",
    ),
    (
        {"every": "PT1H", "dialect": "unix"},
        "schedule.dialect",
        "is the grammar of cron, and there is no cron",
    ),
    (
        {"every": "PT0.5S"},
        "schedule.every",
        "'PT0.5S' is not in whole seconds; leave out the fraction",
    ),
    (
        {"every": "P1M"},
        "schedule.every",
        "'P1M' is no duration; months and years have no fixed length",
    ),
    (
        {"every": "PT1H", "start": "2026-01-02", "end": "2026-01-02"},
        "schedule.end",
        "nothing fires from 2026-01-02T00:00:00Z until before 2026-01-02T00:00:00Z; write a later end",
    ),
    (
        {"cron": "0 0 0 30 2 ?", "start": "2026-01-01"},
        "schedule.cron",
        "0 0 0 30 2 ? never fires from 2026-01-01T00:00:00Z until before the end of 2199",
    ),
    (
        {"cron": "0 0 0 1 * ?", "start": "2026-01-02", "end": "2026-01-31"},
        "schedule.cron",
        "0 0 0 1 * ? never fires from 2026-01-02T00:00:00Z until before 2026-01-31T00:00:00Z",
    ),
    (
        {"at": "2026-03-29T02:30:00", "timezone": "Europe/Berlin", "dst_gap": "skip"},
        "schedule.at",
        "'2026-03-29T02:30:00' is a time that the clocks of Europe/Berlin skip; say dst_gap: shift",
    ),
    (
        {"every": "PT1H", "start": "1969-12-31"},
        "schedule.start",
        "'1969-12-31' is not in the years 1970 to 2199",
    ),
    ({"at": "2200-01-01"}, "schedule.at", "'2200-01-01' is not in the years 1970 to 2199"),
]


@pytest.mark.parametrize(("written", "field", "message"), WHOLE)
def test_a_schedule_is_refused_in_words(written: dict[str, str], field: str, message: str) -> None:
    (problem,) = problems(**written)
    assert problem.field == field
    assert message in problem.message


def problems(**written: Any) -> list[Problem]:
    with pytest.raises(InvalidInput) as caught:
        timetable(1_767_225_600_000, **written)
    return list(caught.value.problems)
