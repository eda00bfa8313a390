"""The metrics of Noonday: their names, units and dimensions, in one place.

Dashboards and alarms, the documentation and what writes them read this table. They are written as lines of
CloudWatch's embedded metric format, which costs no call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.engine.facts import (
    BackfillSetAside,
    Fact,
    InstanceSkipped,
    JobSetAside,
    LaunchBegun,
    LaunchRefused,
    NotificationDelivered,
    NotificationFailed,
    PurgeSetAside,
    Reported,
    RunEnded,
    RunRetried,
    TimesSkipped,
)

NAMESPACE = "Noonday"
STAGE = "Stage"
NO_STAGE = "default"
"""The dimension's value where NOONDAY_STAGE is not set."""

COUNT = "Count"
MILLISECONDS = "Milliseconds"

TOGETHER = 100
"""CloudWatch takes no more values of a metric in one line, and no more metrics: there are fewer."""
LONGEST_DIMENSION = 250  # characters, of CloudWatch's 1,024

Values = Mapping[str, float | Sequence[float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """``by``: every value is counted by stage, and where it is given once more by stage and this."""

    name: str
    unit: str
    meaning: str
    by: str | None = None

    def dimensions(self, given: Mapping[str, str]) -> Sequence[Sequence[str]]:
        """The sets of dimensions under which CloudWatch keeps it."""
        return [[STAGE]] if self.by not in given else [[STAGE], [STAGE, str(self.by)]]


_ALL = (
    Metric(
        "Sweeps",
        COUNT,
        "sweeps, idle ones too; none of the minute hand for minutes: the alarm clock has stopped",
        by="Hand",
    ),
    Metric("SweepDuration", MILLISECONDS, "how long a sweep took", by="Hand"),
    Metric("Lateness", MILLISECONDS, "how late a sweep was for the latest of what it found due"),
    Metric("SweptJobs", COUNT, "jobs that a sweep materialised"),
    Metric("SweptInstances", COUNT, "instances that a sweep looked at"),
    Metric("HandedOut", COUNT, "instances that a sweep gave to launchers, workers and checkers"),
    Metric(
        "QueueDelay",
        MILLISECONDS,
        "from when a message was sent, or a wake-up was due, until its function began to work on it; "
        "tries that failed before count",
        by="Lane",
    ),
    Metric(
        "Launches",
        COUNT,
        "launches that were begun: retries are further ones, and so are those after a refusal",
        by="Kind",
    ),
    Metric(
        "LaunchLateness",
        MILLISECONDS,
        "from when a run was due until it was claimed for its launch. Due: its nominal time, or later when "
        "its prerequisites held, its retry's delay was over, or somebody asked for it. Who waited for a slot "
        "or a suspension's end, or was refused, is not measured",
    ),
    Metric("Refusals", COUNT, "launches that a target definitely did not take; they are repeated"),
    Metric("Ends", COUNT, "runs that ended, retried ones too", by="State"),
    Metric("Failures", COUNT, "runs that failed or took too long, retried ones too", by="Reason"),
    Metric("Retries", COUNT, "runs that follow one that failed"),
    Metric(
        "Skips",
        COUNT,
        "instances that a policy or a person skipped, and ranges of nominal times that have none, each "
        "range once; those of a deleted job are not counted",
        by="Reason",
    ),
    Metric("Callbacks", COUNT, "reports of targets that were taken", by="Report"),
    Metric("NotificationsDelivered", COUNT, "notifications that were delivered"),
    Metric("NotificationsFailed", COUNT, "tries to deliver one that failed"),
    Metric("SetAside", COUNT, "jobs and backfills that raised an error and were left for later"),
    Metric("Defects", COUNT, "errors that nobody foresaw, in requests and events"),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


class Measurements:
    """Values of one invocation, added up: fifty launches are one line, not fifty."""

    def __init__(self) -> None:
        self._values: dict[tuple[tuple[str, str], ...], dict[str, list[float]]] = {}

    def add(self, values: Values, dimensions: Mapping[str, str]) -> None:
        """Counts are summed; of spans each value is kept, for percentiles."""
        given = tuple(sorted((name, _said(value)) for name, value in dimensions.items()))
        kept = self._values.setdefault(given, {})
        for name, value in values.items():
            new = [value] if isinstance(value, int | float) else list(value)
            before = kept.setdefault(name, [])
            if METRICS[name].unit == COUNT:
                kept[name] = [sum(before) + sum(new)]
            else:
                before.extend(new)

    def lines(self, stage: str, at_ms: int) -> Iterator[Mapping[str, Any]]:
        """What is to be written; afterwards there is nothing left to be."""
        taken, self._values = self._values, {}
        for given, values in taken.items():
            dimensions = {STAGE: _said(stage), **dict(given)}
            left = {name: iter(each) for name, each in values.items()}
            while some := {name: few for name, each in left.items() if (few := _some(each))}:
                yield {"_aws": _directives(some, dimensions, at_ms), **dimensions, **_bare(some)}


def _some(values: Iterator[float]) -> list[float]:
    return list(islice(values, TOGETHER))


def _bare(values: Mapping[str, list[float]]) -> Mapping[str, float | list[float]]:
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _directives(
    names: Mapping[str, object], dimensions: Mapping[str, str], at_ms: int
) -> Mapping[str, Any]:
    """What tells CloudWatch which fields of a line are metrics, and by which others they are kept."""
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": METRICS[name].dimensions(dimensions),
            "Metrics": [{"Name": name, "Unit": METRICS[name].unit}],
        }
        for name in names
    ]
    return {"Timestamp": at_ms, "CloudWatchMetrics": directives}


def _said(value: str) -> str:
    """As CloudWatch takes it: some ASCII, or the whole line is no metric."""
    shown = value.encode("ascii", "replace").decode()[:LONGEST_DIMENSION]
    return "".join(one if one.isprintable() else "?" for one in shown).strip() or "NONE"


def counted(fact: Fact) -> tuple[Values, Mapping[str, str]]:
    """What a fact counts, and by which dimensions."""
    match fact:
        case LaunchBegun(kind=kind, lateness_ms=lateness_ms):
            late = {} if lateness_ms is None else {"LaunchLateness": float(lateness_ms)}
            return {"Launches": 1.0, **late}, {"Kind": kind}
        case LaunchRefused():
            return {"Refusals": 1.0}, {}
        case RunEnded(state=state, reason=reason):
            failed = state in ("FAILED", "TIMED_OUT")
            if not failed:
                return {"Ends": 1.0}, {"State": state}
            return {"Ends": 1.0, "Failures": 1.0}, {"State": state, "Reason": reason or "NONE"}
        case RunRetried():
            return {"Retries": 1.0}, {}
        case InstanceSkipped(reason=reason) | TimesSkipped(reason=reason):
            return {"Skips": 1.0}, {"Reason": reason or "NONE"}
        case _:
            return _counted_besides(fact)


def _counted_besides(fact: Fact) -> tuple[Values, Mapping[str, str]]:
    match fact:
        case Reported(report=report):
            return {"Callbacks": 1.0}, {"Report": report}
        case NotificationDelivered():
            return {"NotificationsDelivered": 1.0}, {}
        case NotificationFailed():
            return {"NotificationsFailed": 1.0}, {}
        case JobSetAside() | BackfillSetAside() | PurgeSetAside():
            return {"SetAside": 1.0}, {}
        case _:
            return {}, {}
