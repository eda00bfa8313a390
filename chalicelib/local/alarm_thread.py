"""The alarm of one process: a thread with a minute hand and a heap of wake-ups.

It drives the same handlers as the cloud's rule and queue do, and like them it carries no information.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Mapping

from chalicelib.engine.ports import Clock
from chalicelib.local.context import EventContext, queue_event, scheduled_event
from chalicelib.local.queues import Handler
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.messages import WakeUp, write_wake_up

MINUTE_MS = 60_000
SWEEP_S = 55.0
LONGEST_WAIT_S = 1.0
"""Clocks are set, machines sleep: the time is looked at this often, whatever was planned."""
AGAIN_MS = 1_000


class AlarmThread:
    """The Alarm port. The minute hand rings at the start and at each full minute of the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wake_ups: list[int] = []
        self._arm_until_ms: dict[int, int] = {}
        self._next_minute_ms = 0
        self._ringing = False
        self._stopping = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        with self._changed:
            if at_ms not in self._arm_until_ms:
                heapq.heappush(self._wake_ups, at_ms)
            self._arm_until_ms[at_ms] = max(arm_until_ms, self._arm_until_ms.get(at_ms, 0))
            self._changed.notify_all()

    def start(self, handlers: Mapping[str, Handler], log: JsonLog) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(handlers, log), name="alarm", daemon=True
        )
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(wait_s)

    def ring_now(self, wait_s: float) -> bool:
        """The minute hand, out of turn; wait until it and all that was due have rung."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            self._next_minute_ms = 0
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: not self._ringing and self._due_in_ms() > 0,
                max(0.0, deadline - time.monotonic()),
            )

    def _run(self, handlers: Mapping[str, Handler], log: JsonLog) -> None:
        while True:
            with self._changed:
                while not self._stopping and (wait_ms := self._due_in_ms()) > 0:
                    self._changed.wait(min(wait_ms / 1000, LONGEST_WAIT_S))
                if self._stopping:
                    return
                minute, wake_ups = self._take_due()
                self._ringing = True
            self._ring(handlers, log, wake_ups, minute=minute)
            with self._changed:
                self._ringing = False
                self._changed.notify_all()

    def _due_in_ms(self) -> int:
        first = self._wake_ups[0] if self._wake_ups else self._next_minute_ms
        return min(first, self._next_minute_ms) - self._clock.now_ms()

    def _take_due(self) -> tuple[bool, list[WakeUp]]:
        now = self._clock.now_ms()
        due: list[WakeUp] = []
        while self._wake_ups and self._wake_ups[0] <= now:
            at_ms = heapq.heappop(self._wake_ups)
            due.append(WakeUp(at_ms, self._arm_until_ms.pop(at_ms)))
        minute = self._next_minute_ms <= now
        if minute:
            self._next_minute_ms = now - now % MINUTE_MS + MINUTE_MS
        return minute, due

    def _ring(
        self, handlers: Mapping[str, Handler], log: JsonLog, wake_ups: list[WakeUp], *, minute: bool
    ) -> None:
        """What fails rings again soon: a database that was away is not to cost a minute."""
        try:
            if minute:
                handlers["minute"](
                    scheduled_event(self._clock.now_ms()), EventContext("minute", limit_s=SWEEP_S)
                )
            elif wake_ups:
                bodies = [write_wake_up(wake_up) for wake_up in wake_ups]
                handlers["second"](
                    queue_event("second", bodies), EventContext("second", limit_s=SWEEP_S)
                )
        except Exception as error:  # noqa: BLE001 -- the alarm must go on ringing, whatever it meets
            later = self._clock.now_ms() + AGAIN_MS * (5 if isinstance(error, Unavailable) else 1)
            self.wake(later, later - later % MINUTE_MS + MINUTE_MS)
            log.failure(error, alarm="minute" if minute else "second")
