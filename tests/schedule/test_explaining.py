"""Explanations: words, warnings, clock changes, and the same schedule in EventBridge's words."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from chalicelib.model.instants import TZDATA_VERSION
from chalicelib.model.schedule import Schedule
from chalicelib.schedule import Explanation, explain
from chalicelib.schedule.cron import Cron
from chalicelib.schedule.cron_dialects import parse_eventbridge
from chalicelib.schedule.cron_parser import parse_quartz
from chalicelib.schedule.spelling import in_eventbridge, in_quartz
from tests.schedule.expressions import expression

FEBRUARY_2026 = 1_770_000_000_000
BERLIN: dict[str, Any] = {"timezone": "Europe/Berlin"}


def explained(**written: Any) -> Explanation:
    return explain(Schedule.model_validate(written), after_ms=FEBRUARY_2026, count=60)


DESCRIPTIONS = [
    ("0 30 2 ? * MON-FRI", "At 02:30 on Monday to Friday"),
    ("0 0 9,17 * * ?", "At 09:00 and 17:00 every day"),
    ("15 0 0 1 1 ?", "At 00:00:15 on day 1 of the month in January"),
    ("* * * * * ?", "Every second"),
    ("*/5 * * * * ?", "Every 5 seconds"),
    ("5 * * * * ?", "At second 5 of every minute"),
    ("0 * * * * ?", "Every minute"),
    ("0 0/15 * * * ?", "Every 15 minutes"),
    ("0 30 * * * ?", "At minute 30 of every hour"),
    ("0 */10 9-17 ? * 2-6", "Every 10 minutes in hours 9 to 17 on Monday to Friday"),
    ("0 0 18 L * ?", "At 18:00 on the last day of the month"),
    ("0 0 18 LW * ?", "At 18:00 on the last weekday of the month"),
    ("0 0 18 L-1 * ?", "At 18:00 on the day 1 day before the last of the month"),
    ("0 0 18 15W * ?", "At 18:00 on the weekday nearest to day 15"),
    ("0 0 12 ? FEB,MAR FRIL", "At 12:00 on the last Friday of the month in February and March"),
    ("0 0 12 ? * MON#2 2027", "At 12:00 on the second Monday of the month in 2027"),
]


@pytest.mark.parametrize(("cron", "words"), DESCRIPTIONS)
def test_crons_in_words(cron: str, words: str) -> None:
    assert explained(cron=cron, **BERLIN).description == f"{words}, by the clocks of Europe/Berlin"


def test_other_schedules_in_words() -> None:
    start = {"start": "2026-03-01T06:00:00", **BERLIN}
    since = "counted from 2026-03-01T06:00:00+01:00"
    assert explained(every="PT90M", **start).description == f"Every PT90M in absolute time, {since}"
    assert explained(frequency="QUARTERLY", **start).description == (
        f"Every three months, {since}, by the clocks of Europe/Berlin"
    )
    assert explained(at="2026-03-29T02:30:00", **BERLIN).description == (
        "Once, at 2026-03-29T03:30:00+02:00, by the clocks of Europe/Berlin"
    )
    unix = explained(cron="*/10 9-17 * * 1-5", dialect="unix")
    assert "(0 0/10 9-17 ? * MON-FRI in Quartz)" in unix.description
    rate = explained(cron="rate(36 hours)", dialect="eventbridge", start="2026-03-01T06:00:00Z")
    assert rate.description.startswith("Every 36 hours in absolute time, counted from 2026-03-01")


WARNINGS: list[tuple[dict[str, Any], str]] = [
    ({"cron": "0 0 0 31 * ?"}, "31 skips the months that have no such day; L is the last day of each month"),
    ({"cron": "0 0 0 30W * ?"}, "30 skips the months that have no such day"),
    ({"cron": "0 0 0 29 2 ?"}, "29 February comes in leap years only; L 2 is the last day of each February"),
    ({"cron": "0 0 0 L-30 * ?"}, "L-30 skips the months that have fewer than 31 days"),
    ({"cron": "0 0 0 ? * FRI#5"}, "#5 skips the months that have that weekday only four times"),
    ({"cron": "0 0/45 * * * ?"}, "every 45 minutes starts anew after 45: the last step is 15 minutes"),
    ({"cron": "0 0 13 * 5", "dialect": "unix"}, "Unix: a day is meant when day of month or day of week"),
    ({"frequency": "MONTHLY", "start": "2026-01-31"}, "day 31 becomes the last day of the months"),
    ({"every": "P7D", **BERLIN}, "days of 24 hours move on the clocks of the zone when these change"),
    ({"at": "2026-01-01"}, "2026-01-01 is past: the job fires once, at once"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "warning"), WARNINGS)
def test_warnings(written: dict[str, Any], warning: str) -> None:
    (found,) = explained(**written).warnings
    assert found.startswith(warning)


@pytest.mark.parametrize(
    "written",
    [
        {"cron": "0 0 0 28-31 * ?"},
        {"cron": "0 0 0 31 1,3 ?"},
        {"cron": "0 0 0 L * ?"},
        {"cron": "0 0/15 * * * ?"},
        {"cron": "0 0 0 L-27 * ?"},
        {"cron": "0 5/10 9-17 * * ?"},
        {"every": "P1D"},
        {"frequency": "WEEKLY", "start": "2026-01-31"},
    ],
)
def test_nothing_is_said_about_schedules_that_do_what_they_say(written: dict[str, Any]) -> None:
    assert explained(**written).warnings == ()


CHANGES: list[tuple[dict[str, Any], str | None]] = [
    ({"cron": "0 30 2 * * ?"}, "02:30 fires at 03:30"),
    (
        {"cron": "0 30 2 * * ?", "dst_gap": "skip"},
        "the clocks skip 02:30, and so does the schedule",
    ),
    ({"cron": "0 0/20 * * * ?"}, "the clocks skip 02:00, 02:20, 02:40; absolute time goes on"),
    ({"cron": "0 30 2 * 5-12 ?"}, "the clocks show 02:30 twice; the first fires"),
    ({"cron": "0 30 2 * 5-12 ?", "dst_overlap": "both"}, "the clocks show 02:30 twice; both fire"),
    ({"cron": "0 30 2 ? * MON-FRI"}, None),
    ({"frequency": "DAILY", "start": "2026-01-01T02:15:00"}, "02:15 fires at 03:15"),
    ({"frequency": "DAILY", "start": "2026-01-01T02:15:00", "end": "2026-03-01"}, None),
    ({"every": "P1D"}, "absolute time goes on; local times are 1 h later from then on"),
    ({"at": "2026-03-29T02:30:00"}, None),
]


@pytest.mark.parametrize(("written", "effect"), CHANGES)
def test_the_next_clock_change_that_touches_the_schedule(
    written: dict[str, Any], effect: str | None
) -> None:
    change = explained(**written, **BERLIN).next_clock_change
    assert (change and change["effect"]) == effect


def test_a_clock_change_says_when_and_how() -> None:
    change = explained(cron="0 0 3 * * ?", timezone="America/Sao_Paulo").next_clock_change
    assert change is None
    change = explained(cron="0 30 2 * * ?", **BERLIN).next_clock_change
    assert change == {
        "time": "2026-03-29T01:00:00Z",
        "local": "2026-03-29T03:00:00+02:00",
        "clocks": "forward from 02:00 to 03:00",
        "effect": "02:30 fires at 03:30",
    }


def test_odd_times_carry_a_note() -> None:
    notes = {fire.local: fire.note for fire in explained(cron="0 30 2 * * ?", **BERLIN).fires}
    assert {local: note for local, note in notes.items() if note} == {
        "2026-03-29T03:30:00+02:00": "moved from 02:30, which the clocks skip"
    }
    autumn = Schedule(cron="0 30 2 * * ?", timezone="Europe/Berlin", dst_overlap="both")
    found = explain(autumn, after_ms=1_792_800_000_000, count=4).fires
    assert [fire.note for fire in found] == [
        None,
        "the first of two 02:30",
        "the second of two 02:30",
        None,
    ]


EQUIVALENTS: list[tuple[dict[str, Any], str | None]] = [
    ({"cron": "0 30 2 ? * MON-FRI"}, "cron(30 2 ? * MON-FRI *)"),
    ({"cron": "0 0 22-2 ? * FRI-MON"}, "cron(0 0-2,22,23 ? * SUN,MON,FRI,SAT *)"),
    ({"cron": "0 0/15 * * * ?"}, "cron(0/15 * * * ? *)"),
    ({"cron": "0 0 0 L * ? 2027"}, "cron(0 0 L * ? 2027)"),
    ({"cron": "0 0 0 ? * FRIL"}, "cron(0 0 ? * 6L *)"),
    ({"cron": "30 0 0 * * ?"}, None),
    ({"cron": "0 0 0 L-2 * ?"}, None),
    ({"cron": "0 0 0 LW * ?"}, None),
    ({"cron": "0 0 13 * 5", "dialect": "unix"}, None),
    ({"every": "PT90M"}, "rate(90 minutes)"),
    ({"every": "PT1H"}, "rate(1 hour)"),
    ({"every": "PT90S"}, None),
    ({"frequency": "DAILY", "start": "2026-01-01T06:30:00"}, "cron(30 6 * * ? *)"),
    ({"frequency": "WEEKLY", "start": "2026-01-01T06:30:00"}, "cron(30 6 ? * THU *)"),
    ({"frequency": "MONTHLY", "start": "2026-01-28T06:30:00"}, "cron(30 6 28 * ? *)"),
    ({"frequency": "MONTHLY", "start": "2026-01-31T06:30:00"}, "cron(30 6 L * ? *)"),
    ({"frequency": "MONTHLY", "start": "2026-01-30T06:30:00"}, None),
    ({"frequency": "QUARTERLY", "start": "2026-11-15T06:30:00"}, "cron(30 6 15 2,5,8,11 ? *)"),
    ({"frequency": "YEARLY", "start": "2024-02-29T06:30:00"}, "cron(30 6 L 2 ? *)"),
    ({"frequency": "YEARLY", "start": "2023-02-28T06:30:00"}, "cron(30 6 28 2 ? *)"),
    ({"at": "2026-12-24T18:00:00"}, "at(2026-12-24T18:00:00)"),
]


@pytest.mark.parametrize(("written", "equivalent"), EQUIVALENTS)
def test_eventbridge_equivalents(written: dict[str, Any], equivalent: str | None) -> None:
    assert explained(**written).eventbridge == equivalent


def test_what_is_spelled_means_the_same() -> None:
    chance = Random(7)
    for _ in range(3000):
        cron = parse_quartz(expression(chance))
        spelled = in_quartz(cron)
        assert spelled is not None
        again = parse_quartz(spelled)
        theirs = in_eventbridge(cron)
        for other in [again, *([parse_eventbridge(theirs)] if theirs else [])]:
            assert isinstance(other, Cron)
            assert parts(other) == parts(cron), (spelled, theirs)


def parts(cron: Cron) -> tuple[object, ...]:
    return cron.seconds, cron.minutes, cron.hours, cron.rule


def test_the_zone_database_is_named() -> None:
    assert explained(every="PT1H").tzdata == TZDATA_VERSION
