"""A clock that is moved by hand: everything that is due on the way happens, each at its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from chalicelib.model.instants import format_instant
from chalicelib.notifications.clock import HandMovedClock, NotQuiet

STUCK_AFTER = 1_000
RING_S = 60.0
MOVE_S = 20.0
"""Somebody waits for the answer, and the server's end for that: a longer way is gone in several moves."""


class Driven(Protocol):
    """The engine's surroundings, as the clock moves them."""

    def next_wake(self, before_ms: int) -> int | None:
        """When something is due next, if before that time."""
        ...

    def ring(self, wait_s: float) -> bool:
        """Sweep, and wait for its end; false when it did not come in time."""
        ...

    def quiet(self, wait_s: float) -> bool:
        """Wait for the runs that are at work; false when some still are."""
        ...


class ManualClock(HandMovedClock):
    """Stands where it was put. ``attach`` it to what it drives before it is moved."""

    def __init__(self, now_ms: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._moving = threading.Lock()
        self._driven: Callable[[], Driven] | None = None

    def now_ms(self) -> int:
        return self._now_ms

    def attach(self, driven: Driven) -> None:
        self._driven = lambda: driven

    def move_to(self, at_ms: int, *, wait_s: float) -> None:
        with self._moving:
            if at_ms < self._now_ms:
                raise ValueError(
                    f"is before now, {format_instant(self._now_ms)}; time goes forward only"
                )
            if self._driven is None:
                self._now_ms = at_ms
                return
            self._step(self._driven(), at_ms, wait_s)

    def _step(self, driven: Driven, at_ms: int, wait_s: float) -> None:
        """From one due moment to the next; at the last one once more, for what the others left."""
        again = 0
        end = self._monotonic() + MOVE_S
        while (due_ms := driven.next_wake(at_ms + 1)) is not None:
            again = again + 1 if due_ms <= self._now_ms else 0
            if again > STUCK_AFTER:
                break
            self._now_ms = max(self._now_ms, due_ms)
            self._settle(driven, wait_s)
            if self._monotonic() >= end:
                raise NotQuiet(
                    f"so much is due on the way that time has come only to "
                    f"{format_instant(self._now_ms)}; move on from there"
                )
        self._now_ms = at_ms
        self._settle(driven, wait_s)

    def _settle(self, driven: Driven, wait_s: float) -> None:
        if not driven.ring(RING_S):
            raise NotQuiet(f"a sweep did not end; time stands at {format_instant(self._now_ms)}")
        if wait_s and not driven.quiet(wait_s):
            raise NotQuiet(
                f"runs are still at work; time stands at {format_instant(self._now_ms)}. Move on "
                "later, or with wait_seconds: 0 without them"
            )
