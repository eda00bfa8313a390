"""kill, rerun and skip of many: what is chosen, how it is counted, and that it is done once to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.commands import Choice, Done, Verb, Wanted, many
from chalicelib.engine.filters import EventFilter, InstanceFilter
from chalicelib.engine.outcomes import Failed, Stopped
from chalicelib.model.errors import Forbidden, InvalidInput, NotFound
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import GroupPlace, InstanceKind, InstanceState, Role
from chalicelib.store import SqlStore
from chalicelib.store.session import Session
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

S = InstanceState
OPERATOR = Principal("olga", roles={"blue": Role.OPERATOR, "red": Role.VIEWER})


def a_job(world: World, name: str, owner: str = "default", **fields: object) -> Job:
    definition = a_definition(name=name, **{"target": {"kind": "started"}, **fields})
    job = commands.submit(world.engine, ADMIN, definition, owner=owner)
    assert isinstance(job, Job)
    return job


def triggered(world: World, job: Job, count: int) -> None:
    for _ in range(count):
        commands.trigger(world.engine, ADMIN, job.id)


def states(world: World, job: Job) -> list[str]:
    return [one.state.value for one in instances_of(world.engine.store, job.id)]


def change(world: World, verb: Verb, choice: Choice, principal: Principal = ADMIN) -> Done:
    return commands.change_many(world.engine, principal, Wanted(verb, choice, reason="why"))


def counts(world: World, verb: Verb, choice: Choice) -> dict[InstanceState, int]:
    return dict(commands.count_many(world.engine, ADMIN, verb, choice).states)


def test_what_waits_ends_at_once_and_what_runs_is_asked_to_stop(world: World) -> None:
    job, other = a_job(world, "one", policies={"max_active": 2}), a_job(world, "two")
    triggered(world, job, 5)
    triggered(world, other, 1)
    world.deliver()
    choice = Choice(jobs=(job.id,))
    assert counts(world, Verb.KILL, choice) == {S.WAITING: 3, S.LAUNCHED: 2}
    assert states(world, job).count("WAITING") == 3  # it was only counted
    done = change(world, Verb.KILL, choice)
    assert (done.changed, done.stopping, done.looked_at, done.after) == (5, 2, 5, None)
    again = change(world, Verb.KILL, choice)
    assert (again.changed, again.already) == (0, 2)
    world.targets.when_cancelled = Stopped()
    world.deliver()
    assert states(world, job) == ["KILLED"] * 5
    assert states(world, other) == ["LAUNCHED"]
    events = world.engine.store.read(
        lambda reader: reader.events(EventFilter(job_id=job.id, verb="KILL"), None)
    )
    assert {(event.actor, event.reason) for event in events} == {("ada", "why")}
    assert len(events) == 5


def test_a_rerun_takes_what_did_not_succeed_and_each_once(world: World) -> None:
    job = a_job(world, "one")
    triggered(world, job, 4)
    world.targets.launch_outcomes = [Failed("no", retry=False)] * 3
    world.deliver()
    world.advance(2 * MINUTE)
    assert sorted(states(world, job)) == ["FAILED"] * 3 + ["SUCCEEDED"]
    choice = Choice(jobs=("one",))
    counted = commands.count_many(world.engine, ADMIN, Verb.RERUN, choice)
    assert (dict(counted.states), counted.more) == ({S.FAILED: 3}, False)
    assert [view.instance.state for view in counted.first] == [S.FAILED] * 3
    world.advance(1000)
    done = change(world, Verb.RERUN, choice)
    assert done.changed == 3
    assert change(world, Verb.RERUN, choice).looked_at == 0
    world.targets.launch_outcomes = [Failed("no", retry=False)] * 3
    world.deliver()
    assert sorted(one.run for one in instances_of(world.engine.store, job.id)) == [1, 2, 2, 2]
    # They have failed again; the same command, asked again because its answer was lost, leaves them.
    lost = Wanted(Verb.RERUN, choice, as_of_ms=counted.as_of_ms)
    assert commands.change_many(world.engine, ADMIN, lost).looked_at == 0
    assert commands.change_many(world.engine, ADMIN, Wanted(Verb.RERUN, choice)).changed == 3


def test_a_deleted_jobs_runs_are_refused_a_rerun(world: World) -> None:
    job = a_job(world, "one")
    triggered(world, job, 2)
    world.targets.launch_outcomes = [Failed("no", retry=False)] * 2
    world.deliver()
    commands.delete(world.engine, ADMIN, job.id)
    done = change(world, Verb.RERUN, Choice(jobs=(job.id,)))
    assert (done.changed, done.refused) == (0, 2)


def test_a_skip_gives_the_freed_slots_to_who_is_left(world: World) -> None:
    job = a_job(world, "one", policies={"max_active": 1})
    triggered(world, job, 4)
    world.deliver()
    oldest = instances_of(world.engine.store, job.id)[1]
    choice = Choice(jobs=("one",), to_ms=oldest.nominal_ms + 1)
    assert change(world, Verb.SKIP, choice).changed == 1
    assert states(world, job) == ["LAUNCHED", "SKIPPED", "WAITING", "WAITING"]
    assert change(world, Verb.KILL, Choice(states=(S.LAUNCHED,))).stopping == 1
    world.targets.when_cancelled = Stopped()
    world.deliver()
    assert states(world, job) == ["KILLED", "SKIPPED", "LAUNCHED", "WAITING"]


def test_slots_of_groups_pass_on_too(world: World) -> None:
    commands.set_group(world.engine, ADMIN, "g", 1)
    jobs = [a_job(world, name, policies={"group": "g"}) for name in ("one", "two")]
    for job in jobs:
        triggered(world, job, 1)
    world.deliver()
    found = [instances_of(world.engine.store, job.id)[0] for job in jobs]
    held, queued = sorted(found, key=lambda one: one.place is not GroupPlace.HELD)
    assert queued.place is GroupPlace.QUEUED
    assert counts(world, Verb.KILL, Choice(group="g")) == {S.LAUNCHED: 1, S.WAITING: 1}
    world.targets.when_cancelled = Stopped()
    change(world, Verb.KILL, Choice(group="g", states=(S.LAUNCHED,)))
    world.deliver()
    after = world.engine.store.read(lambda r: r.instances_by_id([held.id, queued.id]))
    assert {one.id: one.state for one in after} == {held.id: S.KILLED, queued.id: S.LAUNCHED}


def test_everything_narrows(world: World) -> None:
    gold = a_job(world, "one", tags={"tier": "gold"})
    a_job(world, "two", owner="blue")
    for name in ("one", "two"):
        triggered(world, commands_job(world, name), 2)
    first = instances_of(world.engine.store, gold.id)[0].nominal_ms

    def total(**narrowing: object) -> int:
        choice = Choice(**{"states": (S.WAITING,), **narrowing})  # type: ignore[arg-type]
        return commands.count_many(world.engine, ADMIN, Verb.SKIP, choice).total

    assert total() == 4
    assert total(tags={"tier": "gold"}) == 2
    assert total(tags={"tier": "tin"}) == 0
    assert total(tags={"tier": "gold"}, jobs=("two",)) == 0
    assert total(owner="blue") == 2
    assert total(kind=InstanceKind.MANUAL) == 4
    assert total(kind=InstanceKind.BACKFILL) == 0
    assert total(group="g") == 0
    assert total(to_ms=first + 1) == 2
    assert total(from_ms=first + 1) == 2


def commands_job(world: World, name: str) -> Job:
    [job] = world.engine.store.read(lambda reader: reader.job_named(name, None))
    return job


def test_a_choice_that_chooses_nothing_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="filter: is empty, and would kill everything; name"):
        change(world, Verb.KILL, Choice(owner="default"))
    with pytest.raises(InvalidInput, match=r"filter\.states: skip is for WAITING"):
        change(world, Verb.SKIP, Choice(states=(S.RUNNING,)))
    with pytest.raises(InvalidInput, match=r"filter\.from: must be before the end"):
        change(world, Verb.SKIP, Choice(from_ms=NOON, to_ms=NOON))
    with pytest.raises(NotFound, match="there is no job 'none'"):
        change(world, Verb.KILL, Choice(jobs=("none",)))
    with pytest.raises(NotFound, match="there is no backfill"):
        change(world, Verb.KILL, Choice(backfill="f" * 32))


def test_everybody_commands_only_what_is_theirs(world: World) -> None:
    for name, owner in (("b", "blue"), ("r", "red"), ("d", "default")):
        triggered(world, a_job(world, name, owner=owner), 1)
    waiting = Choice(states=(S.WAITING,))
    with pytest.raises(Forbidden, match="operator nowhere"):
        change(world, Verb.SKIP, waiting, Principal("vera", roles={"red": Role.VIEWER}))
    with pytest.raises(Forbidden, match="olga is viewer in red"):
        change(world, Verb.SKIP, replace(waiting, owner="red"), OPERATOR)
    with pytest.raises(Forbidden):
        change(world, Verb.SKIP, Choice(jobs=("r",)), OPERATOR)
    with pytest.raises(NotFound):
        change(world, Verb.SKIP, Choice(jobs=("d",)), OPERATOR)
    with pytest.raises(NotFound):
        change(world, Verb.SKIP, replace(waiting, owner="default"), OPERATOR)
    with pytest.raises(NotFound, match="blue has no job 'r'; it is red's"):
        change(world, Verb.SKIP, Choice(owner="blue", jobs=("red:r",)))
    assert change(world, Verb.SKIP, waiting, OPERATOR).changed == 1
    assert change(world, Verb.SKIP, waiting, ADMIN).changed == 2


@pytest.mark.parametrize("tagged", [2, 30], ids=["looked up one by one", "picked out of all"])
def test_more_than_a_request_does_is_done_by_going_on(
    world: World, tagged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "MOST", 20)
    monkeypatch.setattr(many, "BATCH", 7)
    jobs = [a_job(world, f"job-{n}", tags={"tier": "gold"}) for n in range(tagged)]
    other = a_job(world, "other")
    for job in jobs:
        triggered(world, job, 60 // tagged)
    triggered(world, other, 3)
    wanted = Wanted(Verb.SKIP, Choice(tags={"tier": "gold"}))
    total, requests = 0, 0
    while True:
        done = commands.change_many(world.engine, ADMIN, wanted)
        assert done.changed <= 20
        total, requests = total + done.changed, requests + 1
        if done.after is None:
            break
        wanted = replace(wanted, after=done.after, as_of_ms=done.as_of_ms)
    assert total == 60
    assert requests >= 3
    assert states(world, other) == ["WAITING"] * 3


def test_a_count_ends_somewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "COUNTED", 5)
    monkeypatch.setattr(many, "_COUNT_PAGE", 3)
    job = a_job(world, "one")
    triggered(world, job, 5)
    choice = Choice(jobs=("one",))
    whole = commands.count_many(world.engine, ADMIN, Verb.KILL, choice)
    assert (whole.total, whole.more) == (5, False)
    triggered(world, job, 1)
    cut = commands.count_many(world.engine, ADMIN, Verb.KILL, choice)
    assert (cut.total, cut.more) == (5, True)


def test_what_moves_meanwhile_is_passed_over(
    open_empty: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the locks somebody else's command comes."""
    world = World(open_empty("sqlite-memory"))
    job = a_job(world, "one")
    triggered(world, job, 3)
    first = instances_of(world.engine.store, job.id)[0]
    unit = many._unit

    def interrupted(*given: object) -> object:
        tx = given[1]
        one = tx.lock_instances([first.id])[0]  # type: ignore[attr-defined]
        if one.state is S.WAITING:
            ended = replace(one, state=S.KILLED, wake_ms=None, deadline_ms=None, version=2)
            tx.save_instances([replace(ended, ended_ms=NOON)])  # type: ignore[attr-defined]
        return unit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(many, "_unit", interrupted)
    done = change(world, Verb.SKIP, Choice(jobs=("one",)))
    assert (done.changed, done.moved) == (2, 1)
    assert states(world, job) == ["KILLED", "SKIPPED", "SKIPPED"]


def counting(
    method: Callable[..., Any], name: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have the session keep the names of the statements that go through this method."""

    def kept(self: Session, statement: str, /, **parameters: Any) -> Any:
        asked.append(statement)
        return method(self, statement, **parameters)

    monkeypatch.setattr(Session, name, kept)


def test_a_batch_costs_a_bounded_number_of_statements(
    open_empty: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_empty("sqlite-memory")
    world = World(store)
    triggered(world, a_job(world, "one"), 150)
    asked: list[str] = []
    counting(Session.query, "query", asked, monkeypatch)
    counting(Session.change, "change", asked, monkeypatch)
    assert change(world, Verb.KILL, Choice(jobs=("one",))).changed == 150
    assert len(asked) <= 20, asked


def test_a_triggers_own_overlap_stands_in_for_the_jobs(world: World) -> None:
    job = a_job(world, "one", policies={"overlap": "skip"})
    triggered(world, job, 2)
    world.deliver()
    assert states(world, job) == ["LAUNCHED", "SKIPPED"]
    commands.trigger(world.engine, ADMIN, job.id, overlap="allow")
    commands.trigger(world.engine, ADMIN, job.id, overlap="queue")
    world.deliver()
    assert states(world, job) == ["LAUNCHED", "SKIPPED", "LAUNCHED", "WAITING"]
    with pytest.raises(InvalidInput, match="max_active: is for overlap allow"):
        commands.trigger(world.engine, ADMIN, job.id, max_active=3)


def ended(world: World, one: Instance) -> None:
    world.targets.when_cancelled = Stopped()
    commands.kill(world.engine, ADMIN, one.id)
    world.deliver()


def test_who_queues_by_its_own_wish_begins_when_nothing_else_runs(world: World) -> None:
    """The job's limit of three is no reason to begin: it wants to be alone, and then is."""
    job = a_job(world, "one", policies={"max_active": 3})
    triggered(world, job, 3)
    commands.trigger(world.engine, ADMIN, job.id, overlap="queue")
    world.deliver()
    every = instances_of(world.engine.store, job.id)
    for number, one in enumerate(every[:3]):
        assert states(world, job)[3] == "WAITING", f"after {number} ends"
        ended(world, one)
    assert states(world, job) == ["KILLED"] * 3 + ["LAUNCHED"]


def test_a_wider_limit_of_its_own_begins_before_the_jobs_has_room(world: World) -> None:
    job = a_job(world, "one", policies={"overlap": "queue"})
    for _ in range(3):
        commands.trigger(world.engine, ADMIN, job.id, max_active=2, overlap="allow")
    world.deliver()
    assert states(world, job) == ["LAUNCHED", "LAUNCHED", "WAITING"]
    ended(world, instances_of(world.engine.store, job.id)[0])
    assert states(world, job) == ["KILLED", "LAUNCHED", "LAUNCHED"]
    wanted = InstanceFilter(job_id=job.id, state=("LAUNCHED",))
    active = world.engine.store.read(lambda reader: reader.instances(wanted, None))
    assert all(one.active for one in active)
