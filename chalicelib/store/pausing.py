"""The statements about the pause: a row of ``scheduler_meta``, empty while nothing is paused."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chalicelib.model.instance import Instance
from chalicelib.model.pause import Pause
from chalicelib.model.states import IN_FLIGHT
from chalicelib.store import rows
from chalicelib.store.driver import Row
from chalicelib.store.failures import ConstraintViolated
from chalicelib.store.session import Session


class PauseReads:
    """The ``PauseReader`` port."""

    _session: Session

    def pause(self) -> Pause | None:
        return _pause_of(self._session.query("pause"))


class PauseWrites(PauseReads):
    """The ``PauseTransaction`` port."""

    def share_pause(self) -> Pause | None:
        return _pause_of(self._session.query("share_pause"))

    def lock_pause(self) -> Pause | None:
        return _pause_of(self._session.query("lock_pause"))

    def save_pause(self, pause: Pause | None) -> None:
        text = ""
        if pause is not None:
            told = {"since_ms": pause.since_ms, "by": pause.by, "reason": pause.reason}
            text = json.dumps(told)
        self._session.change("update_meta", name="pause", value=text)

    def give_back(self, now_ms: int, paused_since_ms: int) -> int:
        self._session.change("give_back_watches", now=now_ms, since=paused_since_ms)
        return self._session.change("give_back_waits", now=now_ms, since=paused_since_ms)

    def lock_due_in_flight(self, now_ms: int, limit: int) -> Sequence[Instance]:
        chosen = sorted(self._session.query("due_in_flight", now=now_ms))[:limit]
        ids = [id_ for _, id_ in chosen]
        locked = self._session.query_listed("lock_due_instances", ids, now=now_ms)
        found = [one for one in map(rows.instance_of, locked) if one.state in IN_FLIGHT]
        return sorted(found, key=lambda one: (one.wake_ms or 0, one.id))


def _pause_of(found: Sequence[Row]) -> Pause | None:
    if not found:
        raise ConstraintViolated("the row of the pause is gone from scheduler_meta")
    [[text]] = found
    return Pause(**json.loads(text)) if text else None
