"""Ids and chance of the running process; tests bring their own."""

from __future__ import annotations

import secrets
import threading

from chalicelib.engine.ports import Clock

_LOW_BITS = 80


class SystemIds:
    """48 bits of time and 80 of chance. Within one process they grow, also when the clock goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        fresh = (self._clock.now_ms() << _LOW_BITS) | secrets.randbits(_LOW_BITS)
        with self._lock:
            self._last = fresh if fresh > self._last else self._last + 1
            return f"{self._last:032x}"

    def secret(self) -> str:
        """32 hex digits that nobody can guess; unlike ids they tell nothing, not even their time."""
        return secrets.token_hex(16)


class SystemChance:
    """Even chance from the operating system."""

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * secrets.randbits(53) / (1 << 53)
