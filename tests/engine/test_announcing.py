"""Somebody outside says that a run has ended: its target is asked, and nothing else follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.engine import commands
from chalicelib.engine.announcing import Announced, end_announced
from chalicelib.engine.facts import EndAnnounced, EventIgnored
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import Failed, Launched, Pending, Running, Succeeded
from chalicelib.engine.ports import LaunchRequest, Store
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, World, a_definition

S = InstanceState
SOURCE = "aws.states"


class Scene:
    """A job of one time whose run is in flight, its next poll half a minute away."""

    def __init__(self, world: World, kind: str = "started", **policies: object) -> None:
        self.world = world
        world.targets.otherwise = Running()
        definition = a_definition(
            schedule={"at": "2026-01-01T12:00:00"}, target={"kind": kind}, policies=policies
        )
        job = commands.submit(world.engine, ADMIN, definition, owner="team", schedule=True)
        assert isinstance(job, Job)
        self.job_id = job.id

    @property
    def state(self) -> str:
        return self.instance.state.value

    @property
    def instance(self) -> Instance:
        [one] = instances_of(self.world.engine.store, self.job_id)
        return one

    def announce(self, token: str | None = None, external_id: str | None = None) -> int:
        return end_announced(self.world.engine, SOURCE, Announced(token, external_id))

    def looks(self) -> int:
        return sum(verb == "describe" for verb, _ in self.world.targets.calls)


@pytest.fixture
def scene(world: World) -> Scene:
    made = Scene(world)
    world.advance(1000)
    assert made.state == S.LAUNCHED
    return made


def test_its_target_is_asked_at_once_by_token_or_by_name(scene: Scene) -> None:
    assert scene.announce(scene.instance.token) == 1
    scene.world.deliver()
    assert scene.state == S.RUNNING  # what the target says counts, not what was announced
    scene.world.targets.otherwise = Succeeded()
    assert scene.announce(external_id=scene.instance.external_id) == 1
    scene.world.deliver()
    assert scene.state == S.SUCCEEDED
    assert scene.looks() == 2


def test_nothing_is_written(scene: Scene) -> None:
    before = scene.instance
    scene.announce(before.token)
    assert scene.instance == before


def test_doubles_are_one_look(scene: Scene) -> None:
    for _ in range(5):
        assert scene.announce(scene.instance.token) == 1
    scene.world.deliver()
    assert scene.looks() == 1


def test_a_lost_one_is_found_by_the_poll(scene: Scene) -> None:
    scene.world.targets.otherwise = Failed("boom")
    scene.world.advance(31_000)
    assert scene.state == S.FAILED


def test_one_that_is_late_changes_nothing(scene: Scene) -> None:
    scene.world.targets.otherwise = Succeeded()
    token, name = scene.instance.token, scene.instance.external_id
    scene.world.advance(31_000)
    ended = scene.instance
    assert ended.state is S.SUCCEEDED
    assert scene.announce(token) == scene.announce(external_id=name) == 0
    assert not scene.world.queue.messages
    assert scene.instance == ended


def test_one_of_a_run_that_was_retried_does_not_touch_the_next(world: World) -> None:
    scene = Scene(world, retries={"max_attempts": 3, "delay": "PT1H", "jitter": 0})
    world.advance(1000)
    first = scene.instance
    world.targets.otherwise = Failed("boom")
    scene.announce(first.token)
    world.deliver()
    second = scene.instance
    assert (second.state, second.run) == (S.WAITING, 2)
    assert scene.announce(first.token) == scene.announce(external_id=first.external_id) == 0
    assert scene.announce(second.token) == 0  # it has not begun
    assert scene.instance == second


class Early:
    """The run ends, and its end is announced, while its launch is still being called."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.asked: list[int] = []

    def launch(self, request: LaunchRequest) -> Launched:
        self.asked.append(self.scene.announce(request.token))
        self.asked.append(self.scene.announce(external_id=f"x-{request.token}"))
        return Launched(f"x-{request.token}")


def test_one_that_is_ahead_of_the_launch_is_found_by_the_poll(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(world)
    early = Early(scene)
    monkeypatch.setattr(world.targets, "_launch", early.launch)
    world.targets.otherwise = Succeeded()
    world.advance(1000)
    assert early.asked == [0, 0]
    assert scene.state == S.LAUNCHED
    told = [fact for fact in world.facts if isinstance(fact, EndAnnounced)]
    assert [fact.asked for fact in told] == [False]  # known by its token, and held by its launcher
    world.advance(30_000)
    assert scene.state == S.SUCCEEDED


def test_while_somebody_asks_nobody_else_does(scene: Scene) -> None:
    """Between the claim and the answer the run is held; what was sent before has moved."""
    token = scene.instance.token
    scene.announce(token)
    asked: list[int] = []

    def describe(requests: list[LaunchRequest]) -> list[Pending]:
        asked.append(scene.announce(token))
        return [Pending() for _ in requests]

    scene.world.targets.describe = describe  # type: ignore[method-assign, assignment]
    scene.world.deliver()
    assert asked == [0]


@pytest.mark.parametrize(
    "announced",
    [
        Announced("nightly-build"),
        Announced(""),
        Announced("0" * 32 + "-1"),
        Announced("0" * 32 + "-0"),
        Announced("0" * 32 + "-99999999999999999999"),
        Announced(external_id="jr_0123"),
        Announced(external_id=""),
        Announced(external_id="x" * 100_000),
        Announced(),
    ],
)
def test_what_is_nobodys_is_nothing(scene: Scene, announced: Announced) -> None:
    assert end_announced(scene.world.engine, SOURCE, announced) == 0
    assert not scene.world.queue.messages
    assert not [fact for fact in scene.world.facts if isinstance(fact, EndAnnounced)]
    assert isinstance(scene.world.facts[-1], EventIgnored)


def test_inline_work_is_left_to_whoever_does_it(world: World) -> None:
    scene = Scene(world, kind="inline")
    asked: list[int] = []
    ran = world.targets.run

    def run(request: LaunchRequest, control: object) -> object:
        asked.append(scene.announce(request.token))
        return ran(request, control)  # type: ignore[arg-type]

    world.targets.run = run  # type: ignore[method-assign, assignment]
    world.advance(1000)
    assert asked == [0]


def test_a_forged_token_of_lost_inline_work_is_no_launch(world: World) -> None:
    """Its lease is over and nobody holds it: it is the sweep's to hand out, in its own lane."""
    scene = Scene(world, kind="inline")
    died: list[str] = []

    def run(request: LaunchRequest, control: object) -> object:
        control.begin({})  # type: ignore[attr-defined]
        died.append(request.token)
        raise KeyboardInterrupt

    world.targets.run = run  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        world.advance(1000)
    world.clock.now += 300_000
    assert scene.state == S.RUNNING
    assert scene.announce(died[0]) == 0
    assert not world.queue.messages


def test_it_is_asked_also_while_all_is_paused(scene: Scene) -> None:
    commands.pause(scene.world.engine, ADMIN, reason="an incident")
    scene.world.targets.otherwise = Succeeded()
    assert scene.announce(scene.instance.token) == 1
    scene.world.deliver()
    assert scene.state == S.SUCCEEDED


def test_a_stop_that_is_confirmed_ends_the_run_at_once(scene: Scene) -> None:
    commands.kill(scene.world.engine, ADMIN, scene.instance.id)
    scene.world.deliver()
    assert scene.state in (S.LAUNCHED, S.RUNNING)
    scene.world.targets.endings[scene.instance.token] = Succeeded()
    assert scene.announce(scene.instance.token) == 1
    scene.world.deliver()
    assert scene.state == S.SUCCEEDED  # its own end came first


@pytest.mark.parametrize("kind", ["sqlite-file", "mariadb", "mysql"])
def test_it_is_the_same_on_every_database(kind: str, open_empty: Callable[[str], Store]) -> None:
    world = World(open_empty(kind))
    scene = Scene(world)
    world.advance(1000)
    token, name = scene.instance.token, scene.instance.external_id or ""
    assert scene.announce(external_id=name[:-1]) == 0
    assert scene.announce(external_id=name.upper()) == 0
    assert scene.announce(external_id=name) == 1
    world.targets.otherwise = Succeeded()
    launch_started(world.engine, [one for _, one in world.queue.messages])
    assert scene.state == S.SUCCEEDED
    assert scene.announce(token) == 0
