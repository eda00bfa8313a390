"""Concurrency groups: never more at work than the group has slots, whoever waits longest is next."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from chalicelib.engine import commands, group_views, queries
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.outcomes import Stopped
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import AlreadyExists, GroupInUse, InvalidInput, NotFound, StaleEdit
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import GroupPlace, InstanceState, Reason
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, World, a_definition

S = InstanceState
T = TypeVar("T")


def jobs_of_a_group(world: World, size: int, count: int = 4) -> list[str]:
    """So many jobs that name the group, each with one instance that runs until somebody kills it."""
    commands.set_group(world.engine, ADMIN, "g", size)
    ids = [submitted(world, f"job-{number}", group="g") for number in range(count)]
    for job_id in ids:
        world.clock.now += 1000
        commands.trigger(world.engine, ADMIN, job_id)
    world.minute()
    world.deliver()
    return ids


def submitted(world: World, name: str, **policies: object) -> str:
    definition = a_definition(
        name=name,
        target={"kind": "started"},
        schedule={"at": "2030-01-01T00:00:00"},
        policies=policies,
    )
    job = commands.submit(world.engine, ADMIN, definition, schedule=True)
    assert isinstance(job, Job)
    return job.id


def only(world: World, job_id: str) -> Instance:
    [one] = instances_of(world.engine.store, job_id)
    return one


def at_work(world: World, jobs: list[str]) -> list[bool]:
    return [only(world, job_id).state is S.LAUNCHED for job_id in jobs]


def end(world: World, job_id: str) -> None:
    one = only(world, job_id)
    world.targets.endings[one.token] = Stopped()
    commands.kill(world.engine, ADMIN, one.id)
    world.minute()
    world.deliver()


def test_a_slot_goes_to_who_waits_longest(world: World) -> None:
    jobs = jobs_of_a_group(world, 2)
    assert at_work(world, jobs) == [True, True, False, False]
    third = only(world, jobs[2])
    assert (third.reason, third.place) == (Reason.GROUP_FULL, GroupPlace.QUEUED)
    end(world, jobs[0])
    assert at_work(world, jobs) == [False, True, True, False]
    end(world, jobs[1])
    assert at_work(world, jobs) == [False, False, True, True]


def test_a_larger_group_is_used_at_once_and_a_smaller_one_lets_those_at_work_end(
    world: World,
) -> None:
    jobs = jobs_of_a_group(world, 0)
    assert at_work(world, jobs) == [False] * 4
    result = commands.set_group(world.engine, ADMIN, "g", 3)
    assert result.given == 3
    world.deliver()
    assert at_work(world, jobs) == [True, True, True, False]
    commands.set_group(world.engine, ADMIN, "g", 1)
    assert at_work(world, jobs) == [True, True, True, False]
    end(world, jobs[0])
    end(world, jobs[1])
    assert at_work(world, jobs) == [False, False, True, False]
    end(world, jobs[2])
    assert at_work(world, jobs) == [False, False, False, True]


@pytest.mark.parametrize("how", ["kill", "skip", "suspend", "delete"])
def test_who_leaves_the_queue_leaves_nothing_behind(world: World, how: str) -> None:
    jobs = jobs_of_a_group(world, 1)
    second = only(world, jobs[1])
    if how in ("kill", "skip"):
        getattr(commands, how)(world.engine, ADMIN, second.id)
    else:
        getattr(commands, how)(world.engine, ADMIN, jobs[1])
    for number, follower in ((0, jobs[2]), (2, jobs[3])):
        end(world, jobs[number])
        if how == "suspend" and number == 0:  # a trigger is asked for: suspension does not hold it
            assert only(world, jobs[1]).state is S.LAUNCHED
            end(world, jobs[1])
        assert only(world, follower).state is S.LAUNCHED
    end(world, jobs[3])
    view = group_views.group(world.engine, ADMIN, "g").view
    assert (view.held, view.queued) == (0, 0)


def test_an_update_that_names_another_group_leaves_those_that_wait_in_theirs(world: World) -> None:
    jobs = jobs_of_a_group(world, 1, 2)
    commands.set_group(world.engine, ADMIN, "h", 1)
    commands.patch(world.engine, ADMIN, jobs[1], {"policies": {"group": "h"}})
    assert only(world, jobs[1]).group == "g"
    with pytest.raises(GroupInUse, match="job-0"):
        commands.delete_group(world.engine, ADMIN, "g")
    commands.delete(world.engine, ADMIN, jobs[0])
    with pytest.raises(GroupInUse, match="not ended"):
        commands.delete_group(world.engine, ADMIN, "g")
    one = instances_of(world.engine.store, jobs[0])[0]
    world.targets.endings[one.token] = Stopped()
    commands.kill(world.engine, ADMIN, one.id)
    world.minute()
    world.deliver()
    assert only(world, jobs[1]).state is S.LAUNCHED
    end(world, jobs[1])
    commands.delete_group(world.engine, ADMIN, "g")
    with pytest.raises(NotFound):
        commands.delete_group(world.engine, ADMIN, "g")


def test_a_group_that_there_is_not_cannot_be_named(world: World) -> None:
    commands.set_group(world.engine, ADMIN, "warehouse", 1)
    with pytest.raises(InvalidInput, match=r"policies\.group: .*did you mean warehouse"):
        submitted(world, "one", group="warehose")
    job_id = submitted(world, "two", group="warehouse")
    with pytest.raises(InvalidInput, match=r"policies\.group"):
        commands.patch(world.engine, ADMIN, job_id, {"policies": {"group": "none"}})
    dry = a_definition(name="three", policies={"group": "none"})
    with pytest.raises(InvalidInput, match=r"policies\.group"):
        commands.check(world.engine, ADMIN, dry)


def test_a_group_is_set_with_a_condition(world: World) -> None:
    made = commands.set_group(world.engine, ADMIN, "g", 1, description="why")
    assert made.created
    same = commands.set_group(world.engine, ADMIN, "g", 1)
    assert (same.group, same.created) == (made.group, False)
    after = commands.set_group(world.engine, ADMIN, "g", 2, if_match=1).group
    assert (after.size, after.description, after.edit) == (2, "why", 2)
    with pytest.raises(StaleEdit):
        commands.set_group(world.engine, ADMIN, "g", 3, if_match=1)
    with pytest.raises(StaleEdit):
        commands.set_group(world.engine, ADMIN, "new", 3, if_match=1)
    with pytest.raises(InvalidInput, match="size"):
        commands.set_group(world.engine, ADMIN, "g", -1)


def test_the_jobs_that_name_a_group_remember_its_sizes(world: World) -> None:
    jobs = jobs_of_a_group(world, 1, 2)
    commands.set_group(world.engine, ADMIN, "g", 1, description="the same size is no event")
    commands.set_group(world.engine, ADMIN, "g", 3, reason="the warehouse has grown")
    for job_id in jobs:
        [event] = queries.events(world.engine, ADMIN, EventFilter(verb="GROUP"), job_id).items
        assert (event.actor, event.reason) == ("ada", "the warehouse has grown")
        facts = json.loads(event.detail_json)
        assert (facts["group"], facts["before"], facts["size"]) == ("g", 1, 3)


def test_two_who_make_a_group_at_once_have_both_made_it(world: World) -> None:
    """The second finds none, and loses the race to insert it: then it is there to be changed."""
    store = world.engine.store
    first_look = [True]

    class Late:
        def transact(self, work: Callable[[Transaction], T]) -> T:
            if first_look and first_look.pop():
                commands.set_group(world.engine, ADMIN, "g", 1)
                raise AlreadyExists("somebody was faster")
            return store.transact(work)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    late = replace(world.engine, store=cast("Any", Late()))
    result = commands.set_group(late, ADMIN, "g", 2)
    assert (result.created, result.group.size, result.group.edit) == (False, 2, 2)
