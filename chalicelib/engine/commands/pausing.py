"""pause, resume: an admin's hold over everything, for incidents, failovers and restores."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.engine.access import require_admin
from chalicelib.engine.commands.installation import installation_event
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.engine.wakeups import ring
from chalicelib.model.event import Event
from chalicelib.model.pause import Pause
from chalicelib.model.principal import Principal


def pause(engine: Engine, principal: Principal, *, reason: str | None = None) -> Pause:
    """Let nothing begin: once this is committed, no claim is taken that was not taken before.

    Runs in flight are looked after, commands are accepted and kept. Who pauses what is paused says a new
    reason with it, or changes nothing; it is paused since the first time.
    """
    require_admin(principal)

    def unit(tx: Transaction) -> tuple[Pause, bool]:
        now = engine.clock.now_ms()
        before = tx.lock_pause()
        if before is None:
            after = Pause(now, principal.name, reason)
        elif reason is None or reason == before.reason:
            return before, False
        else:
            after = replace(before, by=principal.name, reason=reason)
        tx.save_pause(after)
        tx.insert_events([_event(engine, principal, "PAUSE", reason, after, now)])
        return after, True

    paused, moved = engine.store.transact(unit)
    if moved:
        administered(engine, principal.name, "PAUSE", "all")
    return paused


def resume_all(engine: Engine, principal: Principal, *, reason: str | None = None) -> Pause | None:
    """End the pause; None when there was none. What came due meanwhile follows each job's catch-up, as
    after an outage; waits have the time of the pause given back."""
    require_admin(principal)

    def unit(tx: Transaction) -> Pause | None:
        now = engine.clock.now_ms()
        before = tx.lock_pause()
        if before is None:
            return None
        tx.save_pause(None)
        tx.give_back(now, min(before.since_ms, now))
        tx.insert_events([_event(engine, principal, "RESUME", reason, before, now)])
        return before

    ended = engine.store.transact(unit)
    if ended is not None:
        administered(engine, principal.name, "RESUME", "all")
        ring(engine, [engine.clock.now_ms()], arms=True)
    return ended


def _event(
    engine: Engine, principal: Principal, verb: str, reason: str | None, pause: Pause, now: int
) -> Event:
    return installation_event(engine, principal, verb, reason, {"since_ms": pause.since_ms}, now)
