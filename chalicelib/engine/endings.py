"""Why an instance has ended as it has, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.engine.telling import span
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.states import InstanceState, Reason

_WORDS: Mapping[str, str] = {
    Reason.RUN_FAILED: "its run failed",
    Reason.LAUNCH_FAILED: "it could not be launched",
    Reason.LAUNCH_LOST: "its launch was lost",
    Reason.RUN_LOST: "its run was lost",
    Reason.RUN_TIMEOUT: "it ran longer than timeouts.run allows",
    Reason.HEARTBEAT_MISSED: "its target was not heard of for as long as timeouts.heartbeat allows",
    Reason.WAIT_TIMEOUT: "it waited longer than timeouts.wait allows",
    Reason.KILLED: "it was killed",
    Reason.SKIPPED: "it was skipped",
    Reason.STOP_UNCONFIRMED: "it was asked to stop, and its target never confirmed that it did",
    Reason.OVERLAP: "an instance before it was still at work, and the policy overlap says skip",
    Reason.REPLACED: "an instance of a newer nominal time took its place (overlap: replace)",
    Reason.JOB_DELETED: "its job was deleted",
    Reason.BACKFILL_CANCELLED: "its backfill was cancelled",
}
_BY_PEOPLE = frozenset({"KILL", "SKIP", "DELETE"})


def why_ended(
    instance: Instance, last: Event | None, at: Callable[[int], str], *, retried: bool
) -> str:
    """``last``: its latest event, which says who did it. ``retried``: there was more than one attempt."""
    ended = f"{instance.state.value.lower().replace('_', ' ')}{_when(instance, at)}"
    if instance.state is InstanceState.SUCCEEDED:
        return ended
    reason = instance.reason or ""
    parts = [
        f"{ended}: {_WORDS.get(reason, reason.lower().replace('_', ' ') or 'no reason is known')}"
    ]
    if reason == Reason.WAIT_TIMEOUT and instance.waiting_on:
        parts.append(f"it waited for {instance.waiting_on}")
    parts += _who(instance, last)
    if instance.error:
        parts.append(instance.error)
    if retried and instance.state in (InstanceState.FAILED, InstanceState.TIMED_OUT):
        parts.append(f"no attempt is left after attempt {instance.attempt}")
    return "; ".join(parts)


def _when(instance: Instance, at: Callable[[int], str]) -> str:
    if instance.ended_ms is None:
        return ""
    began = instance.started_ms or instance.launched_ms
    took = f" after {span(instance.ended_ms - began)}" if began is not None else ""
    return f" at {at(instance.ended_ms)}{took}"


def _who(instance: Instance, last: Event | None) -> list[str]:
    """The person who asked for it, and why."""
    if instance.stop is not None:
        by, why = instance.stop.by, instance.stop.reason
    elif last is not None and last.verb in _BY_PEOPLE:
        by, why = last.actor, last.reason
    else:
        return []
    return [f"asked for by {by}" + (f" ({why})" if why else "")]
