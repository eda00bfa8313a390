"""Calendars, who names them, and what jobs and revisions keep of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.errors import AlreadyExists
from chalicelib.model.states import JobState
from chalicelib.store import SqlStore
from tests.store.builders import NOON, a_job, an_id, insert_jobs

SNAPSHOT = '{"c": {"weekdays": ["SUN"]}}'


def a_calendar(name: str = "c", owner: str = "default", edit: int = 1) -> StoredCalendar:
    return StoredCalendar(
        owner=owner,
        name=name,
        document_json='{"description": "Überall 🍕"}',
        edit=edit,
        created_ms=NOON,
        created_by="ada",
        modified_ms=NOON + edit,
        modified_by="bob",
    )


def insert(store: SqlStore, *calendars: StoredCalendar) -> None:
    for one in calendars:
        store.transact(lambda tx, one=one: tx.insert_calendar(one))  # type: ignore[misc]


def test_what_is_written_is_read(store: SqlStore) -> None:
    insert(store, a_calendar("d"), a_calendar("c"), a_calendar("c", "red"))
    assert store.read(lambda reader: reader.calendars_named("default", ["d", "x", "c"])) == [
        a_calendar("c"),
        a_calendar("d"),
    ]
    everywhere = store.read(lambda reader: reader.calendars(None))
    assert [(one.owner, one.name) for one in everywhere] == [
        ("default", "c"),
        ("default", "d"),
        ("red", "c"),
    ]
    assert store.read(lambda reader: reader.calendars(["red"])) == [a_calendar("c", "red")]
    assert store.read(lambda reader: reader.calendars([])) == []
    with pytest.raises(AlreadyExists):
        insert(store, a_calendar("c"))


def test_a_calendar_is_saved_and_deleted(store: SqlStore) -> None:
    insert(store, a_calendar())
    after = replace(a_calendar(edit=2), document_json="{}")
    store.transact(lambda tx: tx.save_calendar(after))
    assert store.transact(lambda tx: tx.lock_calendars("default", ["c", "x"])) == [after]
    store.transact(lambda tx: tx.delete_calendar("default", "c"))
    assert store.read(lambda reader: reader.calendars(None)) == []


def test_jobs_keep_their_calendars_and_are_found_by_them(store: SqlStore) -> None:
    first, second = (a_job(number, calendars_json=SNAPSHOT) for number in (1, 2))
    insert_jobs(store, first, second, a_job(3))
    assert store.read(lambda reader: reader.job(first.id, None)) == first
    users = store.read(lambda reader: reader.calendar_jobs("default", "c", 10))
    assert users == [(an_id(1), "job-1"), (an_id(2), "job-2")]
    assert len(store.read(lambda reader: reader.calendar_jobs("default", "c", 1))) == 1
    gone = replace(second, state=JobState.DELETED, edit=2)
    store.transact(lambda tx: tx.save_jobs([gone]))
    users = store.read(lambda reader: reader.calendar_jobs("default", "c", 10))
    assert users == [(an_id(1), "job-1")]


def test_each_revision_keeps_its_own(store: SqlStore) -> None:
    job = a_job(1, calendars_json=SNAPSHOT)
    insert_jobs(store, job)
    other = replace(job, revision=2, calendars_json='{"d": {}}')
    without = replace(job, revision=3, calendars_json=None)
    store.transact(lambda tx: tx.revise_job(other))
    assert store.read(lambda reader: reader.calendar_jobs("default", "c", 10)) == []
    assert store.read(lambda reader: reader.calendar_jobs("default", "d", 10)) != []
    store.transact(lambda tx: tx.revise_job(without))
    assert store.read(lambda reader: reader.calendar_jobs("default", "d", 10)) == []
    wanted = [(job.id, 1), (job.id, 2), (job.id, 3)]
    assert store.read(lambda reader: reader.revision_calendars(wanted)) == {
        (job.id, 1): SNAPSHOT,
        (job.id, 2): '{"d": {}}',
    }
    found = store.read(lambda reader: reader.job(job.id, None))
    assert found is not None
    assert found.calendars_json is None
