"""Statistics: exact percentiles over a sample, and nothing counted twice."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.engine.statistics import (
    SAMPLE,
    By,
    Finished,
    Sample,
    Skipped,
    Spread,
    Unfinished,
    percentile,
    summarise,
)
from chalicelib.model.job import SkipRange
from tests.engine.world import MINUTE, NOON

DAY = 86_400_000
ENDED = Finished(
    job_id="a" * 32,
    owner="red",
    nominal_ms=NOON,
    kind="SCHEDULED",
    state="SUCCEEDED",
    reason=None,
    run=1,
    created_ms=NOON + 10,
    launched_ms=NOON + 30,
    started_ms=NOON + 40,
    ended_ms=NOON + 140,
)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[int], percent: int
) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    needed = math.ceil(len(values) * percent / 100)
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed


def test_nothing_has_no_percentile_and_no_rate() -> None:
    told = summarise(Sample(), By.JOB, 0)
    assert (told.total.success_rate, told.total.duration, told.groups) == (None, Spread(), [])


def test_duration_wait_and_lateness_are_three_things() -> None:
    total = summarise(Sample([ENDED]), None, 0).total
    assert total.duration == Spread(1, 100, 100, 100)
    assert total.wait == Spread(1, 20, 20, 20)
    assert total.lateness == Spread(1, 40, 40, 40)


def test_who_never_began_has_no_duration_and_a_rerun_is_not_late() -> None:
    skipped = replace(ENDED, state="SKIPPED", reason="OVERLAP", launched_ms=None, started_ms=None)
    total = summarise(Sample([skipped, replace(ENDED, run=2)]), None, 0).total
    assert (total.duration.count, total.lateness.count) == (1, 0)
    assert (total.success_rate, total.skipped) == (1.0, {"OVERLAP": 1})


def test_groups_add_up_to_the_total() -> None:
    other = replace(ENDED, job_id="b" * 32, owner="blue", state="FAILED", nominal_ms=NOON + DAY)
    waiting = Unfinished("b" * 32, "blue", NOON + DAY, "WAITING")
    span = Skipped("red", SkipRange("a" * 32, NOON - 9 * DAY, NOON, "SUSPENDED", 1))
    sample = Sample([other, ENDED], [waiting], [span])
    for by in By:
        told = summarise(sample, by, NOON - DAY)
        assert sum(tally.finished for _, tally in told.groups) == 2
        assert sum(sum(t.states.values()) for _, t in told.groups) == 3
        assert sum(sum(t.skip_ranges.values()) for _, t in told.groups) == 1
    days = [int(key) for key, _ in summarise(sample, By.DAY, NOON - DAY).groups]
    assert days == [NOON // DAY * DAY + n * DAY for n in (-1, 0, 1)]
    assert summarise(sample, None, 0).total.success_rate == 0.5


@pytest.mark.parametrize("more", [0, 1])
def test_a_sample_that_was_cut_says_so(more: int) -> None:
    told = summarise(Sample([ENDED] * (SAMPLE + more)), None, 0)
    assert (told.sampled, told.cut) == (SAMPLE, bool(more))


def test_a_series_of_failures_ends_at_the_last_success() -> None:
    states = ["FAILED", "KILLED", "TIMED_OUT", "SUCCEEDED", "FAILED"]
    rows = [replace(ENDED, state=s, nominal_ms=NOON - n * MINUTE) for n, s in enumerate(states)]
    assert summarise(Sample(rows), None, 0).failures_in_a_row == 2


def test_skipped_times_are_counted_each_on_its_day() -> None:
    """Two days at noon and a third that nobody counted."""
    span = SkipRange("a" * 32, NOON - 9 * DAY, NOON + 9 * DAY, "SUSPENDED", 1)
    week = Skipped("red", span, (NOON - DAY, NOON, NOON + MINUTE), more=True)
    told = summarise(Sample([], [], [week]), By.DAY, 0)
    assert [tally.skip_times for _, tally in told.groups] == [{"SUSPENDED": 1}, {"SUSPENDED": 2}]
    assert told.total.skip_times == {"SUSPENDED": 3}
    assert told.total.skip_ranges == {"SUSPENDED": 1}
    assert told.skip_times_cut
