"""The metrics of Noonday: their names, units and dimensions, in one place.

Dashboards and alarms, the documentation and what writes them read this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
