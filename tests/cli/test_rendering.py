"""Tables fit whatever the width, nothing a server stores steers the terminal, and pipes get it all."""

from __future__ import annotations

from datetime import UTC

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.output import to_yaml
from cli.screen import Screen
from cli.statistics import skip_table
from cli.table import Column, render
from cli.text import shorten, width
from cli.times import age, instant_ms, iso, local, span
from cli.views import event_table, fire_table, instance_lines, instance_table, job_lines, job_table
from tests.cli.documents import (
    INSTANCE_ID,
    JOB_ID,
    NOW,
    a_job,
    a_page,
    a_preview,
    an_event,
    an_instance,
)

EIGHTY = Screen(columns=80, zone=UTC, now_ms=NOW + 30_000)
PIPE = Screen()
LONG = "load-orders-from-the-warehouse-every-night"


def test_a_list_of_jobs_at_80_columns() -> None:
    page = a_page(a_job(), a_job(name=LONG, state="SUSPENDED", next_ms=None))
    assert list(job_table(page, EIGHTY)) == [
        "NAME                      STATE      NEXT                 SCHEDULE",
        "daily-revenue             SCHEDULED  2026-11-24 07:00:00  0 0 6 ? * MON-FRI Eur…",
        "load-orders-from-the-wa…  SUSPENDED  -                    0 0 6 ? * MON-FRI Eur…",
    ]


def test_a_list_of_instances_at_80_columns() -> None:
    page = a_page(an_instance(), an_instance(name=LONG, state="RUNNING", ended_ms=None, run=2))
    assert list(instance_table(page, EIGHTY)) == [
        "ID                JOB                 NOMINAL TIME         STATE      RUN   TOOK",
        "01a20c1b3f009988  daily-revenue       2026-11-24 06:00:00  SUCCEEDED    1  12.5s",
        "01a20c1b3f009988  load-orders-from-…  2026-11-24 06:00:00  RUNNING      2  29.9s",
    ]


def test_in_a_pipe_everything_is_there_in_utc_and_fields_count() -> None:
    page = a_page(an_instance(name=LONG, error="no such table\norders"), an_instance())
    _, first, second = instance_table(page, PIPE)
    assert first.split()[:6] == [
        INSTANCE_ID,
        LONG,
        "2026-11-24T06:00:00Z",
        "SUCCEEDED",
        "1",
        "12.5s",
    ]
    assert first.endswith("no such table orders")
    assert second.split()[-1] == "-"


def test_one_job_and_one_instance_tell_all() -> None:
    held = {"by": "alice", "reason": "repair", "since_ms": NOW, "until_ms": None}
    shown = "\n".join(job_lines(a_job(suspension=held), EIGHTY))
    for part in (
        JOB_ID,
        "3, edit 7",
        "(in 59m)",
        "by alice: repair",
        "somebody resumes it",
        "query: |",
    ):
        assert part in shown
    runs = [{"run": number, "state": "FAILED", "reason": "RUN_FAILED"} for number in (1, 2)]
    stop = {"kind": "KILL", "by": "bob", "reason": "wrong"}
    failed = an_instance(state="FAILED", error="a\nb", runs=runs, stop=stop, parameters={"n": 1})
    shown = "\n".join(instance_lines(failed, EIGHTY))
    for part in ("KILL asked for by bob: wrong", "n=1", "  a\n  b", "runs:\n", "RUN_FAILED"):
        assert part in shown


def test_events_and_fires() -> None:
    lines = list(event_table(a_page(an_event(), an_event(name="x")), EIGHTY))
    assert "alice" in lines[1]
    assert "INSTANCE" not in lines[0], "no event is of an instance"
    assert max(map(width, lines)) <= 80
    assert "NOTE" not in next(fire_table(a_preview("2026-11-24T07:00:00+01:00"), EIGHTY))
    noted = a_preview("2027-03-28T03:30:00+02:00")
    noted["fires"][0]["note"] = "02:30 does not exist that day"
    assert "02:30 does not exist" in "\n".join(fire_table(noted, EIGHTY))
    noted["fires"][0].update(note=None, excluded_by="weekends", rolls_to_ms=1_806_109_200_000)
    shown = " ".join(fire_table(noted, Screen(columns=160)))
    assert "excluded by weekends, fires 2027-03-27T01:00:00Z instead" in shown


def test_nothing_to_show_says_so_to_people_only() -> None:
    assert list(job_table(a_page(), EIGHTY)) == ["no jobs; submit one with noonday job submit FILE"]
    assert len(list(job_table(a_page(), PIPE))) == 1


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 60, 79, 80, 100, 132, 200, 400])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    screen = Screen(columns=columns, zone=UTC, now_ms=NOW, colour=True)
    name = "日本語の仕事" * 4
    error = "\x1b[31mtable\nnot there " * 10
    instance = an_instance(name=name, state="FAILED", error=error, reason="RUN_FAILED")
    lines = [
        *job_table(a_page(a_job(name=name), a_job()), screen),
        *instance_table(a_page(instance, an_instance()), screen),
        *event_table(a_page(an_event(instance_id=INSTANCE_ID)), screen),
        *fire_table(a_preview("2026-11-24T07:00:00+01:00"), screen),
    ]
    for line in map(click.unstyle, lines):
        assert width(line) <= columns
        assert "\x1b" not in line


def test_states_are_coloured_only_where_colours_are_wanted() -> None:
    page = a_page(an_instance(state="FAILED"))
    coloured = Screen(columns=80, zone=UTC, colour=True)
    assert "\x1b[31mFAILED" in "\n".join(instance_table(page, coloured))
    assert "\x1b" not in "\n".join(instance_table(page, EIGHTY))


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=40), st.integers(0, 40))
def test_what_is_shortened_fits(text: str, columns: int) -> None:
    short = shorten(text, columns)
    assert width(short) <= columns or short == text
    if width(text) <= columns:
        assert short == text


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=5),
    st.integers(10, 120),
)
def test_any_cells_fit(rows: list[list[str]], columns: int) -> None:
    shape = [
        Column("A", lambda row: str(row["0"]), least=6),
        Column("B", lambda row: str(row["1"]), right=True, spare=True),
        Column("C", lambda row: str(row["2"]), least=8, yields=2),
    ]
    items = [{str(place): text for place, text in enumerate(row)} for row in rows]
    lines = list(render(items, shape, Screen(columns=columns)))
    assert len(lines) == len(rows) + 1
    assert all(width(line) <= columns for line in lines)


@pytest.mark.parametrize(
    ("ms", "told"), [(400, "0.4s"), (59_949, "59.9s"), (60_000, "1m00s"), (185_000, "3m05s")]
)
def test_spans(ms: int, told: str) -> None:
    assert span(ms) == told


def test_times() -> None:
    assert iso(NOW) == "2026-11-24T06:00:00Z"
    assert iso(NOW + 7) == "2026-11-24T06:00:00.007Z"
    assert local(NOW, UTC) == "2026-11-24 06:00:00"
    assert age(NOW + 3_599_000, NOW) == "in 59m"
    assert age(NOW, NOW + 86_400_000) == "1d ago"
    assert age(NOW + 80_000, NOW) == "in 1m20s"
    assert age(NOW + 7_199_000, NOW) == "in 1h59m"
    assert age(NOW, NOW + 864_000_000 * 5) == "50d ago"
    assert age(NOW, NOW + 500) == "now"
    assert iso(10**17) == f"{10**17} ms"
    assert local(10**17, UTC) == f"{10**17} ms"
    assert instant_ms("2026-11-24T07:00:00+01:00", None) == NOW


def test_yaml_is_for_people() -> None:
    written = to_yaml({"query": "SELECT 1\nFROM x\n", "tags": ["a", "b"], "on": "yes"})
    assert "query: |\n  SELECT 1\n  FROM x\n" in written
    assert "tags:\n  - a\n  - b\n" in written


def test_no_skips_does_not_say_that_nothing_is_missing() -> None:
    """While a job is suspended, times pass that have neither an instance nor, yet, a range of skips."""
    assert list(skip_table({"items": []}, EIGHTY)) == ["nothing was skipped so far"]
