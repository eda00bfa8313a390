"""The two hands of the alarm. An alarm carries no information: the engine asks its store what is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chalicelib.engine.sweep import sweep_minute, sweep_second
from chalicelib.engine.wakeups import next_minute
from chalicelib.notifications.messages import read_wake_up
from chalicelib.wiring import noonday

LATE_MS = 15_000
"""The second hand goes on so long past the minute: the next minute hand may be late, and is no loss."""


class Context(Protocol):
    """What Lambda, and the embedded server like it, says about the time left."""

    def get_remaining_time_in_millis(self) -> float: ...


class Record(Protocol):
    body: str


def minute_hand(context: Context) -> None:
    engine = noonday().engine
    until = next_minute(engine.clock.now_ms()) + LATE_MS
    sweep_minute(engine, arm_until_ms=until, seconds_left=_seconds_left(context))


def second_hand(records: Iterable[Record], context: Context) -> None:
    """One sweep for all that came together: the latest of their permissions to arm holds."""
    wake_ups = [read_wake_up(record.body) for record in records]
    until = max((wake_up.arm_until_ms for wake_up in wake_ups), default=0)
    sweep_second(noonday().engine, arm_until_ms=until, seconds_left=_seconds_left(context))


def _seconds_left(context: Context) -> float:
    return context.get_remaining_time_in_millis() / 1000
