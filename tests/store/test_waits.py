"""Who waits for what: written once, found by key, woken where it still waits, forgotten when it does not."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.engine.conditions import data_key, job_key
from chalicelib.engine.wait_ports import Upstream, Wait, WaitPlace
from chalicelib.model.job import SkipRange
from chalicelib.model.states import InstanceState, JobState
from chalicelib.store import SqlStore
from tests.store.builders import (
    MINUTE,
    NOON,
    a_job,
    an_id,
    an_instance,
    insert_instances,
    insert_jobs,
)

A, B = data_key("a"), data_key("b")
WAITING = InstanceState.WAITING


def test_waits_are_kept_once_and_found_by_key(store: SqlStore) -> None:
    first, second = an_id(1), an_id(2)
    wanted = [Wait(A, second), Wait(A, first), Wait(B, first)]
    store.transact(lambda tx: tx.save_waits(wanted))
    store.transact(lambda tx: tx.save_waits([*wanted, Wait(B, second)]))
    store.transact(lambda tx: tx.save_waits([]))
    assert store.read(lambda reader: reader.waiters([A])) == [first, second]
    assert store.read(lambda reader: reader.waiters([A, B, data_key("c")])) == [first, second]
    assert store.read(lambda reader: reader.waiters([])) == []
    assert store.transact(lambda tx: tx.forget_waits([first])) == 2
    assert store.read(lambda reader: reader.waiters([A, B])) == [second]
    assert store.transact(lambda tx: tx.forget_waits([])) == 0


def test_only_those_are_woken_that_wait_for_it_still_and_are_ours(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    later = NOON + 9 * MINUTE
    waits = an_instance(0, state=WAITING, wake_ms=later)
    due = an_instance(1, state=WAITING, wake_ms=NOON)
    held = an_instance(2, state=WAITING, wake_ms=None)
    ready = an_instance(3, state=WAITING, wake_ms=later, ready_ms=NOON)
    ended = an_instance(4, state=InstanceState.SUCCEEDED)
    theirs = an_instance(5, state=WAITING, wake_ms=later, owner="red")
    every = [waits, due, held, ready, ended, theirs]
    insert_instances(store, *every)
    ids = [one.id for one in every]
    assert store.transact(lambda tx: tx.wake_waiters(ids, NOON, ["default"])) == 1
    found = {one.id: one for one in store.read(lambda reader: reader.instances_by_id(ids))}
    assert found[waits.id] == replace(waits, wake_ms=NOON, version=waits.version + 1)
    assert [found[one.id] for one in every[1:]] == every[1:]
    assert store.transact(lambda tx: tx.wake_waiters(ids, NOON)) == 1
    assert store.transact(lambda tx: tx.wake_waiters([], NOON)) == 0


def test_what_nobody_waits_for_any_more_is_forgotten(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    waits = an_instance(0, state=WAITING)
    ready = an_instance(1, state=WAITING, ready_ms=NOON)
    ended = an_instance(2, state=InstanceState.KILLED)
    insert_instances(store, waits, ready, ended)
    ids = [waits.id, ready.id, ended.id, an_id(77)]
    store.transact(lambda tx: tx.save_waits([Wait(A, one) for one in ids]))
    idle = sorted([ready.id, ended.id, an_id(77)])
    assert store.read(lambda reader: reader.idle_waits(("", ""), 9)) == (idle, None)
    found: list[str] = []
    place: WaitPlace | None = ("", "")
    while place is not None:
        page, place = store.read(lambda reader, at=place: reader.idle_waits(at, 1))  # type: ignore[misc]
        found += page
    assert sorted(found) == idle


def test_an_upstream_is_found_by_name_and_time(store: SqlStore) -> None:
    load, gone, other = a_job(1, name="load"), a_job(2, name="gone"), a_job(3, owner="red")
    insert_jobs(store, load, gone, other)
    store.transact(lambda tx: tx.save_jobs([replace(gone, state=JobState.DELETED, edit=2)]))
    insert_instances(
        store,
        an_instance(0, load.id, state=InstanceState.FAILED, reason="RUN_FAILED"),
        an_instance(0, gone.id, state=InstanceState.SUCCEEDED),
    )
    skipped = SkipRange(load.id, NOON + MINUTE, NOON + 2 * MINUTE, "SUSPENDED", 1)
    before = SkipRange(load.id, NOON - MINUTE, NOON, "EXPIRED", 1)
    store.transact(lambda tx: tx.insert_skip_ranges([before, skipped]))
    in_range = ("default", "load", NOON + MINUTE)
    found = store.read(lambda reader: reader.upstreams([in_range]))
    assert found == {in_range: Upstream(skipped="SUSPENDED")}
    keys = [
        ("default", "load", NOON),
        ("default", "load", NOON + 1),
        ("default", "gone", NOON),
        ("default", "job-3", NOON),
        ("red", "job-3", NOON),
    ]
    assert store.read(lambda reader: reader.upstreams(keys)) == {
        keys[0]: Upstream("FAILED", "RUN_FAILED"),
        keys[1]: Upstream(),
        keys[4]: Upstream(),
    }
    assert store.read(lambda reader: reader.upstreams([])) == {}
    assert len(job_key(keys[0])) == 64


def test_who_holds_the_slots_is_found(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    running = [an_instance(n, state=InstanceState.RUNNING) for n in range(3)]
    mine = replace(running[0], backfill=an_id(9))
    insert_instances(store, mine, *running[1:], an_instance(7, state=WAITING))
    of_job = store.read(lambda reader: reader.slot_holders((an_id(1), None), 9))
    assert of_job == sorted(one.id for one in running[1:])
    assert len(store.read(lambda reader: reader.slot_holders((an_id(1), None), 1))) == 1
    assert store.read(lambda reader: reader.slot_holders((an_id(1), an_id(9)), 9)) == [mine.id]
