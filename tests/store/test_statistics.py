"""Samples for statistics: the newest of the selection, of the owners that are seen."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine.filters import StatisticsFilter
from chalicelib.engine.statistics import Finished
from chalicelib.model.job import SkipRange
from chalicelib.model.states import InstanceKind, InstanceState
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

S = InstanceState


def fill(store: SqlStore) -> None:
    insert_jobs(store, *(a_job(n, owner="red" if n < 3 else "blue") for n in (1, 2, 3)))
    for number in (1, 2, 3):
        owner = "red" if number < 3 else "blue"
        insert_instances(
            store,
            *(
                an_instance(
                    minute,
                    an_id(number),
                    owner=owner,
                    state=S.WAITING if minute == 9 else S.SUCCEEDED,
                    kind=InstanceKind.MANUAL if minute == 0 else InstanceKind.SCHEDULED,
                )
                for minute in range(10)
            ),
        )
    spans = [
        SkipRange(an_id(1), NOON - 9 * MINUTE, NOON, "SUSPENDED", 1),
        SkipRange(an_id(1), NOON + MINUTE, NOON + 2 * MINUTE, "PURGED", 1),
        SkipRange(an_id(3), NOON - 99 * MINUTE, NOON - 98 * MINUTE, "EXPIRED", 1),
    ]
    store.transact(lambda tx: tx.insert_skip_ranges(spans))


def wanted(**changes: Any) -> StatisticsFilter:
    given = {"from_ms": NOON - MINUTE, "to_ms": NOON + 60 * MINUTE, "limit": 100, **changes}
    return StatisticsFilter(**given)


def finished(
    store: SqlStore, owners: list[str] | None = None, **changes: Any
) -> list[tuple[str, int]]:
    rows: list[Finished] = list(
        store.read(lambda reader: reader.finished(wanted(**changes), owners))
    )
    return [(one.job_id[-1], (one.nominal_ms - NOON) // MINUTE) for one in rows]


def test_the_newest_of_the_selection(store: SqlStore) -> None:
    fill(store)
    assert finished(store, job_id=an_id(2), limit=3) == [("2", 8), ("2", 7), ("2", 6)]
    assert sorted(finished(store, limit=3)) == [("1", 8), ("2", 8), ("3", 8)]
    assert sorted(finished(store, ["red", "blue"], limit=3)) == [("1", 8), ("2", 8), ("3", 8)]
    assert sorted(finished(store, ["red"], limit=2)) == [("1", 8), ("2", 8)]
    assert finished(store, ["red"], owner="blue") == []
    assert finished(store, owner="blue", limit=1) == [("3", 8)]
    assert len(finished(store)) == 27
    span: dict[str, Any] = {"from_ms": NOON + 2 * MINUTE, "to_ms": NOON + 4 * MINUTE}
    assert finished(store, job_id=an_id(1), **span) == [("1", 3), ("1", 2)]
    assert finished(store, ["blue"], **span) == [("3", 3), ("3", 2)]
    assert sorted(finished(store, kind="MANUAL")) == [("1", 0), ("2", 0), ("3", 0)]
    assert finished(store, job_id=an_id(1), kind="MANUAL") == [("1", 0)]


@pytest.mark.parametrize("more", [0, 30], ids=["a few jobs", "many jobs"])
def test_of_some_jobs_only(store: SqlStore, more: int) -> None:
    fill(store)
    among = (an_id(2), an_id(3), *(an_id(100 + number) for number in range(more)))
    assert sorted(finished(store, among=among, limit=2)) == [("2", 8), ("3", 8)]
    assert len(finished(store, among=among)) == 18
    newest = [at for _, at in finished(store, among=among)]
    for limit in range(1, 20):
        assert [at for _, at in finished(store, among=among, limit=limit)] == newest[:limit]
    assert finished(store, among=(), limit=3) == []
    some = wanted(among=(an_id(1), *among[2:]))
    waiting = store.read(lambda reader: reader.unfinished(some, None))
    assert [one.job_id for one in waiting] == [an_id(1)]
    spans = store.read(lambda reader: reader.skipped(some, None))
    assert [one.job_id for one in spans] == [an_id(1)]
    if more:
        assert finished(store, ["red"], among=among, limit=2) == [("2", 8), ("2", 7)]


def test_what_has_not_ended(store: SqlStore) -> None:
    fill(store)
    for owners, count in ((None, 3), (["red"], 2), (["blue"], 1), ([], 0)):
        rows = store.read(lambda reader, o=owners: reader.unfinished(wanted(), o))  # type: ignore[misc]
        assert [one.state for one in rows] == ["WAITING"] * count
    of_job = store.read(lambda reader: reader.unfinished(wanted(job_id=an_id(1)), None))
    assert [(one.owner, one.nominal_ms) for one in of_job] == [("red", NOON + 9 * MINUTE)]


def test_skip_ranges_that_touch_the_window(store: SqlStore) -> None:
    fill(store)
    for changes, owners, reasons in (
        ({}, None, ["SUSPENDED"]),
        ({}, ["red"], ["SUSPENDED"]),
        ({}, ["blue"], []),
        ({"from_ms": 0}, ["blue"], ["EXPIRED"]),
        ({"job_id": an_id(1)}, None, ["SUSPENDED"]),
        ({"from_ms": NOON}, None, []),
    ):
        rows = store.read(lambda reader, c=changes, o=owners: reader.skipped(wanted(**c), o))  # type: ignore[misc]
        assert [one.span.reason for one in rows] == reasons, changes


def test_a_page_of_skip_ranges_begins_with_the_newest(store: SqlStore) -> None:
    fill(store)
    first = store.read(lambda reader: reader.skip_page(an_id(1), 1 << 52, 1))
    assert [one.reason for one in first] == ["PURGED"]
    second = store.read(lambda reader: reader.skip_page(an_id(1), first[0].from_ms, 5))
    assert [one.reason for one in second] == ["SUSPENDED"]


def test_where_it_is_cut_all_see_the_same_of_equal_nominal_times(store: SqlStore) -> None:
    fill(store)
    for limit in range(1, 12):
        of_all = finished(store, limit=limit)
        assert finished(store, ["blue", "red"], limit=limit) == of_all
        assert finished(store, ["red", "blue"], limit=limit) == of_all
