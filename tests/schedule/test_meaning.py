"""What the parts of a schedule mean, one example each."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.model.instants import format_local
from chalicelib.model.schedule import Frequency, Schedule
from chalicelib.schedule import compile_schedule, fires, fires_before, with_start
from tests.schedule.asking import timetable

NEW_YEAR_2026 = 1_767_225_600_000
BERLIN: dict[str, Any] = {"timezone": "Europe/Berlin"}


def shown(count: int, **written: Any) -> list[str]:
    """The first so many times, as the clocks of the zone show them."""
    table = timetable(NEW_YEAR_2026, **written)
    return [format_local(at, table.zone) for at in islice(fires(table, -1), count)]


MEANINGS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"frequency": "MONTHLY", "start": "2026-01-31T18:00:00", **BERLIN},
        ["2026-01-31T18:00:00+01:00", "2026-02-28T18:00:00+01:00", "2026-03-31T18:00:00+02:00"],
    ),
    (
        {"frequency": "YEARLY", "start": "2024-02-29"},
        ["2024-02-29T00:00:00+00:00", "2025-02-28T00:00:00+00:00"],
    ),
    (
        {"frequency": "DAILY", "start": "2026-03-28T02:30:00", **BERLIN},
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"],
    ),
    (
        {"frequency": "DAILY", "start": "2026-03-28T02:30:00", "dst_gap": "skip", **BERLIN},
        ["2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00"],
    ),
    (  # a start that does not exist is still the time that was written
        {"frequency": "DAILY", "start": "2026-03-29T02:30:00", **BERLIN},
        ["2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"],
    ),
    (  # a start with an offset is itself the first time
        {"frequency": "DAILY", "start": "2026-10-25T02:30:00+01:00", **BERLIN},
        ["2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"],
    ),
    (
        {"every": "P1D", "start": "2026-03-28T02:30:00", **BERLIN},
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T03:30:00+02:00"],
    ),
    (
        {"cron": "0 30 2 * * ?", "start": "2026-10-25", "dst_overlap": "both", **BERLIN},
        ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"],
    ),
    (  # two times that the gap throws together are one
        {"cron": "0 0 2,3 * * ?", "start": "2026-03-29", "end": "2026-03-30T03:00:00", **BERLIN},
        ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
    ),
    (
        {"cron": "0 0 10 * * ?", "start": "2011-12-29", "timezone": "Pacific/Apia"},
        ["2011-12-29T10:00:00-10:00", "2011-12-31T10:00:00+14:00", "2012-01-01T10:00:00+14:00"],
    ),
    (
        {"cron": "0 0 10 30 12 ?", "start": "2011-12-01", "timezone": "Pacific/Apia"},
        ["2011-12-31T10:00:00+14:00", "2012-12-30T10:00:00+14:00"],
    ),
    (
        {"cron": "0 30 2 * * ?", "start": "2026-10-04", "timezone": "Australia/Lord_Howe"},
        ["2026-10-04T02:30:00+11:00", "2026-10-05T02:30:00+11:00"],
    ),
    (
        {"cron": "0 9 * * 1", "dialect": "unix", "start": "2026-01-01"},
        ["2026-01-05T09:00:00+00:00", "2026-01-12T09:00:00+00:00"],
    ),
    (
        {"cron": "0 0 1 JAN-JUN/2 *", "dialect": "unix", "start": "2026-01-02"},
        ["2026-03-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"],
    ),
    (  # Unix: the 13th, and Fridays
        {"cron": "0 0 13 * 5", "dialect": "unix", "start": "2026-01-10"},
        ["2026-01-13T00:00:00+00:00", "2026-01-16T00:00:00+00:00", "2026-01-23T00:00:00+00:00"],
    ),
    (  # Unix: a field that begins with * names no day, so both must agree
        {"cron": "0 0 */2 * 0,7", "dialect": "unix", "start": "2026-01-01"},
        ["2026-01-11T00:00:00+00:00", "2026-01-25T00:00:00+00:00"],
    ),
    (
        {"cron": "cron(0 10 ? * 6L 2026-2027)"},
        ["2026-01-30T10:00:00+00:00", "2026-02-27T10:00:00+00:00"],
    ),
    (
        {"cron": "rate(90 minutes)", "dialect": "eventbridge", "start": "2026-01-01"},
        ["2026-01-01T00:00:00+00:00", "2026-01-01T01:30:00+00:00"],
    ),
    ({"at": "2020-02-03T04:05:06", **BERLIN}, ["2020-02-03T04:05:06+01:00"]),
    ({"at": "2026-03-29T02:30:00", **BERLIN}, ["2026-03-29T03:30:00+02:00"]),
    (
        {"at": "2026-10-25T02:30:00", "dst_overlap": "last", **BERLIN},
        ["2026-10-25T02:30:00+01:00"],
    ),
    (
        {"at": "2026-10-25T02:30:00", "dst_overlap": "both", **BERLIN},
        ["2026-10-25T02:30:00+02:00"],
    ),
]


@pytest.mark.parametrize(("written", "expected"), MEANINGS)
def test_meaning(written: dict[str, Any], expected: list[str]) -> None:
    assert shown(len(expected) + ("at" in written), **written) == expected


@pytest.mark.parametrize(
    ("hours", "day"), [(23, "2026-03-29"), (24, "2026-03-30"), (25, "2026-10-25")]
)
def test_an_hourly_cron_follows_absolute_time(hours: int, day: str) -> None:
    for cron in ("0 0 * * * ?", "0 0 0-23 * * ?", "0 0 */1 * * ?"):
        times = shown(26, cron=cron, start=day, **BERLIN)
        assert sum(time.startswith(day) for time in times) == hours


def test_a_missing_start_is_the_whole_second_of_submission_and_is_written_in() -> None:
    schedule = Schedule(frequency=Frequency.DAILY, timezone="Asia/Kolkata")
    written = with_start(schedule, NEW_YEAR_2026 + 1)
    assert written.start == "2026-01-01T05:30:01+05:30"
    table = compile_schedule(schedule, submitted_ms=NEW_YEAR_2026 + 1)
    assert table.start_ms == NEW_YEAR_2026 + 1000
    assert table == compile_schedule(written, submitted_ms=0)
    assert with_start(written, 5) is written


def test_at_starts_at_itself_so_that_it_fires_at_once_when_it_is_past() -> None:
    written = with_start(Schedule(at="2020-01-01T00:00:00Z"), NEW_YEAR_2026)
    table = compile_schedule(written, submitted_ms=NEW_YEAR_2026)
    assert list(fires(table, -1)) == list(fires_before(table, NEW_YEAR_2026)) == [table.start_ms]


def test_the_last_year_is_2199() -> None:
    table = timetable(every="P1D", start="2199-12-30T12:00:00Z")
    assert len(list(fires(table, 0))) == 2
    table = timetable(cron="0 0 12 * * ?", start="2199-12-30T00:00:00", **BERLIN)
    assert len(list(fires(table, 0))) == 2
    table = timetable(frequency="MONTHLY", start="2199-10-31T00:00:00", timezone="Pacific/Apia")
    assert len(list(fires(table, 0))) == 3


def test_the_document_takes_plain_strings_and_nothing_else() -> None:
    document = {"frequency": "DAILY", "dst_gap": "skip"}
    assert Schedule.model_validate(document).frequency is Frequency.DAILY
    assert Schedule.model_validate_json('{"frequency": "DAILY", "dst_gap": "skip"}') == Schedule(
        frequency=Frequency.DAILY, dst_gap="skip"
    )
    for wrong in ({"frequency": "HOURLY"}, {"cron": 5}, {"dst_gap": "move"}, {"tz": "UTC"}):
        with pytest.raises(ValidationError):
            Schedule.model_validate(wrong)
