"""What must hold for every schedule, zone and instant."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.instants import zone, zone_names
from chalicelib.model.schedule import Schedule
from chalicelib.schedule import Timetable, explain, fires, fires_before
from chalicelib.schedule.clock import clock_of
from chalicelib.schedule.tzif import offsets_of
from tests.schedule.asking import LONG_AGO, timetable
from tests.schedule.expressions import expression

ROOT = Path(__file__).parents[2]
YEAR_2200 = 7_258_118_400_000
GAPS = st.sampled_from(["shift", "skip"])
OVERLAPS = st.sampled_from(["first", "last", "both"])
LATER = st.integers(2 * 365 * 86_400_000, YEAR_2200)  # than any start here
INSTANTS = st.integers(0, YEAR_2200)
NAMES = st.sampled_from(sorted(zone_names()))


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    """Any kind of schedule that fires, in any zone."""
    written: dict[str, Any] = {
        "timezone": draw(NAMES),
        "start": LONG_AGO,
        "dst_gap": draw(GAPS),
        "dst_overlap": draw(OVERLAPS),
    }
    kind = draw(st.sampled_from(["cron", "cron", "frequency", "every"]))
    if kind == "cron":
        written["cron"] = expression(Random(draw(st.integers(0, 2**32))))
    elif kind == "every":
        written["every"] = f"PT{draw(st.integers(1, 10**7))}S"
    else:
        names = ["DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"]
        written["frequency"] = draw(st.sampled_from(names))
        days, seconds = draw(st.integers(1, 365)), draw(st.integers(0, 86_399))
        hour, rest = divmod(seconds, 3600)
        month, day = 1 + days % 12, 1 + days % 28
        written["start"] = f"1971-{month:02}-{day:02}T{hour:02}:{rest // 60:02}:{rest % 60:02}"
    try:
        return timetable(**written)
    except InvalidInput as error:
        if "never fires" not in str(error):
            raise
        return timetable(every="P1D", start=LONG_AGO)


@settings(max_examples=300, deadline=None)
@given(timetables(), INSTANTS)
def test_times_are_whole_seconds_that_strictly_increase(table: Timetable, after: int) -> None:
    found = list(islice(fires(table, after), 30))
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    assert all(at % 1000 == 0 for at in found)


@settings(max_examples=300, deadline=None)
@given(timetables(), INSTANTS)
def test_forward_and_backward_are_the_same_set(table: Timetable, after: int) -> None:
    found = list(islice(fires(table, after), 30))
    before = found[-1] + 1 if found else YEAR_2200 * 2
    assert list(islice(fires_before(table, before), len(found)))[::-1] == found
    earlier = table.previous_before(found[0] if found else before)
    assert earlier is None or earlier <= after


@settings(max_examples=200, deadline=None)
@given(timetables(), INSTANTS, st.integers(1, 9), st.integers(1, 9))
def test_pages_join_without_gap_or_overlap(
    table: Timetable, after: int, first: int, second: int
) -> None:
    whole = list(islice(fires(table, after), first + second))
    page = list(islice(fires(table, after), first))
    rest = list(islice(fires(table, page[-1]), second)) if page else []
    assert page + rest == whole


@settings(max_examples=200, deadline=None)
@given(timetables(), LATER, LATER)
def test_a_window_takes_its_start_and_not_its_end(table: Timetable, one: int, other: int) -> None:
    start, end = sorted((one, other))
    window = Timetable(table.zone, start, end, table.instants)
    assert all(start <= at < end for at in islice(fires(window, 0), 20))
    assert window.next_after(-1) == (
        at if (at := table.next_after(start - 1)) is not None and at < end else None
    )
    last = window.previous_before(YEAR_2200)
    assert last is None or start <= last < end


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), NAMES, INSTANTS)
def test_no_question_takes_more_than_ten_milliseconds(seed: int, name: str, after: int) -> None:
    """CPU of the first question to a zone and an expression that were never seen; the better of two tries."""
    text = expression(Random(seed))

    def ask() -> float:
        zone.cache_clear()
        offsets_of.cache_clear()
        clock_of.cache_clear()
        begin = process_time()
        try:
            table = timetable(cron=text, timezone=name, start=LONG_AGO)
            table.next_after(after)
            table.previous_before(after)
        except InvalidInput:
            pass
        return process_time() - begin

    assert min(ask() for _ in range(3)) < 0.010, (text, name, after)


NEVER = [
    "0 0 0 30 2 ?",
    "0 0 0 31 4,6 ?",
    "0 0 0 ? 2 MON#5 2026",
    "0 0 0 29 2 ? 2100",
    "0 0 0 L-29 2 ?",
]


@pytest.mark.parametrize("text", NEVER)
def test_what_never_fires_is_refused_at_once(text: str) -> None:
    assert refuse(cron=text, start=LONG_AGO) < 0.010


def test_what_only_ever_falls_into_gaps_is_refused_at_once() -> None:
    written: dict[str, Any] = {
        "cron": "0 30 2 ? 3 SUNL",
        "timezone": "Europe/Berlin",
        "start": "2026-01-01",
    }
    assert refuse(**written, dst_gap="skip") < 0.010
    assert timetable(**written).next_after(0) is not None


def refuse(**written: Any) -> float:
    """CPU seconds until it was refused as never firing."""
    begin = process_time()
    with pytest.raises(InvalidInput, match="never fires"):
        timetable(**written)
    return process_time() - begin


WORDS = st.one_of(
    st.text(max_size=40),
    st.text("0123456789*/-,?LW# SUNMONFRI", max_size=40),
    st.text("0123456789-:+TZ. PDHMSW", max_size=40),
    st.sampled_from(
        ["0 0 12 * * ?", "PT1H", "2026-01-01", "UTC", "2026-01-01T00:00:00+14:00", "rate(1 day)"]
    ),
)


@settings(max_examples=1500, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("cron", "every", "at", "start", "end"), WORDS),
            "timezone": st.one_of(WORDS, NAMES),
            "dialect": st.sampled_from(["quartz", "unix", "eventbridge"]),
            "frequency": st.sampled_from(["DAILY", "MONTHLY"]),
        },
    )
)
def test_whatever_is_written_is_understood_or_refused_in_words(written: dict[str, Any]) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        table = timetable(1_770_000_000_000, **written)
    except InvalidInput as error:
        problems = error.problems or (Problem("", ""),)
    if problems:
        assert all(problem.field.startswith("schedule") for problem in problems)
        assert all(problem.message for problem in problems)
        return
    explained = explain(Schedule.model_validate(written), after_ms=1_770_000_000_000, count=3)
    assert explained.description
    first = table.next_after(table.start_ms - 1)
    assert first is not None
    assert table.previous_before(first + 1) == first


ANSWERS = """
from itertools import islice
from chalicelib.schedule import fires
from tests.schedule.asking import timetable
for written in (
    dict(cron="0 30 2 * * ?", timezone="Europe/Berlin", start="2026-03-27T00:00:00"),
    dict(cron="0 30 * * * ?", timezone="Australia/Lord_Howe", start="2026-04-04T20:00:00"),
    dict(frequency="MONTHLY", timezone="America/Sao_Paulo", start="2017-10-15T00:00:00"),
    dict(at="2026-10-25T02:30:00", timezone="Europe/Berlin"),
):
    print(list(islice(fires(timetable(**written), 0), 20)))
"""


def test_the_process_has_no_zone_and_no_locale() -> None:
    answers = set()
    for name in ("UTC", "Asia/Kolkata", "America/Sao_Paulo"):
        environment = {**os.environ, "TZ": name, "LC_ALL": "C", "PYTHONTZPATH": "/nowhere"}
        done = subprocess.run(
            [sys.executable, "-c", ANSWERS],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert answers.pop().count("\n") == 4


def test_changes_are_further_apart_than_they_are_long() -> None:
    """What the pieces of ``clock`` rely on; all zones of the pinned database are like that."""
    for name in zone_names():
        starts = offsets_of(name).starts[1:-1]
        assert all(later - earlier > 2 * 26 * 3600 for earlier, later in pairwise(starts)), name
