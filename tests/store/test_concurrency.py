"""Several at once, with real threads: locks serialise, hand-outs never overlap, limits hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest

from chalicelib.engine.filters import EventFilter
from chalicelib.engine.ports import Remembered, Transaction
from chalicelib.model.errors import AlreadyExists, NameTaken
from chalicelib.model.instance import Instance
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore
from chalicelib.store.address import Mysql, read_address
from chalicelib.store.mysql import MysqlDriver
from tests.databases import SERVERS
from tests.store.builders import (
    JOB,
    NOON,
    a_job,
    an_event,
    an_id,
    an_instance,
    insert_instances,
    insert_jobs,
    moved,
)

R = TypeVar("R")
WAIT_S = 20


def at_once(count: int, work: Callable[[int], R]) -> list[R]:
    """The work of so many threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> R:
        start.wait(WAIT_S)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_lockers_of_one_job_take_turns(store: SqlStore) -> None:
    insert_jobs(store, a_job())

    def edit(tx: Transaction) -> None:
        [job] = tx.lock_jobs([JOB])
        tx.save_jobs([replace(job, edit=job.edit + 1)])

    at_once(4, lambda _: [store.transact(edit) for _ in range(25)])
    job = store.read(lambda reader: reader.job(JOB, None))
    assert job is not None
    assert job.edit == 101


def test_nothing_is_handed_out_twice(store: SqlStore) -> None:
    instances = [an_instance(n) for n in range(400)]
    insert_instances(store, *instances)
    later_ms = instances[-1].nominal_ms

    def hand_out(tx: Transaction) -> Sequence[Instance]:
        due = tx.lock_due_instances(later_ms, 30)
        assert tx.save_instances([replace(o, wake_ms=None, version=2) for o in due]) == len(due)
        return due

    def sweep(_: int) -> list[str]:
        taken: list[str] = []
        while due := store.transact(hand_out):
            taken += [one.id for one in due]
        return taken

    taken = [one for part in at_once(4, sweep) for one in part]
    assert sorted(taken) == sorted(one.id for one in instances)


def test_a_limit_is_kept_under_the_lock(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    insert_instances(store, *(an_instance(n) for n in range(24)))

    def claim(number: int) -> int:
        def unit(tx: Transaction) -> int:
            tx.lock_jobs([JOB])
            [one] = tx.lock_instances([an_instance(number).id])
            if tx.active_counts([JOB]).get((JOB, None), 0) >= 3:
                return 0
            return tx.save_instances([moved(one, InstanceState.LAUNCHING)])

        return store.transact(unit)

    assert sum(at_once(8, lambda n: sum(claim(n * 3 + k) for k in range(3)))) == 3
    assert store.transact(lambda tx: tx.active_counts([JOB])) == {(JOB, None): 3}


def test_one_of_many_gets_the_name(store: SqlStore) -> None:
    def submit(number: int) -> bool:
        try:
            insert_jobs(store, a_job(number + 1, name="wanted"))
        except NameTaken:
            return False
        return True

    assert sum(at_once(6, submit)) == 1
    assert len(store.read(lambda reader: reader.job_named("wanted", None))) == 1


def test_one_of_many_answers_a_key(store: SqlStore) -> None:
    def answer(number: int) -> bool:
        value = Remembered("ada", "key", f"{number}", 201, "{}", NOON)
        try:
            store.transact(lambda tx: tx.remember(value))
        except AlreadyExists:
            return False
        return True

    assert sum(at_once(6, answer)) == 1


def test_a_nominal_time_is_accounted_for_once(store: SqlStore) -> None:
    instances = [an_instance(n) for n in range(50)]
    at_once(6, lambda k: insert_instances(store, *instances[k * 5 :], *instances[: k * 5]))
    assert store.read(lambda r: r.instances_by_id([o.id for o in instances])) == instances
    at_once(4, lambda _: store.transact(lambda tx: tx.insert_owner("red", NOON)))
    assert store.read(lambda reader: reader.owners()) == ["red"]


@pytest.mark.parametrize("kind", ["sqlite-file", *SERVERS])  # in memory one connection serves all
def test_readers_see_only_what_is_committed(store: SqlStore) -> None:
    written, seen = threading.Event(), threading.Event()

    def write(tx: Transaction) -> None:
        tx.insert_job(a_job())
        written.set()
        assert seen.wait(WAIT_S)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.transact, write)
        assert written.wait(WAIT_S)
        assert store.read(lambda reader: reader.job(JOB, None)) is None
        seen.set()
        writing.result(WAIT_S)
    assert store.read(lambda reader: reader.job(JOB, None)) == a_job()


@pytest.mark.parametrize("kind", SERVERS)
def test_what_is_locked_is_passed_over(store: SqlStore) -> None:
    insert_jobs(store, *(a_job(n, wake_ms=NOON + n) for n in range(1, 7)))
    insert_instances(store, *(an_instance(n) for n in range(6)))
    locked, looked = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        tx.lock_jobs([an_id(1), an_id(2), an_id(4)])
        tx.lock_instances([an_instance(n).id for n in (0, 1, 3)])
        locked.set()
        assert looked.wait(WAIT_S)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(store.transact, hold)
        assert locked.wait(WAIT_S)
        jobs = store.transact(lambda tx: tx.lock_due_jobs(NOON + 9, 2))
        instances = store.transact(lambda tx: tx.lock_due_instances(NOON * 2, 2))
        all_free = store.transact(lambda tx: tx.lock_due_jobs(NOON + 9, 100))
        looked.set()
        holding.result(WAIT_S)
    assert [job.id for job in jobs] == [an_id(3), an_id(5)]
    assert instances == [an_instance(2), an_instance(4)]
    assert [job.id for job in all_free] == [an_id(3), an_id(5), an_id(6)]


@pytest.mark.parametrize("kind", SERVERS)
def test_locking_one_row_leaves_its_neighbours_free(store: SqlStore) -> None:
    """A plan that scans a small table would lock all that it reads."""
    insert_jobs(store, a_job(1), a_job(2), a_job(3))
    insert_instances(store, *(an_instance(n, an_id(k)) for k in (1, 2, 3) for n in range(3)))
    locked, looked = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        tx.lock_jobs([an_id(2)])
        tx.lock_instances([an_instance(1, an_id(2)).id])
        tx.hold_instances(an_id(2))
        tx.release_instances(an_id(2), NOON, NOON, NOON)
        tx.wake_queued((an_id(2), None), NOON, 1)
        tx.skip_waiting(an_id(2), NOON, "JOB_DELETED")
        locked.set()
        assert looked.wait(WAIT_S)

    def others(tx: Transaction) -> None:
        for other in (an_id(1), an_id(3)):
            [job] = tx.lock_jobs([other])
            tx.save_jobs([job])
            assert tx.hold_instances(other) == 3
            assert tx.release_instances(other, NOON, NOON, NOON) == 3
            tx.wake_queued((other, None), NOON, 1)
            assert tx.skip_waiting(other, NOON, "JOB_DELETED") == 3
            tx.insert_instances([an_instance(7, other)])

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(store.transact, hold)
        assert locked.wait(WAIT_S)
        SqlStore(store._driver, pause=_never).transact(others)
        looked.set()
        holding.result(WAIT_S)


def _never(_: float) -> None:
    raise AssertionError("nobody should have to wait")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_deadlock_is_repeated(store: SqlStore) -> None:
    insert_jobs(store, a_job(1), a_job(2))
    both = threading.Barrier(2)
    attempts: list[int] = []

    def cross(number: int) -> None:
        first, second = (an_id(1), an_id(2)) if number else (an_id(2), an_id(1))

        def unit(tx: Transaction) -> None:
            attempts.append(number)
            tx.lock_jobs([first])
            if attempts.count(number) == 1 and len(attempts) <= 2:
                both.wait(WAIT_S)
            tx.insert_events([an_event(number + 1)])
            tx.lock_jobs([second])

        store.transact(unit)

    at_once(2, cross)
    assert len(attempts) >= 3
    assert len(store.read(lambda reader: reader.events(EventFilter(), None))) == 2


@pytest.mark.parametrize("kind", SERVERS)
def test_a_lock_wait_that_is_over_repeats_the_whole_unit(
    kind: str, empty_url: Callable[[str], str]
) -> None:
    """Error 1205 leaves the transaction half alive: a COMMIT would keep the event without the lock."""
    address = read_address(empty_url(kind))
    assert isinstance(address, Mysql)
    driver = MysqlDriver(address, None, None, lock_wait_s=1)
    locked, freed = threading.Event(), threading.Event()
    store = SqlStore(driver, pause=lambda _: freed.set())
    insert_jobs(store, a_job())
    attempts: list[int] = []

    def hold(tx: Transaction) -> None:
        tx.lock_jobs([JOB])
        locked.set()
        assert freed.wait(WAIT_S)

    def unit(tx: Transaction) -> None:
        attempts.append(1)
        tx.insert_events([an_event(len(attempts))])
        tx.lock_jobs([JOB])

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(store.transact, hold)
        assert locked.wait(WAIT_S)
        store.transact(unit)
        holding.result(WAIT_S)
    assert len(attempts) == 2
    assert [e.id for e in store.read(lambda r: r.events(EventFilter(), None))] == [an_id(2)]
    store.close()
