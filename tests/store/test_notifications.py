"""Notifications and watches: written once, handed out, settled, listed, forgotten."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.filters import NotificationFilter
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import InvalidInput
from chalicelib.model.notification import Lateness, Notification, NotificationState, Watch
from chalicelib.store import SqlStore
from tests.store.builders import MINUTE, NOON, a_notification, an_id

S = NotificationState
FULL = a_notification(
    1,
    instance_id=an_id(7),
    channel_json='{"kind": "webhook", "url": "https://example.com/ü"}',
    payload_json='{"data": {"error": "a \'quoted\' 🍕"}}',
    attempts=3,
    error="refused",
)


def insert(store: SqlStore, *some: Notification) -> None:
    store.transact(lambda tx: tx.insert_notifications(some))


def read(store: SqlStore, number: int = 1) -> Notification:
    found = store.read(lambda reader: reader.notification(an_id(number), None))
    assert found is not None
    return found


def listed(store: SqlStore, owners: list[str] | None = None, **wanted: Any) -> list[int]:
    found = store.read(lambda reader: reader.notifications(NotificationFilter(**wanted), owners))
    return [int(one.id, 16) for one in found]


def test_what_is_written_is_read(store: SqlStore) -> None:
    insert(store, FULL)
    assert read(store) == FULL
    assert store.read(lambda reader: reader.notification(FULL.id, ["default"])) == FULL
    assert store.read(lambda reader: reader.notification(FULL.id, ["red"])) is None
    assert store.transact(lambda tx: tx.lock_notifications([FULL.id, an_id(9)])) == [FULL]


def test_what_was_told_is_not_told_again(store: SqlStore) -> None:
    insert(store, FULL)
    insert(store, replace(FULL, payload_json="{}", attempts=0), a_notification(2))
    assert read(store) == FULL
    assert listed(store) == [2, 1]


def test_two_that_decide_the_same_event_write_one_row(store: SqlStore) -> None:
    ready = threading.Barrier(4)

    def unit(tx: Transaction) -> None:
        tx.insert_notifications([FULL, a_notification(2)])

    def race() -> None:
        ready.wait(10)
        store.transact(unit)

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert listed(store) == [2, 1]


def test_what_moves_is_saved(store: SqlStore) -> None:
    insert(store, FULL)
    after = replace(
        FULL, state=S.FAILED, attempts=4, wake_ms=None, give_up_ms=5, error="gone", ended_ms=6
    )
    store.transact(lambda tx: tx.save_notification(after))
    assert read(store) == after
    store.transact(lambda tx: tx.save_notification(FULL))
    assert read(store) == FULL


def test_the_due_ones_oldest_first(store: SqlStore) -> None:
    ended = {"state": S.DELIVERED, "wake_ms": None, "ended_ms": NOON}
    insert(
        store,
        a_notification(1, wake_ms=NOON + 2),
        a_notification(2, wake_ms=NOON + 1),
        a_notification(3, wake_ms=NOON + 9),
        a_notification(4, **ended),
    )
    due = store.transact(lambda tx: tx.lock_due_notifications(NOON + 5, 10))
    assert [int(one.id, 16) for one in due] == [2, 1]
    assert len(store.transact(lambda tx: tx.lock_due_notifications(NOON + 5, 1))) == 1
    wakes = store.read(lambda reader: reader.next_wakes(NOON + MINUTE))
    assert wakes.notifications == NOON + 1


def test_only_pending_ones_are_postponed(store: SqlStore) -> None:
    done = a_notification(2, state=S.DELIVERED, wake_ms=None, ended_ms=NOON)
    insert(store, FULL, done)
    store.transact(lambda tx: tx.postpone_notifications([FULL.id, done.id], NOON + 7))
    assert read(store).wake_ms == NOON + 7
    assert read(store, 2) == done


def test_pages(store: SqlStore) -> None:
    insert(
        store,
        *(
            a_notification(
                n,
                owner="red" if n % 2 else "blue",
                job_id=an_id(100 + n % 3),
                state=S.FAILED if n % 4 == 0 else S.PENDING,
                wake_ms=None if n % 4 == 0 else NOON,
                ended_ms=NOON if n % 4 == 0 else None,
            )
            for n in range(1, 13)
        ),
    )
    assert listed(store, limit=3) == [12, 11, 10]
    assert listed(store, limit=3, after=an_id(10)) == [9, 8, 7]
    assert listed(store, ["red"], limit=3) == [11, 9, 7]
    assert listed(store, ["red", "blue"], limit=3) == [12, 11, 10]
    assert listed(store, [], limit=3) == []
    assert listed(store, owner="blue", state=("FAILED",)) == [12, 8, 4]
    assert listed(store, state=("FAILED", "PENDING"), limit=2) == [12, 11]
    assert listed(store, job_id=an_id(100)) == [12, 9, 6, 3]
    assert listed(store, ["red"], job_id=an_id(100)) == [9, 3]
    assert listed(store, job_id=an_id(100), state=("FAILED",)) == [12]
    with pytest.raises(InvalidInput):
        listed(store, after="x")


def test_those_that_ended_long_ago_are_forgotten(store: SqlStore) -> None:
    ends = {1: S.DELIVERED, 2: S.DELIVERED, 3: S.FAILED, 4: S.DELIVERED}
    insert(
        store,
        a_notification(9),
        *(a_notification(n, state=s, wake_ms=None, ended_ms=NOON + n) for n, s in ends.items()),
    )

    def forget(limit: int) -> int:
        return store.transact(lambda tx: tx.purge_notifications(NOON + 4, limit))

    assert forget(1) == 1
    assert listed(store) == [9, 4, 3, 2]
    assert forget(10) == 2
    assert forget(10) == 0
    assert listed(store) == [9, 4]


def test_watches_are_written_once_and_found_when_due(store: SqlStore) -> None:
    first = Watch(an_id(1), Lateness.NOT_ENDED, an_id(5), NOON + 2)
    second = Watch(an_id(1), Lateness.RUNNING_LONG, an_id(5), NOON + 1)
    third = Watch(an_id(2), Lateness.NOT_ENDED, an_id(5), NOON + 9)
    store.transact(lambda tx: tx.insert_watches([first, second, third]))
    store.transact(lambda tx: tx.insert_watches([replace(first, due_ms=NOON + 8)]))
    assert store.read(lambda reader: reader.due_watches(NOON + 5, 10)) == [second, first]
    assert store.read(lambda reader: reader.due_watches(NOON + 5, 1)) == [second]
    assert store.read(lambda reader: reader.next_wakes(NOON + 5)).watches == NOON + 1
    assert store.transact(lambda tx: tx.lock_watches([an_id(1)])) == [first, second]
    store.transact(lambda tx: tx.delete_watches([second, third]))
    assert store.transact(lambda tx: tx.lock_watches([an_id(1), an_id(2)])) == [first]
