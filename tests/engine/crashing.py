"""A world that dies: every effect (commit, send, wake-up, call of a target) counts twice, right before and
right after it happens, and the n-th of these moments can be the end of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chalicelib.engine.outcomes import Outcome, Stopped
from chalicelib.engine.ports import (
    Control,
    HandedOut,
    Lane,
    LaunchRequest,
    Reader,
    Store,
    Transaction,
)
from tests.engine.world import HeapAlarm, ListQueue, RecordingTargets

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. No ``except Exception`` may save it."""


class Fuse:
    """Burns down by one at every moment; at nought the process dies. None never dies."""

    def __init__(self, moments: int | None = None) -> None:
        self.left = moments
        self.count = 0
        self.dead = False

    def burn(self) -> None:
        self.count += 1
        if self.dead:
            raise Crash
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise Crash


class CrashingStore:
    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def transact(self, work: Callable[[Transaction], T]) -> T:
        def dying(tx: Transaction) -> T:
            result = work(tx)
            self._fuse.burn()
            return result

        result = self._store.transact(dying)
        self._fuse.burn()
        return result

    def read(self, work: Callable[[Reader], T]) -> T:
        return self._store.read(work)

    def database_now_ms(self) -> int:
        return self._store.database_now_ms()


class CrashingQueue(ListQueue):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def send(self, lane: Lane, handed: Sequence[HandedOut]) -> None:
        self._fuse.burn()
        super().send(lane, handed)
        self._fuse.burn()


class CrashingAlarm(HeapAlarm):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        self._fuse.burn()
        super().wake(at_ms, arm_until_ms)
        self._fuse.burn()


class CrashingTargets(RecordingTargets):
    """The outside world lives on when the process dies: its records are shared by all processes."""

    def __init__(self, fuse: Fuse, world: RecordingTargets) -> None:
        super().__init__(
            calls=world.calls,
            executions=world.executions,
            endings=world.endings,
            when_cancelled=Stopped(),
        )
        self._fuse = fuse

    def _around(self, call: Callable[..., Any], *args: Any) -> Any:
        self._fuse.burn()
        result = call(*args)
        self._fuse.burn()
        return result

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().launch, requests)  # type: ignore[no-any-return]

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().describe, requests)  # type: ignore[no-any-return]

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().cancel, requests)  # type: ignore[no-any-return]

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        return self._around(super().run, request, control)  # type: ignore[no-any-return]
