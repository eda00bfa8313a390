"""What an owner may have at most: it holds, it is told, and only an admin changes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.commands import Wanted, Wish
from chalicelib.engine.commands.choosing import Choice, Verb
from chalicelib.engine.filters import EventFilter, JobFilter
from chalicelib.engine.once import Once
from chalicelib.engine.ports import Remembered
from chalicelib.model.calendar import Calendar
from chalicelib.model.errors import (
    Forbidden,
    NameTaken,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from chalicelib.model.job import Job
from chalicelib.model.owner import USUAL
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceState, Role
from chalicelib.store import SqlStore
from chalicelib.store.failures import Repeat
from chalicelib.store.session import Session
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition
from tests.store.faulty import Faults, FaultyDriver

ANN = Principal("ann", roles={"red": Role.OWNER})
BLUE = Principal("bo", roles={"blue": Role.OWNER})


def submit(world: World, name: str, **changes: Any) -> Job:
    job = commands.submit(world.engine, ANN, a_definition(name=name, **changes), schedule=True)
    assert isinstance(job, Job)
    return job


def limit(world: World, **limits: int | None) -> None:
    commands.set_quotas(world.engine, ADMIN, "red", limits)


@pytest.fixture
def red(world: World) -> World:
    commands.create_owner(world.engine, ADMIN, "red")
    return world


def test_an_owner_has_at_most_so_many_jobs(red: World) -> None:
    limit(red, max_jobs=2)
    first = submit(red, "a")
    submit(red, "b")
    with pytest.raises(QuotaExceeded) as refused:
        submit(red, "c")
    told = refused.value.message
    assert "red has 2 of at most 2 jobs" in told
    assert "admin" in told
    assert "noonday owner set red --max-jobs 3" in told
    with pytest.raises(QuotaExceeded):
        commands.check(red.engine, ANN, a_definition(name="c"))
    with pytest.raises(NameTaken):
        submit(red, "a")
    commands.delete(red.engine, ANN, first.id)
    submit(red, "a")


def test_a_lowered_limit_takes_nothing_away(red: World) -> None:
    submit(red, "a")
    submit(red, "b")
    limit(red, max_jobs=0)
    with pytest.raises(QuotaExceeded, match="2 of at most 0"):
        submit(red, "c")
    changed = commands.patch(red.engine, ANN, "a", {"description": "still mine"})
    assert changed.revision == 2
    limit(red, max_jobs=None)
    submit(red, "c")


def test_a_repeated_request_has_its_answer_although_there_is_no_room_now(red: World) -> None:
    limit(red, max_jobs=1)
    once = Once("key", "the same", 201, lambda job: str(job.id))
    first = commands.submit(red.engine, ANN, a_definition(), once=once)
    again = commands.submit(red.engine, ANN, a_definition(), once=once)
    assert isinstance(first, Job)
    assert isinstance(again, Remembered)
    assert again.body == first.id


def test_a_backfill_has_at_most_so_many_times(red: World) -> None:
    submit(red, "a", schedule={"every": "PT1M", "start": "2026-01-01T11:00:00Z"})
    limit(red, max_backfill=5)
    wish = Wish(from_ms=NOON - 6 * MINUTE, to_ms=NOON)
    for attempt in (commands.plan_backfill, commands.create_backfill):
        with pytest.raises(QuotaExceeded, match=r"more than the 5 nominal times.* --max-backfill"):
            attempt(red.engine, ANN, "a", wish)
    commands.create_backfill(red.engine, ANN, "a", Wish(from_ms=NOON - 5 * MINUTE, to_ms=NOON))


def test_what_people_ask_for_waits_only_up_to_the_limit(red: World) -> None:
    submit(red, "a", schedule={"every": "P1D", "start": "2026-01-01T00:00:00Z"})
    red.advance(MINUTE)
    [ended] = instances_of(red.engine.store, queries.job(red.engine, ANN, "a").id)
    limit(red, max_waiting=2)
    commands.trigger(red.engine, ANN, "a")
    commands.trigger(red.engine, ANN, "a")
    told = r"red has 2 of at most 2 waiting instances.*--max-waiting 3"
    with pytest.raises(QuotaExceeded, match=told):
        commands.trigger(red.engine, ANN, "a")
    with pytest.raises(QuotaExceeded, match=told):
        commands.rerun(red.engine, ANN, ended.id)
    wish = Wish(from_ms=NOON - 86_400_000, to_ms=NOON)
    with pytest.raises(QuotaExceeded, match=told):
        commands.create_backfill(red.engine, ANN, "a", wish)
    choice = Choice(owner="red", jobs=("a",), states=(InstanceState.SUCCEEDED,))
    done = commands.change_many(red.engine, ANN, Wanted(Verb.RERUN, choice))
    assert (done.changed, done.refused) == (0, 1)
    red.advance(MINUTE)
    assert commands.change_many(red.engine, ANN, Wanted(Verb.RERUN, choice)).changed == 2


def test_what_an_owner_may_have_and_has_is_told(red: World) -> None:
    submit(red, "a")
    commands.trigger(red.engine, ANN, "a")
    limit(red, max_jobs=7)
    view = queries.owner(red.engine, ANN, "red")
    assert (view.quotas.jobs, view.quotas.waiting) == (7, USUAL.waiting)
    assert view.used == {"jobs": 1, "waiting": 1}
    for who, name in ((BLUE, "red"), (ADMIN, "nobody")):
        with pytest.raises(NotFound):
            queries.owner(red.engine, who, name)


def test_only_an_admin_sets_limits_and_each_change_is_history(red: World) -> None:
    with pytest.raises(Forbidden):
        commands.set_quotas(red.engine, ANN, "red", {"max_jobs": 9})
    with pytest.raises(NotFound):
        commands.set_quotas(red.engine, ADMIN, "nobody", {"max_jobs": 9})
    limit(red, max_jobs=9)
    limit(red, max_jobs=9)
    limit(red, max_jobs=None, max_waiting=None)
    events = queries.events(red.engine, ANN, EventFilter(verb="QUOTAS")).items
    assert [(one.owner, one.job_id, one.actor) for one in events] == [("red", "", "ada")] * 2
    assert json.loads(events[0].detail_json) == {"max_jobs": {"from": 9, "to": None}}


@pytest.mark.parametrize("kind", ["sqlite-file", "mariadb", "mysql"])
@pytest.mark.parametrize("after", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("failure", [Repeat, Unavailable])
def test_a_database_that_fails_midway_admits_none_too_many_and_loses_none(
    kind: str,
    after: bool,
    failure: type[Exception],
    open_empty: Callable[[str], SqlStore],
) -> None:
    """Each statement of a submission fails in turn; what was acknowledged is there, and no more."""
    plain = open_empty(kind)
    most = 4
    calm = World(plain, ids_from=1)
    commands.create_owner(calm.engine, ADMIN, "red")
    limit(calm, max_jobs=most)
    acknowledged: set[str] = set()
    step = 0
    while True:
        step += 1
        faults = Faults(step, lambda: failure("the connection was killed"), after=after)
        store = SqlStore(FaultyDriver(plain._driver, faults), pause=lambda _: None)
        world = World(store, ids_from=step * 1000)
        with suppress(QuotaExceeded, Unavailable):
            acknowledged.add(submit(world, f"job-{step}").id)
        present = {one.id for one in queries.jobs(calm.engine, ADMIN, JobFilter()).items}
        assert acknowledged == present
        assert len(present) <= most
        if faults.steps < step:
            break
        if len(acknowledged) == most:  # room again for the statements that come after the count
            commands.delete(calm.engine, ANN, acknowledged.pop())
    assert step > 6


@pytest.mark.parametrize("what", ["group", "calendar"])
def test_the_owner_is_locked_before_what_is_set(
    red: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = Session.query_listed

    def kept(self: Session, name: str, ids: Iterable[str], /, **parameters: Any) -> Any:
        asked.append(name)
        return plain(self, name, ids, **parameters)

    monkeypatch.setattr(Session, "query_listed", kept)
    if what == "group":
        commands.set_group(red.engine, ANN, "g", 1)
    else:
        commands.set_calendar(red.engine, ANN, "c", Calendar(dates=["2026-02-02"]))
    assert asked[0] == "lock_owners"
