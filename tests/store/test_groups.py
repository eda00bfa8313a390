"""Concurrency groups, who names them, and who is in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.model.errors import AlreadyExists
from chalicelib.model.group import Group
from chalicelib.model.states import GroupPlace, InstanceState, JobState
from chalicelib.store import SqlStore
from tests.store.builders import NOON, a_job, an_id, an_instance, insert_instances, insert_jobs

HELD, QUEUED = GroupPlace.HELD, GroupPlace.QUEUED


def a_group(name: str = "g", owner: str = "default", **changes: int) -> Group:
    made = Group(
        owner=owner,
        name=name,
        size=2,
        description="Überall 🍕",
        created_ms=NOON,
        created_by="ada",
        modified_ms=NOON,
        modified_by="bob",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def insert(store: SqlStore, *groups: Group) -> None:
    for one in groups:
        store.transact(lambda tx, one=one: tx.insert_group(one))  # type: ignore[misc]


def test_what_is_written_is_read(store: SqlStore) -> None:
    insert(store, a_group("h"), a_group("g"), a_group("g", "red"))
    found = store.read(lambda reader: reader.groups_named("default", ["h", "x", "g"]))
    assert found == [a_group("g"), a_group("h")]
    everywhere = store.read(lambda reader: reader.groups(None))
    assert [(one.owner, one.name) for one in everywhere] == [
        ("default", "g"),
        ("default", "h"),
        ("red", "g"),
    ]
    assert store.read(lambda reader: reader.groups(["red"])) == [a_group("g", "red")]
    with pytest.raises(AlreadyExists):
        insert(store, a_group("g"))
    after = a_group("g", edit=2, size=0)
    store.transact(lambda tx: tx.save_group(after))
    store.transact(lambda tx: tx.delete_group("default", "h"))
    assert store.read(lambda reader: reader.groups(["default"])) == [after]


def test_those_that_name_it_are_found(store: SqlStore) -> None:
    named = a_job(1, group="g")
    gone = a_job(2, group="g")
    insert_jobs(store, named, gone, a_job(3), a_job(4, group="g", owner="red"))
    store.transact(lambda tx: tx.save_jobs([replace(gone, state=JobState.DELETED, edit=2)]))
    users = store.read(lambda reader: reader.group_jobs("default", "g", 10))
    assert users == [(an_id(1), "job-1")]


def test_those_that_are_in_it_are_found(store: SqlStore) -> None:
    insert_jobs(store, a_job())

    def has_members() -> bool:
        return store.transact(lambda tx: tx.has_members(("default", "g")))

    ended = an_instance(0, state=InstanceState.SUCCEEDED, group="g")
    elsewhere = an_instance(1, group="h", owner="default", place=QUEUED, active=True)
    insert_instances(store, ended, elsewhere)
    assert not has_members()
    insert_instances(store, an_instance(2, group="g"))
    assert has_members(), "one that waits for something else still belongs to it"
    running = an_instance(3, state=InstanceState.RUNNING, group="g", place=HELD)
    waiting = [an_instance(n, group="g", place=QUEUED, active=True) for n in (5, 4)]
    insert_instances(store, running, *waiting)
    places = store.read(lambda reader: reader.group_places("default", ["g", "h", "none"]))
    assert places == {("g", HELD): 1, ("g", QUEUED): 2, ("h", QUEUED): 1}
    assert store.read(lambda r: r.group_members("default", "g", HELD, 9)) == [running]
    assert store.read(lambda r: r.group_members("default", "g", QUEUED, 1)) == [waiting[1]]
