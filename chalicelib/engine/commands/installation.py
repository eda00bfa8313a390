"""What concerns the whole installation: its history belongs to no owner and no job, and admins see it."""

from __future__ import annotations

import json

from chalicelib.engine.engine import Engine
from chalicelib.model.event import Event
from chalicelib.model.principal import Principal


def installation_event(
    engine: Engine,
    principal: Principal,
    verb: str,
    reason: str | None,
    detail: dict[str, object],
    now: int,
) -> Event:
    """For the history, in the transaction of what it tells. ``now``: UTC milliseconds."""
    return Event(
        id=engine.ids.new(),
        owner="",
        job_id="",
        at_ms=now,
        actor=principal.name,
        verb=verb,
        reason=reason,
        detail_json=json.dumps(detail),
    )
