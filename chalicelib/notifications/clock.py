"""Time. The only module that reads the wall clock."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from chalicelib.model.errors import Unavailable

SAMPLE_EVERY_S = 60.0


def wall_ms() -> int:
    """This machine's clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000  # noqa: TID251


class SystemClock:
    """This machine's clock: all there is where the database is a file on it."""

    def now_ms(self) -> int:
        return wall_ms()


class CorrectedClock:
    """This machine's clock, moved to the database's: whoever shares the database agrees on now.

    The database is asked at most once in ``SAMPLE_EVERY_S``; while it cannot answer, the correction
    that is known is kept. A sample is taken by one thread; the others go on with the one before.
    """

    def __init__(
        self,
        database_now_ms: Callable[[], int],
        *,
        wall: Callable[[], int] = wall_ms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database_now_ms = database_now_ms
        self._wall = wall
        self._monotonic = monotonic
        self._offset_ms = 0
        self._sample_after = float("-inf")
        self._sampling = threading.Lock()

    def now_ms(self) -> int:
        if self._monotonic() >= self._sample_after and self._sampling.acquire(blocking=False):
            try:
                self._sample()
            finally:
                self._sampling.release()
        return self._wall() + self._offset_ms

    def _sample(self) -> None:
        self._sample_after = self._monotonic() + SAMPLE_EVERY_S
        before = self._wall()
        try:
            theirs = self._database_now_ms()
        except Unavailable:
            return
        self._offset_ms = theirs - (before + self._wall()) // 2


class NotQuiet(Exception):
    """Time was to be moved, but runs are still at work; it stands where the message says."""


class HandMovedClock(ABC):
    """A clock that stands still until somebody moves it, for tests and for trying schedules."""

    @abstractmethod
    def now_ms(self) -> int: ...

    @abstractmethod
    def move_to(self, at_ms: int, *, wait_s: float) -> None:
        """Go there through everything that is due on the way, each at its own time.

        ``wait_s``: how long each step waits for the runs it began; 0 goes on without them.

        Raises:
            ValueError: that time is before now.
            NotQuiet: runs were still at work after that wait.
        """
