"""The metrics of Noonday: their names, units and dimensions, in one place.

Dashboards and alarms, the documentation and what writes them read this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.facts import (
    BackfillSetAside,
    Fact,
    JobSetAside,
    NotificationDelivered,
    NotificationFailed,
    PurgeSetAside,
    Reported,
    RunMoved,
)
from chalicelib.model.states import TERMINAL

NAMESPACE = "Noonday"
STAGE = "Stage"
NO_STAGE = "default"
"""The dimension's value where NOONDAY_STAGE is not set."""

COUNT = "Count"
MILLISECONDS = "Milliseconds"


@dataclass(frozen=True, slots=True)
class Metric:
    """``by``: every value is counted by stage, and where it is given once more by stage and this."""

    name: str
    unit: str
    meaning: str
    by: str | None = None

    @property
    def dimensions(self) -> Sequence[Sequence[str]]:
        """The sets of dimensions under which CloudWatch keeps it."""
        return [[STAGE]] if self.by is None else [[STAGE], [STAGE, self.by]]


_ALL = (
    Metric("Sweeps", COUNT, "sweeps, idle ones too; none for minutes: the alarm clock has stopped"),
    Metric("SweepDuration", MILLISECONDS, "how long a sweep took"),
    Metric("Lateness", MILLISECONDS, "how late a sweep was for the latest of what it found due"),
    Metric("SweptJobs", COUNT, "jobs that a sweep materialised"),
    Metric("SweptInstances", COUNT, "instances that a sweep looked at"),
    Metric("HandedOut", COUNT, "instances that a sweep gave to launchers, workers and checkers"),
    Metric("QueueDelay", MILLISECONDS, "how long a message was in its queue", by="Lane"),
    Metric("Launches", COUNT, "runs that were launched, each once", by="Kind"),
    Metric("LaunchLateness", MILLISECONDS, "from the nominal time to the launch; without waits"),
    Metric("Ends", COUNT, "runs that ended, retried ones too", by="State"),
    Metric("Failures", COUNT, "runs that failed or took too long, retried ones too", by="Reason"),
    Metric("Skips", COUNT, "instances that a policy or a person skipped", by="Reason"),
    Metric("Retries", COUNT, "runs that failed and are tried again"),
    Metric("Callbacks", COUNT, "reports of targets that were taken", by="Report"),
    Metric("NotificationsDelivered", COUNT, "notifications that were delivered"),
    Metric("NotificationsFailed", COUNT, "tries to deliver one that failed"),
    Metric("SetAside", COUNT, "jobs that raised an error and were left for later"),
    Metric("Defects", COUNT, "errors that nobody foresaw, in requests and events"),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def embedded(names: Iterable[str], at_ms: int) -> Mapping[str, Any]:
    """What tells CloudWatch which fields of a line are metrics, and by which others they are kept."""
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": METRICS[name].dimensions,
            "Metrics": [{"Name": name, "Unit": METRICS[name].unit}],
        }
        for name in names
    ]
    return {"Timestamp": at_ms, "CloudWatchMetrics": directives}


def counted(fact: Fact) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """What a fact counts, and by which dimensions."""
    match fact:
        case RunMoved(state=state, reason=reason) if state in TERMINAL:
            failed = state in ("FAILED", "TIMED_OUT")
            failures = {"Failures": 1.0} if failed else {}
            return {"Ends": 1.0, **failures}, {"State": state, "Reason": reason or "NONE"}
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
