"""What happened, as values. One listener turns them into log lines; use cases never write words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """The root of all facts; ``at_ms`` is the engine's clock."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Commanded(Fact):
    verb: str
    job_id: str
    instance_id: str | None
    actor: str


@dataclass(frozen=True, slots=True)
class Swept(Fact):
    """One sweep: what it looked at, and how late the oldest of it was, in milliseconds."""

    jobs: int
    instances: int
    handed_out: int
    lateness_ms: int


@dataclass(frozen=True, slots=True)
class JobSetAside(Fact):
    """A job raised while it was materialised; the sweep goes on without it and looks again later."""

    job_id: str
    error: str
    again_ms: int


@dataclass(frozen=True, slots=True)
class OverQuota(Fact):
    """An owner has as many waiting instances as it may have: of so many of its jobs times were skipped."""

    owner: str
    jobs: int


@dataclass(frozen=True, slots=True)
class BackfillSetAside(Fact):
    """The same for a backfill that raised at its turn."""

    backfill_id: str
    job_id: str
    error: str
    again_ms: int


@dataclass(frozen=True, slots=True)
class PrerequisitesChecked(Fact):
    """One batch: how many instances were looked at, how many may launch now, and how many of them have a
    prerequisite that gave no answer in its time."""

    instances: int
    ready: int
    late: int


@dataclass(frozen=True, slots=True)
class DataArrived(Fact):
    """Somebody announced data; so many instances that wait for it are looked at now."""

    actor: str
    data: str
    woken: int


@dataclass(frozen=True, slots=True)
class EndAnnounced(Fact):
    """Somebody outside said that a run has ended. ``asked``: its target is asked now; else the next look at
    it has somebody already."""

    source: str
    job_id: str
    instance_id: str
    run: int
    asked: bool


@dataclass(frozen=True, slots=True)
class Purged(Fact):
    """Housekeeping removed the records of so many instances of a job, as its retention says."""

    job_id: str
    instances: int


@dataclass(frozen=True, slots=True)
class PurgeSetAside(Fact):
    """A job raised while it was purged; the next night looks at it again."""

    job_id: str
    error: str


@dataclass(frozen=True, slots=True)
class RunClaimed(Fact):
    job_id: str
    instance_id: str
    run: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RunMoved(Fact):
    """An instance changed its state by what its target did."""

    job_id: str
    instance_id: str
    run: int
    state: str
    reason: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Reported(Fact):
    """The target of a run called back, and was heard. ``token``: the run's name, which grants nothing."""

    job_id: str
    instance_id: str
    run: int
    token: str
    report: str


@dataclass(frozen=True, slots=True)
class NotificationDelivered(Fact):
    notification_id: str
    job_id: str
    event: str
    attempt: int


@dataclass(frozen=True, slots=True)
class NotificationFailed(Fact):
    """A try failed. ``again_ms``: when the next one is; None when it was the last."""

    notification_id: str
    job_id: str
    event: str
    attempt: int
    error: str
    again_ms: int | None
