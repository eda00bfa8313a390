"""What a stage costs a month: what is there from the first hour, and what a run takes, times prices.

What a run takes is measured, not remembered: ``counts.json`` is what tests/cloud_zip counted and holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from chalicelib.model.states import TERMINAL
from chalicelib.notifications.metrics import METRICS
from infra.alarms import wanted
from infra.capacity import max_connections
from infra.functions import SIZES, declared, lanes
from infra.prices import dollars
from infra.stage import Stage

HOURS = 730
COUNTS: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("counts.json").read_text(encoding="utf-8")
)

# What nobody can count here, and is assumed.
VCPU_MB = 1769  # of memory, for which Lambda gives one processor
STATEMENT_S = 0.001  # there and back, within a zone
CALL_S = 0.025  # of AWS, there and back
AT_ONCE = 16  # calls of one event
CALL_BYTES = 6_000  # there and back, with TLS
REPORT_BYTES = 350  # what Lambda adds to the log of an invocation
RUN_S = 300  # how long a run takes: it is asked about meanwhile
POLL_S = 30
IDLE_POLLS = 15 * 60 * HOURS  # of one queue: five pollers of Lambda, twenty seconds each
SWEEP_S, SWEEP_BYTES = 0.08, 900  # of an idle minute
STORED_BYTES = 2_600  # of a run, with its events and indexes: benchmarks/database.py
KEPT_HOURS = 7 * 24
REQUESTS = 1_000  # of the API, a day
MWAA_JOBS = 50
"""DAGs for which AWS sizes the small environment."""
VALUES = {"Lane": 5, "Kind": 2, "State": len(TERMINAL), "Reason": 5, "Report": 4}
"""Of the dimensions of our metrics, in use: two kinds of targets, five reasons of failures."""
FEW = 3  # values of any other


@dataclass(frozen=True, slots=True)
class Run:
    """What one run takes, from the sweep to its end.

    ``launch_s``: of the function that launches, which is what limits how many there are.
    """

    seconds: float
    launch_s: float
    completion_s: float
    invocations: float
    requests: float
    calls: float
    log_bytes: float


def a_run() -> Run:
    launch, end, poll = (_part(COUNTS[name]) for name in ("launch", "end", "poll"))
    polls = RUN_S // POLL_S - 1
    completion = COUNTS["end"]["cpu_ms"] / COUNTS["end"]["runs"] / 1000 * 0.4 / _share()
    completion_s = completion + 2 * STATEMENT_S + CALL_S
    invocations = launch.invocations + end.invocations + polls * poll.invocations
    # A message is sent, received and deleted; ten runs travel in one, ten messages in a request.
    requests = 3 * (0.02 + 1 + polls * 0.02)
    return Run(
        seconds=launch.seconds + end.seconds + polls * poll.seconds,
        launch_s=launch.seconds + end.seconds - completion_s + polls * poll.seconds,
        completion_s=completion_s,
        invocations=invocations,
        requests=requests,
        calls=launch.calls + end.calls + polls * poll.calls,
        log_bytes=launch.log_bytes
        + end.log_bytes
        + polls * poll.log_bytes
        + invocations * REPORT_BYTES,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    seconds: float
    invocations: float
    calls: float
    log_bytes: float


def _share() -> float:
    return SIZES["launch"].memory_mb / VCPU_MB


def _part(count: Mapping[str, Any]) -> _Part:
    """Of one run. Sweeps are paid by the minute, whatever they find."""
    runs = count["runs"]
    invocations = sum(number for name, number in count["invocations"].items() if name != "minute")
    calls = sum(count["calls"].values())
    waits = ceil(calls / invocations / AT_ONCE) * invocations * CALL_S
    seconds = count["cpu_ms"] / 1000 / _share() + count["statements"] * STATEMENT_S + waits
    return _Part(seconds / runs, invocations / runs, calls / runs, count["log_bytes"] / runs)


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


def cost(jobs: int, instance: str, *, standby: bool = False) -> Cost:
    run, runs = a_run(), jobs * HOURS
    sweeps = 60 * HOURS
    copies = 2 if standby else 1
    stored_gb = max(20.0, jobs * KEPT_HOURS * STORED_BYTES / 1e9)
    memory_gb = SIZES["launch"].memory_mb / 1024
    seconds = runs * run.seconds + sweeps * SWEEP_S
    invocations = runs * run.invocations + sweeps
    requests = runs * run.requests + len(lanes(declared())) * IDLE_POLLS
    logged_gb = (runs * run.log_bytes + sweeps * SWEEP_BYTES) / 1e9
    return Cost(
        jobs=jobs,
        instance=instance,
        database=copies * (dollars(instance) * HOURS + stored_gb * dollars("storage (gp3)"))
        + 2 * dollars("secret"),
        egress=(dollars("NAT gateway") + dollars("public IPv4 address")) * HOURS
        + runs * run.calls * CALL_BYTES / 1e9 * dollars("NAT gateway, data"),
        functions=seconds * memory_gb * dollars("Lambda, x86")
        + invocations * dollars("Lambda, invocations")
        + REQUESTS * 30 * dollars("API Gateway, REST"),
        queues=requests * dollars("SQS"),
        watching=logged_gb * (dollars("logs, taken in") + dollars("logs, kept"))
        + metrics() * dollars("metric of our own")
        + alarms(instance) * dollars("alarm")
        + dollars("dashboard"),
        scheduler=runs * dollars("EventBridge Scheduler"),
        mwaa=dollars("MWAA, small") * HOURS if jobs <= MWAA_JOBS else None,
    )


def metrics() -> int:
    """CloudWatch charges for each combination of a name and values of its dimensions."""
    return sum(1 + (VALUES.get(one.by, FEW) if one.by else 0) for one in METRICS.values())


def alarms(instance: str) -> int:
    return len(list(wanted(declared(), Stage(name="dev"), max_connections(instance))))


def bearable() -> int:
    """Hourly jobs, evenly spread, that the limits of ``infra/functions.py`` keep up with."""
    run = a_run()
    launches = SIZES["launch"].concurrency / run.launch_s
    ends = SIZES["completion"].concurrency / run.completion_s
    return int(min(launches, ends) * 3600 // 10_000 * 10_000)


def level_with_mwaa() -> int:
    """Hourly jobs for which the default stage costs as much as MWAA's small environment does idle."""
    least, more = cost(0, "db.t4g.small"), cost(10_000, "db.t4g.small")
    each = (more.total - least.total) / 10_000
    return int((dollars("MWAA, small") * HOURS - least.total) / each // 1_000 * 1_000)


SIZES_SHOWN = ((10, "db.t4g.small"), (10_000, "db.m7g.large"), (1_000_000, "db.r7g.2xlarge"))


def rows() -> Iterator[list[str]]:
    for one in (cost(*size) for size in SIZES_SHOWN):
        parts = (one.database, one.egress, one.functions, one.queues, one.watching, one.total)
        others = (f"{one.scheduler:,.2f}", "beyond it" if one.mwaa is None else f"{one.mwaa:,.0f}")
        yield [f"{one.jobs:,}", one.instance, *(f"{part:,.0f}" for part in parts), *others]


HEADER = [
    *("hourly jobs", "database", "its cost", "egress (NAT)", "functions", "queues", "logs, alarms"),
    *("**together**", "EventBridge Scheduler", "MWAA (small)"),
]


def counted() -> Iterator[list[str]]:
    """What a run takes, part by part."""
    names = {
        "launch": "launched, 50 together",
        "end": "its end, alone, by the event of its service",
        "poll": f"asked about, 50 together, every {POLL_S} s",
    }
    for name, meaning in names.items():
        count, part = COUNTS[name], _part(COUNTS[name])
        yield [
            meaning,
            f"{part.invocations:.2f}",
            f"{part.calls:.2f}",
            f"{count['statements'] / count['runs']:.1f}",
            f"{count['cpu_ms'] / count['runs']:.1f}",
            f"{part.seconds * 1000:.0f}",
            f"{part.log_bytes:.0f}",
        ]


COUNTED_HEADER = [
    *("of a run", "invocations", "calls of AWS", "statements", "ms of a processor"),
    *("ms of a function", "bytes logged"),
]
