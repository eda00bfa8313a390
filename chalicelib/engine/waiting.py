"""What an instance waits for, in words, from its row alone: the same whoever asks, and whenever."""

from __future__ import annotations

from chalicelib.engine.telling import times
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_instant
from chalicelib.model.states import InstanceState, Reason


def waiting_on(instance: Instance) -> str | None:
    """None when it waits for nothing but its launch. Of one that ended: what it waited for in vain."""
    if instance.state is not InstanceState.WAITING:
        return instance.waiting_on
    match instance.reason:
        case Reason.JOB_SUSPENDED:
            return "its job, which is suspended"
        case Reason.PREREQUISITES:
            return _data(instance)
        case Reason.MAX_ACTIVE:
            whose = "job" if instance.backfill is None else "backfill"
            return f"its turn: all slots of its {whose} are taken"
        case Reason.GROUP_FULL:
            return instance.waiting_on or f"a slot of the group {instance.group}"
        case Reason.RETRY:
            return f"its retry: run {instance.run}, due at {_time(instance.wake_ms)}"
        case Reason.TARGET_REFUSED:
            again = f"; tried again at {_time(instance.wake_ms)}"
            return f"its target, which refused: {instance.waiting_on}{again}"
    return instance.waiting_on


def _data(instance: Instance) -> str:
    checked = f", checked {times(instance.checks)}, last at {_time(instance.checked_ms)}"
    ends = instance.deadline_ms
    gives_up = f"; gives up at {_time(ends)}" if ends is not None else ""
    return f"{instance.waiting_on}{checked}{gives_up}"


def _time(at_ms: int | None) -> str:
    return "an unknown time" if at_ms is None else format_instant(at_ms)
