"""What happened, as values. One listener turns them into log lines; use cases never write words.

The names of the classes and of their fields are what people search the log for: ``docs/observability.md`` is
written from this module, and a test holds that every one of them is written somewhere. A field that ends with
``_ms`` is an instant if ``INSTANTS`` has it, else a span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.model.instance import Instance

INSTANTS = frozenset({"nominal_ms", "again_ms", "from_ms", "to_ms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The root of all facts; ``at_ms`` is the engine's clock."""

    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfJob(Fact):
    """``job``: its name. None, as ``owner``, where it is not known without a further question."""

    job_id: str
    job: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRun(OfJob):
    """``token``: the run's name towards its target, which grants nothing."""

    instance_id: str
    nominal_ms: int
    run: int
    token: str
    external_id: str | None = None


def of_run(instance: Instance, job: str | None) -> dict[str, Any]:
    """The fields that say which run of an instance a fact is about."""
    return {
        "job_id": instance.job_id,
        "job": job,
        "owner": instance.owner,
        "instance_id": instance.id,
        "nominal_ms": instance.nominal_ms,
        "run": instance.run,
        "token": instance.token,
        "external_id": instance.external_id,
    }


# --- what people and the engine do to jobs and instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded(Fact):
    """Somebody did what ``verb`` says; the engine itself is the actor ``noonday``. ``subject``: what it was
    done to where that is neither a job nor an instance."""

    verb: str
    actor: str
    job_id: str | None = None
    job: str | None = None
    owner: str | None = None
    instance_id: str | None = None
    nominal_ms: int | None = None
    run: int | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept(Fact):
    """One sweep that found something due: what it looked at, and how late the latest of it was."""

    jobs: int
    instances: int
    handed_out: int
    lateness_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesSkipped(OfJob):
    """Of a job's nominal times from ``from`` until before ``to`` none is launched: its policy, its
    suspension or its owner's quota says so."""

    reason: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSetAside(OfJob):
    """A job raised while it was materialised; the sweep goes on without it and looks again later."""

    error: str
    again_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverQuota(Fact):
    """An owner has as many waiting instances as it may have: of so many of its jobs times were skipped."""

    owner: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSetAside(OfJob):
    """A backfill raised at its turn; the sweep goes on without it and looks again later."""

    backfill_id: str
    error: str
    again_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisitesChecked(Fact):
    """One batch: how many instances were looked at, how many may launch now, and how many of them have a
    prerequisite that gave no answer in its time."""

    instances: int
    ready: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged(OfJob):
    """Housekeeping removed the records of so many instances of a job, as its retention says."""

    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSetAside(OfJob):
    """A job raised while it was purged; the next night looks at it again."""

    error: str


# --- what comes from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class DataArrived(Fact):
    """Somebody announced data; so many instances that wait for it are looked at now."""

    actor: str
    data: str
    woken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAnnounced(OfRun):
    """Somebody outside said that a run has ended. ``asked``: its target is asked now; else the next look at
    it has somebody already."""

    source: str
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventIgnored(Fact):
    """Somebody outside said that work has ended which is no run of ours in flight."""

    source: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(OfRun):
    """The target of a run called back, and was heard."""

    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRefused(Fact):
    """Somebody called back as the target of a run, and was not heard. ``token`` is what the request says."""

    token: str
    error: str


# --- what becomes of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchBegun(OfRun):
    """A run that waited is claimed, and its target is called next. ``lateness_ms``: since it was due, as
    the metric LaunchLateness says; none where it waited for something else than its time and its data."""

    kind: str
    epoch: int
    lateness_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClaimed(OfRun):
    """Somebody looks after a run that was begun before. ``claims`` above 1: those before had no outcome."""

    state: str
    epoch: int
    claims: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRefused(OfRun):
    """The target definitely did not take the run, which waits and is launched again."""

    error: str | None
    again_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeld(OfRun):
    """It was to be launched, and has to wait: for a slot of its job or group, or for its job's resumption."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLaunched(OfRun):
    """The target took the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(OfRun):
    """The run is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(OfRun):
    """A run in flight is asked to end: KILL, TIME_OUT or REPLACE."""

    stop: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(OfRun):
    """A run ended, also one that is tried again. ``duration_ms``: since its launch, if there was one."""

    state: str
    reason: str | None
    error: str | None
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried(OfRun):
    """A run that failed is followed by this one, at ``again``. ``reason``: why the one before failed."""

    reason: str | None
    again_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSkipped(OfRun):
    """An instance that waited is not launched."""

    reason: str | None


# --- what is told


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDelivered(OfJob):
    """Its receiver took it. ``attempt`` counts the tries."""

    notification_id: str
    instance_id: str | None
    event: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed(OfJob):
    """A try failed. ``again``: when the next one is; none when it was the last."""

    notification_id: str
    instance_id: str | None
    event: str
    attempt: int
    error: str
    again_ms: int | None
