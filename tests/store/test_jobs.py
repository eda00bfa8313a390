"""Jobs: what is written is read, names are unique among the living, revisions are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.engine.filters import JobFilter
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import InvalidInput, NameTaken
from chalicelib.model.job import Job, Revision, RevisionEntry, Suspension
from chalicelib.model.states import JobState
from chalicelib.store import SqlStore
from chalicelib.store.failures import ConstraintViolated
from tests.store.builders import JOB, NOON, a_job, an_id, insert_jobs


def read(store: SqlStore, number: int = 1) -> Job | None:
    return store.read(lambda reader: reader.job(an_id(number), None))


def test_a_job_is_read_as_it_was_written(store: SqlStore) -> None:
    suspended = a_job(
        2,
        state=JobState.SUSPENDED,
        suspension=Suspension("ada", "Ärger: 100 % 'quoted' \\ 🍕\n", NOON, NOON + 5),
        failures=3,
        edit=7,
        definition_json='{"description": ":name %s %(x)s \\" 🍔"}',
    )
    insert_jobs(store, a_job(), suspended, a_job(3, wake_ms=None, state=JobState.NEW))
    assert read(store) == a_job()
    assert read(store, 2) == suspended
    assert read(store, 3) == a_job(3, wake_ms=None, state=JobState.NEW)
    assert read(store, 4) is None


def test_a_name_is_taken_by_the_living_only(store: SqlStore) -> None:
    insert_jobs(store, a_job(1, name="same"))
    with pytest.raises(NameTaken, match="default has a job named same already"):
        insert_jobs(store, a_job(2, name="same"))
    assert read(store, 2) is None
    insert_jobs(store, a_job(3, name="same", owner="other"))
    gone = a_job(1, name="same", state=JobState.DELETED, wake_ms=None)
    store.transact(lambda tx: tx.save_jobs([gone]))
    insert_jobs(store, a_job(4, name="same"))
    assert read(store) == gone
    named = store.read(lambda reader: reader.job_named("same", None))
    assert [job.id for job in named] == [an_id(4), an_id(3)]
    assert store.read(lambda reader: reader.job_named("same", ["other"])) == [
        a_job(3, name="same", owner="other")
    ]
    assert store.read(lambda reader: reader.job_named("same", [])) == []


def test_a_refused_name_leaves_the_unit_usable(store: SqlStore) -> None:
    insert_jobs(store, a_job(1, name="same"))

    def unit(tx: Transaction) -> None:
        with pytest.raises(NameTaken):
            tx.insert_job(a_job(2, name="same"))
        tx.insert_job(a_job(2, name="other"))

    store.transact(unit)
    assert read(store, 2) == a_job(2, name="other")


def test_the_same_id_twice_is_an_error_of_the_program(store: SqlStore) -> None:
    insert_jobs(store, a_job(1))
    with pytest.raises(ConstraintViolated, match="there is a job"):
        insert_jobs(store, a_job(1, name="other"))


def test_names_are_told_apart_to_the_letter(store: SqlStore) -> None:
    insert_jobs(store, a_job(1, name="a-b"), a_job(2, name="a_b"), a_job(3, name="a.b"))
    assert store.read(lambda reader: reader.job_named("A-b", None)) == []
    assert [j.id for j in store.read(lambda r: r.job_named("a_b", None))] == [an_id(2)]
    found = store.read(lambda reader: reader.jobs(JobFilter(name="a_"), None))
    assert [job.name for job in found] == ["a_b"]
    assert store.read(lambda reader: reader.jobs(JobFilter(name="a%"), None)) == []
    assert store.read(lambda reader: reader.jobs(JobFilter(name="ä"), None)) == []
    assert store.read(lambda reader: reader.job_named("ä", ["ö"])) == []
    assert store.read(lambda reader: reader.job("ü", ["ö"])) is None


def test_save_jobs_writes_all_but_name_and_definition(store: SqlStore) -> None:
    insert_jobs(store, a_job(1), a_job(2))
    saved = [
        a_job(
            1,
            name="ignored",
            definition_json="ignored",
            created_by="ignored",
            state=JobState.SUSPENDED,
            suspension=Suspension("bob", None, NOON + 3),
            cursor_ms=NOON + 9,
            wake_ms=None,
            failures=2,
            edit=5,
            revision=4,
            modified_ms=NOON + 4,
            modified_by="bob",
        ),
        a_job(2, wake_ms=NOON + 1),
    ]
    store.transact(lambda tx: tx.save_jobs(saved))
    original = a_job()
    assert read(store) == replace(
        saved[0], name=original.name, definition_json=original.definition_json, created_by="ada"
    )
    assert read(store, 2) == saved[1]
    resumed = replace(saved[0], state=JobState.SCHEDULED, suspension=None)
    store.transact(lambda tx: tx.save_jobs([resumed]))
    found = read(store)
    assert found is not None
    assert found.suspension is None


def test_cursor_and_edit_only_grow(store: SqlStore) -> None:
    insert_jobs(store, a_job(1, cursor_ms=NOON + 5, edit=3))
    for stale in ({"cursor_ms": NOON, "edit": 3}, {"cursor_ms": NOON + 5, "edit": 2}):
        with pytest.raises(ConstraintViolated, match="1 of 1 jobs are ahead"):
            store.transact(lambda tx, stale=stale: tx.save_jobs([a_job(1, **stale)]))  # type: ignore[misc]
    assert read(store) == a_job(1, cursor_ms=NOON + 5, edit=3)


def test_a_revision_keeps_the_definition_before_it(store: SqlStore) -> None:
    insert_jobs(store, a_job(), a_job(2, name="taken"))
    revised = a_job(
        name="renamed",
        definition_json='{"new": 1}',
        revision=2,
        modified_ms=NOON + 5,
        modified_by="bob",
    )

    def revise(tx: Transaction) -> None:
        tx.revise_job(revised, "a better name", ["name"])
        tx.save_jobs([revised])

    store.transact(revise)
    assert read(store) == revised
    [second, first] = store.read(lambda reader: reader.revisions(JOB, None, 10))
    assert (first.revision, first.created_by, first.reason, first.changed) == (1, "ada", None, ())
    assert second == RevisionEntry(JOB, 2, NOON + 5, "bob", "a better name", ("name",))
    assert store.read(lambda reader: reader.revisions(JOB, None, 1)) == [second]
    assert store.read(lambda reader: reader.revisions(JOB, 2, 10)) == [first]
    assert store.read(lambda reader: reader.revision(JOB, 2)) == Revision(second, '{"new": 1}')
    assert store.read(lambda reader: reader.revision(JOB, 3)) is None
    wanted = [(JOB, 1), (JOB, 2), (JOB, 3), (an_id(2), 1), (JOB, 1)]
    assert store.read(lambda reader: reader.definitions(wanted)) == {
        (JOB, 1): a_job().definition_json,
        (JOB, 2): '{"new": 1}',
        (an_id(2), 1): a_job(2).definition_json,
    }
    with pytest.raises(NameTaken):
        store.transact(lambda tx: tx.revise_job(replace(revised, name="taken", revision=3)))
    with pytest.raises(ConstraintViolated, match="not the next one"):
        store.transact(lambda tx: tx.revise_job(revised))
    assert len(store.read(lambda reader: reader.revisions(JOB, None, 10))) == 2


def test_who_sees_which_job(store: SqlStore) -> None:
    insert_jobs(store, a_job(1), a_job(2, owner="red"), a_job(3, owner="blue"))
    for owners, seen in (
        (None, 1),
        (["default"], 1),
        (["red", "default"], 1),
        (["red"], 0),
        ([], 0),
    ):
        found = store.read(lambda reader, owners=owners: reader.job(JOB, owners))  # type: ignore[misc]
        assert (found is not None) == bool(seen)
    assert store.read(lambda reader: reader.job_names([JOB, an_id(3), an_id(9)])) == {
        JOB: "job-1",
        an_id(3): "job-3",
    }
    assert store.read(lambda reader: reader.job_names([])) == {}


def page(store: SqlStore, owners: list[str] | None = None, **wanted: object) -> list[int]:
    found = store.read(lambda reader: reader.jobs(JobFilter(**wanted), owners))  # type: ignore[arg-type]
    return [int(job.id, 16) for job in found]


def test_jobs_come_in_pages_by_id(store: SqlStore) -> None:
    owners = ["red", "blue", "green"]
    insert_jobs(store, *(a_job(n, owner=owners[n % 3], name=f"n{n % 2}-{n}") for n in range(1, 31)))
    store.transact(
        lambda tx: tx.save_jobs([a_job(n, state=JobState.DELETED, wake_ms=None) for n in (4, 5, 6)])
    )
    living = [n for n in range(1, 31) if n not in (4, 5, 6)]
    assert page(store) == living
    assert page(store, limit=5) == living[:5]
    assert page(store, limit=5, after=an_id(7)) == [8, 9, 10, 11, 12]
    assert page(store, after=an_id(30)) == []
    assert page(store, ["red", "blue"]) == [n for n in living if n % 3 in (0, 1)]
    assert page(store, ["red", "blue"], limit=4) == [1, 3, 7, 9]
    assert page(store, ["red", "blue"], owner="green") == []
    assert page(store, ["red", "green"], owner="green", limit=2) == [2, 8]
    assert page(store, owner="green", limit=2) == [2, 8]
    assert page(store, [], limit=2) == []
    assert page(store, state=("DELETED",)) == [4, 5, 6]
    assert page(store, state=("DELETED", "SCHEDULED"), limit=5) == [1, 2, 3, 4, 5]
    assert page(store, ["red"], name="n1", limit=2) == [3, 9]


def test_a_cursor_that_is_no_id_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="after: is no id"):
        page(store, after="x' OR 1=1 --")
