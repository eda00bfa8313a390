"""The second hand: when a commit leaves something due before the next minute, ask to be woken for it."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.engine.engine import Engine

MINUTE_MS = 60_000


def next_minute(now_ms: int) -> int:
    return now_ms - now_ms % MINUTE_MS + MINUTE_MS


RUNGS = 10


def ring_each(engine: Engine, wakes: Iterable[int | None]) -> None:
    """One wake-up for each of the first few of these moments before the next minute; none arms another.

    For many instances that each come back at a time of their own.
    """
    now = engine.clock.now_ms()
    soon = {max(wake, now) for wake in wakes if wake is not None and wake < next_minute(now)}
    for wake in sorted(soon)[:RUNGS]:
        engine.alarm.wake(wake, 0)


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
