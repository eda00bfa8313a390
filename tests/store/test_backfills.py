"""Backfills: written and read, counted by their instances, woken, ended, and their queues."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.backfill_ports import Open
from chalicelib.engine.filters import BackfillFilter
from chalicelib.model.backfill import Backfill, BackfillState
from chalicelib.model.states import InstanceKind, InstanceState, Reason
from chalicelib.store import SqlStore
from tests.store.builders import (
    JOB,
    MINUTE,
    NOON,
    a_backfill,
    a_job,
    an_id,
    an_instance,
    insert_backfills,
    insert_instances,
    insert_jobs,
    moved,
)

S = InstanceState
FULL = a_backfill(
    1,
    newest_first=True,
    reprocess="failed",
    overlap="queue",
    max_active=1,
    revision=3,
    parameters_json='{"country": "Österreich 🍕"}',
    made=4,
    rerun=5,
    existing=6,
    failures=2,
    error="a 'quoted' error",
    reason="the source was repaired",
)


def read(store: SqlStore, number: int = 1) -> Backfill:
    found = store.read(lambda reader: reader.backfill(an_id(number), None))
    assert found is not None
    return found


def test_what_is_written_is_read(store: SqlStore) -> None:
    insert_backfills(store, FULL)
    assert read(store) == FULL
    assert store.read(lambda reader: reader.backfill(FULL.id, ["default"])) == FULL
    assert store.read(lambda reader: reader.backfill(FULL.id, ["red"])) is None
    assert store.transact(lambda tx: tx.lock_backfill(FULL.id)) == FULL
    assert store.transact(lambda tx: tx.lock_backfill(an_id(9))) is None


def test_what_moves_is_saved(store: SqlStore) -> None:
    insert_backfills(store, FULL)
    after = replace(
        FULL,
        state=BackfillState.CANCELLED,
        cursor_ms=NOON + MINUTE,
        made=7,
        rerun=8,
        existing=9,
        wake_ms=None,
        failures=0,
        error=None,
        ended_ms=NOON + 5,
        end_reason="wrong range",
    )
    store.transact(lambda tx: tx.save_backfill(after))
    assert read(store) == after


def test_pages_are_of_an_owner_a_job_and_a_state(store: SqlStore) -> None:
    done = BackfillState.COMPLETED
    insert_backfills(
        store,
        a_backfill(1),
        a_backfill(2, an_id(2), owner="red"),
        a_backfill(3, state=done),
        a_backfill(4, an_id(2), owner="red", state=done),
        a_backfill(5),
    )

    def numbers(owners: list[str] | None = None, **wanted: object) -> list[int]:
        chosen = BackfillFilter(**wanted)  # type: ignore[arg-type]
        return [
            int(one.id, 16) for one in store.read(lambda reader: reader.backfills(chosen, owners))
        ]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2) == [5, 4]
    assert numbers(limit=2, after=an_id(4)) == [3, 2]
    assert numbers(["red"]) == [4, 2]
    assert numbers(["red", "default"], owner="default") == [5, 3, 1]
    assert numbers([]) == []
    assert numbers(state=("RUNNING",)) == [5, 2, 1]
    assert numbers(["red"], state=("RUNNING", "COMPLETED")) == [4, 2]
    assert numbers(["default"], job_id=an_id(2)) == []
    assert numbers(["red"], job_id=an_id(2), state=("COMPLETED",)) == [4]
    assert numbers(job_id=JOB) == [5, 3, 1]


def test_they_are_due_oldest_first(store: SqlStore) -> None:
    insert_backfills(
        store,
        a_backfill(1, wake_ms=NOON + 1),
        a_backfill(2, an_id(2), wake_ms=NOON),
        a_backfill(3, wake_ms=None),
        a_backfill(4, wake_ms=NOON + 2),
    )
    due = store.read(lambda reader: reader.due_backfills(NOON + 1, 10))
    assert [(one.id, one.job_id) for one in due] == [(an_id(2), an_id(2)), (an_id(1), JOB)]
    assert store.read(lambda reader: reader.due_backfills(NOON + 1, 1)) == due[:1]
    assert store.read(lambda reader: reader.next_wakes(NOON + 9)).backfills == NOON


def test_its_instances_are_counted_by_state(store: SqlStore) -> None:
    mine = {"backfill": an_id(1)}
    insert_instances(
        store,
        an_instance(0, **mine, state=S.SUCCEEDED),
        an_instance(1, **mine, state=S.RUNNING),
        an_instance(2, **mine),
        an_instance(3, **mine, active=True),
        an_instance(4, state=S.RUNNING),
        an_instance(5, backfill=an_id(2), state=S.FAILED),
    )
    counts = store.read(lambda reader: reader.backfill_counts([an_id(1), an_id(2), an_id(3)]))
    assert counts == {
        an_id(1): {S.SUCCEEDED: 1, S.RUNNING: 1, S.WAITING: 2},
        an_id(2): {S.FAILED: 1},
        an_id(3): {},
    }
    assert store.transact(lambda tx: tx.open_of_backfill(an_id(1))) == Open(3, 2)
    assert store.transact(lambda tx: tx.open_of_backfill(an_id(3))) == Open(0, 0)
    left = {an_instance(minute).id for minute in (1, 2, 3)}
    assert set(store.transact(lambda tx: tx.open_instances(an_id(1)))) == left
    ids = [an_instance(minute).id for minute in (0, 4, 9)]
    assert store.read(lambda reader: reader.instance_states(ids)) == {
        ids[0]: S.SUCCEEDED,
        ids[1]: S.RUNNING,
    }


def test_only_those_that_run_are_woken_and_cancelled(store: SqlStore) -> None:
    insert_backfills(
        store,
        a_backfill(1, wake_ms=None),
        a_backfill(2, state=BackfillState.COMPLETED),
        a_backfill(3, an_id(2), wake_ms=None),
    )
    ids = [an_id(number) for number in (1, 2, 9)]
    assert store.transact(lambda tx: tx.wake_backfills(ids, NOON + 7)) == 1
    assert read(store).wake_ms == NOON + 7
    assert read(store, 2).wake_ms is None
    assert store.transact(lambda tx: tx.wake_backfills_of(an_id(2), NOON + 8)) == 1
    assert read(store, 3).wake_ms == NOON + 8
    assert store.transact(lambda tx: tx.cancel_backfills_of(JOB, NOON + 9, "JOB_DELETED")) == 1
    one = read(store)
    assert (one.state, one.ended_ms, one.wake_ms) == (BackfillState.CANCELLED, NOON + 9, None)
    assert one.end_reason == "JOB_DELETED"
    assert read(store, 3).state is BackfillState.RUNNING
    assert store.transact(lambda tx: tx.cancelled_backfills(ids)) == {an_id(1)}


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_slot_goes_to_the_next_in_its_order_and_its_wait_begins(
    store: SqlStore, newest_first: bool
) -> None:
    insert_jobs(store, a_job())
    insert_backfills(store, a_backfill(newest_first=newest_first))
    waiting: dict[str, Any] = {
        "reason": Reason.MAX_ACTIVE,
        "wake_ms": NOON + 99 * MINUTE,
        "deadline_ms": None,
    }
    insert_instances(
        store,
        *(an_instance(minute, **waiting, backfill=an_id(1)) for minute in range(3)),
        an_instance(7, **waiting),
    )
    assert store.transact(lambda tx: tx.wake_queued((JOB, an_id(1)), NOON, 2)) == 2
    ids = [an_instance(minute).id for minute in (0, 1, 2, 7)]
    rows = store.read(lambda reader: reader.instances_by_id(ids))
    given = [row.active for row in rows]
    assert given == ([False, True, True, False] if newest_first else [True, True, False, False])
    assert {row.deadline_ms for row in rows if row.active} == {NOON + MINUTE}
    assert {row.wake_ms for row in rows if row.active} == {NOON}


def test_suspension_holds_what_a_backfill_reran_and_parameters_are_saved(store: SqlStore) -> None:
    manual = an_instance(0, kind=InstanceKind.MANUAL)
    mine = an_instance(1, kind=InstanceKind.MANUAL, backfill=an_id(1), active=True)
    insert_jobs(store, a_job())
    insert_instances(store, manual, mine)
    assert len(store.transact(lambda tx: tx.slots_of_waiting(JOB, held=True))) == 1
    assert store.transact(lambda tx: tx.hold_instances(JOB)) == 1
    assert store.transact(lambda tx: tx.release_instances(JOB, NOON, NOON, NOON)) == 1
    [now] = store.read(lambda reader: reader.instances_by_id([mine.id]))
    after = moved(now, S.WAITING, parameters_json='{"a": 1}')
    assert store.transact(lambda tx: tx.save_instances([after])) == 1
    assert store.read(lambda reader: reader.instances_by_id([mine.id])) == [after]
