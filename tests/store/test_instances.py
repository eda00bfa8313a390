"""Instances: one a nominal time, guarded by version, moved in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.model.instance import Claim, Instance, Run, Stop
from chalicelib.model.states import InstanceKind, InstanceState, Reason, StopKind
from chalicelib.store import SqlStore
from chalicelib.store.failures import ConstraintViolated
from tests.store.builders import JOB, MINUTE, NOON, a_job, an_id, an_instance, insert_jobs, moved

S = InstanceState
FULL = an_instance(
    1,
    kind=InstanceKind.MANUAL,
    parameters_json='{"country": "Österreich 🍕 %s :x \\\\ \\"q\\""}',
    state=S.RUNNING,
    reason=Reason.RETRY,
    revision=3,
    run=2,
    attempt=2,
    version=9,
    active=True,
    claim=Claim(4, NOON + 7, 2),
    stop=Stop(StopKind.KILL, "ada", "enough 'now'", NOON + 8),
    external_id="arn:aws:states:eu-central-1:1:x",
    external_url="https://example.org/?a=%20&b=:c",
    handle='{"pid": 1}',
    result_path="results/ä.csv",
    log_path="runs/1/log",
    error="line 1\nline 2\ttab \u0001 end",
    waiting_on="s3://bucket/%Y",
    ready_ms=NOON + 1,
    launched_ms=NOON + 2,
    started_ms=NOON + 3,
)


def insert(store: SqlStore, *instances: Instance) -> None:
    store.transact(lambda tx: tx.insert_instances(instances))


def save(store: SqlStore, *instances: Instance) -> int:
    return store.transact(lambda tx: tx.save_instances(instances))


def read(store: SqlStore, instance: Instance) -> Instance:
    found = store.read(lambda reader: reader.instance(instance.id, None))
    assert found is not None
    return found


def every(store: SqlStore, instances: Sequence[Instance]) -> Sequence[Instance]:
    return store.read(lambda reader: reader.instances_by_id([one.id for one in instances]))


def test_an_instance_is_read_as_it_was_written(store: SqlStore) -> None:
    ended = an_instance(2, state=S.SUCCEEDED)
    insert(store, an_instance(0), FULL, ended)
    assert every(store, [ended, FULL, an_instance(0)]) == [an_instance(0), FULL, ended]
    assert every(store, []) == []
    assert store.read(lambda reader: reader.instance(an_id(5), None)) is None


def test_a_nominal_time_has_one_instance(store: SqlStore) -> None:
    first = an_instance(0, kind=InstanceKind.MANUAL, state=S.SUCCEEDED)
    insert(store, first)
    insert(store, *(an_instance(n) for n in range(3)))
    assert every(store, [an_instance(n) for n in range(4)]) == [
        first,
        an_instance(1),
        an_instance(2),
    ]


def test_saving_writes_every_mutable_column(store: SqlStore) -> None:
    insert(
        store,
        an_instance(1, version=8, kind=InstanceKind.MANUAL, parameters_json=FULL.parameters_json),
    )
    assert save(store, FULL) == 1
    assert read(store, FULL) == FULL
    bare = an_instance(
        1, version=10, kind=InstanceKind.MANUAL, parameters_json=FULL.parameters_json, wake_ms=None
    )
    assert save(store, bare) == 1
    assert read(store, FULL) == bare


def test_what_never_changes_is_not_written(store: SqlStore) -> None:
    insert(store, an_instance(0))
    changed = replace(
        an_instance(0, version=2),
        owner="thief",
        kind=InstanceKind.BACKFILL,
        created_ms=1,
        nominal_ms=5,
    )
    assert save(store, changed) == 1
    assert read(store, an_instance(0)) == an_instance(0, version=2)


def test_late_writers_match_no_row(store: SqlStore) -> None:
    insert(store, *(an_instance(n) for n in range(3)))
    assert save(store, moved(an_instance(1), S.KILLED)) == 1
    batch = [moved(an_instance(n), S.LAUNCHING) for n in range(4)]
    assert save(store, *batch) == 2
    assert [one.state for one in every(store, batch)] == [S.LAUNCHING, S.KILLED, S.LAUNCHING]
    assert save(store, *batch) == 0
    assert save(store) == 0


def test_a_row_that_does_not_differ_is_counted(store: SqlStore) -> None:
    insert(store, an_instance(0))
    assert save(store, replace(an_instance(0), version=2)) == 1


def test_more_than_one_statement_holds(store: SqlStore) -> None:
    many = [an_instance(n) for n in range(2300)]
    insert(store, *many)
    insert(store, *many)
    assert save(store, *(moved(one, S.LAUNCHING) for one in many)) == 2300
    assert len(every(store, many)) == 2300
    large = [an_instance(n, error="x" * 900_000, version=3) for n in range(6)]
    assert save(store, *large) == 6
    assert read(store, large[5]) == large[5]


@pytest.mark.parametrize(
    "wrong",
    [
        an_instance(0, state=S.SUCCEEDED, ended_ms=None),
        an_instance(0, ended_ms=NOON),
        an_instance(0, state=S.SUCCEEDED, wake_ms=NOON),
        an_instance(0, state=S.FAILED, active=True),
        an_instance(0, state=S.LAUNCHING, active=False),
        an_instance(0, run=0),
        an_instance(0, version=0),
    ],
    ids=["no end", "early end", "awake", "slot kept", "slot missing", "run 0", "version 0"],
)
def test_the_schema_refuses_what_must_never_be(store: SqlStore, wrong: Instance) -> None:
    with pytest.raises(ConstraintViolated):
        insert(store, wrong)
    insert(store, an_instance(0))
    if wrong.version:
        with pytest.raises(ConstraintViolated):
            save(store, replace(wrong, version=2))
    assert read(store, an_instance(0)) == an_instance(0)


def test_locking_gives_those_that_exist_in_order(store: SqlStore) -> None:
    insert(store, *(an_instance(n) for n in range(5)))
    wanted = [an_instance(n).id for n in (4, 2, 9, 2)]
    locked = store.transact(lambda tx: tx.lock_instances(wanted))
    assert locked == [an_instance(2), an_instance(4)]
    assert store.transact(lambda tx: tx.lock_instances([])) == []


def test_counts_are_of_slots(store: SqlStore) -> None:
    other = an_id(2)
    insert(
        store,
        an_instance(0, state=S.RUNNING),
        an_instance(1, active=True, reason=Reason.RETRY),
        an_instance(2),
        an_instance(3, state=S.KILLED),
        an_instance(0, other, state=S.LAUNCHED),
    )
    counted = store.transact(lambda tx: tx.active_counts([JOB, other, an_id(3)]))
    assert counted == {(JOB, None): 2, (other, None): 1}
    assert store.transact(lambda tx: tx.active_counts([])) == {}
    in_flight = store.transact(lambda tx: tx.active_instances(JOB))
    assert in_flight == [an_instance(0).id]


def test_holding_takes_the_alarm_of_what_waits(store: SqlStore) -> None:
    other = an_id(2)
    waiting = [an_instance(0), an_instance(1, kind=InstanceKind.BACKFILL, active=True)]
    untouched = [
        an_instance(2, kind=InstanceKind.MANUAL),
        an_instance(3, state=S.RUNNING),
        an_instance(4, state=S.FAILED),
        an_instance(0, other),
    ]
    insert(store, *waiting, *untouched)
    assert store.transact(lambda tx: tx.hold_instances(JOB)) == 2
    assert store.transact(lambda tx: tx.hold_instances(JOB)) == 0
    held = every(store, waiting)
    assert held == [
        replace(one, wake_ms=None, reason=Reason.JOB_SUSPENDED, active=False, version=2)
        for one in waiting
    ]
    assert every(store, untouched) == sorted(untouched, key=lambda one: one.id)


def test_releasing_gives_back_the_time_that_was_held(store: SqlStore) -> None:
    held = an_instance(0, wake_ms=None, deadline_ms=NOON + 100, run_created_ms=NOON - 50)
    later = an_instance(1, wake_ms=None, deadline_ms=NOON + 900, run_created_ms=NOON + 30)
    endless = an_instance(2, wake_ms=None, deadline_ms=None, run_created_ms=NOON)
    awake = an_instance(3)
    manual = an_instance(4, kind=InstanceKind.MANUAL, wake_ms=None)
    insert(store, held, later, endless, awake, manual)
    released = store.transact(lambda tx: tx.release_instances(JOB, NOON + 40, NOON, NOON + 40))
    assert released == 3
    now = NOON + 40
    assert every(store, [held, later, endless]) == [
        replace(held, wake_ms=now, version=2, deadline_ms=NOON + 140),
        replace(later, wake_ms=now, version=2, deadline_ms=NOON + 910),
        replace(endless, wake_ms=now, version=2),
    ]
    assert every(store, [awake, manual]) == [awake, manual]


def test_the_oldest_in_the_queue_wake_first(store: SqlStore) -> None:
    queued = [an_instance(n, reason=Reason.MAX_ACTIVE) for n in (1, 3, 5)]
    others = [
        an_instance(0),
        an_instance(2, reason=Reason.MAX_ACTIVE, wake_ms=None),
        an_instance(4, reason=Reason.MAX_ACTIVE, state=S.KILLED),
        an_instance(0, an_id(2), reason=Reason.MAX_ACTIVE),
    ]
    insert(store, *queued, *others)
    assert store.transact(lambda tx: tx.wake_queued((JOB, None), NOON + 9, 2)) == 2
    first, second, third = every(store, queued)
    assert (first.wake_ms, first.reason, first.version) == (NOON + 9, None, 2)
    assert (second.wake_ms, second.reason) == (NOON + 9, None)
    assert third == queued[2]
    assert store.transact(lambda tx: tx.wake_queued((JOB, None), NOON + 9, 2)) == 1
    assert store.transact(lambda tx: tx.wake_queued((JOB, None), NOON + 9, 0)) == 0
    assert every(store, others) == sorted(others, key=lambda one: one.id)


def test_who_has_a_limit_of_its_own_is_passed_over_where_it_would_be_exceeded(
    store: SqlStore,
) -> None:
    alone = an_instance(0, reason=Reason.MAX_ACTIVE, overlap="queue", max_active=5)
    few = an_instance(1, reason=Reason.MAX_ACTIVE, overlap="allow", max_active=2)
    plain = an_instance(2, reason=Reason.MAX_ACTIVE)
    insert(store, alone, few, plain)

    def woken(count: int, beside: int) -> list[bool]:
        store.transact(lambda tx: tx.wake_queued((JOB, None), NOON, count, beside=beside))
        return [one.active for one in every(store, [alone, few, plain])]

    assert woken(1, beside=2) == [False, False, True]
    assert woken(1, beside=1) == [False, True, True]
    assert woken(1, beside=1) == [False, True, True]
    assert woken(1, beside=0) == [True, True, True]


def test_the_newest_that_nobody_looked_at_is_found(store: SqlStore) -> None:
    other = an_id(2)
    insert_jobs(store, a_job(), a_job(2))
    insert(
        store,
        an_instance(0),
        an_instance(1),
        an_instance(2, reason=Reason.MAX_ACTIVE),
        an_instance(3, wake_ms=None),
        an_instance(4, state=S.SUCCEEDED),
        an_instance(5, backfill=an_id(9)),
        an_instance(0, other, reason=Reason.MAX_ACTIVE),
    )
    found = store.transact(lambda tx: tx.newest_undecided([JOB, other]))
    assert found == {JOB: NOON + MINUTE}


def test_deleting_skips_all_that_wait(store: SqlStore) -> None:
    waiting = [
        an_instance(0),
        an_instance(1, active=True),
        an_instance(2, kind=InstanceKind.MANUAL, wake_ms=None),
    ]
    others = [
        an_instance(3, state=S.RUNNING),
        an_instance(4, state=S.FAILED),
        an_instance(0, an_id(2)),
    ]
    insert(store, *waiting, *others)
    assert store.transact(lambda tx: tx.skip_waiting(JOB, NOON + 7, Reason.JOB_DELETED)) == 3
    for one in every(store, waiting):
        assert (one.state, one.reason, one.ended_ms) == (S.SKIPPED, Reason.JOB_DELETED, NOON + 7)
        assert (one.wake_ms, one.deadline_ms, one.active, one.version) == (None, None, False, 2)
    assert every(store, others) == sorted(others, key=lambda one: one.id)


def test_a_free_millisecond_is_never_a_whole_second(store: SqlStore) -> None:
    def free(from_ms: int) -> int:
        return store.transact(lambda tx: tx.next_free_ms(JOB, from_ms))

    assert free(NOON) == NOON + 1
    assert free(NOON + 5) == NOON + 5
    insert(store, *(an_instance(nominal_ms=NOON + n) for n in (0, 1, 2, 4, 998, 999, 1000)))
    insert(store, an_instance(0, an_id(2), nominal_ms=NOON + 3))
    assert free(NOON) == NOON + 3
    assert free(NOON + 4) == NOON + 5
    assert free(NOON + 998) == NOON + 1001
    insert(store, *(an_instance(nominal_ms=NOON + n) for n in range(2500)))
    assert free(NOON) == NOON + 2500


def test_superseded_runs_are_history(store: SqlStore) -> None:
    first = an_instance(0, state=S.FAILED, error="it broke", reason=Reason.RUN_FAILED, handle="{}")
    insert(store, first)
    second = replace(first, run=2, error="again 🍕", external_id="x", log_path="l", result_path="r")
    store.transact(lambda tx: tx.archive_runs([first]))
    store.transact(lambda tx: tx.archive_runs([replace(first, error="changed"), second]))
    wanted = [an_instance(1).id, first.id]
    assert store.read(lambda reader: reader.runs(wanted)) == {
        an_instance(1).id: [],
        first.id: [first.latest_run, second.latest_run],
    }
    assert isinstance(first.latest_run, Run)
    assert store.read(lambda reader: reader.runs([])) == {}


def test_characters_that_no_text_has_are_replaced(store: SqlStore) -> None:
    insert(store, an_instance(0, error="binary \0 \udc80 \ud83c\udf55 output"))
    assert read(store, an_instance(0)).error == "binary \ufffd \ufffd 🍕 output"
