"""Waiting for data: what is looked at, how often, what it costs, and what brings a wait to its end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.checking import LONGEST_MS, check_due_ms, check_waiting
from chalicelib.engine.commands import Wish
from chalicelib.engine.conditions import data_key
from chalicelib.engine.handout import hand_out
from chalicelib.engine.ports import HandedOut, Lane, Transaction
from chalicelib.model.errors import InvalidInput
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.states import InstanceState, Reason
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

S = InstanceState
HOUR = 60 * MINUTE
PATH = "orders/${nominal_time:%H%M}/_SUCCESS"
ONCE = {"at": "2026-01-01T12:00:00"}


def submitted(world: World, name: str = "sample", **changes: Any) -> str:
    """A job of one nominal time, noon; scheduled."""
    definition = a_definition(**{"name": name, "schedule": ONCE, **changes})
    job = commands.submit(world.engine, ADMIN, definition, schedule=True)
    assert isinstance(job, Job)
    return job.id


def waits_for(world: World, *prerequisites: dict[str, Any], **changes: Any) -> str:
    job_id = submitted(world, prerequisites=list(prerequisites), **changes)
    world.minute()
    world.deliver()
    return job_id


def only(world: World, job_id: str) -> Instance:
    [one] = instances_of(world.engine.store, job_id)
    return one


def test_an_instance_waits_until_all_that_it_needs_is_there(world: World) -> None:
    job_id = waits_for(world, {"data": PATH}, {"sql": "SELECT 1", "connection": "w"})
    one = only(world, job_id)
    assert (one.state, one.reason, one.active) == (S.WAITING, Reason.PREREQUISITES, False)
    assert one.waiting_on == "orders/1200/_SUCCESS, a row of w: SELECT 1"
    assert (one.checks, one.checked_ms) == (1, NOON)
    assert json.loads(one.findings_json or "")[0] == {
        "kind": "data", "what": "orders/1200/_SUCCESS", "met": False, "found": "no",
    }  # fmt: skip
    world.places.there.add("orders/1200/_SUCCESS")
    world.advance(MINUTE)
    one = only(world, job_id)
    assert (one.state, one.waiting_on) == (S.WAITING, "a row of w: SELECT 1")
    world.places.there.add("SELECT 1")
    world.advance(5 * MINUTE)
    one = only(world, job_id)
    assert one.state is S.SUCCEEDED
    assert one.ready_ms is not None
    assert one.waiting_on is None


@pytest.mark.parametrize("kind", ["started", "inline"])
def test_what_is_there_is_launched_without_another_sweep(world: World, kind: str) -> None:
    world.places.there.add("orders/1200/_SUCCESS")
    job_id = submitted(world, prerequisites=[{"data": PATH}], target={"kind": kind})
    world.minute()
    while world.queue.messages:  # no wake-up, no minute hand
        world._launch()
    assert only(world, job_id).state in (S.SUCCEEDED, S.LAUNCHED)
    assert world.places.looked_at == ["orders/1200/_SUCCESS"]


def test_checks_back_off_from_seconds_to_five_minutes(world: World) -> None:
    job_id = waits_for(world, {"data": PATH})
    one = only(world, job_id)
    delays = [check_due_ms(one, checks, 0) for checks in range(1, 30)]
    assert 4_000 <= delays[0] <= 6_000
    assert delays == sorted(delays[:7]) + delays[7:]
    assert all(0.9 * LONGEST_MS <= delay <= LONGEST_MS for delay in delays[7:])
    world.advance(HOUR)
    assert only(world, job_id).checks == len(world.places.looks)
    assert 14 <= len(world.places.looks) <= 22


def test_a_wait_ends_in_a_time_out(world: World) -> None:
    job_id = waits_for(world, {"data": PATH}, policies={"timeouts": {"wait": "PT10M"}})
    world.advance(10 * MINUTE - 1)
    assert only(world, job_id).state is S.WAITING
    world.advance(1)
    one = only(world, job_id)
    assert (one.state, one.reason) == (S.TIMED_OUT, Reason.WAIT_TIMEOUT)
    assert one.waiting_on == "orders/1200/_SUCCESS"
    assert not world.targets.calls


def test_the_time_of_a_suspension_does_not_count_as_waiting(world: World) -> None:
    job_id = waits_for(
        world,
        {"data": PATH},
        schedule={"every": "P1D"},
        policies={"timeouts": {"wait": "PT10M"}},
    )
    world.advance(4 * MINUTE)
    commands.suspend(world.engine, ADMIN, job_id)
    looked = len(world.places.looks)
    world.advance(HOUR)
    assert len(world.places.looks) == looked
    commands.resume(world.engine, ADMIN, job_id)
    world.advance(5 * MINUTE)
    assert only(world, job_id).state is S.WAITING
    world.advance(MINUTE)
    assert only(world, job_id).state is S.TIMED_OUT


def test_waiting_for_data_holds_no_slot(world: World) -> None:
    job_id = waits_for(
        world,
        {"data": PATH},
        schedule={"every": "PT1M", "end": "2026-01-01T12:02:00"},
        policies={"overlap": "queue"},
        target={"kind": "started"},
    )
    world.advance(MINUTE)
    world.places.there.add("orders/1201/_SUCCESS")
    world.advance(MINUTE)
    states = {one.nominal_ms: one.state for one in instances_of(world.engine.store, job_id)}
    assert states == {NOON: S.WAITING, NOON + MINUTE: S.SUCCEEDED}


def test_equal_paths_are_looked_at_once_and_a_thousand_waiters_cost_a_few_statements(
    world: World,
) -> None:
    for number in range(200):
        submitted(world, f"job-{number}", prerequisites=[{"data": "orders/all"}, {"data": PATH}])
    world.minute()
    hand_out(world.engine, 500)
    handed = [one for lane, one in world.queue.messages if lane is Lane.CHECK]
    assert len(handed) == 200
    with counted(world) as statements:
        check_waiting(world.engine, handed)
    assert [len(look) for look in world.places.looks] == [2]
    assert len(statements) <= 12, statements
    world.places.there |= {"orders/all", "orders/1200/_SUCCESS"}
    world.queue.messages.clear()
    world.clock.now += MINUTE
    hand_out(world.engine, 500)
    handed = [one for lane, one in world.queue.messages if lane is Lane.CHECK]
    world.queue.messages.clear()
    with counted(world) as statements:
        check_waiting(world.engine, handed)
    assert len(statements) <= 12, statements
    assert len(world.queue.messages) == 200


class counted:  # noqa: N801 - reads as a word
    """The names of the statements that are run in the block."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names: list[str] = []

    def __enter__(self) -> list[str]:
        from chalicelib.store.session import Session  # noqa: PLC0415

        self._query, self._change = Session.query, Session.change
        names = self._names

        def query(session: Session, name: str, /, **values: Any) -> Any:
            names.append(name)
            return self._query(session, name, **values)

        def change(session: Session, name: str, /, **values: Any) -> Any:
            names.append(name)
            return self._change(session, name, **values)

        Session.query, Session.change = query, change  # type: ignore[method-assign]
        return names

    def __exit__(self, *_: object) -> None:
        from chalicelib.store.session import Session  # noqa: PLC0415

        Session.query, Session.change = self._query, self._change  # type: ignore[method-assign]


def test_what_gives_no_answer_delays_only_those_that_wait_for_it(world: World) -> None:
    world.places.silent.add("slow")
    world.places.there.add("fast")
    slow = submitted(world, "slow", prerequisites=[{"data": "slow"}, {"data": "fast"}])
    fast = submitted(world, "fast", prerequisites=[{"data": "fast"}])
    world.minute()
    handed = [one for _, one in world.queue.messages]
    world.queue.messages.clear()
    check_waiting(world.engine, handed)
    world.deliver()
    assert only(world, fast).state is S.SUCCEEDED
    one = only(world, slow)
    assert one.state is S.WAITING
    assert one.wake_ms == NOON + MINUTE  # not in five seconds: it costs a thread each time
    assert json.loads(one.findings_json or "")[0]["late"] is True


def test_what_nobody_had_the_time_to_look_at_comes_again_at_once(world: World) -> None:
    world.places.unlooked.add("orders/1200/_SUCCESS")
    job_id = waits_for(world, {"data": PATH})
    one = only(world, job_id)
    assert (one.checks, one.wake_ms) == (0, NOON + 1000)
    world.places.unlooked.clear()
    world.places.there.add("orders/1200/_SUCCESS")
    world.advance(MINUTE)
    assert only(world, job_id).state is S.SUCCEEDED


@pytest.mark.parametrize("how", ["kill", "skip", "suspend", "delete"])
def test_the_outcome_of_a_check_of_an_instance_that_moved_is_dropped(
    world: World, how: str
) -> None:
    job_id = submitted(world, prerequisites=[{"data": PATH}], schedule={"every": "P1D"})
    world.minute()
    [(_, handed)] = world.queue.messages
    world.queue.messages.clear()
    what = only(world, job_id).id if how in ("kill", "skip") else job_id
    getattr(commands, how)(world.engine, ADMIN, what)
    before = only(world, job_id)
    world.places.there.add("orders/1200/_SUCCESS")
    check_waiting(world.engine, [handed])
    assert only(world, job_id) == before
    assert not world.queue.messages
    check_waiting(world.engine, [HandedOut("0" * 32, 1)])  # one that was purged


def test_who_is_woken_in_the_middle_of_a_check_goes_on_if_all_was_there(world: World) -> None:
    job_id = waits_for(world, {"data": PATH})
    world.clock.now += MINUTE
    for there, state in ((False, S.WAITING), (True, S.SUCCEEDED)):
        hand_out(world.engine, 10)
        [(_, handed)] = world.queue.messages
        world.queue.messages.clear()
        if there:
            world.places.there.add("orders/1200/_SUCCESS")
        world.places.meanwhile = lambda: commands.data_arrived(
            world.engine, ADMIN, ["orders/1200/_SUCCESS"]
        )
        check_waiting(world.engine, [handed])
        one = only(world, job_id)
        assert (one.checks, one.ready_ms is not None) == ((2, True) if there else (1, False))
        assert there or one.wake_ms == world.clock.now, "the wake-up is not lost"
        if there:
            world.deliver()
        assert only(world, job_id).state is state


def test_nothing_is_remembered_of_who_waits_no_more(world: World) -> None:
    keys = [data_key("x")]

    def waiters() -> int:
        return len(world.engine.store.read(lambda reader: reader.waiters(keys)))

    first = waits_for(world, {"data": "x"}, name="first")
    second = waits_for(world, {"data": "x"}, name="second")
    assert waiters() == 2
    commands.kill(world.engine, ADMIN, only(world, first).id)
    assert waiters() == 1
    commands.delete(world.engine, ADMIN, second)
    world.advance(HOUR + MINUTE)
    assert waiters() == 0


def test_a_retry_does_not_wait_again_and_a_rerun_does(world: World) -> None:
    from chalicelib.engine.outcomes import Failed  # noqa: PLC0415

    world.targets.run_outcomes = [Failed("no"), Failed("no")]
    world.places.there.add("orders/1200/_SUCCESS")
    retries = {"max_attempts": 2, "delay": "PT1M", "jitter": 0}
    job_id = waits_for(world, {"data": PATH}, policies={"retries": retries})
    world.places.there.clear()
    world.advance(2 * MINUTE)
    one = only(world, job_id)
    assert (one.state, one.run) == (S.FAILED, 2)
    commands.rerun(world.engine, ADMIN, one.id)
    world.deliver()
    assert only(world, job_id).reason == Reason.PREREQUISITES
    commands.kill(world.engine, ADMIN, one.id)
    commands.rerun(world.engine, ADMIN, one.id, ignore_prerequisites=True)
    world.deliver()
    assert only(world, job_id).state is S.SUCCEEDED


def test_a_trigger_may_ignore_the_prerequisites(world: World) -> None:
    job_id = submitted(world, prerequisites=[{"data": PATH}], schedule={"every": "P1D"})
    commands.suspend(world.engine, ADMIN, job_id)
    commands.trigger(world.engine, ADMIN, job_id, ignore_prerequisites=True)
    world.deliver()
    assert {one.state for one in instances_of(world.engine.store, job_id)} == {S.SUCCEEDED}
    assert not world.places.looks


def upstream_and_downstream(world: World, **prerequisite: Any) -> tuple[str, str]:
    schedule = {"every": "PT1H", "start": "2026-01-01T12:00:00"}
    up = submitted(world, "load", schedule=schedule, target={"kind": "started"})
    down = submitted(
        world, "report", schedule=schedule, prerequisites=[{"job": "load", **prerequisite}]
    )
    world.minute()
    world.deliver()
    return up, down


def test_a_job_waits_for_the_same_nominal_time_of_another_and_goes_on_in_the_same_moment(
    world: World,
) -> None:
    up, down = upstream_and_downstream(world)
    one = only(world, down)
    assert one.waiting_on == "load of 2026-01-01T12:00:00+00:00"
    assert json.loads(one.findings_json or "")[0]["found"] == "it is LAUNCHED"
    world.clock.now += (
        7 * MINUTE + 1
    )  # in between two checks; its target ends, and the poll sees it
    world.minute()
    world.deliver()
    assert only(world, up).state is S.SUCCEEDED
    one = only(world, down)
    assert one.state is S.SUCCEEDED
    assert one.ended_ms == world.clock.now


def test_an_upstream_that_is_absent_failed_or_skipped_is_named(world: World) -> None:
    down = submitted(world, "report", prerequisites=[{"job": "load"}])
    world.minute()
    world.deliver()

    def found() -> str:
        return str(json.loads(only(world, down).findings_json or "")[0]["found"])

    assert found() == "there is no job load"
    up = submitted(world, "load", schedule={"at": "2026-01-01T13:00:00"})
    world.advance(MINUTE)
    assert found() == "load has no instance of that time"
    commands.delete(world.engine, ADMIN, up)
    up = submitted(world, "load", schedule={"every": "PT1H", "start": "2026-01-01T11:00:00"},
                   policies={"catch_up": {"mode": "latest"}})  # fmt: skip
    commands.suspend(world.engine, ADMIN, up)
    commands.resume(world.engine, ADMIN, up)
    world.advance(5 * MINUTE)
    assert found().startswith(("load did not run then: that time was skipped (", "it is "))
    commands.delete(world.engine, ADMIN, up)
    up = submitted(world, "load", target={"kind": "started"})
    world.advance(5)
    commands.kill(world.engine, ADMIN, only(world, up).id)
    world.advance(10 * MINUTE)
    assert found().startswith(("it is KILLED", "it is SUCCEEDED"))


def test_the_instance_of_the_day_before_may_be_meant(world: World) -> None:
    up, down = upstream_and_downstream(world, at="${nominal_time-1h}")
    assert only(world, down).waiting_on == "load of 2026-01-01T11:00:00+00:00"
    world.advance(HOUR + MINUTE)
    states = [one.state for one in sorted(instances_of(world.engine.store, down), key=by_time)]
    assert states == [S.WAITING, S.SUCCEEDED]
    assert up


def by_time(one: Instance) -> int:
    return one.nominal_ms


def test_a_first_time_has_no_time_before_it_to_wait_for(world: World) -> None:
    _, down = upstream_and_downstream(world, at="${previous_time}")
    assert only(world, down).state is S.SUCCEEDED


def test_a_circle_of_jobs_is_refused_and_said(world: World) -> None:
    with pytest.raises(InvalidInput, match=r"prerequisites\.0\.job.*a -> a"):
        submitted(world, "a", prerequisites=[{"job": "a"}])
    submitted(world, "a", prerequisites=[{"job": "a", "at": "${nominal_time-1d}"}, {"job": "c"}])
    submitted(world, "b", prerequisites=[{"job": "a"}])
    with pytest.raises(InvalidInput, match="c -> b -> a -> c"):
        submitted(world, "c", prerequisites=[{"job": "b"}])
    job_id = submitted(world, "c")
    with pytest.raises(InvalidInput, match="closes a circle"):
        commands.patch(world.engine, ADMIN, job_id, {"prerequisites": [{"job": "b"}]})
    dry = a_definition(name="d", prerequisites=[{"job": "a"}, {"job": "later"}])
    commands.check(world.engine, ADMIN, dry)
    [warning] = commands.missing_upstreams(world.engine, ADMIN, dry, None)
    assert "later" in warning


@pytest.mark.parametrize(
    ("prerequisite", "words"),
    [
        ({}, "exactly one of data, sql, http and job"),
        ({"data": "a", "job": "b"}, "data and job"),
        ({"sql": "SELECT 1"}, "needs a connection"),
        ({"data": "a", "connection": "w"}, "connection belongs to sql"),
        ({"http": "http://x", "status": 99}, "100 to 599"),
        ({"http": "http://x", "status": []}, "is empty"),
        ({"job": "b", "at": "yesterday"}, "names no nominal time"),
    ],
)
def test_what_makes_no_sense_is_refused(prerequisite: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        a_definition(prerequisites=[prerequisite])


def test_problems_name_their_field(world: World) -> None:
    for prerequisite, field in (
        ({"data": "nowhere"}, "prerequisites.0.data"),
        ({"data": "x/${nominal_time:%Q}"}, "prerequisites.0.data"),
        ({"http": "http://x/${nope}"}, "prerequisites.0.http"),
        ({"data": "x/${parameters.day}"}, "prerequisites.0.data"),
    ):
        with pytest.raises(InvalidInput) as refused:
            submitted(world, prerequisites=[prerequisite])
        assert [one.field for one in refused.value.problems] == [field]
    with pytest.raises(ValueError, match="20"):
        a_definition(prerequisites=[{"data": "a"}] * 21)


def test_a_backfill_waits_for_data_and_its_wait_has_an_end(world: World) -> None:
    job_id = submitted(
        world,
        schedule={"every": "PT1M", "start": "2026-01-01T11:50:00"},
        prerequisites=[{"data": PATH}],
        policies={"catch_up": {"mode": "none"}, "timeouts": {"wait": "PT30M"}},
    )
    wish = Wish(from_ms=NOON - 8 * MINUTE, to_ms=NOON - 5 * MINUTE, overlap="queue")
    commands.create_backfill(world.engine, ADMIN, job_id, wish)
    world.minute()
    world.deliver()
    mine = [one for one in instances_of(world.engine.store, job_id) if one.backfill]
    assert [one.reason for one in mine] == [Reason.PREREQUISITES] * 3
    assert all(one.deadline_ms is not None for one in mine)
    world.places.there |= {f"orders/{hhmm}/_SUCCESS" for hhmm in (1152, 1153, 1154)}
    world.advance(10 * MINUTE)
    ended = [one for one in instances_of(world.engine.store, job_id) if one.backfill]
    assert [one.state for one in ended] == [S.SUCCEEDED] * 3


def test_an_upstream_whose_record_was_purged_is_said_to_be(world: World) -> None:
    """It may have succeeded or not: nobody is to wait for it without being told."""
    up = submitted(world, "load")
    world.minute()
    world.deliver()
    [gone] = instances_of(world.engine.store, up)
    span = SkipRange(up, gone.nominal_ms, gone.nominal_ms + 1, Reason.PURGED, 1, 1)

    def purge(tx: Transaction) -> None:
        tx.purge_instances([gone.id])
        tx.replace_ranges([], [span])

    world.engine.store.transact(purge)
    down = submitted(world, "report", prerequisites=[{"job": "load"}])
    world.minute()
    world.deliver()
    found = str(json.loads(only(world, down).findings_json or "")[0]["found"])
    assert "was purged, and nobody knows how it ended" in found
    assert "--reprocess all" in found
