"""What is due: oldest first, each to one taker, and the time of the next."""

from __future__ import annotations

from chalicelib.model.states import InstanceState, JobState
from chalicelib.store import SqlStore
from tests.store.builders import JOB, NOON, a_job, an_id, an_instance, insert_jobs


def test_due_jobs_come_oldest_first(store: SqlStore) -> None:
    wakes = {1: NOON + 3, 2: NOON + 1, 3: None, 4: NOON + 9, 5: NOON + 1, 6: NOON}
    jobs = [a_job(n, wake_ms=wake) for n, wake in wakes.items()]
    insert_jobs(store, *jobs)

    def due(now_ms: int, limit: int) -> list[int]:
        found = store.transact(lambda tx: tx.lock_due_jobs(now_ms, limit))
        return [int(job.id, 16) for job in found]

    assert due(NOON + 3, 10) == [6, 2, 5, 1]
    assert due(NOON + 3, 2) == [6, 2]
    assert due(NOON - 1, 10) == []
    assert due(NOON + 9, 0) == []


def test_due_instances_come_oldest_first(store: SqlStore) -> None:
    wakes = (NOON + 3, NOON + 1, None, NOON + 9, NOON + 1, NOON)
    instances = [an_instance(n, wake_ms=wake) for n, wake in enumerate(wakes)]
    ended = an_instance(8, state=InstanceState.FAILED)
    store.transact(lambda tx: tx.insert_instances([*instances, ended]))

    def due(now_ms: int, limit: int) -> list[int]:
        found = store.transact(lambda tx: tx.lock_due_instances(now_ms, limit))
        return [instances.index(one) for one in found]

    assert due(NOON + 3, 10) == [5, 1, 4, 0]
    assert due(NOON + 3, 3) == [5, 1, 4]
    assert due(NOON - 1, 10) == []


def test_the_next_wake_is_the_earliest_of_all(store: SqlStore) -> None:
    def next_wake(before_ms: int) -> int | None:
        return store.read(lambda reader: reader.next_wakes(before_ms)).earliest

    assert next_wake(NOON * 2) is None
    asleep = a_job(2, wake_ms=None, state=JobState.EXPIRED)
    insert_jobs(store, a_job(1, wake_ms=NOON + 5), asleep)
    assert next_wake(NOON * 2) == NOON + 5
    assert next_wake(NOON + 6) == NOON + 5
    assert next_wake(NOON + 5) is None
    store.transact(lambda tx: tx.insert_instances([an_instance(0, wake_ms=NOON + 3)]))
    assert next_wake(NOON + 4) == NOON + 3
    store.transact(lambda tx: tx.insert_instances([an_instance(1, JOB, wake_ms=NOON - 3)]))
    assert next_wake(NOON) == NOON - 3


def test_the_databases_clock_goes_forward(store: SqlStore) -> None:
    first = store.database_now_ms()
    assert NOON < first < NOON * 2
    assert first <= store.database_now_ms() < first + 60_000


def test_many_due_are_taken_whole(store: SqlStore) -> None:
    instances = [an_instance(n, wake_ms=NOON + n % 7) for n in range(1500)]
    store.transact(lambda tx: tx.insert_instances(instances))
    found = store.transact(lambda tx: tx.lock_due_instances(NOON + 10, 1200))
    assert len(found) == 1200
    assert found == sorted(found, key=lambda one: (one.wake_ms or 0, one.id))
    assert store.read(lambda reader: reader.instance(an_id(3), None)) is None
