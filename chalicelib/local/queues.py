"""The queues of one process: memory, and threads that hand every message to the app's handler.

Nothing here is a promise: a message that is lost comes again from the store, like one in the cloud.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.local.context import EventContext, queue_event
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.messages import read_handed_out, write_handed_out

THREADS = {Lane.LAUNCH: 2, Lane.CHECK: 8, Lane.DELIVER: 8}
ALONE = frozenset({Lane.WORK, Lane.DELIVER})
WORK_S = 14 * 60.0
Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Left:
    """What an end found: how many messages were at work still, and who was in line."""

    at_work: int
    in_line: Mapping[Lane, Sequence[HandedOut]]

    @property
    def count(self) -> int:
        return self.at_work + sum(len(handed) for handed in self.in_line.values())


class MemoryQueues:
    """The Queue port. ``handlers`` are known only once the app is there: see ``start``."""

    def __init__(self, workers: int) -> None:
        self._threads = {**THREADS, Lane.WORK: workers}
        self._messages: dict[Lane, queue.SimpleQueue[str | None]] = {
            name: queue.SimpleQueue() for name in self._threads
        }
        self._open = 0
        self._in_line: dict[Lane, list[HandedOut]] = {name: [] for name in self._threads}
        self._closed = False
        self._changed = threading.Condition()

    def send(self, lane: Lane, handed: Sequence[HandedOut]) -> None:
        batches = [[one] for one in handed] if lane in ALONE else [handed]
        for batch in batches:
            self._put(lane, write_handed_out(batch))

    def start(self, handlers: Mapping[str, Handler], log: JsonLog) -> None:
        for lane, count in self._threads.items():
            for number in range(count):
                threading.Thread(
                    target=self._serve,
                    args=(lane, handlers[lane], log),
                    name=f"{lane}-{number}",
                    daemon=True,
                ).start()

    def quiet(self, wait_s: float) -> bool:
        """Wait until nothing is queued or handled; false when that did not come in time."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            return self._changed.wait_for(
                lambda: self._open == 0, max(0.0, deadline - time.monotonic())
            )

    def stop(self, wait_s: float) -> Left:
        """Begin nothing more and finish what has begun, as far as the time reaches; what was left.

        Who is in line is not worth the wait: there may be thousands.
        """
        with self._changed:
            self._closed = True
        for lane in self._threads:
            self._empty(lane)
        self.quiet(wait_s)
        with self._changed:
            left = Left(self._open, {lane: tuple(its) for lane, its in self._in_line.items()})
        for lane, count in self._threads.items():
            for _ in range(count):
                self._messages[lane].put(None)
        return left

    def _empty(self, lane: Lane) -> None:
        with suppress(queue.Empty):
            while (body := self._messages[lane].get_nowait()) is not None:
                self._done(lane, body, begun=False)

    def _put(self, lane: Lane, body: str) -> None:
        with self._changed:
            if self._closed:
                self._in_line[lane] += read_handed_out(body)
                return
            self._open += 1
        self._messages[lane].put(body)

    def _serve(self, lane: Lane, handler: Handler, log: JsonLog) -> None:
        while (body := self._messages[lane].get()) is not None:
            begun = not self._closed
            if begun:
                self._handle(lane, handler, body, log)
            self._done(lane, body, begun=begun)

    def _done(self, lane: Lane, body: str, *, begun: bool) -> None:
        with self._changed:
            self._open -= 1
            if not begun:
                self._in_line[lane] += read_handed_out(body)
            self._changed.notify_all()

    def _handle(self, lane: Lane, handler: Handler, body: str, log: JsonLog) -> None:
        try:
            handler(queue_event(lane, [body]), EventContext(lane, limit_s=WORK_S))
        except Exception as error:  # noqa: BLE001 -- the thread goes on; the store hands out again
            log.failure(error, queue=lane, message=body)
