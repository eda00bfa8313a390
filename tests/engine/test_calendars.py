"""Calendars and the jobs that name them: no seam when one changes, and none is forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.filters import EventFilter, JobFilter
from chalicelib.engine.ports import Store
from chalicelib.model.calendar import Calendar
from chalicelib.model.errors import CalendarInUse, Conflict, Forbidden, InvalidInput, StaleEdit
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import JobState, Role
from chalicelib.store import SqlStore
from tests.engine.crashing import Fuse
from tests.engine.history import assert_accounted, instances_of
from tests.engine.test_crashes import Life, tidied_today
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

KINDS = ("sqlite-memory", "mariadb", "mysql")
LUNCH = "2026-01-01T12:01:00Z/2026-01-01T12:03:00Z"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, open_empty: Callable[[str], SqlStore]) -> SqlStore:
    return open_empty(request.param)


def a_calendar(*spans: str, **fields: Any) -> Calendar:
    return Calendar.model_validate({"spans": list(spans), **fields})


def minutely(**schedule: Any) -> Any:
    return a_definition(
        target={"kind": "started"},
        schedule={"every": "PT1M", "start": "2026-01-01T12:00:00Z", "exclude": ["c"], **schedule},
    )


def submitted(world: World, **schedule: Any) -> Job:
    job = commands.submit(world.engine, ADMIN, minutely(**schedule), schedule=True)
    assert isinstance(job, Job)
    return job


def nominal_times(world: World, job: Job) -> list[int]:
    return sorted(
        (one.nominal_ms - NOON) // MINUTE for one in instances_of(world.engine.store, job.id)
    )


def test_an_excluded_time_does_not_fire(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    job = submitted(world)
    world.advance_to(NOON + 5 * MINUTE)
    assert nominal_times(world, job) == [0, 3, 4, 5]


def test_a_change_counts_from_now_on_and_leaves_no_seam(store: Store) -> None:
    """The engine was away while the first of the times came: the old calendar decides them."""
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    job = submitted(world)
    world.clock.now = NOON + 4 * MINUTE + 1
    later = "2026-01-01T12:05:00Z/2026-01-01T12:07:00Z"
    result = commands.set_calendar(world.engine, ADMIN, "c", a_calendar(later), reason="moved")
    assert [one.id for one in result.jobs] == [job.id]
    world.advance_to(NOON + 8 * MINUTE)
    assert nominal_times(world, job) == [0, 3, 4, 7, 8]
    after = queries.job(world.engine, ADMIN, job.id)
    assert (after.revision, after.edit) == (2, job.edit + 1)
    revisions = {one.nominal_ms: one.revision for one in instances_of(store, job.id)}
    assert revisions[NOON + 4 * MINUTE] == 1
    assert revisions[NOON + 7 * MINUTE] == 2
    [event] = queries.events(world.engine, ADMIN, EventFilter(verb="CALENDAR"), job.id).items
    assert event.reason == "moved"
    assert json.loads(event.detail_json)["calendar"] == "c"


def test_a_time_that_was_brought_back_fires_at_its_second(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    job = submitted(world)
    world.advance_to(NOON + 30_000)
    commands.set_calendar(world.engine, ADMIN, "c", Calendar())
    world.advance_to(NOON + 2 * MINUTE)
    assert nominal_times(world, job) == [0, 1, 2]


def test_the_request_knows_the_previous_time_that_was_not_excluded(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    submitted(world)
    world.advance_to(NOON + 3 * MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", Calendar())
    requests = [request for _, request in world.targets.calls]
    [request] = [
        one.bindings for one in requests if one.bindings["nominal_ms"] == NOON + 3 * MINUTE
    ]
    assert request["previous_time"] == "2026-01-01 12:00:00"


def test_a_calendar_that_leaves_nothing_of_a_job_is_refused(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    job = submitted(world, end="2026-01-01T12:05:00Z")
    with pytest.raises(Conflict, match="leave no time at which sample"):
        commands.set_calendar(world.engine, ADMIN, "c", a_calendar(dates=["2026-01-01"]))
    assert queries.job(world.engine, ADMIN, job.id) == job
    assert queries.calendar(world.engine, ADMIN, "c")[0].edit == 1
    with pytest.raises(InvalidInput, match=r"schedule\.exclude: leaves no time"):
        commands.patch(
            world.engine,
            ADMIN,
            job.id,
            {"schedule": {"start": "2026-01-01T12:01:00Z", "end": "2026-01-01T12:03:00Z"}},
        )


def test_a_job_whose_rest_is_excluded_expires(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", Calendar())
    job = submitted(world, end="2026-01-01T12:03:00Z")
    world.advance_to(NOON + 1)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    assert queries.job(world.engine, ADMIN, job.id).state is JobState.EXPIRED
    assert nominal_times(world, job) == [0]


def test_unknown_calendars_are_refused_with_what_was_meant(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    with pytest.raises(InvalidInput, match="has none yet"):
        submitted(world)
    commands.set_calendar(world.engine, ADMIN, "holidays", Calendar())
    with pytest.raises(InvalidInput, match=r"schedule\.exclude: .* did you mean holidays\?"):
        submitted(world, exclude=["holiday"])
    with pytest.raises(InvalidInput, match="did you mean holidays"):
        commands.check(world.engine, ADMIN, minutely(exclude=["holidais"]))
    with pytest.raises(InvalidInput, match="twice"):
        submitted(world, exclude=["holidays", "holidays"])


def test_a_calendar_in_use_cannot_be_deleted(store: Store) -> None:
    world = World(store, now_ms=NOON - MINUTE)
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    first = submitted(world)
    with pytest.raises(CalendarInUse, match="named by sample"):
        commands.delete_calendar(world.engine, ADMIN, "c")
    commands.patch(world.engine, ADMIN, first.id, {"schedule": {"exclude": None}})
    commands.delete_calendar(world.engine, ADMIN, "c")
    assert queries.calendars(world.engine, ADMIN) == []
    commands.set_calendar(world.engine, ADMIN, "c", a_calendar(LUNCH))
    commands.patch(world.engine, ADMIN, first.id, {"schedule": {"exclude": ["c"]}})
    commands.delete(world.engine, ADMIN, first.id)
    commands.delete_calendar(world.engine, ADMIN, "c")


def test_edits_and_roles(store: Store) -> None:
    world = World(store, now_ms=NOON)
    ada = Principal("ada", roles={"red": Role.OWNER})
    bob = Principal("bob", roles={"red": Role.OPERATOR})
    made = commands.set_calendar(world.engine, ada, "c", Calendar())
    assert made.created
    again = commands.set_calendar(world.engine, ada, "c", Calendar(), if_match=1)
    assert (again.created, again.calendar.edit) == (False, 1)
    with pytest.raises(StaleEdit):
        commands.set_calendar(world.engine, ada, "c", a_calendar(LUNCH), if_match=2)
    with pytest.raises(StaleEdit):
        commands.set_calendar(world.engine, ada, "d", a_calendar(LUNCH), if_match=1)
    with pytest.raises(Forbidden):
        commands.set_calendar(world.engine, bob, "c", a_calendar(LUNCH))
    with pytest.raises(Forbidden):
        commands.delete_calendar(world.engine, bob, "c")
    with pytest.raises(InvalidInput, match="cron"):
        commands.set_calendar(world.engine, ada, "c", a_calendar(cron="* * *"))
    assert queries.calendar(world.engine, bob, "c")[0].name == "c"
    assert queries.calendars(world.engine, Principal("eve")) == []


def life_with_calendars(store: Store, fuse: Fuse, number: int) -> Life:
    """Set a calendar, submit a job, fire, change the calendar between two fires, fire again."""
    life = Life(store, fuse, number, keep_messages=False)

    def set_first(life: Life) -> None:
        commands.set_calendar(life.world.engine, ADMIN, "c", a_calendar(LUNCH), owner=life.owner)

    def submit(life: Life) -> None:
        found = queries.jobs(life.world.engine, ADMIN, _jobs_of(life)).items
        job = found[0] if found else None
        if job is None:
            made = commands.submit(
                life.world.engine,
                ADMIN,
                minutely(end="2026-01-01T12:08:00Z"),
                owner=life.owner,
                schedule=True,
            )
            assert isinstance(made, Job)
            job = made
        life.job_id = job.id

    def change(life: Life) -> None:
        later = a_calendar("2026-01-01T12:05:00Z/2026-01-01T12:07:00Z")
        commands.set_calendar(life.world.engine, ADMIN, "c", later, owner=life.owner)

    life.do(set_first)
    life.do(submit)
    life.do(lambda life: life.world.advance_to(NOON + 30_000))
    life.world.clock.now = NOON + 4 * MINUTE + 30_000
    life.do(change)
    life.do(lambda life: life.world.advance_to(NOON + 20 * MINUTE))
    return life


def _jobs_of(life: Life) -> JobFilter:
    return JobFilter(owner=life.owner)


@pytest.mark.parametrize(("kind", "stride"), [("sqlite-memory", 1), ("mariadb", 5)])
def test_dying_around_every_effect_leaves_no_seam(
    kind: str, stride: int, open_empty: Callable[[str], SqlStore]
) -> None:
    """Every moment on SQLite; every fifth on MariaDB, where it is the rollback that is on trial."""
    store = open_empty(kind)
    tidied_today(store)
    fuse = Fuse()
    life_with_calendars(store, fuse, 0)
    assert fuse.count > 20
    for moment in fuse.moments(stride):
        life = life_with_calendars(store, Fuse(moment), moment + 1)
        assert life.crashes == 1
        assert_accounted(life.store, life.job_id, [NOON + k * MINUTE for k in (0, 3, 4, 7)])
        times = [(one.nominal_ms - NOON) // MINUTE for one in instances_of(life.store, life.job_id)]
        assert sorted(times) == [0, 3, 4, 7], moment
