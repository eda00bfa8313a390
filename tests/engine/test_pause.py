"""An admin's hold over everything: nothing begins, what runs is looked after, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.claim import LEASE_MS, claim
from chalicelib.engine.commands import Wish
from chalicelib.engine.explaining import why
from chalicelib.engine.filters import EventFilter, InstanceFilter, JobFilter
from chalicelib.engine.outcomes import Refused, Running, Stopped, Succeeded
from chalicelib.engine.ports import HandedOut, Lane, Transaction
from chalicelib.engine.views import BackfillView, InstanceView
from chalicelib.model.backfill import BackfillState
from chalicelib.model.errors import Forbidden
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.pause import Pause
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceState, Role
from chalicelib.store import SqlStore
from tests.engine.history import assert_accounted, dispositions, instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

ANN = Principal("ann", roles={"default": Role.OWNER})
HOUR = 60 * MINUTE


def submit(world: World, **changes: Any) -> Job:
    job = commands.submit(world.engine, ADMIN, a_definition(**changes), schedule=True)
    assert isinstance(job, Job)
    return job


def pause(world: World, reason: str | None = "an incident") -> Pause:
    return commands.pause(world.engine, ADMIN, reason=reason)


def resume(world: World) -> None:
    commands.resume_all(world.engine, ADMIN)


def only(world: World, job: Job) -> Instance:
    [one] = instances_of(world.engine.store, job.id)
    return one


def test_nothing_begins_while_all_is_paused(world: World) -> None:
    job = submit(world)
    rare = submit(world, name="rare", schedule={"every": "P1D", "start": "2026-01-02T00:00:00Z"})
    world.advance(MINUTE + 1)
    before = len(world.targets.calls)
    pause(world)
    commands.trigger(world.engine, ANN, rare.id)
    commands.rerun(world.engine, ANN, instances_of(world.engine.store, job.id)[0].id)
    world.advance(HOUR)
    assert len(world.targets.calls) == before
    assert only(world, rare).state is InstanceState.WAITING
    assert len(instances_of(world.engine.store, job.id)) == 2
    resume(world)
    world.deliver()
    assert only(world, rare).state is InstanceState.SUCCEEDED
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(62)])
    states = {one.state for one in instances_of(world.engine.store, job.id)}
    assert states == {InstanceState.SUCCEEDED}


@pytest.mark.parametrize(
    ("catch_up", "run", "reason"),
    [("all", 60, None), ("latest", 1, "CATCH_UP_LATEST"), ("none", 1, "CATCH_UP_NONE")],
)
def test_what_came_due_follows_its_catch_up(
    world: World, catch_up: str, run: int, reason: str | None
) -> None:
    job = submit(world, policies={"catch_up": catch_up})
    world.advance(1)
    pause(world)
    world.advance(HOUR)
    resume(world)
    world.deliver()
    nominal = [NOON + k * MINUTE for k in range(1, 61)]
    assert_accounted(world.engine.store, job.id, [NOON, *nominal])
    found = [how for [how] in dispositions(world.engine.store, job.id, nominal).values()]
    assert found.count("SUCCEEDED") == run
    assert {one.reason for one in skips_of(world.engine.store, job.id)} == ({reason} - {None})


def test_what_runs_is_looked_after(world: World) -> None:
    """Polled, ended, timed out and stopped, while nothing new reaches a target."""
    daily = {"every": "P1D"}
    started = {"kind": "started"}
    ends = submit(world, name="ends", target=started, schedule=daily)
    late = submit(
        world,
        name="late",
        target=started,
        schedule=daily,
        policies={"timeouts": {"run": "PT10M"}},
    )
    killed = submit(world, name="killed", target=started, schedule=daily)
    world.targets.otherwise = Running()
    world.targets.when_cancelled = Stopped()
    world.deliver()
    pause(world)
    world.advance(5 * MINUTE)
    assert only(world, ends).state is InstanceState.RUNNING
    commands.kill(world.engine, ADMIN, only(world, killed).id)
    world.advance(7 * MINUTE)
    assert only(world, killed).state is InstanceState.KILLED
    assert only(world, late).state is InstanceState.TIMED_OUT
    world.targets.otherwise = Succeeded()
    world.advance(MINUTE)
    assert only(world, ends).state is InstanceState.SUCCEEDED
    assert [verb for verb, _ in world.targets.calls].count("launch") == 3


def test_a_sweep_does_not_spin_over_what_is_held(world: World) -> None:
    """However much is due, a paused sweep asks its one question and has nothing to arm."""
    for number in range(5):
        submit(world, name=f"job-{number}")
    world.minute()
    pause(world)
    world.clock.now += 10 * MINUTE
    world.deliver()
    asked: list[str] = []
    store = world.engine.store
    world.engine = replace(world.engine, store=_Asking(store, asked))  # type: ignore[arg-type]
    world.alarm.wakes.clear()
    world.minute()
    assert asked == ["read"]
    assert world.alarm.wakes == []
    wakes = store.read(lambda reader: reader.next_wakes(world.clock.now + HOUR))
    assert wakes.paused
    assert wakes.earliest is None


class _Asking:
    def __init__(self, store: Any, asked: list[str]) -> None:
        self._store = store
        self._asked = asked

    def read(self, work: Callable[[Any], Any]) -> Any:
        self._asked.append("read")
        return self._store.read(work)

    def transact(self, work: Callable[[Any], Any]) -> Any:
        self._asked.append("transact")
        return self._store.transact(work)


def test_what_was_handed_out_before_is_not_claimed_and_comes_again(world: World) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.minute()
    assert world.queue.messages
    pause(world)
    world.deliver()
    held = only(world, job)
    assert (held.state, held.claim.epoch, world.targets.calls) == (InstanceState.WAITING, 0, [])
    resume(world)
    world.deliver()
    assert only(world, job).state is InstanceState.SUCCEEDED


def test_what_was_handed_out_to_be_checked_is_not_and_comes_again(world: World) -> None:
    wanted = [{"data": "ready.flag"}]
    job = submit(world, schedule={"every": "P1D"}, prerequisites=wanted)
    world.minute()
    [(lane, _)] = world.queue.messages
    assert lane is Lane.CHECK
    pause(world)
    world.deliver()
    assert only(world, job).checks == 0
    because = why(world.engine, ANN, only(world, job).id).because
    assert because.startswith(
        "everything is paused since 2026-01-01T12:00:00Z by ada (an incident)"
    )
    resume(world)
    world.deliver()
    assert only(world, job).checks == 1


def test_a_launch_whose_launcher_died_is_not_repeated_until_the_end(world: World) -> None:
    """Nobody knows whether its target was called; to ask would be to call it."""
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.minute()
    [(lane, handed)] = world.queue.messages
    assert lane is Lane.LAUNCH
    world.queue.messages.clear()
    assert len(claim(world.engine, [handed])) == 1
    pause(world)
    world.advance(LEASE_MS + 20 * MINUTE)
    assert world.targets.calls == []
    assert only(world, job).state is InstanceState.LAUNCHING
    resume(world)
    world.advance(16 * MINUTE)
    assert [verb for verb, _ in world.targets.calls].count("launch") == 1
    assert only(world, job).state is InstanceState.SUCCEEDED


def test_waits_have_the_time_given_back(world: World) -> None:
    """What waits for its turn does not run out of time while nobody may have one."""
    policies = {"overlap": "queue", "timeouts": {"wait": "PT1H"}}
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"}, policies=policies)
    world.targets.otherwise = Running()
    world.deliver()
    first = commands.trigger(world.engine, ADMIN, job.id)
    world.advance(10 * MINUTE)
    pause(world)
    world.advance(2 * HOUR)
    second = commands.trigger(world.engine, ADMIN, job.id)
    assert isinstance(first, InstanceView)
    assert isinstance(second, InstanceView)
    world.advance(HOUR)
    now = world.clock.now
    resume(world)
    ends = {
        one.instance.id: one.instance.deadline_ms
        for one in queries.instances(
            world.engine, ADMIN, InstanceFilter(state=("WAITING",)), job.id
        ).items
    }
    assert ends == {first.instance.id: now + 50 * MINUTE, second.instance.id: now + HOUR}
    world.advance(45 * MINUTE)
    assert queries.instance(world.engine, ADMIN, first.instance.id).instance.ended_ms is None
    world.advance(10 * MINUTE)
    gone = queries.instance(world.engine, ADMIN, first.instance.id).instance
    assert (gone.state, gone.reason) == (InstanceState.TIMED_OUT, "WAIT_TIMEOUT")


@pytest.mark.parametrize("paused", [True, False], ids=["paused", "suspended"])
def test_a_refused_launch_has_the_time_of_a_hold_given_back(world: World, paused: bool) -> None:
    """A target that has no room before and after a long hold does not end the wait at once."""
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.targets.launch_outcomes = [Refused("no room")] * 2
    world.deliver()
    assert only(world, job).reason == "TARGET_REFUSED"
    if paused:
        pause(world)
    else:
        commands.suspend(world.engine, ADMIN, job.id)
    world.clock.now += 30 * HOUR
    resume(world)
    commands.resume(world.engine, ADMIN, job.id)
    world.minute()
    world.deliver()
    refused = instances_of(world.engine.store, job.id)[0]
    assert refused.reason == "TARGET_REFUSED"
    assert refused.deadline_ms == NOON + 54 * HOUR


@pytest.mark.parametrize("before", [True, False], ids=["before the pause", "during it"])
def test_a_suspension_that_ends_during_a_pause_gives_no_time_back_twice(
    world: World, before: bool
) -> None:
    job = submit(world, prerequisites=[{"data": "x"}], policies={"timeouts": {"wait": "PT1H"}})
    world.deliver()
    deadline = only(world, job).deadline_ms
    assert deadline is not None
    for suspends in (before, not before):
        if suspends:
            commands.suspend(world.engine, ADMIN, job.id)
        else:
            pause(world)
        world.clock.now += 10 * MINUTE
    commands.resume(world.engine, ADMIN, job.id)
    world.clock.now += 10 * MINUTE
    resume(world)
    assert instances_of(world.engine.store, job.id)[0].deadline_ms == deadline + 30 * MINUTE


def test_a_suspension_during_a_pause_takes_no_time_from_waits(world: World) -> None:
    policies = {"overlap": "queue", "timeouts": {"wait": "PT1H"}}
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"}, policies=policies)
    other = submit(world, name="other", schedule={"every": "PT1M"}, policies=policies)
    world.targets.otherwise = Running()
    world.deliver()
    del other
    world.clock.now = NOON + 24 * HOUR
    world.minute()
    [waits] = [one for one in instances_of(world.engine.store, job.id) if one.nominal_ms > NOON]
    assert waits.deadline_ms == world.clock.now + HOUR
    pause(world)
    world.clock.now += 30 * MINUTE
    commands.suspend(world.engine, ADMIN, job.id)
    world.clock.now += 30 * MINUTE
    resume(world)
    world.clock.now += 30 * MINUTE
    commands.resume(world.engine, ADMIN, job.id)
    after = queries.instance(world.engine, ADMIN, waits.id).instance
    assert after.deadline_ms == world.clock.now + HOUR


@pytest.mark.parametrize("suspended_first", [True, False])
def test_a_job_resumed_during_a_pause_has_its_time_given_back_once(
    world: World, suspended_first: bool
) -> None:
    policies = {"timeouts": {"wait": "PT1H"}}
    job = submit(world, schedule={"every": "P1D"}, policies=policies)
    world.minute()
    waits = only(world, job)
    created = world.clock.now
    for held in ("job", "all") if suspended_first else ("all", "job"):
        if held == "job":
            commands.suspend(world.engine, ADMIN, job.id)
        else:
            pause(world)
        world.clock.now += 10 * MINUTE
    commands.resume(world.engine, ADMIN, job.id)
    world.clock.now += 20 * MINUTE
    resume(world)
    held_ms = world.clock.now - created
    after = queries.instance(world.engine, ADMIN, waits.id).instance
    assert after.deadline_ms == created + HOUR + held_ms


def test_another_end_of_a_suspension_holds_no_rerun_that_was_asked_for_during_it(
    world: World,
) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.advance(MINUTE)
    one = only(world, job)
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + HOUR)
    commands.rerun(world.engine, ADMIN, one.id)
    commands.suspend(world.engine, ADMIN, job.id, until_ms=world.clock.now + 2 * HOUR)
    world.advance(MINUTE)
    after = queries.instance(world.engine, ADMIN, one.id).instance
    assert (after.state, after.run) == (InstanceState.SUCCEEDED, 2)


def test_backfills_take_no_turn_and_go_on(world: World) -> None:
    job = submit(world, schedule={"every": "PT1H", "start": "2026-01-01T00:00:00Z"})
    world.deliver()
    commands.suspend(world.engine, ADMIN, job.id)
    pause(world)
    wish = Wish(from_ms=NOON - 3 * HOUR, to_ms=NOON, reprocess="all")
    made = commands.create_backfill(world.engine, ADMIN, job.id, wish)
    assert isinstance(made, BackfillView)
    assert "everything is paused" in str(made.waiting_on)
    commands.resume(world.engine, ADMIN, job.id)
    before = len(world.targets.calls)
    world.advance(10 * MINUTE)
    view = queries.backfill(world.engine, ADMIN, made.backfill.id)
    assert view.backfill.disposed == 0
    assert len(world.targets.calls) == before
    resume(world)
    world.advance(10 * MINUTE)
    view = queries.backfill(world.engine, ADMIN, made.backfill.id)
    assert view.backfill.state is BackfillState.COMPLETED
    assert view.waiting_on is None


def test_everybody_sees_why_nothing_goes_on(world: World) -> None:
    job = submit(world, schedule={"every": "P1D", "start": "2026-01-02T00:00:00Z"})
    pause(world)
    view = commands.trigger(world.engine, ANN, job.id)
    assert isinstance(view, InstanceView)
    told = "everything is paused since 2026-01-01T12:00:00Z by ada (an incident)"
    assert told in str(view.waiting_on)
    assert told in str(queries.instance(world.engine, ANN, view.instance.id).waiting_on)
    for page in (
        queries.jobs(world.engine, ANN, JobFilter()),
        queries.instances(world.engine, ANN, InstanceFilter()),
    ):
        assert page.pause == Pause(NOON, "ada", "an incident")
    resume(world)
    assert queries.instance(world.engine, ANN, view.instance.id).waiting_on is None
    assert queries.jobs(world.engine, ANN, JobFilter()).pause is None


def test_only_an_admin_pauses_and_repeating_is_no_error(world: World) -> None:
    for command in (commands.pause, commands.resume_all):
        with pytest.raises(Forbidden):
            command(world.engine, ANN)
    assert commands.resume_all(world.engine, ADMIN) is None
    first = pause(world, "a disk is full")
    world.clock.now += MINUTE
    assert pause(world, "a disk is full") == first
    assert pause(world, None) == first
    bob = Principal("bob", admin=True)
    again = commands.pause(world.engine, bob, reason="two disks are full")
    assert again == Pause(NOON, "bob", "two disks are full")
    assert queries.pause(world.engine) == again
    assert commands.resume_all(world.engine, bob, reason="new disks") == again
    assert queries.pause(world.engine) is None
    seen = queries.events(world.engine, ADMIN, EventFilter()).items
    assert [(one.verb, one.actor, one.reason) for one in reversed(seen)] == [
        ("PAUSE", "ada", "a disk is full"),
        ("PAUSE", "bob", "two disks are full"),
        ("RESUME", "bob", "new disks"),
    ]
    assert not queries.events(world.engine, ANN, EventFilter()).items


def test_an_outage_over_the_end_of_a_pause_loses_nothing(world: World) -> None:
    """The process dies right after the resume, and its wake-up with it: the minute hand finds all."""
    job = submit(world)
    world.advance(1)
    pause(world)
    world.advance(10 * MINUTE)
    resume(world)
    world.alarm.wakes.clear()
    world.advance(MINUTE)
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(12)])
    assert len(world.targets.executions) == 12


@pytest.mark.parametrize("kind", ["sqlite-file", "mariadb", "mysql"])
def test_once_a_pause_is_answered_no_claim_is_taken(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    """Launchers race with a pause: each claim was committed before it, or not at all."""
    store = open_empty(kind)
    setup = World(store)
    submit(
        setup, target={"kind": "started"}, schedule={"every": "P1D"}, policies={"max_active": 1000}
    )
    handed = []
    for number in range(60):
        view = commands.trigger(setup.engine, ADMIN, "sample", parameters={}, reason=str(number))
        assert isinstance(view, InstanceView)
        handed.append(HandedOut(view.instance.id, view.instance.version))
    worlds = [World(store, ids_from=(n + 2) * 10_000) for n in range(5)]
    start = threading.Barrier(5)

    def launch(number: int) -> None:
        start.wait(30)
        for one in handed[number::4]:
            claim(worlds[number].engine, [one])

    def hold() -> set[str]:
        start.wait(30)
        commands.pause(worlds[4].engine, ADMIN, reason="a race")
        return claimed(store)

    with ThreadPoolExecutor(5) as pool:
        holding = pool.submit(hold)
        launching = [pool.submit(launch, n) for n in range(4)]
        for one in launching:
            one.result(60)
        at_pause = holding.result(60)
    assert claimed(store) == at_pause


def claimed(store: SqlStore) -> set[str]:
    wanted = InstanceFilter(state=("LAUNCHING",), limit=1000)
    return {one.id for one in store.read(lambda reader: reader.instances(wanted, None))}


def test_a_claim_that_began_before_is_waited_for(open_empty: Callable[[str], SqlStore]) -> None:
    """The pause is answered only when what asked before it has committed."""
    store = open_empty("mariadb")
    asked, go_on, order = threading.Event(), threading.Event(), []

    def claiming(tx: Transaction) -> None:
        assert tx.share_pause() is None
        asked.set()
        go_on.wait(1)
        order.append("claim")

    def pausing() -> None:
        asked.wait(10)
        commands.pause(World(store).engine, ADMIN)
        order.append("pause")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.transact, claiming)
        second = pool.submit(pausing)
        asked.wait(10)
        go_on.set()
        first.result(30)
        second.result(30)
    assert order == ["claim", "pause"]


def test_suspending_again_changes_the_end(world: World) -> None:
    job = submit(world)
    first = commands.suspend(
        world.engine, ADMIN, job.id, until_ms=NOON + HOUR, reason="the source is away"
    )
    same = commands.suspend(world.engine, ANN, job.id, until_ms=NOON + HOUR)
    assert same == first
    longer = commands.suspend(world.engine, ANN, job.id, until_ms=NOON + 2 * HOUR)
    assert longer.suspension is not None
    assert (longer.suspension.until_ms, longer.suspension.by) == (NOON + 2 * HOUR, "ann")
    assert (longer.suspension.reason, longer.suspension.since_ms) == ("the source is away", NOON)
    assert (longer.wake_ms, longer.edit) == (NOON + 2 * HOUR, first.edit + 1)
    world.advance(HOUR + MINUTE)
    assert len(instances_of(world.engine.store, job.id)) <= 1
    endless = commands.suspend(world.engine, ADMIN, job.id, reason="still away")
    assert endless.suspension is not None
    assert endless.suspension.until_ms is None
    assert endless.wake_ms is None
    verbs = [one.verb for one in queries.events(world.engine, ADMIN, EventFilter()).items]
    assert verbs.count("SUSPEND") == 3
    commands.resume(world.engine, ADMIN, job.id)
    world.advance(MINUTE)
    nominal = range(NOON, world.clock.now + 1, MINUTE)
    assert_accounted(world.engine.store, job.id, nominal)
