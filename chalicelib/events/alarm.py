"""The two hands of the alarm. An alarm carries no information: the engine asks its store what is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Swept
from chalicelib.engine.sweep import sweep_minute, sweep_second
from chalicelib.engine.wakeups import next_minute
from chalicelib.events.records import Record, answer, read_all
from chalicelib.notifications.messages import read_wake_up
from chalicelib.wiring import noonday

LATE_MS = 15_000
"""The second hand goes on so long past the minute: the next minute hand may be late, and is no loss."""


EARLY_MS = 1_500
"""What comes earlier than that is not late: it sweeps, and arms the next wake-up itself."""


class Context(Protocol):
    """What Lambda, and the embedded server like it, says about the time left."""

    def get_remaining_time_in_millis(self) -> float: ...


def minute_hand(context: Context) -> None:
    engine = noonday().engine
    began_ms = engine.clock.now_ms()
    until = _longest(engine)
    swept = sweep_minute(engine, arm_until_ms=until, seconds_left=_seconds_left(context))
    _measured(swept, began_ms, "minute")


def second_hand(records: Iterable[Record], context: Context) -> dict[str, Any]:
    """One sweep for all that came together: the latest of their permissions to arm holds.

    A queue delays by whole seconds, so a wake-up comes up to one too early, and waits here for the rest.
    """
    wake_ups, unread = read_all(records, read_wake_up)
    if wake_ups:
        engine = noonday().engine
        until = max(wake_up.arm_until_ms for wake_up in wake_ups)
        until = min(until, _longest(engine))  # else a forged one begins a chain without end
        _wait_for(min(wake_up.at_ms for wake_up in wake_ups))
        began_ms = engine.clock.now_ms()
        late = [max(began_ms - wake_up.at_ms, 0) for wake_up in wake_ups]
        noonday().log.measured({"QueueDelay": late}, Lane="wake")
        swept = sweep_second(engine, arm_until_ms=until, seconds_left=_seconds_left(context))
        _measured(swept, began_ms, "second")
    return answer(unread)


def _longest(engine: Engine) -> int:
    """Until when anything may be armed now."""
    return next_minute(engine.clock.now_ms()) + LATE_MS


def _measured(swept: Swept, began_ms: int, hand: str) -> None:
    noonday().log.measured(
        {
            "Sweeps": 1,
            "SweepDuration": noonday().engine.clock.now_ms() - began_ms,
            "Lateness": swept.lateness_ms,
            "SweptJobs": swept.jobs,
            "SweptInstances": swept.instances,
            "HandedOut": swept.handed_out,
        },
        Hand=hand,
    )


def _wait_for(at_ms: int) -> None:
    early_ms = at_ms - noonday().engine.clock.now_ms()
    if 0 < early_ms <= EARLY_MS:
        noonday().pause(early_ms / 1000)


def _seconds_left(context: Context) -> float:
    return context.get_remaining_time_in_millis() / 1000
