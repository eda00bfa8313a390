"""A clock that stands still, a Control without an engine, and requests that name only what matters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.engine.outcomes import RunTaken
from chalicelib.engine.ports import LaunchRequest

NOW_MS = 1_750_000_000_000
TOKEN = "0123456789abcdef0123456789abcdef-1"


class FixedClock:
    def now_ms(self) -> int:
        return NOW_MS


class Hand:
    """The Control port. ``stop`` asks the run to stop, ``lose`` gives its claim to somebody else."""

    def __init__(self, *, taken: bool = False) -> None:
        self.handle: Mapping[str, Any] | None = None
        self.begun = threading.Event()
        self.lost = False
        self._taken = taken
        self._stop = threading.Event()
        self._cancels: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def begin(self, handle: Mapping[str, object]) -> None:
        if self._taken or self._stop.is_set():
            raise RunTaken
        self.handle = dict(handle)
        self.begun.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def on_stop(self, cancel: Callable[[], None]) -> None:
        with self._lock:
            if not self._stop.is_set():
                self._cancels.append(cancel)
                return
        cancel()

    def wait(self, seconds: float) -> bool:
        return self._stop.wait(seconds)

    def stop(self) -> None:
        with self._lock:
            self._stop.set()
            cancels = list(self._cancels)
        for cancel in cancels:
            cancel()

    def lose(self) -> None:
        self.lost = True
        self.stop()


def a_request(
    kind: str,
    spec: Mapping[str, Any],
    *,
    handle: Mapping[str, Any] | None = None,
    bindings: Mapping[str, str | int | float | bool | None] | None = None,
    token: str = TOKEN,
    deadline_ms: int = NOW_MS + 3_600_000,
) -> LaunchRequest:
    return LaunchRequest(
        token=token,
        instance_id=token[:32],
        job_id="f" * 32,
        job_name="a-job",
        owner="team",
        run=1,
        kind=kind,
        spec={"kind": kind, **spec},
        bindings={"nominal_time": "2026-01-31 06:00:00", "nominal_date": "2026-01-31"}
        | dict(bindings or {}),
        handle=handle,
        external_id=None,
        deadline_ms=deadline_ms,
    )
