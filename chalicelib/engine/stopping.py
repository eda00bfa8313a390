"""Stops are requests: what is written when a run in flight is asked to end."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.model.instance import Instance, Stop
from chalicelib.model.states import StopKind

CONFIRM_MS = 300_000  # unconfirmed after five minutes, the run ends as requested


def request_stop(
    instance: Instance, kind: StopKind, by: str, reason: str | None, now_ms: int
) -> Instance:
    """The instance with the request, due for a look now. The target's own end still wins if it is first."""
    stop = Stop(kind, by, reason, now_ms + CONFIRM_MS)
    return replace(instance, stop=stop, wake_ms=now_ms, version=instance.version + 1)
