"""Units of work: all or nothing, repeated as a whole, and never one inside another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from chalicelib.engine.filters import EventFilter
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.errors import Unavailable
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore
from chalicelib.store.failures import Repeat
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
from tests.store.faulty import Faults, FaultyDriver


class Refused(Exception):
    pass


def events(store: SqlStore) -> list[int]:
    found = store.read(lambda reader: reader.events(EventFilter(), None))
    return [int(event.id, 16) for event in found]


def test_a_unit_that_raises_leaves_nothing(store: SqlStore) -> None:
    def unit(tx: Transaction) -> None:
        tx.insert_job(a_job())
        tx.insert_instances([an_instance(0)])
        tx.insert_events([an_event(1)])
        raise Refused

    with pytest.raises(Refused):
        store.transact(unit)
    assert store.read(lambda reader: reader.job(JOB, None)) is None
    assert store.read(lambda reader: reader.instances_by_id([an_instance(0).id])) == []
    assert events(store) == []
    insert_jobs(store, a_job())


def test_a_unit_reads_what_it_wrote_and_returns_its_result(store: SqlStore) -> None:
    def unit(tx: Transaction) -> tuple[object, int | None]:
        tx.insert_job(a_job(wake_ms=NOON + 4))
        return tx.job(JOB, None), tx.next_wakes(NOON + 5).earliest

    assert store.transact(unit) == (a_job(wake_ms=NOON + 4), NOON + 4)
    assert store.read(lambda _: 5) == 5


def test_a_unit_inside_a_unit_is_refused(store: SqlStore) -> None:
    outer: tuple[Callable[[], object], ...] = (
        lambda: store.transact(lambda _: store.read(lambda _: 1)),
        lambda: store.read(lambda _: store.transact(lambda _: 1)),
        lambda: store.transact(lambda _: store.database_now_ms()),
    )
    for nested in outer:
        with pytest.raises(RuntimeError, match="uses the transaction it was given"):
            nested()
    insert_jobs(store, a_job())


def test_a_closed_store_closes_twice(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    store.close()
    store.close()


def claim(job_id: str) -> Callable[[Transaction], int]:
    """A unit like those of the engine: lock, count, write, record."""
    instance_id = an_instance(0, job_id).id

    def unit(tx: Transaction) -> int:
        [job] = tx.lock_jobs([job_id])
        [one] = tx.lock_instances([instance_id])
        if one.state is not InstanceState.WAITING:
            return -1
        active = tx.active_counts([job_id]).get((job_id, None), 0)
        tx.save_instances([moved(one, InstanceState.LAUNCHING)])
        tx.save_jobs([job])
        number = len(tx.events(EventFilter(limit=100), None))
        tx.insert_events([an_event(number, job_id=job_id)])
        return active

    return unit


@pytest.mark.parametrize("after", [False, True], ids=["instead", "after"])
def test_whatever_step_fails_the_unit_happens_once(store: SqlStore, *, after: bool) -> None:
    step = 0
    while True:
        step += 1
        job, one = a_job(step), an_instance(0, an_id(step))
        insert_jobs(store, job)
        insert_instances(store, one)
        faults = Faults(step, lambda: Repeat("a deadlock", lost=True), after=after)
        failing = SqlStore(FaultyDriver(store._driver, faults), pause=lambda _: None)
        assert failing.transact(claim(job.id)) == 0
        assert len(store.read(lambda r, j=job.id: r.events(EventFilter(job_id=j), None))) == 1  # type: ignore[misc]
        found = store.read(lambda reader, i=one.id: reader.instance(i, None))  # type: ignore[misc]
        assert found == moved(one, InstanceState.LAUNCHING)
        if faults.steps < step:
            break
    assert step > 8


def test_a_unit_that_swallows_a_failure_commits_nothing(store: SqlStore) -> None:
    """After a deadlock there is no transaction any more: what follows would be kept, piece by piece."""
    faults = Faults(3, lambda: Repeat("a deadlock"), after=False)
    failing = SqlStore(FaultyDriver(store._driver, faults), pause=lambda _: None)
    failing.read(lambda reader: reader.owners())  # the schema is looked at now, and not in the unit
    faults.steps = 0
    attempts: list[int] = []

    def unit(tx: Transaction) -> None:
        attempts.append(1)
        for number in (1, 2, 3):
            with suppress(Exception):  # a sweep sets aside the job that raises, and goes on
                tx.insert_events([an_event(number)])

    failing.transact(unit)
    assert len(attempts) == 2
    assert events(store) == [3, 2, 1]


@pytest.mark.parametrize("what", ["transact", "read"])
def test_a_unit_is_not_repeated_for_ever(store: SqlStore, what: str) -> None:
    pauses: list[float] = []
    attempts: list[int] = []
    impatient = SqlStore(store._driver, pause=pauses.append)

    def unit(_: Reader) -> None:
        attempts.append(1)
        raise Repeat("too many wanted the same rows")

    with pytest.raises(
        Unavailable, match="too many wanted the same rows; nothing was changed"
    ) as caught:
        getattr(impatient, what)(unit)
    assert caught.value.retry_after > 0
    assert len(attempts) == len(pauses) + 1 == 5
    assert sum(pauses) < 1
    insert_jobs(store, a_job())
