"""The history of a job: who did what, when and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact of history. ``verb`` is a command or a state machine's event; ``detail`` is JSON."""

    id: str
    owner: str
    job_id: str
    instance_id: str | None = None
    at_ms: int
    actor: str
    verb: str
    reason: str | None = None
    detail_json: str = "{}"
