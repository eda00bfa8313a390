"""A lock that is given in the order of asking: nobody starves behind a busy neighbour."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """First come, first served, among threads of one process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def acquire(self, timeout_s: float) -> bool:
        """False when the turn did not come in time; then the place in the queue is given up."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout_s):
            return True
        with self._guard:
            if turn.is_set():  # it came between the end of the wait and here: it is ours
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """The lock goes to the first in line without ever being free, so no newcomer slips in."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False

    @contextmanager
    def held(self, timeout_s: float) -> Iterator[bool]:
        """Yields whether the lock was had; it is released at the end if so."""
        had = self.acquire(timeout_s)
        try:
            yield had
        finally:
            if had:
                self.release()
