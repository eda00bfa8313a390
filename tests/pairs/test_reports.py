"""A target's report and whatever else ends its run, at once: one is held right before each of its statements
while the other runs. There is one end, with its consequences once, and both were told the truth.

A sample of the moments is taken; NOONDAY_TEST_PAIRS=0 takes all of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.claim import claim
from chalicelib.engine.commands import Report, Said
from chalicelib.engine.filters import EventFilter, NotificationFilter
from chalicelib.engine.handout import hand_out
from chalicelib.engine.outcomes import HandedOver
from chalicelib.engine.ports import LaunchRequest
from chalicelib.engine.settle import result_of, settle
from chalicelib.model.errors import RunOver, WrongState
from chalicelib.model.instance import Instance, Run
from chalicelib.model.states import TERMINAL, InstanceState, Reason
from chalicelib.store import SqlStore
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition
from tests.pairs.interleaving import Actor, GatedDriver, in_turn, together

S = InstanceState
KINDS = ("sqlite-file", "mariadb", "mysql")
SAMPLE = 15
EVERY = os.environ.get("NOONDAY_TEST_PAIRS") == "0"
NOTIFY = [{"on": ["success", "failure", "timeout", "kill"], "url": "https://example.com/"}]
HEARTBEAT_MS = 30_000
RUN_MS = 600_000


@dataclass
class Scene:
    """A run that its target has (or is about to have), and the next in line, which waits for its slot."""

    world: World
    job_id: str
    request: LaunchRequest
    claimed: Instance
    following: str

    def say(self, report: Report) -> object:
        assert self.request.callback is not None
        credential = self.request.callback.credential
        return commands.report(
            self.world.engine, self.request.token, credential, Said(report, error="no disk")
        )

    @property
    def one(self) -> Instance:
        return self.known(self.request.instance_id)

    def known(self, instance_id: str) -> Instance:
        [found] = self.world.engine.store.read(lambda reader: reader.instances_by_id([instance_id]))
        return found


Doing = Callable[[Scene], object]


def said(report: Report) -> Doing:
    return lambda scene: scene.say(report)


def sweep(scene: Scene) -> object:
    return hand_out(scene.world.engine, 50)


def kill(scene: Scene) -> object:
    return commands.kill(scene.world.engine, ADMIN, scene.request.instance_id)


def launch_returns(scene: Scene) -> object:
    outcome = HandedOver(f"x-{scene.request.token}")
    return settle(scene.world.engine, [result_of(scene.claimed, outcome)])


DEEDS: Mapping[str, Doing] = {
    **{report.value: said(report) for report in Report},
    "sweep": sweep,
    "kill": kill,
    "launch": launch_returns,
}


@dataclass(frozen=True)
class Situation:
    """``late_ms``: how long after the launch. ``ends``: the first run's, however they come."""

    deeds: tuple[str, str]
    ends: frozenset[tuple[S, str | None]]
    late_ms: int = 1000
    heartbeat: bool = False
    killed: bool = False
    launching: bool = False
    retries: int = 1


SUCCEEDED = (S.SUCCEEDED, None)
FAILED = (S.FAILED, Reason.RUN_FAILED)
MISSED = (S.FAILED, Reason.HEARTBEAT_MISSED)
TIMED_OUT = (S.TIMED_OUT, Reason.RUN_TIMEOUT)
KILLED = (S.KILLED, Reason.KILLED)

SITUATIONS = {
    "its time is over": Situation(
        ("succeeded", "sweep"), frozenset({SUCCEEDED, TIMED_OUT}), late_ms=RUN_MS
    ),
    "its time is over, and another run follows": Situation(
        ("failed", "sweep"), frozenset({FAILED, TIMED_OUT}), late_ms=RUN_MS, retries=2
    ),
    "it was not heard of": Situation(
        ("succeeded", "sweep"), frozenset({SUCCEEDED, MISSED}), HEARTBEAT_MS, heartbeat=True, retries=2
    ),
    "it lives, and was not heard of": Situation(
        ("heartbeat", "sweep"), frozenset({MISSED, SUCCEEDED}), HEARTBEAT_MS, heartbeat=True
    ),
    "somebody kills it": Situation(("succeeded", "kill"), frozenset({SUCCEEDED})),
    "somebody kills what fails": Situation(("failed", "kill"), frozenset({FAILED, KILLED}), retries=2),
    "somebody kills what lives": Situation(("heartbeat", "kill"), frozenset({SUCCEEDED})),
    "it stopped, and succeeded": Situation(
        ("stopped", "succeeded"), frozenset({SUCCEEDED, KILLED}), killed=True
    ),
    "it succeeded, and failed": Situation(("succeeded", "failed"), frozenset({SUCCEEDED, FAILED})),
    "it succeeded, and failed, with another run": Situation(
        ("succeeded", "failed"), frozenset({SUCCEEDED, FAILED}), retries=2
    ),
    "it succeeded twice": Situation(("succeeded", "succeeded"), frozenset({SUCCEEDED})),
    "it failed twice": Situation(("failed", "failed"), frozenset({FAILED}), retries=2),
    "its launch has not returned": Situation(
        ("succeeded", "launch"), frozenset({SUCCEEDED}), launching=True
    ),
    "its launch has not returned, and it failed": Situation(
        ("failed", "launch"), frozenset({FAILED}), launching=True, retries=2
    ),
    "its launch has not returned, and it lives": Situation(
        ("running", "launch"), frozenset({SUCCEEDED}), launching=True
    ),
}  # fmt: skip


def prepared(store: SqlStore, situation: Situation, number: int) -> Scene:
    world = World(store, now_ms=NOON - MINUTE, ids_from=1 + number * 10**7)
    timeouts = {"run": "PT10M"} | ({"heartbeat": "PT30S"} if situation.heartbeat else {})
    definition = a_definition(
        name=f"job-{number}",
        schedule={"at": "2026-01-01T12:00:00Z"},
        target={"kind": "started", "completion": "callback"},
        policies={
            "overlap": "queue",
            "timeouts": timeouts,
            "retries": {"max_attempts": situation.retries, "delay": "PT1M", "jitter": 0},
            "notify": NOTIFY,
            "on_failure": {"suspend_after": 5},
        },
    )
    job: Any = commands.submit(world.engine, ADMIN, definition, owner=None, schedule=True)
    world.clock.now = NOON
    world.minute()
    [(_, handed)] = world.queue.messages
    world.queue.messages.clear()
    [claimed] = claim(world.engine, [handed])
    world.targets.executions[claimed.request.token] = claimed.request
    following: Any = commands.trigger(world.engine, ADMIN, job.id)
    world.deliver()
    scene = Scene(world, job.id, claimed.request, claimed.instance, following.instance.id)
    if not situation.launching:
        launch_returns(scene)
    if situation.killed:
        kill(scene)
    world.clock.now += situation.late_ms
    world.alarm.wakes.clear()
    world.queue.messages.clear()
    assert scene.known(scene.following).reason == Reason.MAX_ACTIVE
    return scene


def first_run(scene: Scene) -> Run:
    present = scene.one
    if present.run == 1:
        return present.latest_run
    runs = scene.world.engine.store.read(lambda reader: reader.runs([present.id]))[present.id]
    return next(run for run in runs if run.number == 1)


def judge(situation: Situation, scene: Scene, actors: list[Actor]) -> None:
    for actor in actors:
        assert actor.broken is None, actor.broken
    end = first_run(scene)
    if end.state in TERMINAL:
        judge_answers(situation, end, actors)
    finish(scene)
    end = first_run(scene)
    assert (end.state, end.reason) in situation.ends
    judge_consequences(situation, scene, end)


def judge_answers(situation: Situation, end: Run, actors: list[Actor]) -> None:
    """Whoever was told that it was taken, was; whoever was refused, found another end."""
    means = {"succeeded": S.SUCCEEDED, "failed": S.FAILED}
    for deed, actor in zip(situation.deeds, actors, strict=True):
        if deed in means:
            taken = end.state is means[deed] and end.reason != Reason.HEARTBEAT_MISSED
            repeated = deed == "failed" and end.state is S.FAILED
            assert actor.said == "done" if taken else repeated or actor.said == RunOver.code
        elif deed == "kill":
            assert actor.said in ("done", WrongState.code)


def finish(scene: Scene) -> None:
    """Whatever is left of it ends: targets report, the next in line runs, and so does a retry."""
    world = scene.world
    world.minute()
    for _ in range(9):
        world.deliver()
        for request in list(world.targets.executions.values()):
            assert request.callback is not None
            with suppress(RunOver):
                words = Said(Report.SUCCEEDED)
                commands.report(world.engine, request.token, request.callback.credential, words)
        world.deliver()
        world.advance(20_000)


def judge_consequences(situation: Situation, scene: Scene, end: Run) -> None:
    store = scene.world.engine.store
    both = instances_of(store, scene.job_id)
    assert {one.id for one in both} == {scene.request.instance_id, scene.following}
    assert all(one.state in TERMINAL and not one.active for one in both)
    assert scene.known(scene.following).state is S.SUCCEEDED
    present = scene.one
    failed = end.state in (S.FAILED, S.TIMED_OUT)
    again = failed and situation.retries == 2
    # Whoever was asked to stop, and fails, is not tried again.
    asked = "kill" in situation.deeds and present.state is S.FAILED
    assert present.run == (2 if again and not asked else 1)
    launches = Counter(
        request.token for what, request in scene.world.targets.calls if what == "launch"
    )
    assert set(launches.values()) <= {1}, "a launch was repeated that nobody lost"
    events = store.read(lambda reader: reader.events(EventFilter(job_id=scene.job_id), None))
    ends = Counter(
        one.instance_id for one in events if one.verb in {state.value for state in TERMINAL}
    )
    # Who kills what waits for its next run ends it by the command itself, which is on record as KILL.
    commanded = present.state is S.KILLED and present.launched_ms is None
    assert ends == {present.id: present.run - commanded, scene.following: 1}
    told = store.read(
        lambda reader: reader.notifications(NotificationFilter(job_id=scene.job_id), None)
    )
    assert Counter(one.instance_id for one in told) == {present.id: 1, scene.following: 1}
    [job] = store.read(lambda reader: reader.jobs_by_id([scene.job_id]))
    assert job.streak == (present.state in (S.FAILED, S.TIMED_OUT))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_has_one_end_whoever_brings_it(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    driver = GatedDriver(open_empty(kind)._driver)
    store = SqlStore(driver)
    number = 0
    for name, situation in SITUATIONS.items():
        orders = list(dict.fromkeys((situation.deeds, situation.deeds[::-1])))
        for deeds in orders if EVERY else orders[number % len(orders) :][:1]:
            turned = Situation(**{**_fields(situation), "deeds": deeds})
            moments = [(number * 7) % SAMPLE]  # after its last one the first has ended
            if EVERY:
                scene = prepared(store, turned, number := number + 1)
                alone = in_turn(driver, *(_bound(scene, deed) for deed in deeds))
                judge(turned, scene, alone)
                moments = list(range(alone[0].gate.count))
            for moment in moments:
                scene = prepared(store, turned, number := number + 1)
                first, second = (_bound(scene, deed) for deed in deeds)
                actors = list(together(driver, first, second, moment))
                try:
                    judge(turned, scene, actors)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {deeds} at moment {moment}") from error


def _bound(scene: Scene, deed: str) -> Callable[[], object]:
    return lambda: DEEDS[deed](scene)


def _fields(situation: Situation) -> dict[str, Any]:
    return {name: getattr(situation, name) for name in situation.__dataclass_fields__}
