"""Finding instances by what they are: for people by backfill and group, for commands of many by state."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.filters import InstanceFilter, JobFilter, Selection
from chalicelib.model.instance import Instance
from chalicelib.model.states import GroupPlace, InstanceKind, InstanceState
from chalicelib.store import SqlStore
from tests.databases import EVERY_KIND
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
BACKFILL = an_id(77)


@pytest.fixture(params=EVERY_KIND)
def store(request: pytest.FixtureRequest, open_empty: Callable[[str], SqlStore]) -> SqlStore:
    return open_empty(request.param)


def filled(store: SqlStore) -> list[Instance]:
    """Twelve instances of three jobs of two owners, in turn; every second waits, the others failed."""
    owners = {1: "blue", 2: "blue", 3: "red"}
    insert_jobs(store, *(a_job(number, owner=owner) for number, owner in owners.items()))
    for name in ("blue", "red"):
        store.transact(lambda tx, name=name: tx.insert_owner(name, NOON))  # type: ignore[misc]
    every = []
    for minute in range(12):
        number = minute % 3 + 1
        state = S.WAITING if minute % 2 else S.FAILED
        one = an_instance(minute, an_id(number), owner=owners[number], state=state)
        every.append(replace(one, group="g" if minute < 9 else None))
    every[1] = replace(every[1], place=GroupPlace.QUEUED, active=True)
    every[3] = replace(every[3], place=GroupPlace.HELD, active=True, backfill=BACKFILL)
    every[6] = replace(every[6], backfill=BACKFILL, kind=InstanceKind.BACKFILL)
    insert_instances(store, *every)
    return every


def minutes(every: Sequence[Instance], ids: Sequence[str]) -> list[int]:
    place = {one.id: number for number, one in enumerate(every)}
    return [place[one] for one in ids]


def test_instances_among_some_jobs_are_newest_first_and_paged(store: SqlStore) -> None:
    every = filled(store)
    same = [an_instance(20, an_id(number), state=S.FAILED) for number in (1, 2, 3)]
    insert_instances(store, *same)
    every += same

    def found(**wanted: Any) -> list[int]:
        narrowed = InstanceFilter(**{"among": (an_id(1), an_id(3)), **wanted})
        rows = store.read(lambda reader: reader.instances(narrowed, None))
        return minutes(every, [row.id for row in rows])

    whole = found()
    assert sorted(whole) == [0, 2, 3, 5, 6, 8, 9, 11, 12, 14]
    assert [every[one].id for one in whole] == sorted(
        (every[one].id for one in whole), reverse=True
    )
    assert found(among=()) == []
    assert sorted(found(state=("WAITING",))) == [3, 5, 9, 11]
    seen: list[int] = []
    while page := found(limit=1, after=every[seen[-1]].id if seen else None):
        seen += page
    assert seen == whole


def test_a_selection_is_oldest_first_and_goes_on_where_it_ended(store: SqlStore) -> None:
    every = filled(store)

    def found(**wanted: object) -> list[int]:
        selection = Selection(**{"state": ("WAITING", "FAILED"), **wanted})  # type: ignore[arg-type]
        rows = store.read(lambda reader: reader.selected(selection))
        return minutes(every, [row.id for row in rows])

    assert found() == list(range(12))
    assert found(state=("FAILED",)) == [0, 2, 4, 6, 8, 10]
    assert found(owners=("red",)) == [2, 5, 8, 11]
    assert found(owners=("red", "blue"), limit=4) == [0, 1, 2, 3]
    assert found(owners=()) == []
    assert found(job_ids=(an_id(1), an_id(3))) == [0, 2, 3, 5, 6, 8, 9, 11]
    assert found(backfill=BACKFILL) == [3, 6]
    assert found(backfill=BACKFILL, job_ids=(an_id(2),)) == []
    assert found(from_ms=NOON + 2 * MINUTE, to_ms=NOON + 5 * MINUTE) == [2, 3, 4]
    for narrowed in ({}, {"owners": ("blue", "red")}, {"job_ids": (an_id(1), an_id(2), an_id(3))}):
        seen: list[int] = []
        while True:
            page = found(**narrowed, limit=5, after=every[seen[-1]].id if seen else None)
            seen += page
            if len(page) < 5:
                break
        assert seen == list(range(12))


def test_a_selection_tells_what_else_it_may_be_narrowed_by(store: SqlStore) -> None:
    every = filled(store)
    wanted = Selection(state=("FAILED",), backfill=BACKFILL)
    [one] = store.read(lambda reader: reader.selected(wanted))
    facts = (one.id, one.state, one.kind, one.group, one.run_created_ms)
    assert facts == (every[6].id, "FAILED", "BACKFILL", "g", every[6].run_created_ms)


def test_pages_by_backfill_and_group_are_newest_first(store: SqlStore) -> None:
    every = filled(store)

    def found(owners: Sequence[str] | None = None, **wanted: object) -> list[int]:
        narrowed = InstanceFilter(**wanted)  # type: ignore[arg-type]
        rows = store.read(lambda reader: reader.instances(narrowed, owners))
        return minutes(every, [row.id for row in rows])

    assert found(backfill=BACKFILL) == [6, 3]
    assert found(backfill=BACKFILL, state=("FAILED",)) == [6]
    assert found(backfill=BACKFILL, job_id=an_id(1)) == [6, 3]
    assert found(["red"], backfill=BACKFILL) == []
    assert found(backfill=BACKFILL, after=every[6].id) == [3]
    assert found(backfill=BACKFILL, group="other") == []
    assert found(group="g") == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert found(["red"], group="g") == [8, 5, 2]
    assert found(["red", "blue"], owner="blue", group="g", state=("WAITING",)) == [7, 3, 1]
    assert found(group="g", job_id=an_id(2)) == [7, 4, 1]
    assert found(group="g", kind="BACKFILL") == [6]
    assert found(group="g", from_ms=NOON + 3 * MINUTE, to_ms=NOON + 5 * MINUTE) == [4, 3]
    seen = found(group="g", limit=4)
    assert seen == [8, 7, 6, 5]
    assert found(group="g", limit=4, after=every[5].id) == [4, 3, 2, 1]


def test_jobs_are_found_by_their_tags_and_group(store: SqlStore) -> None:
    tagged = [
        {},
        {"tier": "gold"},
        {"tier": "gold", "town": 'Köln, "am" Rhein'},
        {"tier": "Gold"},
    ]
    for number, tags in enumerate(tagged, start=1):
        document = f'{{"name": "job-{number}", "tags": {json.dumps(tags)}}}'
        insert_jobs(
            store, a_job(number, definition_json=document, group="g" if number < 3 else None)
        )
    insert_jobs(store, a_job(9))

    def found(**wanted: object) -> list[int]:
        jobs = store.read(lambda reader: reader.jobs(JobFilter(**wanted), None))  # type: ignore[arg-type]
        return [int(job.id, 16) for job in jobs]

    assert found(tags=(("tier", "gold"),)) == [2, 3]
    assert found(tags=(("tier", "Gold"),)) == [4]
    assert found(tags=(("tier", "gold"), ("town", 'Köln, "am" Rhein'))) == [3]
    assert found(tags=(("tier", "gol"),)) == found(tags=(("town", "gold"),)) == []
    assert found(tags=(("tier", "gold "),)) == found(tags=(('no "name"', "gold"),)) == []
    assert found(group="g") == [1, 2]
    assert found(group="g", tags=(("tier", "gold"),)) == [2]


def test_who_may_be_beside_more_than_others_looks_for_itself(store: SqlStore) -> None:
    insert_jobs(store, a_job(1), a_job(2))
    late: dict[str, Any] = {"reason": "MAX_ACTIVE", "wake_ms": NOON + 60 * MINUTE}
    by_job = an_instance(1, **late)
    wide: dict[str, Any] = {**late, "overlap": "allow", "max_active": 4}
    own = an_instance(2, **wide)
    of_backfill = an_instance(3, **wide, backfill=BACKFILL)
    other = an_instance(4, an_id(2), **wide)
    insert_instances(store, by_job, own, of_backfill, other)
    assert store.transact(lambda tx: tx.wake_own([an_id(1)], NOON)) == 1
    assert store.transact(lambda tx: tx.wake_queued((an_id(1), None), NOON, 5)) == 1
    rows = store.read(
        lambda reader: reader.instances_by_id([o.id for o in (by_job, own, of_backfill, other)])
    )
    woken = {one.id: (one.wake_ms == NOON, one.active, one.version) for one in rows}
    assert woken == {
        by_job.id: (True, True, 2),
        own.id: (True, False, 2),
        of_backfill.id: (False, False, 1),
        other.id: (False, False, 1),
    }
