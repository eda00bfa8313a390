"""Time. The only module that reads the wall clock."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from chalicelib.model.errors import Unavailable

SAMPLE_EVERY_S = 60.0
SLOWEST_SAMPLE_S = 2.0
"""An answer that took longer says too little about when it was given: a process can be put to sleep."""
QUICK_SAMPLE_S = 0.01
"""What took longer is asked once more, and the quicker answer believed. The first of a process has to connect
before it is given: it lies at the end of its time and not in the middle, and a clock that took it for the
middle would be ahead by half of it, and launch early."""


def wall_ms() -> int:
    """This machine's clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000  # noqa: TID251


def pause(seconds: float) -> None:
    """Wait, for what comes a little early."""
    threading.Event().wait(seconds)


def in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="database-clock", daemon=True).start()


class SystemClock:
    """This machine's clock: all there is where the database is a file on it."""

    def now_ms(self) -> int:
        return wall_ms()


class CorrectedClock:
    """This machine's clock, moved to the database's: whoever shares the database agrees on now.

    The database is asked at the start and then at most once in ``SAMPLE_EVERY_S``, beside whoever wanted
    the time: that may be in the middle of a transaction. While the database cannot answer, the
    correction that is known is kept.
    """

    def __init__(
        self,
        database_now_ms: Callable[[], int],
        *,
        wall: Callable[[], int] = wall_ms,
        monotonic: Callable[[], float] = time.monotonic,
        beside: Callable[[Callable[[], None]], None] = in_a_thread,
    ) -> None:
        self._database_now_ms = database_now_ms
        self._wall = wall
        self._monotonic = monotonic
        self._beside = beside
        self._offset_ms = 0
        self._sampling = threading.Lock()
        self._sampling.acquire()
        self._sample()

    def now_ms(self) -> int:
        if self._monotonic() >= self._sample_after and self._sampling.acquire(blocking=False):
            self._beside(self._sample)
        return self._wall() + self._offset_ms

    def _sample(self) -> None:
        """Called by whoever holds the lock, which it gives back."""
        try:
            self._sample_after = self._monotonic() + SAMPLE_EVERY_S
            took_s, offset_ms = self._asked()
            if took_s > QUICK_SAMPLE_S:
                took_s, offset_ms = min((took_s, offset_ms), self._asked())
            if took_s <= SLOWEST_SAMPLE_S:
                self._offset_ms = offset_ms
        except Unavailable:
            return
        finally:
            self._sampling.release()

    def _asked(self) -> tuple[float, int]:
        """How many seconds the answer took, and by how much the database is ahead."""
        began, before = self._monotonic(), self._wall()
        theirs = self._database_now_ms()
        return self._monotonic() - began, theirs - (before + self._wall()) // 2


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
