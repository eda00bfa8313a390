"""A few connections, lent to one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from chalicelib.model.errors import Unavailable
from chalicelib.store.failures import Repeat


class Pooled(Protocol):
    def close(self) -> None: ...

    def alive(self) -> bool:
        """Asked of a connection that was idle for long."""
        ...

    @property
    def usable(self) -> bool:
        """Whether the next unit may have it."""
        ...


P = TypeVar("P", bound=Pooled)


class Pool(Generic[P]):
    """At most ``size`` connections, opened when needed and kept for the next one who asks."""

    def __init__(
        self, open_: Callable[[], P], size: int, *, wait_s: float = 10, idle_s: float = 30
    ) -> None:
        self._open = open_
        self._size = size
        self._wait_s = wait_s
        self._idle_s = idle_s
        self._room = threading.BoundedSemaphore(size)
        self._guard = threading.Lock()
        self._idle: list[tuple[float, P]] = []

    @contextmanager
    def lend(self) -> Iterator[P]:
        """A connection for one unit.

        Raises:
            Unavailable: all are in use for too long, or none can be opened.
        """
        if not self._room.acquire(timeout=self._wait_s):
            raise Unavailable(f"all {self._size} connections to the database are in use")
        try:
            connection = self._take() or self._open()
            try:
                yield connection
            except Repeat as failure:
                if failure.lost:  # what died with it would only fail the next units, one by one
                    self.close()
                raise
            finally:
                self._put_back(connection)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close all that are idle."""
        with self._guard:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> P | None:
        while True:
            with self._guard:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            if time.monotonic() - since < self._idle_s or connection.alive():
                return connection
            connection.close()

    def _put_back(self, connection: P) -> None:
        if not connection.usable:
            connection.close()
            return
        with self._guard:
            self._idle.append((time.monotonic(), connection))
