"""What a stage costs a month, from the calls that the code makes and a dated list of prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.functions import declared, lanes

DATED = "early 2025, us-east-1, dollars, without free tiers"
HOURS = 730
MILLION = 1_000_000

INSTANCE_HOUR: Mapping[str, float] = {
    "db.t4g.small": 0.032,
    "db.m7g.large": 0.168,
    "db.r7g.4xlarge": 1.912,
}
NAT_HOUR, NAT_GB = 0.045, 0.045
STORAGE_GB = 0.115
GB_SECOND, INVOCATION = 0.0000166667, 0.20 / MILLION
SQS_REQUEST = 0.40 / MILLION
LOG_GB, METRIC, ALARM, DASHBOARD, SECRET = 0.50, 0.30, 0.10, 3.0, 0.40
SCHEDULER_CALL = 1.0 / MILLION
MWAA_SMALL_HOUR = 0.49
MWAA_JOBS = 50
"""DAGs for which AWS sizes the small environment."""

# A run of a started kind, all due at the full hour: ten launches travel in a message, five messages in an
# event; its end comes as an event of its service, and one message more has the service asked.
MESSAGES = 0.1 + 1
REQUESTS = 3  # a message is sent, received, deleted
INVOCATIONS = 0.02 + 1 + 0.2  # launch, completion, and launch again
SECONDS, MEMORY_GB = 0.25, 0.5  # of one invocation
LOGGED_BYTES = 3_000
STORED_BYTES = 2_000  # its row, its run, its events, with their indexes
KEPT_HOURS = 7 * 24
IDLE_POLLS = 15 * 60 * HOURS  # of one queue: five pollers of Lambda, twenty seconds each
SWEEP_S = 0.1
METRICS, ALARMS = 30, 35


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars a month of so many hourly jobs. Others: None where the service does not reach so far."""

    jobs: int
    instance: str
    database: float
    egress: float
    functions: float
    queues: float
    watching: float
    scheduler: float
    mwaa: float | None

    @property
    def total(self) -> float:
        return self.database + self.egress + self.functions + self.queues + self.watching


def cost(jobs: int, instance: str) -> Cost:
    runs = jobs * HOURS
    stored_gb = max(20.0, jobs * KEPT_HOURS * STORED_BYTES / 1e9)
    sweeps = 60 * HOURS
    seconds = runs * INVOCATIONS * SECONDS + sweeps * SWEEP_S
    logged_gb = (runs * LOGGED_BYTES + sweeps * 500) / 1e9
    requests = runs * MESSAGES * REQUESTS + len(lanes(declared())) * IDLE_POLLS
    return Cost(
        jobs=jobs,
        instance=instance,
        database=INSTANCE_HOUR[instance] * HOURS + stored_gb * STORAGE_GB + 2 * SECRET,
        egress=NAT_HOUR * HOURS + runs * REQUESTS * 4_000 / 1e9 * NAT_GB,
        functions=seconds * MEMORY_GB * GB_SECOND + (runs * INVOCATIONS + sweeps) * INVOCATION,
        queues=requests * SQS_REQUEST,
        watching=logged_gb * LOG_GB + METRICS * METRIC + ALARMS * ALARM + DASHBOARD,
        scheduler=runs * SCHEDULER_CALL,
        mwaa=MWAA_SMALL_HOUR * HOURS if jobs <= MWAA_JOBS else None,
    )


SIZES = ((10, "db.t4g.small"), (10_000, "db.m7g.large"), (1_000_000, "db.r7g.4xlarge"))


def rows() -> Iterator[list[str]]:
    for one in (cost(*size) for size in SIZES):
        parts = (one.database, one.egress, one.functions, one.queues, one.watching, one.total)
        others = (f"{one.scheduler:,.2f}", "beyond it" if one.mwaa is None else f"{one.mwaa:,.0f}")
        yield [f"{one.jobs:,}", one.instance, *(f"{part:,.0f}" for part in parts), *others]


HEADER = [
    *("hourly jobs", "database", "its cost", "egress (NAT)", "functions", "queues", "logs, alarms"),
    *("**together**", "EventBridge Scheduler", "MWAA (small)"),
]
