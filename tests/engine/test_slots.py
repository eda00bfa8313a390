"""Slots: handed over in the transaction that frees them, and never more of them than the limit says now."""

from __future__ import annotations

from chalicelib.engine import commands
from chalicelib.engine.outcomes import Stopped
from chalicelib.engine.ports import Store
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState, Reason
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, NOON, World, a_definition

S = InstanceState


def a_busy_job(world: World, **policies: object) -> str:
    """Scheduled, of a target that runs until somebody kills it, with five instances triggered at once."""
    definition = a_definition(
        target={"kind": "started"},
        schedule={"at": "2030-01-01T00:00:00"},
        policies=policies,
    )
    job = commands.submit(world.engine, ADMIN, definition, schedule=True)
    assert isinstance(job, Job)
    for _ in range(5):
        commands.trigger(world.engine, ADMIN, job.id)
    world.minute()
    world.deliver()
    return job.id


def states(store: Store, job_id: str) -> list[tuple[InstanceState, bool]]:
    return [(one.state, one.active) for one in instances_of(store, job_id)]


def in_flight(store: Store, job_id: str) -> list[Instance]:
    return [one for one in instances_of(store, job_id) if one.state is S.LAUNCHED]


def test_a_freed_slot_is_handed_over_before_anybody_else_looks(world: World) -> None:
    store = world.engine.store
    job_id = a_busy_job(world, overlap="queue")
    first = instances_of(store, job_id)[0]
    commands.kill(world.engine, ADMIN, first.id)
    commands.trigger(world.engine, ADMIN, job_id)
    world.targets.when_cancelled = world.targets.endings[first.token] = Stopped()
    world.minute()
    world.deliver()
    ended, second, *later = instances_of(store, job_id)
    assert (ended.state, second.state) == (S.KILLED, S.LAUNCHED)
    assert {(one.state, one.reason, one.active) for one in later} == {
        (S.WAITING, Reason.MAX_ACTIVE, False)
    }


def test_a_lowered_limit_hands_nothing_over_until_it_is_kept(world: World) -> None:
    store = world.engine.store
    job_id = a_busy_job(world, max_active=3)
    assert len(in_flight(store, job_id)) == 3
    commands.patch(world.engine, ADMIN, job_id, {"policies": {"max_active": 1}})
    for left in (2, 1, 1):
        victim = in_flight(store, job_id)[0]
        world.targets.endings[victim.token] = Stopped()
        commands.kill(world.engine, ADMIN, victim.id)
        world.minute()
        world.deliver()
        assert len(in_flight(store, job_id)) == left


def test_a_raised_limit_is_used_at_once(world: World) -> None:
    store = world.engine.store
    job_id = a_busy_job(world, overlap="queue")
    assert [active for _, active in states(store, job_id)] == [True, False, False, False, False]
    change = {"policies": {"overlap": "allow", "max_active": 4}}
    commands.patch(world.engine, ADMIN, job_id, change)
    world.deliver()
    assert [one.state for one in instances_of(store, job_id)] == [S.LAUNCHED] * 4 + [S.WAITING]
    assert world.clock.now == NOON
