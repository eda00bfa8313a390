"""Somebody says that data has arrived: who waits for it is checked now, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.conditions import arrival_keys
from chalicelib.model.errors import Forbidden, InvalidInput
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceState, Role
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, World, a_definition

S = InstanceState


def waiting(world: World, path: str, owner: str = "team", name: str = "sample") -> str:
    """A job that has waited for that path so long that its next check is minutes away."""
    definition = a_definition(
        name=name, schedule={"at": "2026-01-01T12:00:00"}, prerequisites=[{"data": path}]
    )
    job = commands.submit(world.engine, ADMIN, definition, owner=owner, schedule=True)
    assert isinstance(job, Job)
    world.advance(30 * MINUTE)
    assert state(world, job.id) is S.WAITING
    return job.id


def state(world: World, job_id: str) -> InstanceState:
    [one] = instances_of(world.engine.store, job_id)
    return one.state


@pytest.mark.parametrize(
    ("waited_for", "arrived", "woken"),
    [
        ("a/b/c", "a/b/c", 1),
        ("a/b/c", "a//b/./c", 1),
        ("a/b/c", "a/b", 0),
        ("a/b/c", "a/b/d", 0),
        ("a/b/", "a/b/c/d", 1),
        ("a/b/", "a/bc", 0),
        ("a/*/c.csv", "a/b/c.csv", 1),
        ("*.csv", "c.csv", 1),
        ("**/c.csv", "a/b/c.csv", 1),
        ("a/b*.csv", "x/b1.csv", 0),
        ("s3://bucket/a/c", "s3://bucket/a/c", 1),
        ("s3://bucket/a/", "s3://bucket/a/b/c", 1),
        ("s3://bucket/", "s3://bucket/x", 1),
        ("s3://bucket/a/", "s3://other/a/b", 0),
        ("s3://bucket/a//b", "s3://bucket/a/b", 0),
    ],
)
def test_who_waits_for_it_is_found_by_key(
    world: World, waited_for: str, arrived: str, woken: int
) -> None:
    job_id = waiting(world, waited_for)
    assert commands.data_arrived(world.engine, ADMIN, [arrived]) == woken
    world.places.there.add(waited_for)
    world.deliver()
    assert state(world, job_id) is (S.SUCCEEDED if woken else S.WAITING)


def test_an_event_is_a_hint_and_repeating_it_does_no_harm(world: World) -> None:
    job_id = waiting(world, "a/b")
    looks = len(world.places.looks)
    assert commands.data_arrived(world.engine, ADMIN, ["a/b", "a/b", "nobody/waits"]) == 1
    assert commands.data_arrived(world.engine, ADMIN, ["a/b"]) == 0  # it is due already
    world.deliver()
    assert state(world, job_id) is S.WAITING
    assert len(world.places.looks) == looks + 1
    world.places.there.add("a/b")
    assert commands.data_arrived(world.engine, ADMIN, ["a/b"]) == 1
    world.deliver()
    assert state(world, job_id) is S.SUCCEEDED
    assert commands.data_arrived(world.engine, ADMIN, ["a/b"]) == 0


def test_only_those_of_owners_where_one_may_act_are_woken(world: World) -> None:
    ours = waiting(world, "a/b", "team")
    theirs = waiting(world, "a/b", "others", "theirs")
    world.places.there.add("a/b")
    viewer = Principal("vic", roles={"team": Role.VIEWER})
    with pytest.raises(Forbidden, match="operator"):
        commands.data_arrived(world.engine, viewer, ["a/b"])
    with pytest.raises(Forbidden):
        commands.data_arrived(world.engine, viewer, ["a/b"], owner="team")
    operator = Principal("oli", roles={"team": Role.OPERATOR, "others": Role.VIEWER})
    assert commands.data_arrived(world.engine, operator, ["a/b"]) == 1
    world.deliver()
    assert (state(world, ours), state(world, theirs)) == (S.SUCCEEDED, S.WAITING)
    assert commands.data_arrived(world.engine, ADMIN, ["a/b"], owner="others") == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "ftp://host/x"])
def test_what_nobody_can_wait_for_is_refused(world: World, path: str) -> None:
    with pytest.raises(InvalidInput, match="path"):
        commands.data_arrived(world.engine, ADMIN, [path])


def test_who_waits_no_more_is_not_woken(world: World) -> None:
    job_id = waiting(world, "a/b")
    commands.kill(world.engine, ADMIN, instances_of(world.engine.store, job_id)[0].id)
    assert commands.data_arrived(world.engine, ADMIN, ["a/b"]) == 0


def keys(*paths: str) -> set[Any]:
    return {key for path in paths for key in arrival_keys(path)}


def test_a_path_concerns_each_folder_above_it_once() -> None:
    assert len(keys("a/b/c")) == 4  # itself, a/b/, a/, and the root
    assert len(keys("s3://bucket/a/b")) == 3  # itself, bucket/a/ and bucket/
    assert len(keys("a/b/c", "a/b/d")) == 5
