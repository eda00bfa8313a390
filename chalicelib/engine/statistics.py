"""How well things went: counts, rates and percentiles over a sample of finished instances. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from chalicelib.model.job import SkipRange
from chalicelib.model.states import InstanceKind, InstanceState, Reason

SAMPLE = 10_000
"""So many finished instances are looked at, the newest; as many unfinished ones and skip ranges."""
MOST_GROUPS = 500
DAY_MS = 86_400_000
_SUCCEEDED, _SKIPPED = InstanceState.SUCCEEDED, InstanceState.SKIPPED


class By(StrEnum):
    """What statistics are told apart by. A day is one of UTC, by nominal time."""

    JOB = "job"
    OWNER = "owner"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Finished:
    """What statistics need of an instance that has ended; the times are those of its latest run."""

    job_id: str
    owner: str
    nominal_ms: int
    kind: str
    state: str
    reason: str | None
    run: int
    created_ms: int
    launched_ms: int | None
    started_ms: int | None
    ended_ms: int

    @property
    def began_ms(self) -> int | None:
        """Kinds that report no progress begin when they are launched."""
        return self.launched_ms if self.started_ms is None else self.started_ms


@dataclass(frozen=True, slots=True)
class Unfinished:
    job_id: str
    owner: str
    nominal_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A skip range, and whose it is. ``times``: its nominal times in the window; ``more``: and others."""

    owner: str
    span: SkipRange
    times: tuple[int, ...] = ()
    more: bool = False

    @property
    def job_id(self) -> str:
        return self.span.job_id

    @property
    def nominal_ms(self) -> int:
        return self.span.from_ms


@dataclass(frozen=True, slots=True)
class Sample:
    """What the store gave: newest first, one more than ``SAMPLE`` where there are more."""

    finished: Sequence[Finished] = ()
    unfinished: Sequence[Unfinished] = ()
    skipped: Sequence[Skipped] = ()

    @property
    def cut(self) -> bool:
        return len(self.finished) > SAMPLE


@dataclass(frozen=True, slots=True)
class Spread:
    """Of so many measured times, in milliseconds. Percentiles are exact over them, by nearest rank: the
    least of them that at least this share does not exceed."""

    count: int = 0
    median_ms: int | None = None
    p95_ms: int | None = None
    longest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """``success_rate``: of those that finished and were not skipped; None where there are none.

    ``duration``: from begin to end. ``wait``: from the creation of the run to its launch. ``lateness``:
    from nominal time to begin, of scheduled instances in their first run. ``skipped``: skipped instances
    by reason; ``skip_ranges``: ranges of nominal times without an instance, by reason, and
    ``skip_times``: how many nominal times are in them.
    """

    finished: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    success_rate: float | None = None
    duration: Spread = Spread()
    wait: Spread = Spread()
    lateness: Spread = Spread()
    skipped: Mapping[str, int] = field(default_factory=dict)
    skip_ranges: Mapping[str, int] = field(default_factory=dict)
    skip_times: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statistics:
    """``groups``: by key, those with most instances where there are too many; ``left_out`` counts the others.

    ``failures_in_a_row``: how many of the newest have failed since the last success.
    ``skip_times_cut``: more times were skipped than were counted.
    ``oldest_ms``: the nominal time of the oldest one in the sample.
    """

    total: Tally
    groups: Sequence[tuple[str, Tally]]
    left_out: int
    sampled: int
    cut: bool
    oldest_ms: int | None
    failures_in_a_row: int
    skip_times_cut: bool


def summarise(sample: Sample, by: By | None, from_ms: int) -> Statistics:
    """``from_ms``: where the window begins; a range that began before it counts for its first day."""
    finished = sample.finished[:SAMPLE]
    groups = _grouped(sample, by, from_ms) if by is not None else {}
    order = sorted(groups, key=lambda key: (-len(groups[key].finished), key))[:MOST_GROUPS]
    return Statistics(
        total=_tally(Sample(finished, sample.unfinished, sample.skipped)),
        groups=[(key, _tally(groups[key])) for key in sorted(order)],
        left_out=len(groups) - len(order),
        sampled=len(finished),
        cut=sample.cut,
        oldest_ms=min((one.nominal_ms for one in finished), default=None),
        failures_in_a_row=_failures_in_a_row(finished),
        skip_times_cut=any(one.more for one in sample.skipped),
    )


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Nearest rank; None of nothing. ``ordered``: ascending. ``percent``: 1 to 100."""
    if not ordered:
        return None
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _grouped(sample: Sample, by: By, from_ms: int) -> Mapping[str, Sample]:
    keys: Mapping[By, Callable[[Finished | Unfinished | Skipped], str]] = {
        By.JOB: lambda one: one.job_id,
        By.OWNER: lambda one: one.owner,
        By.DAY: lambda one: str(max(one.nominal_ms, from_ms) // DAY_MS * DAY_MS),
    }
    key = keys[by]
    finished: dict[str, list[Finished]] = {}
    unfinished: dict[str, list[Unfinished]] = {}
    skipped: dict[str, list[Skipped]] = {}
    for one in sample.finished[:SAMPLE]:
        finished.setdefault(key(one), []).append(one)
    for waiting in sample.unfinished:
        unfinished.setdefault(key(waiting), []).append(waiting)
    for span in sample.skipped:
        for piece in _by_day(span) if by is By.DAY else (span,):
            skipped.setdefault(key(piece), []).append(piece)
    return {
        name: Sample(finished.get(name, ()), unfinished.get(name, ()), skipped.get(name, ()))
        for name in {**finished, **unfinished, **skipped}
    }


def _by_day(span: Skipped) -> Iterable[Skipped]:
    """A suspension of a week is one of each of its days."""
    if not span.times:
        return (span,)
    return [
        replace(span, span=replace(span.span, from_ms=times[0]), times=times)
        for _, some in groupby(span.times, key=lambda at: at // DAY_MS)
        for times in [tuple(some)]
    ]


def _tally(sample: Sample) -> Tally:
    states = Counter(one.state for one in sample.finished)
    ran = len(sample.finished) - states[_SKIPPED]
    rate = states[_SUCCEEDED] / ran if ran else None
    states.update(one.state for one in sample.unfinished)
    skipped = Counter(
        one.reason or Reason.SKIPPED.value for one in sample.finished if one.state == _SKIPPED
    )
    return Tally(
        finished=len(sample.finished),
        states={state.value: states[state] for state in InstanceState if states[state]},
        success_rate=rate,
        duration=_spread(_durations(sample.finished)),
        wait=_spread(_waits(sample.finished)),
        lateness=_spread(_latenesses(sample.finished)),
        skipped=_by_count(skipped),
        skip_ranges=_by_count(Counter(one.span.reason for one in sample.skipped)),
        skip_times=_by_count(_times(sample.skipped)),
    )


def _times(skipped: Iterable[Skipped]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in skipped:
        if one.times:
            counts[one.span.reason] += len(one.times)
    return counts


def _durations(finished: Iterable[Finished]) -> Iterable[int]:
    return (one.ended_ms - one.began_ms for one in finished if one.began_ms is not None)


def _waits(finished: Iterable[Finished]) -> Iterable[int]:
    for one in finished:
        launched_ms = one.began_ms if one.launched_ms is None else one.launched_ms
        if launched_ms is not None:
            yield launched_ms - one.created_ms


def _latenesses(finished: Iterable[Finished]) -> Iterable[int]:
    for one in finished:
        if one.kind == InstanceKind.SCHEDULED and one.run == 1 and one.began_ms is not None:
            yield one.began_ms - one.nominal_ms


def _spread(times: Iterable[int]) -> Spread:
    """Clocks of several machines may differ by a little: nothing takes less than no time."""
    ordered = sorted(max(time, 0) for time in times)
    if not ordered:
        return Spread()
    return Spread(len(ordered), percentile(ordered, 50), percentile(ordered, 95), ordered[-1])


def _by_count(counter: Counter[str]) -> Mapping[str, int]:
    return {str(name): count for name, count in counter.most_common()}


def _failures_in_a_row(finished: Sequence[Finished]) -> int:
    """Newest first; what was skipped or killed neither adds to the series nor ends it."""
    failed = 0
    for one in sorted(finished, key=lambda one: one.nominal_ms, reverse=True):
        if one.state == _SUCCEEDED:
            break
        failed += one.state in (InstanceState.FAILED, InstanceState.TIMED_OUT)
    return failed
