"""The history strip: readable without colours, in a pipe, and however narrow the terminal is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import click
import pytest

from cli.screen import Screen
from cli.statistics import skip_table
from cli.strip import _SIGNS, LENGTH, strip_lines
from cli.text import width
from tests.cli.conftest import Run
from tests.cli.documents import JOB_ID, NOW, a_job, a_page, an_instance
from tests.cli.stand_in import StandIn

EIGHTY = Screen(columns=80, zone=UTC, now_ms=NOW + 30_000)
PIPE = Screen()


def rows() -> list[dict[str, Any]]:
    """The newest first: it runs since 30 s; before it a failure after 8 s, a skip, a success after 1 s."""
    begun = {"started_ms": NOW}
    return [
        an_instance(state="RUNNING", started_ms=NOW, ended_ms=None),
        an_instance(state="FAILED", **begun, ended_ms=NOW + 8_000),
        an_instance(state="SKIPPED", started_ms=None, ended_ms=NOW),
        an_instance(state="SUCCEEDED", **begun, ended_ms=NOW + 1_000),
    ]


def test_bars_are_durations_and_signs_are_states() -> None:
    assert list(strip_lines(rows(), EIGHTY)) == [
        "history: last 4, the newest on the right; took 1.0s to 30.0s, median 8.0s",
        "  ▁ ▃█",
        "  ✓-✗>",
        "  ✓ 1 succeeded  - 1 skipped  ✗ 1 failed  > 1 running",
    ]
    assert "\x1b" not in "".join(strip_lines(rows(), PIPE))
    assert list(strip_lines(rows(), PIPE))[2] == "  ✓-✗>"


def test_signs_differ_in_shape_where_meanings_differ() -> None:
    assert len(set(_SIGNS.values())) == len(_SIGNS) - 2, "the three of a run in flight share one"


def test_colours_only_add_to_it() -> None:
    coloured = list(
        strip_lines(rows(), Screen(columns=80, zone=UTC, colour=True, now_ms=NOW + 30_000))
    )
    assert "\x1b[31m✗" in coloured[2]
    assert [click.unstyle(line) for line in coloured] == list(strip_lines(rows(), EIGHTY))


def test_nothing_and_one() -> None:
    assert list(strip_lines([], EIGHTY)) == []
    [title, *_] = strip_lines([an_instance(started_ms=NOW, ended_ms=NOW)], EIGHTY)
    assert title == "history: the only one; took 0.0s"


@pytest.mark.parametrize("columns", [12, 20, 30, 80, 200])
def test_it_fits(columns: int) -> None:
    many = rows() * 20
    title, bars, signs, *legend = strip_lines(many, Screen(columns=columns, zone=UTC, now_ms=NOW))
    assert width(title) <= columns
    assert width(bars) <= width(signs) == min(columns, LENGTH + 2)
    if columns >= 20:
        assert all(width(line) <= columns for line in legend)


def test_skip_ranges_as_a_table() -> None:
    item = {
        "from_ms": NOW,
        "to_ms": NOW + 3_600_000,
        "nominal_times": 1000,
        "more": True,
        "reason": "SUSPENDED",
        "because": "the job was suspended",
    }
    lines = list(skip_table(a_page(item, {**item, "nominal_times": None}), EIGHTY))
    assert lines[0].split() == ["FROM", "TO", "TIMES", "BECAUSE"], "words rather than the code"
    assert "1000+  the job was suspended" in lines[1]
    assert "   ?  the job" in lines[2]
    wide = list(skip_table(a_page(item), replace(EIGHTY, columns=120)))
    assert wide[1].endswith("the job was suspended  SUSPENDED")
    assert all(width(line) <= 80 for line in lines)


def test_job_show_has_the_strip_before_the_definition_and_json_has_none(
    run: Run, server: StandIn
) -> None:
    server.on("GET /jobs/x", a_job())
    assert run("job", "show", "x").code == 0, "an older server tells nothing of its instances"
    server.on(f"GET /jobs/{JOB_ID}/instances", a_page(*rows()))
    out = run("job", "show", "x").out
    assert 0 < out.index("✓-✗>") < out.index("definition:")
    assert run("job", "show", "x", "-o", "json").document == a_job()


def test_job_list_with_history_and_skips(run: Run, server: StandIn) -> None:
    server.on("GET /jobs", a_page(a_job()))
    server.on(f"GET /jobs/{JOB_ID}/instances", a_page(*rows()))
    assert "HISTORY" not in run("job", "list").out
    assert "✓-✗>" in run("job", "list", "--history").out
    server.on("GET /jobs/x/skips", a_page())
    assert run("job", "skips", "x").code == 0
