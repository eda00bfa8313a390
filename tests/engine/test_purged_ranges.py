"""What remains of purged times: ranges that never overlap, lose nothing, and do not grow with the years."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.engine.purged_ranges import Gone, marked
from chalicelib.model.job import SkipRange
from chalicelib.model.schedule import Schedule
from chalicelib.schedule import Timetable
from chalicelib.schedule.excluding import compile_excluding
from tests.engine.world import MINUTE, NOON

JOB = "a" * 32
MINUTELY = Schedule.model_validate({"every": "PT1M", "start": "2026-01-01T00:00:00Z"})


def timetable() -> Timetable:
    return compile_excluding(MINUTELY, (), submitted_ms=0)


def at(minute: int) -> int:
    return NOON + minute * MINUTE


def skipped(first: int, end: int, reason: str = "SUSPENDED", run: int | None = None) -> SkipRange:
    return SkipRange(JOB, at(first), at(end), reason, 1, run)


def gone(*minutes: int, run: int = 1) -> list[Gone]:
    return [Gone(at(minute), run, 1) for minute in minutes]


def test_neighbours_become_one_range_with_the_highest_run() -> None:
    first = marked(JOB, [], gone(0, 1, 2), {})
    assert [(one.from_ms, one.to_ms, one.reason, one.run) for one in first] == [
        (at(0), at(2) + 1, "PURGED", 1)
    ]
    [both] = marked(JOB, first, gone(3, 4, run=3), {})
    assert (both.from_ms, both.to_ms, both.run) == (at(0), at(4) + 1, 3)


def test_a_time_that_had_been_skipped_and_was_backfilled_is_purged_and_not_skipped() -> None:
    found = marked(JOB, [skipped(0, 10)], gone(4, 5), {(JOB, 1): timetable()})
    assert [(one.from_ms, one.to_ms, one.reason) for one in found] == [
        (at(0), at(4), "SUSPENDED"),
        (at(4), at(5) + 1, "PURGED"),
        (at(5) + 1, at(10), "SUSPENDED"),
    ]
    [whole] = marked(JOB, [skipped(0, 3)], gone(0, 1, 2), {(JOB, 1): timetable()})
    assert (whole.from_ms, whole.to_ms, whole.reason) == (at(0), at(2) + 1, "PURGED")


@given(
    st.sets(st.integers(0, 60), max_size=30),
    st.lists(st.integers(0, 59), min_size=0, max_size=8, unique=True),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_each_minute_keeps_its_reason_unless_it_was_purged(
    purged: set[int], edges: list[int], are_purged: list[bool]
) -> None:
    edges.sort()
    around = [
        skipped(first, end, "PURGED" if old else "SUSPENDED", 2 if old else None)
        for (first, end), old in zip(list(pairwise(edges))[::2], are_purged, strict=False)
    ]
    found = list(marked(JOB, around, gone(*sorted(purged)), {(JOB, 1): timetable()}))
    assert all(one.to_ms <= two.from_ms for one, two in pairwise(found))
    for minute in range(61):
        then = [one.reason for one in around if one.from_ms <= at(minute) < one.to_ms]
        now = [one.reason for one in found if one.from_ms <= at(minute) < one.to_ms]
        if minute in purged or then == ["PURGED"]:
            assert now == ["PURGED"]
        elif then:
            assert now == then
        else:  # between two purged times it is purged, too, if nothing else is known of it
            assert now in ([], ["PURGED"])
    reasons = [one.reason for one in found]
    assert "PURGED PURGED" not in " ".join(reasons)
