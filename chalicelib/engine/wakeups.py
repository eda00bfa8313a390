"""The second hand: when a commit leaves something due before the next minute, ask to be woken for it."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.engine.engine import Engine

MINUTE_MS = 60_000


def next_minute(now_ms: int) -> int:
    return now_ms - now_ms % MINUTE_MS + MINUTE_MS


def ring(engine: Engine, wakes: Iterable[int | None], *, arms: bool) -> None:
    """Ask for one sweep at the earliest of these times, unless the minute hand comes first.

    ``arms``: the wake-up may arm the next one until the minute is over. Commands on jobs need that:
    otherwise a job that fires every few seconds would be silent between its submission and the next
    minute. Of what happens to an instance there is no next: there are many of them, and each would
    begin a chain of wake-ups beside that of the minute hand.
    """
    now = engine.clock.now_ms()
    minute = next_minute(now)
    due = min((wake for wake in wakes if wake is not None), default=None)
    if due is not None and due < minute:
        engine.alarm.wake(max(due, now), minute if arms else 0)
