"""A world that dies: every effect (commit, send, wake-up, call of a target) counts twice, right before and
right after it happens, and the n-th of these moments can be the end of the process.

What is right after one effect is often right before the next: then who comes after finds the same either
way, and ``Fuse.moments`` has the later of the two, at which a commit has written and is rolled back."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from chalicelib.engine.notification_ports import Receipt
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
from chalicelib.model.notification import Notification
from tests.engine.world import HeapAlarm, ListQueue, RecordingChannels, RecordingTargets

T = TypeVar("T")
ENGINE = Path(__file__).resolve().parents[2] / "chalicelib" / "engine"
EFFECTS = {
    "store": ("transact",),
    "queue": ("send",),
    "alarm": ("wake",),
    "targets": ("launch", "describe", "cancel", "run"),
    "channels": ("deliver",),
}


class Crash(BaseException):
    """The process is gone. No ``except Exception`` may save it."""


Site = tuple[str, str, str]
"""A module of the engine, a function in it, and the kind of effect that it has."""


class Fuse:
    """Burns down by one at every moment; at nought the process dies. None never dies.

    ``sites``: where to write down which functions of the engine had an effect of which kind. ``besides``:
    what of a process outlives it beside its effects, or decides what is asked of the next one; two moments
    with nothing between them leave the same behind only if this is the same too.
    """

    def __init__(self, moments: int | None = None, sites: set[Site] | None = None) -> None:
        self.left = moments
        self.count = 0
        self.dead = False
        self.besides: Callable[[], Hashable] = object
        self._sites = sites
        self._done = 0
        self._left_behind: list[Hashable] = []

    def moments(self, stride: int = 1, offset: int = 0) -> Sequence[int]:
        """Those of a process that did not die: of moments in a row that leave the same behind, the last."""
        found = self._left_behind
        changed = [at for at, what in enumerate(found) if found[at + 1 : at + 2] != [what]]
        return changed[offset % stride :: stride]

    def burn(self, effect: str = "", *, done: bool = False) -> None:
        """Right before that effect, or with ``done`` right after it."""
        self.count += 1
        self._done += done
        if self.left is None:
            self._left_behind.append((self._done, self.besides()))
        if self._sites is not None:
            self._sites.update((*place, effect) for place in _places(sys._getframe(1)))
        if self.dead:
            raise Crash
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise Crash


def _places(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    """The functions of the engine on the stack."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ENGINE):
            yield str(path.relative_to(ENGINE)), frame.f_code.co_name
        frame = frame.f_back


def effects_of_the_engine() -> set[Site]:
    """Every place in its source that commits, sends, rings or calls a target."""
    return {site for path in sorted(ENGINE.rglob("*.py")) for site in _effects_in(path)}


def _effects_in(path: Path) -> Iterator[Site]:
    def visit(node: ast.AST, function: str) -> Iterator[Site]:
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.Attribute) and node.attr in EFFECTS.get(_last(node.value), ()):
            yield str(path.relative_to(ENGINE)), function, node.attr
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function)

    yield from visit(ast.parse(path.read_text("utf-8")), "")


def _last(node: ast.AST) -> str:
    """``targets`` of ``engine.targets`` and of ``targets``."""
    return getattr(node, "attr", getattr(node, "id", ""))


class CrashingStore:
    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def transact(self, work: Callable[[Transaction], T]) -> T:
        def dying(tx: Transaction) -> T:
            result = work(tx)
            self._fuse.burn("transact")
            return result

        result = self._store.transact(dying)
        self._fuse.burn("transact", done=True)
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
        self._fuse.burn("send")
        super().send(lane, handed)
        self._fuse.burn("send", done=True)


class CrashingAlarm(HeapAlarm):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        self._fuse.burn("wake")
        super().wake(at_ms, arm_until_ms)
        self._fuse.burn("wake", done=True)


class CrashingTargets(RecordingTargets):
    """The outside world lives on when the process dies: its records are shared by all processes."""

    def __init__(self, fuse: Fuse, world: RecordingTargets) -> None:
        super().__init__(
            calls=world.calls,
            executions=world.executions,
            launch_outcomes=world.launch_outcomes,
            run_outcomes=world.run_outcomes,
            endings=world.endings,
            otherwise=world.otherwise,
            when_cancelled=Stopped(),
        )
        self._fuse = fuse

    def _around(self, call: Callable[..., Any], *args: Any) -> Any:
        self._fuse.burn(call.__name__)
        result = call(*args)
        self._fuse.burn(call.__name__, done=True)
        return result

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().launch, requests)  # type: ignore[no-any-return]

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().describe, requests)  # type: ignore[no-any-return]

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._around(super().cancel, requests)  # type: ignore[no-any-return]

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        return self._around(super().run, request, control)  # type: ignore[no-any-return]


class CrashingChannels(RecordingChannels):
    """The same for receivers: what they were given, they keep."""

    def __init__(self, fuse: Fuse, world: RecordingChannels) -> None:
        super().__init__(delivered=world.delivered)
        self._fuse = fuse

    def deliver(self, notification: Notification) -> Receipt:
        self._fuse.burn("deliver")
        receipt = super().deliver(notification)
        self._fuse.burn("deliver", done=True)
        return receipt
