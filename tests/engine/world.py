"""A small world around the engine: a clock moved by hand, a queue and an alarm that keep what they are
given, and targets that record every call. The store is a real one."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.engine import Engine
from chalicelib.engine.callbacks import Callbacks, SigningKey
from chalicelib.engine.checking import check_waiting
from chalicelib.engine.conditions import Condition, Found
from chalicelib.engine.delivery import deliver
from chalicelib.engine.facts import Fact
from chalicelib.engine.inline import run_inline
from chalicelib.engine.launch import launch_started
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.outcomes import Dropped as DroppedOutcome
from chalicelib.engine.outcomes import (
    HandedOver,
    Launched,
    Outcome,
    Pending,
    RunTaken,
    Style,
    Succeeded,
)
from chalicelib.engine.ports import Control, HandedOut, Lane, LaunchRequest, Store
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.engine.sweep import sweep_minute, sweep_second
from chalicelib.model.definition import Definition
from chalicelib.model.errors import InvalidInput, NotFound, Problem
from chalicelib.model.notification import Notification
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.model.principal import Principal

MINUTE = 60_000
NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
ADMIN = Principal("ada", admin=True)


def _keys() -> Sequence[SigningKey]:
    return [SigningKey("k1", b"k" * 32)]


CALLBACKS = Callbacks("http://noonday.test", _keys)


@dataclass
class ManualClock:
    now: int = NOON

    def now_ms(self) -> int:
        return self.now


class CountingIds:
    def __init__(self, start: int = 1) -> None:
        self._numbers = itertools.count(start)

    def new(self) -> str:
        return f"{next(self._numbers):032x}"

    def secret(self) -> str:
        return f"{next(self._numbers):032x}"


class NoChance:
    def between(self, low: float, high: float) -> float:
        return (low + high) / 2


@dataclass
class ListQueue:
    messages: list[tuple[Lane, HandedOut]] = field(default_factory=list)

    def send(self, lane: Lane, handed: Sequence[HandedOut]) -> None:
        self.messages.extend((lane, one) for one in handed)


@dataclass
class HeapAlarm:
    wakes: list[tuple[int, int]] = field(default_factory=list)

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        heapq.heappush(self.wakes, (at_ms, arm_until_ms))


class NoArtifacts:
    def read(self, path: str, *, offset: int = 0, limit: int = 5_000_000) -> bytes:
        raise NotFound(f"there is no {path!r} in this world, at {offset} or for {limit} bytes")

    def forget(self, tokens: Sequence[str]) -> Sequence[str]:
        return tokens


@dataclass
class Places:
    """What is there, and who looked: ``there`` holds paths, queries and URLs; what is in ``silent`` gives no
    answer, and ``unlooked`` is what nobody had the time to look at."""

    there: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    unlooked: set[str] = field(default_factory=set)
    looks: list[Sequence[Condition]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def problems(
        self, prerequisites: Sequence[Prerequisite], parameters: Collection[str], owner: str
    ) -> Sequence[Problem]:
        del parameters, owner
        return [
            Problem(f"prerequisites.{place}.data", "is nowhere", one.data)
            for place, one in enumerate(prerequisites)
            if one.data == "nowhere"
        ]

    def check(self, conditions: Sequence[Condition]) -> Iterator[Mapping[Condition, Found]]:
        self.looks.append(conditions)
        self.meanwhile()
        late = {one for one in conditions if one.what in self.silent}
        seen = [one for one in conditions if one not in late and one.what not in self.unlooked]
        yield {
            one: Found(met=one.what in self.there, what="there" if one.what in self.there else "no")
            for one in seen
        }
        yield {one: Found(met=False, what="no answer", late=True) for one in late}

    @property
    def looked_at(self) -> list[str]:
        return [one.what for look in self.looks for one in look]


@dataclass
class RecordingTargets:
    """Two kinds: ``inline`` does its work at once, ``started`` gets an id and ends as ``endings`` says of its
    token, or else as ``otherwise`` says of all.

    ``calls`` is the outside world: every call with its token, in order. ``executions`` is what an
    idempotent target made of them: one a token.
    """

    calls: list[tuple[str, LaunchRequest]] = field(default_factory=list)
    executions: dict[str, LaunchRequest] = field(default_factory=dict)
    launch_outcomes: list[Outcome] = field(default_factory=list)
    run_outcomes: list[Outcome] = field(default_factory=list)
    endings: dict[str, Outcome] = field(default_factory=dict)
    otherwise: Outcome = field(default_factory=Succeeded)
    cancelled: list[str] = field(default_factory=list)
    when_cancelled: Outcome = field(default_factory=Pending)

    def validate(
        self,
        target: Mapping[str, Any],
        parameters: Collection[str] | None = None,
        *,
        owner: str | None = None,
    ) -> None:
        del parameters, owner
        if target.get("kind") not in ("started", "inline"):
            raise InvalidInput([Problem("target.kind", "is unknown", target.get("kind"))])

    def style(self, kind: str) -> Style:
        return Style.STARTED if kind == "started" else Style.INLINE

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [self._launch(request) for request in requests]

    def _launch(self, request: LaunchRequest) -> Outcome:
        self.calls.append(("launch", request))
        if self.launch_outcomes:
            return self.launch_outcomes.pop(0)
        self.executions.setdefault(request.token, request)
        if request.spec.get("completion") == "callback":
            return HandedOver(f"x-{request.token}")
        return Launched(f"x-{request.token}")

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        self.calls.extend(("describe", request) for request in requests)
        if any(request.spec.get("completion") == "callback" for request in requests):
            return [Pending() for _ in requests]
        return [self.endings.get(request.token, self.otherwise) for request in requests]

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        self.calls.extend(("cancel", request) for request in requests)
        self.cancelled.extend(request.token for request in requests)
        return [self.endings.get(request.token, self.when_cancelled) for request in requests]

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        try:
            control.begin({"token": request.token})
        except RunTaken:
            return DroppedOutcome()
        self.calls.append(("run", request))
        self.executions.setdefault(request.token, request)
        otherwise = Succeeded() if request.callback is None else HandedOver()
        return self.run_outcomes.pop(0) if self.run_outcomes else otherwise


@dataclass
class RecordingChannels:
    """``delivered`` is the outside world: every call, in order. ``receipts`` are the next answers."""

    delivered: list[Notification] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None:
        del owner
        return "is not there" if "nowhere" in str(channel) else None

    def deliver(self, notification: Notification) -> Receipt:
        self.delivered.append(notification)
        return self.receipts.pop(0) if self.receipts else Receipt()


class World:
    """One process of Noonday on a store, with everything around it in our hands."""

    def __init__(self, store: Store, *, now_ms: int = NOON, ids_from: int = 1) -> None:
        self.clock = ManualClock(now_ms)
        self.queue = ListQueue()
        self.alarm = HeapAlarm()
        self.targets = RecordingTargets()
        self.places = Places()
        self.channels = RecordingChannels()
        self.facts: list[Fact] = []
        self.engine = Engine(
            clock=self.clock,
            ids=CountingIds(ids_from),
            chance=NoChance(),
            store=store,
            queue=self.queue,
            alarm=self.alarm,
            targets=self.targets,
            conditions=self.places,
            artifacts=NoArtifacts(),
            stops=RunsInThisProcess(),
            channels=self.channels,
            listener=self.facts.append,
            callbacks=CALLBACKS,
        )

    def minute(self) -> None:
        until = self.clock.now - self.clock.now % MINUTE + MINUTE
        sweep_minute(self.engine, arm_until_ms=until, seconds_left=30)

    def deliver(self) -> None:
        """Everything that is due now: wake-ups, then launches, until nothing is left."""
        while self.step():
            pass

    def step(self) -> bool:
        """The next of them; false when nothing is left."""
        return self._second() or self._launch()

    def _second(self) -> bool:
        if not self.alarm.wakes or self.alarm.wakes[0][0] > self.clock.now:
            return False
        _, until = heapq.heappop(self.alarm.wakes)
        sweep_second(self.engine, arm_until_ms=until, seconds_left=30)
        return True

    def _launch(self) -> bool:
        if not self.queue.messages:
            return False
        lane, handed = self.queue.messages.pop(0)
        if lane is Lane.DELIVER:
            deliver(self.engine, handed)
        elif lane is Lane.WORK:
            run_inline(self.engine, handed)
        elif lane is Lane.CHECK:
            check_waiting(self.engine, [handed])
        else:
            launch_started(self.engine, [handed])
        return True

    def advance_to(self, at_ms: int) -> None:
        """Let time pass as it does: the minute hand each minute, wake-ups when they are due."""
        self.deliver()
        while True:
            minute = self.clock.now - self.clock.now % MINUTE + MINUTE
            wake = self.alarm.wakes[0][0] if self.alarm.wakes else minute
            step = min(minute, wake, at_ms)
            self.clock.now = max(step, self.clock.now)
            if step == minute:
                self.minute()
            self.deliver()
            if self.clock.now >= at_ms:
                return

    def advance(self, ms: int) -> None:
        self.advance_to(self.clock.now + ms)


def a_definition(**changes: Any) -> Definition:
    """A job that runs inline every minute, unless the test says otherwise."""
    document: dict[str, Any] = {
        "name": "sample",
        "schedule": {"every": "PT1M"},
        "target": {"kind": "inline"},
    }
    document.update(changes)
    return Definition.model_validate(document)
