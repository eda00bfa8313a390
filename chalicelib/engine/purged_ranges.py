"""Which ranges remain of purged instances: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.model.job import SkipRange
from chalicelib.model.states import Reason
from chalicelib.schedule import Timetable


@dataclass(frozen=True, slots=True)
class Gone:
    """The nominal time of a purged instance, the number of its last run, and its revision."""

    nominal_ms: int
    run: int
    revision: int


def marked(
    job_id: str,
    around: Sequence[SkipRange],
    times: Sequence[Gone],
    known: Mapping[tuple[str, int], Timetable],
) -> Sequence[SkipRange]:
    """The ranges that take the place of ``around``: with those times in ranges of reason PURGED.

    A range that says that a time was skipped gives it up: its instance had been backfilled. What lies
    between two purged times with no other range becomes one range with them, so that ranges do not grow
    with the years. ``known``: timetables by job and revision; what is left of a range without a nominal
    time goes.
    """
    new = [
        SkipRange(job_id, one.nominal_ms, one.nominal_ms + 1, Reason.PURGED, one.revision, one.run)
        for one in times
    ]
    old = [
        part
        for span in around
        for part in ([span] if span.reason == Reason.PURGED else _without(span, times, known))
    ]
    return list(_joined(sorted([*old, *new], key=lambda one: one.from_ms)))


def _without(
    span: SkipRange, times: Sequence[Gone], known: Mapping[tuple[str, int], Timetable]
) -> Iterator[SkipRange]:
    inside = [one.nominal_ms for one in times if span.from_ms <= one.nominal_ms < span.to_ms]
    if not inside:
        yield span
        return
    begins = [span.from_ms, *(at + 1 for at in inside)]
    timetable = known.get((span.job_id, span.revision))
    for first, end in zip(begins, [*inside, span.to_ms], strict=True):
        if first < end and _has_times(timetable, first, end):
            yield replace(span, from_ms=first, to_ms=end)


def _has_times(timetable: Timetable | None, first_ms: int, end_ms: int) -> bool:
    if timetable is None:
        return True
    found = timetable.next_after(first_ms - 1)
    return found is not None and found < end_ms


def _joined(ordered: Sequence[SkipRange]) -> Iterator[SkipRange]:
    last: SkipRange | None = None
    for span in ordered:
        if last is not None and last.reason == span.reason == Reason.PURGED:
            last = replace(
                last,
                to_ms=max(last.to_ms, span.to_ms),
                revision=max(last.revision, span.revision),
                run=max(last.run or 1, span.run or 1),
            )
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
