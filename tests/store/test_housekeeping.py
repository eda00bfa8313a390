"""What housekeeping asks and does, on every database."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.engine.filters import EventFilter
from chalicelib.engine.housekeeping_ports import Ended
from chalicelib.model.job import SkipRange
from chalicelib.model.states import InstanceState, JobState
from chalicelib.store import SqlStore
from tests.store.builders import (
    JOB,
    MINUTE,
    NOON,
    a_job,
    an_event,
    an_id,
    an_instance,
    insert_instances,
    insert_jobs,
    moved,
)

S = InstanceState


def fill(store: SqlStore) -> None:
    """Minutes 0 to 3 succeeded, 4 failed, 5 waits."""
    insert_jobs(store, a_job())
    states = [S.SUCCEEDED] * 4 + [S.FAILED, S.WAITING]
    insert_instances(store, *(an_instance(at, state=state) for at, state in enumerate(states)))


def left(store: SqlStore) -> list[int]:
    ids = [an_instance(minute).id for minute in range(6)]
    found = store.read(lambda reader: reader.instances_by_id(ids))
    return [(one.nominal_ms - NOON) // MINUTE for one in found]


def test_what_has_ended_is_found_in_pages(store: SqlStore) -> None:
    fill(store)

    def ended(ended_ms: int, from_ms: int, to_ms: int, limit: int = 10) -> list[int]:
        rows = store.read(lambda r: r.ended_before(JOB, ended_ms, from_ms, to_ms, limit))
        return [(one.nominal_ms - NOON) // MINUTE for one in rows]

    late = NOON + 99 * MINUTE
    assert ended(late, 0, late) == [0, 1, 2, 3, 4]
    assert ended(late, 0, late, limit=2) == [0, 1]
    assert ended(late, NOON + 2 * MINUTE, NOON + 4 * MINUTE) == [2, 3]
    assert ended(NOON + 2 * MINUTE + 1, 0, late) == [0, 1]
    [one, *_] = store.read(lambda r: r.ended_before(JOB, late, 0, late, 1))
    assert one == Ended(an_instance(0).id, NOON, "SCHEDULED", 1, 1, False)


def test_the_newest_and_the_last_success(store: SqlStore) -> None:
    fill(store)
    assert store.read(lambda reader: reader.last_success(JOB)) == NOON + 3 * MINUTE
    assert store.read(lambda reader: reader.last_success(an_id(9))) is None
    newest = [store.read(lambda r, n=n: r.nth_newest(JOB, n)) for n in (1, 6, 7)]  # type: ignore[misc]
    assert newest == [NOON + 5 * MINUTE, NOON, None]


def test_an_instance_goes_with_all_that_is_its_own_unless_it_is_open(store: SqlStore) -> None:
    fill(store)
    first, second, waiting = (an_instance(minute) for minute in (0, 1, 5))
    events = [an_event(1, instance_id=first.id), an_event(2, instance_id=second.id), an_event(3)]

    def unit(tx):  # type: ignore[no-untyped-def]
        tx.insert_events(events)
        tx.archive_runs([moved(replace(first, run=2), S.FAILED)])
        return tx.purge_instances([first.id, waiting.id, an_id(77)])

    assert store.transact(unit) == 1
    assert left(store) == [1, 2, 3, 4, 5]
    found = store.read(lambda reader: reader.events(EventFilter(limit=9), None))
    assert [one.id for one in found] == [an_id(3), an_id(2)]
    assert store.read(lambda reader: reader.runs([first.id])) == {first.id: []}


def test_ranges_around_and_their_replacement(store: SqlStore) -> None:
    insert_jobs(store, a_job())
    spans = [
        SkipRange(JOB, NOON + n * MINUTE, NOON + (n + 1) * MINUTE, "SUSPENDED", 1)
        for n in (0, 2, 4, 6, 8)
    ]
    store.transact(lambda tx: tx.insert_skip_ranges(spans))

    def around(first: int, end: int) -> list[SkipRange]:
        span = NOON + first * MINUTE, NOON + end * MINUTE
        return list(store.read(lambda reader: reader.ranges_around(JOB, *span)))

    assert around(4, 5) == spans[1:4]
    assert around(3, 7) == spans[1:5]
    assert around(20, 21) == spans[-1:]
    assert around(-9, -8) == spans[:1]
    new = SkipRange(JOB, NOON + 4 * MINUTE, NOON + 5 * MINUTE, "PURGED", 1, 7)
    store.transact(lambda tx: tx.replace_ranges(spans[1:4], [spans[1], new]))
    assert around(0, 20) == [spans[0], spans[1], new, spans[4]]


def test_notes_and_leftovers(store: SqlStore) -> None:
    assert store.read(lambda reader: reader.noted("x")) is None
    for text in ("a", "b"):
        store.transact(lambda tx, t=text: tx.note("x", t))  # type: ignore[misc]
    assert store.read(lambda reader: reader.noted("x")) == "b"
    tokens = [f"{an_id(n)}-1" for n in range(5)]
    for some in (tokens[:3], tokens):
        store.transact(lambda tx, s=some: tx.add_leftovers(s))  # type: ignore[misc]
    store.transact(lambda tx: tx.drop_leftovers(tokens[1:2]))
    assert store.read(lambda reader: reader.leftovers(tokens[0], 2)) == tokens[2:4]


def test_only_a_deleted_job_without_instances_goes(store: SqlStore) -> None:
    insert_jobs(store, a_job(), a_job(2, state=JobState.DELETED), a_job(3))
    insert_instances(store, an_instance(0))
    store.transact(lambda tx: tx.insert_events([an_event(n, job_id=an_id(2)) for n in range(5)]))
    counts = [store.transact(lambda tx: tx.purge_job(an_id(2), 3)) for _ in range(3)]
    assert counts == [3, 2, 0]
    for number in (1, 3):
        store.transact(lambda tx, n=number: tx.purge_job(an_id(n), 3))  # type: ignore[misc]
    ids = [one.id for one in store.read(lambda reader: reader.jobs_after("", 9))]
    assert ids == [JOB, an_id(3)]
