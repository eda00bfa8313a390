"""What follows from how a call to a target ended: pure, one function for every outcome.

``follow`` decides one instance; ``settle`` applies many in one transaction, under the locks of their jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

from chalicelib.engine.outcomes import (
    Dropped,
    Failed,
    HandedOver,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.model.credential import without_credentials
from chalicelib.model.definition import Backoff, Policies
from chalicelib.model.instance import Claim, Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.states import BY_ITSELF, TERMINAL, GroupPlace, InstanceState, Reason, StopKind
from chalicelib.state_machine import InstanceEvent, move_instance

POLL_MS = 30_000
REFUSED_MS = 30_000

_STOP_EVENTS = {
    StopKind.KILL: (InstanceEvent.KILL, Reason.KILLED),
    StopKind.TIME_OUT: (InstanceEvent.TIME_OUT, Reason.RUN_TIMEOUT),
    StopKind.REPLACE: (InstanceEvent.KILL, Reason.REPLACED),
    StopKind.HEARTBEAT: (InstanceEvent.FAILURE, Reason.HEARTBEAT_MISSED),
}


@dataclass(frozen=True, slots=True)
class Followed:
    """``instance`` after an outcome; ``may_retry``: another attempt could help."""

    instance: Instance
    may_retry: bool = False


def follow(instance: Instance, outcome: Outcome, now_ms: int) -> Followed:
    """The instance after the outcome of its latest run; the same value when nothing follows.

    A run that has ended stays as it ended: what comes later is somebody else's to record.
    """
    if instance.state in TERMINAL or instance.state is InstanceState.WAITING:
        return Followed(instance)
    match outcome:
        case Dropped() | Unknown():
            return Followed(instance)
        case Launched() | HandedOver():
            return Followed(_accepted(instance, outcome, now_ms))
        case Running():
            return Followed(_running(instance, now_ms))
        case Pending():
            return Followed(_looked_at(instance, now_ms))
        case Refused(error):
            return _refused(instance, error, now_ms)
        case Succeeded():
            return Followed(_succeeded(instance, outcome, now_ms))
        case Stopped(log_path):
            return _stopped(instance, log_path, now_ms)
        case Failed():
            return _failed(instance, outcome, now_ms)


def retried(instance: Instance, policies: Policies, now_ms: int) -> Instance:
    """The next run, which waits for its delay and keeps the slots; the same value if none is left.

    Launches that failed have a budget of their own, which begins anew with each run that began. What the
    run waited for was there: prerequisites are not checked again.
    """
    retries = policies.retries
    of_launch = instance.reason in (Reason.LAUNCH_FAILED, Reason.LAUNCH_LOST)
    tried = instance.launch_attempt if of_launch else instance.attempt
    budget = retries.launch.max_attempts if of_launch else retries.max_attempts
    if tried >= budget:
        return instance
    backoff = retries.launch if of_launch else retries
    wake_ms = now_ms + retry_delay_ms(instance, backoff, tried)
    return replace(
        next_run(instance, Reason.RETRY, wake_ms=wake_ms, now_ms=now_ms),
        attempt=instance.attempt + (not of_launch),
        launch_attempt=instance.launch_attempt + 1 if of_launch else 1,
        active=True,
        place=GroupPlace.HELD if instance.group else None,
        ready_ms=wake_ms,
        deadline_ms=wake_ms + parse_duration(policies.timeouts.wait),
    )


def stop_unconfirmed(instance: Instance, now_ms: int) -> Followed:
    """Nobody confirmed the stop in time: the run ends as it was asked to, and is not tried again."""
    if instance.stop is None or instance.state in TERMINAL:
        return Followed(instance)
    if instance.stop.deadline_ms > now_ms:
        return Followed(instance)
    event, _ = _STOP_EVENTS[instance.stop.kind]
    after = ended(instance, event, Reason.STOP_UNCONFIRMED, now_ms)
    error = "the target did not confirm the stop; the run may still be going on"
    return Followed(replace(after, error=error))


def wait_timed_out(instance: Instance, now_ms: int) -> Followed:
    """It waited too long for its launch."""
    late = instance.deadline_ms is not None and instance.deadline_ms <= now_ms
    if instance.state is not InstanceState.WAITING or not late:
        return Followed(instance)
    return Followed(ended(instance, InstanceEvent.TIME_OUT, Reason.WAIT_TIMEOUT, now_ms))


def ended(instance: Instance, event: InstanceEvent, reason: str | None, now_ms: int) -> Instance:
    """The terminal instance: its slot is free, nothing looks at it again."""
    return replace(
        instance,
        state=move_instance(instance.state, event),
        reason=reason,
        active=False,
        place=None,
        wake_ms=None,
        deadline_ms=None,
        claim=replace(instance.claim, lease_ms=None),
        ended_ms=now_ms,
        version=_next(instance),
    )


def _succeeded(instance: Instance, outcome: Succeeded, now_ms: int) -> Instance:
    return replace(
        ended(instance, InstanceEvent.SUCCESS, None, now_ms),
        result_path=outcome.result_path,
        log_path=outcome.log_path or instance.log_path,
        external_id=outcome.external_id or instance.external_id,
        external_url=outcome.external_url or instance.external_url,
    )


def _accepted(instance: Instance, outcome: Launched | HandedOver, now_ms: int) -> Instance:
    if isinstance(outcome, HandedOver):
        return _handed_over(instance, outcome, now_ms)
    return _launched(instance, outcome.external_id, outcome.external_url, now_ms)


def _launched(instance: Instance, external_id: str, url: str | None, now_ms: int) -> Instance:
    """Adopting what was found again is the same: the state may have moved on already."""
    if instance.state is not InstanceState.LAUNCHING:
        return instance
    after = replace(
        instance,
        state=move_instance(instance.state, InstanceEvent.CONDITIONS_MET),
        reason=None,
        external_id=external_id,
        external_url=url,
        launched_ms=now_ms,
        claim=_answered(instance.claim),
        version=_next(instance),
    )
    return replace(after, wake_ms=_look_again(after, now_ms))


def _handed_over(instance: Instance, outcome: HandedOver, now_ms: int) -> Instance:
    """Its target may have reported already; what the launch has to say is written down all the same."""
    if instance.claim.lease_ms is None and instance.state is not InstanceState.LAUNCHING:
        return instance
    launching = instance.state is InstanceState.LAUNCHING
    event = InstanceEvent.CONDITIONS_MET if launching else InstanceEvent.RUN
    after = replace(
        instance,
        state=move_instance(instance.state, event),
        reason=None,
        external_id=outcome.external_id or instance.external_id,
        external_url=outcome.external_url or instance.external_url,
        log_path=outcome.log_path or instance.log_path,
        launched_ms=now_ms,
        claim=_answered(instance.claim),
        version=_next(instance),
    )
    return replace(after, wake_ms=_look_again(after, now_ms))


def _running(instance: Instance, now_ms: int) -> Instance:
    return replace(
        instance,
        state=move_instance(instance.state, InstanceEvent.RUN),
        started_ms=instance.started_ms or now_ms,
        claim=_answered(instance.claim),
        wake_ms=_look_again(instance, now_ms),
        version=_next(instance),
    )


def _refused(instance: Instance, error: str, now_ms: int) -> Followed:
    """Definitely not taken: the same run waits, keeps its slot, and is tried again.

    One that was asked to stop meanwhile has ended: there is nothing to stop.
    """
    if instance.state is not InstanceState.LAUNCHING:
        return Followed(instance)
    if instance.stop is not None:
        return _stopped(instance, None, now_ms)
    after = replace(
        instance,
        state=move_instance(instance.state, InstanceEvent.CONDITIONS_NOT_MET),
        reason=Reason.TARGET_REFUSED,
        waiting_on=without_credentials(error),
        claim=_answered(instance.claim),
        wake_ms=now_ms + REFUSED_MS,
        version=_next(instance),
    )
    return Followed(after)


def _stopped(instance: Instance, log_path: str | None, now_ms: int) -> Followed:
    if instance.stop is None:  # it says that it was stopped, but not by us
        return _failed(
            instance, Failed("the run was stopped from outside", log_path=log_path), now_ms
        )
    event, reason = _STOP_EVENTS[instance.stop.kind]
    after = replace(ended(instance, event, reason, now_ms), log_path=log_path or instance.log_path)
    if instance.stop.kind is StopKind.HEARTBEAT:
        after = replace(after, error=f"{instance.stop.reason}, and was stopped")
    return Followed(after, may_retry=instance.stop.kind in BY_ITSELF)


def _failed(instance: Instance, failed: Failed, now_ms: int) -> Followed:
    began = instance.state in (InstanceState.RUNNING, InstanceState.LAUNCHED)
    reason = Reason.RUN_FAILED if began else Reason.LAUNCH_FAILED
    if failed.lost:
        reason = Reason.RUN_LOST if began else Reason.LAUNCH_LOST
    after = ended(instance, InstanceEvent.FAILURE, reason, now_ms)
    after = replace(
        after,
        error=without_credentials(failed.error),
        log_path=failed.log_path or instance.log_path,
    )
    unwanted = instance.stop is not None and instance.stop.kind not in BY_ITSELF
    return Followed(after, may_retry=failed.retry and not unwanted)


def next_run(instance: Instance, reason: str | None, *, wake_ms: int, now_ms: int) -> Instance:
    """A new run of an instance that has ended; the old one is the caller's to archive."""
    return replace(
        instance,
        state=move_instance(instance.state, InstanceEvent.RERUN),
        reason=reason,
        run=instance.run + 1,
        wake_ms=wake_ms,
        claim=Claim(epoch=instance.claim.epoch),
        stop=None,
        external_id=None,
        external_url=None,
        handle=None,
        result_path=None,
        log_path=None,
        error=None,
        waiting_on=None,
        heard_ms=None,
        said=None,
        checks=0,
        checked_ms=None,
        findings_json=None,
        run_created_ms=now_ms,
        ready_ms=None,
        launched_ms=None,
        started_ms=None,
        ended_ms=None,
    )


def retry_delay_ms(instance: Instance, backoff: Backoff, tried: int) -> int:
    """Exponential, capped, and spread by a hash of the run's token: the same at every repeat.

    ``tried``: 1 or more, how many of this kind there have been.
    """
    grown = parse_duration(backoff.delay) * backoff.factor ** (tried - 1)
    capped = min(grown, parse_duration(backoff.max_delay))
    digest = blake2b(instance.token.encode(), digest_size=8).digest()
    spread = int.from_bytes(digest, "big") / 2**64 * 2 - 1
    return max(0, round(capped * (1 + backoff.jitter * spread)))


def _looked_at(instance: Instance, now_ms: int) -> Instance:
    return replace(
        instance,
        claim=_answered(instance.claim),
        wake_ms=_look_again(instance, now_ms),
        version=_next(instance),
    )


def _answered(claim: Claim) -> Claim:
    """Nobody holds the run now, and its claims had an outcome: they count from nought again."""
    return Claim(epoch=claim.epoch)


def _look_again(instance: Instance, now_ms: int) -> int:
    """The next poll, or the end of the run's time (of its stop's, once asked) if that is sooner."""
    end = instance.stop.deadline_ms if instance.stop is not None else instance.deadline_ms
    poll_ms = now_ms + POLL_MS
    return min(poll_ms, end) if end is not None and end > now_ms else poll_ms


def _next(instance: Instance) -> int:
    return instance.version + 1
