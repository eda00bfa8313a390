"""What kill, skip and rerun make of an instance, alone or one of many: pure, under locks of others."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.engine.completion import ended, next_run
from chalicelib.engine.stopping import request_stop
from chalicelib.model.errors import WrongState
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job
from chalicelib.model.states import TERMINAL, InstanceState, JobState, Reason, StopKind
from chalicelib.state_machine import InstanceEvent


def killed(instance: Instance, by: str, reason: str | None, now: int) -> Instance:
    """The instance, ended or asked to stop; the same value when that is so already.

    Raises:
        WrongState: it has ended, and not by a kill.
    """
    if instance.state is InstanceState.WAITING:
        return ended(instance, InstanceEvent.KILL, Reason.KILLED, now)
    if instance.state is InstanceState.KILLED:
        return instance
    if instance.state in TERMINAL:
        raise _wrong(
            instance, f"has ended as {instance.state}; only one that waits or runs", "killed"
        )
    if instance.stop is not None and instance.stop.kind is StopKind.KILL:
        return instance
    return request_stop(instance, StopKind.KILL, by, reason, now)


def skipped(instance: Instance, now: int) -> Instance:
    """The instance, skipped; the same value when it is. Raises WrongState when it does not wait."""
    if instance.state is InstanceState.SKIPPED:
        return instance
    if instance.state is not InstanceState.WAITING:
        raise _wrong(instance, f"is {instance.state}; only one that waits", "skipped")
    return ended(instance, InstanceEvent.SKIP, Reason.SKIPPED, now)


def run_again(job: Job, instance: Instance, now: int, *, original: bool) -> Instance:
    """A new run of it; the run before is the caller's to archive.

    Raises:
        WrongState: it has not ended, or its job is deleted.
    """
    if job.state is JobState.DELETED:
        raise WrongState(f"the job {job.name} is deleted; it runs no more")
    if instance.state not in TERMINAL:
        raise _wrong(instance, f"is {instance.state}; only one that has ended", "run again")
    again = next_run(instance, None, wake_ms=now, now_ms=now)
    return replace(
        again,
        attempt=1,
        launch_attempt=1,
        asked_ms=now,
        backfill=None,
        overlap=None,
        max_active=None,
        group=instance.group if original else job.group,
        revision=instance.revision if original else job.revision,
        deadline_ms=now + parse_duration(job.definition.policies.timeouts.wait),
        version=instance.version + 1,
    )


def _wrong(instance: Instance, what: str, done: str) -> WrongState:
    allowed: tuple[str, ...] = ("rerun",) if instance.state in TERMINAL else ("kill",)
    if instance.state is InstanceState.WAITING:
        allowed = ("kill", "skip")
    return WrongState(f"the instance {what} can be {done}; it takes {', '.join(allowed)}", allowed)
