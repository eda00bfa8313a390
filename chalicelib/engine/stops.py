"""The runs that this process holds, so that a stop asked for here reaches them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class RunsInThisProcess:
    """The Stops port of every process: what is held elsewhere is read there, with its lease."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, Callable[[], None]] = {}

    def notify(self, instance_ids: Sequence[str]) -> None:
        with self._lock:
            looks = [self._looks[key] for key in instance_ids if key in self._looks]
        for look in looks:
            look()

    @contextmanager
    def watch(self, instance_id: str, look: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._looks[instance_id] = look
        try:
            yield
        finally:
            with self._lock:
                if self._looks.get(instance_id) is look:
                    del self._looks[instance_id]
