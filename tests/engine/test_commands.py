"""The verbs, one by one, on a real store."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.filters import EventFilter, InstanceFilter, JobFilter
from chalicelib.engine.once import Once
from chalicelib.engine.outcomes import Pending, Stopped
from chalicelib.engine.ports import Remembered
from chalicelib.engine.views import InstanceView
from chalicelib.model.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    InvalidInput,
    KeyReused,
    NameTaken,
    NotFound,
    StaleEdit,
    WrongState,
)
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceKind, InstanceState, JobState, Role
from tests.engine.history import assert_accounted, instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

ANN = Principal("ann", roles={"red": Role.OWNER})
OTTO = Principal("otto", roles={"red": Role.OPERATOR})
VERA = Principal("vera", roles={"red": Role.VIEWER})
BLUE = Principal("bo", roles={"blue": Role.OWNER})


def submit(world: World, principal: Principal = ADMIN, **changes: Any) -> Job:
    job = commands.submit(world.engine, principal, a_definition(**changes), schedule=True)
    assert isinstance(job, Job)
    return job


def states(world: World, job: Job) -> list[str]:
    return [one.state.value for one in instances_of(world.engine.store, job.id)]


def test_a_job_is_new_until_it_is_scheduled(world: World) -> None:
    job = commands.submit(world.engine, ADMIN, a_definition())
    assert isinstance(job, Job)
    assert (job.state, job.wake_ms, job.revision) == (JobState.NEW, None, 1)
    world.advance(5 * MINUTE)
    assert states(world, job) == []
    assert commands.schedule(world.engine, ADMIN, "sample").state is JobState.SCHEDULED


def test_a_scheduled_job_fires_and_its_record_is_kept(world: World) -> None:
    job = submit(world)
    world.advance(3 * MINUTE)
    assert states(world, job) == ["SUCCEEDED"] * 4
    first = instances_of(world.engine.store, job.id)[0]
    assert (first.nominal_ms, first.started_ms, first.ended_ms) == (NOON, NOON, NOON)
    assert len(world.targets.executions) == 4


def test_a_job_of_every_few_seconds_fires_in_its_first_minute(world: World) -> None:
    world.clock.now = NOON + 1_000
    job = submit(world, schedule={"every": "PT20S", "start": "2026-01-01T12:00:00Z"})
    world.advance_to(NOON + 2 * MINUTE)
    fired = {one.nominal_ms: one.started_ms for one in instances_of(world.engine.store, job.id)}
    assert list(fired) == [NOON + k * 20_000 for k in range(7)]
    assert all(fired[at] == at for at in fired if at > NOON)


def test_an_owner_has_a_name_once_and_gets_it_back_by_deleting(world: World) -> None:
    first = submit(world)
    with pytest.raises(NameTaken):
        submit(world)
    with pytest.raises(NameTaken):
        commands.check(world.engine, ADMIN, a_definition())
    commands.delete(world.engine, ADMIN, "sample")
    assert submit(world).id != first.id
    assert queries.job(world.engine, ADMIN, first.id).state is JobState.DELETED


def test_a_suspended_span_is_skipped_and_what_waited_is_held(world: World) -> None:
    job = submit(world)
    world.advance(MINUTE)
    commands.suspend(world.engine, ADMIN, "sample", reason="maintenance")
    world.advance(10 * MINUTE)
    resumed = commands.resume(world.engine, ADMIN, "sample")
    assert resumed.suspension is None
    world.advance(2 * MINUTE)
    [skip] = skips_of(world.engine.store, job.id)
    assert skip.reason == "SUSPENDED"
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(14)])


@pytest.mark.parametrize(("catch_up", "launched"), [("all", 9), ("latest", 1), ("none", 0)])
def test_resume_catches_up_only_when_asked(world: World, catch_up: str, launched: int) -> None:
    job = submit(world)
    world.advance(MINUTE)
    commands.suspend(world.engine, ADMIN, "sample")
    before = len(states(world, job))
    world.clock.now += 10 * MINUTE - 1
    commands.resume(world.engine, ADMIN, "sample", catch_up=catch_up)
    assert len(states(world, job)) - before == launched
    world.advance(2 * MINUTE)
    minutes = int((world.clock.now - NOON) / MINUTE) + 1
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(minutes)])


def test_a_suspension_with_an_end_resumes_itself(world: World) -> None:
    job = submit(world)
    world.advance(MINUTE)
    commands.suspend(world.engine, ADMIN, "sample", until_ms=NOON + 5 * MINUTE)
    world.advance(6 * MINUTE)
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.SCHEDULED
    fired = [one.nominal_ms for one in instances_of(world.engine.store, job.id)]
    assert fired == [NOON + k * MINUTE for k in (0, 1, 5, 6, 7)]


def test_an_update_takes_effect_from_now_and_instances_keep_their_revision(world: World) -> None:
    job = submit(world)
    world.advance(2 * MINUTE)
    changed = commands.patch(
        world.engine, ADMIN, "sample", {"schedule": {"every": "PT2M"}}, if_match=job.edit
    )
    assert changed.revision == 2
    world.advance(4 * MINUTE)
    rows = instances_of(world.engine.store, job.id)
    assert [(one.nominal_ms - NOON) // MINUTE for one in rows] == [0, 1, 2, 4, 6]
    assert [one.revision for one in rows] == [1, 1, 1, 2, 2]


def test_a_patch_changes_what_it_names_and_an_equal_definition_nothing(world: World) -> None:
    submit(world, description="old", tags={"tier": "gold"})
    patched = commands.patch(world.engine, ADMIN, "sample", {"description": "new"})
    assert (patched.definition.description, patched.definition.tags) == ("new", {"tier": "gold"})
    again = commands.patch(world.engine, ADMIN, "sample", {"description": "new"})
    assert (again.revision, again.edit) == (patched.revision, patched.edit)
    same = commands.update(world.engine, ADMIN, "sample", patched.definition)
    assert same.edit == patched.edit


@pytest.mark.parametrize("suspended", [True, False])
def test_an_update_that_changes_nothing_leaves_no_seam(world: World, suspended: bool) -> None:
    """It settles like any other: the next one must not account for the same span again."""
    job = submit(world, policies={"catch_up": {"mode": "all", "limit": 2}})
    if suspended:
        commands.suspend(world.engine, ADMIN, job.id)
    for _ in range(3):
        world.clock.now += 5 * MINUTE + MINUTE // 2
        commands.patch(world.engine, ADMIN, job.id, {})
    commands.resume(world.engine, ADMIN, job.id)
    world.advance(5 * MINUTE)
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(22)])


def test_a_stale_edit_is_refused_and_changes_nothing(world: World) -> None:
    job = submit(world)
    commands.suspend(world.engine, ADMIN, "sample")
    with pytest.raises(StaleEdit):
        commands.expire(world.engine, ADMIN, "sample", if_match=job.edit)
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.SUSPENDED


def test_an_expired_job_fires_no_more_and_can_be_scheduled_again(world: World) -> None:
    job = submit(world)
    commands.expire(world.engine, ADMIN, "sample")
    world.advance(3 * MINUTE)
    assert states(world, job) == []
    commands.schedule(world.engine, ADMIN, "sample")
    world.advance(MINUTE)
    assert [skip.reason for skip in skips_of(world.engine.store, job.id)] == ["EXPIRED"]
    assert states(world, job) == ["SUCCEEDED"] * 2


def test_a_job_whose_end_has_come_is_expired_and_extending_it_brings_it_back(world: World) -> None:
    schedule = {"every": "PT1M", "start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:02:00Z"}
    job = submit(world, schedule=schedule)
    world.advance(3 * MINUTE)
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.EXPIRED
    with pytest.raises(WrongState, match="can fire"):
        commands.schedule(world.engine, ADMIN, "sample")
    commands.patch(world.engine, ADMIN, "sample", {"schedule": {"end": "2026-01-01T12:10:00Z"}})
    commands.schedule(world.engine, ADMIN, "sample")
    world.advance(10 * MINUTE)
    rows = instances_of(world.engine.store, job.id)
    assert [(one.nominal_ms - NOON) // MINUTE for one in rows] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_repeating_a_command_is_no_error(world: World) -> None:
    submit(world)
    first = commands.suspend(world.engine, ADMIN, "sample", reason="once")
    assert commands.suspend(world.engine, ADMIN, "sample", reason="once") == first


def test_a_move_that_the_machine_does_not_have_names_what_it_has(world: World) -> None:
    commands.submit(world.engine, ADMIN, a_definition())
    with pytest.raises(WrongState, match="schedule"):
        commands.suspend(world.engine, ADMIN, "sample")


def test_delete_skips_what_waits_and_asks_runs_to_stop_when_told(world: World) -> None:
    job = submit(world, target={"kind": "started"}, policies={"max_active": 1})
    world.targets.otherwise = Pending()
    world.advance(MINUTE)
    assert states(world, job) == ["LAUNCHED", "WAITING"]
    running = instances_of(world.engine.store, job.id)[0]
    world.targets.endings[running.token] = Stopped()
    commands.delete(world.engine, ADMIN, "sample", kill=True)
    world.deliver()
    assert states(world, job) == ["KILLED", "SKIPPED"]
    with pytest.raises(NotFound):
        queries.job(world.engine, ADMIN, "sample")


def test_a_trigger_runs_beside_the_schedule_with_its_parameters(world: World) -> None:
    job = submit(world, parameters={"country": "all"}, schedule={"every": "P1D"})
    view = commands.trigger(world.engine, ADMIN, "sample", parameters={"country": "de"})
    again = commands.trigger(world.engine, ADMIN, "sample")
    assert isinstance(view, InstanceView)
    assert isinstance(again, InstanceView)
    assert view.instance.kind is InstanceKind.MANUAL
    assert view.instance.nominal_ms % 1000 != 0
    assert again.instance.id != view.instance.id
    world.deliver()
    assert states(world, job) == ["SUCCEEDED"] * 3
    bound = [request.bindings["country"] for _, request in world.targets.calls]
    assert sorted(map(str, bound)) == ["all", "all", "de"]


def test_a_trigger_refuses_what_is_not_the_jobs(world: World) -> None:
    submit(world)
    world.advance(2 * MINUTE)
    with pytest.raises(InvalidInput, match="no parameter"):
        commands.trigger(world.engine, ADMIN, "sample", parameters={"nope": 1})
    with pytest.raises(InvalidInput, match="no nominal time"):
        commands.trigger(world.engine, ADMIN, "sample", nominal_ms=NOON + 1)
    with pytest.raises(AlreadyExists, match="rerun"):
        commands.trigger(world.engine, ADMIN, "sample", nominal_ms=NOON)
    with pytest.raises(InvalidInput, match="ahead"):
        commands.trigger(world.engine, ADMIN, "sample", nominal_ms=NOON + 60 * MINUTE)


def test_a_waiting_instance_is_killed_at_once_and_a_run_is_asked(world: World) -> None:
    job = submit(world, target={"kind": "started"}, policies={"max_active": 1})
    world.targets.otherwise = Pending()
    world.advance(MINUTE)
    running, waiting = instances_of(world.engine.store, job.id)
    assert commands.kill(world.engine, ADMIN, waiting.id).instance.state is InstanceState.KILLED
    asked = commands.kill(world.engine, ADMIN, running.id, reason="too slow").instance
    assert asked.state is InstanceState.LAUNCHED
    assert asked.stop is not None
    world.deliver()
    assert world.targets.cancelled == [running.token]
    world.targets.endings[running.token] = Stopped()
    world.advance(MINUTE)
    ended = queries.instance(world.engine, ADMIN, running.id).instance
    assert (ended.state, ended.reason) == (InstanceState.KILLED, "KILLED")


def test_an_unconfirmed_stop_ends_after_five_minutes(world: World) -> None:
    job = submit(world, target={"kind": "started"}, schedule={"every": "P1D"})
    world.deliver()
    [running] = instances_of(world.engine.store, job.id)
    world.targets.endings[running.token] = Pending()
    commands.kill(world.engine, ADMIN, running.id)
    world.advance(6 * MINUTE)
    ended = queries.instance(world.engine, ADMIN, running.id).instance
    assert (ended.state, ended.reason) == (InstanceState.KILLED, "STOP_UNCONFIRMED")


def test_killing_what_has_ended_is_a_conflict(world: World) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    with pytest.raises(WrongState, match="SUCCEEDED"):
        commands.kill(world.engine, ADMIN, one.id)


def test_a_request_with_a_key_is_answered_once(world: World) -> None:
    once = Once("k", "f", 201, lambda job: str(job.id))
    first = commands.submit(world.engine, ADMIN, a_definition(), once=once)
    again = commands.submit(world.engine, ADMIN, a_definition(), once=once)
    assert isinstance(first, Job)
    assert isinstance(again, Remembered)
    assert again.body == first.id
    other = Once("k", "other", 201, str)
    with pytest.raises(KeyReused):
        commands.submit(world.engine, ADMIN, a_definition(name="other"), once=other)


def test_somebody_elses_job_does_not_exist_and_a_role_has_its_limits(world: World) -> None:
    job = submit(world, ANN)
    assert job.owner == "red"
    with pytest.raises(NotFound):
        queries.job(world.engine, BLUE, "sample")
    with pytest.raises(NotFound):
        commands.suspend(world.engine, BLUE, job.id)
    with pytest.raises(Forbidden, match="operator"):
        commands.suspend(world.engine, VERA, "sample")
    with pytest.raises(Forbidden, match="owner"):
        commands.delete(world.engine, OTTO, "sample")
    assert commands.suspend(world.engine, OTTO, "sample").state is JobState.SUSPENDED
    assert queries.jobs(world.engine, BLUE, JobFilter()).items == []
    assert [one.id for one in queries.jobs(world.engine, VERA, JobFilter()).items] == [job.id]


def test_a_name_of_two_owners_must_say_whose(world: World) -> None:
    red = submit(world, ANN)
    submit(world, BLUE)
    with pytest.raises(Conflict, match="blue:sample"):
        queries.job(world.engine, ADMIN, "sample")
    assert queries.job(world.engine, ADMIN, "red:sample").id == red.id


def test_history_says_who_did_what(world: World) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.deliver()
    commands.suspend(world.engine, ADMIN, "sample", reason="maintenance")
    page = queries.events(world.engine, ADMIN, EventFilter(), "sample")
    assert [(one.actor, one.verb, one.reason) for one in page.items] == [
        ("ada", "SUSPEND", "maintenance"),
        ("noonday", "SUCCEEDED", None),
        ("ada", "SUBMIT", None),
    ]
    assert {one.job_id for one in page.items} == {job.id}


def test_pages_join_without_gap_or_overlap(world: World) -> None:
    job = submit(world)
    world.advance(20 * MINUTE)
    seen: list[str] = []
    after = None
    while True:
        wanted = InstanceFilter(limit=6, after=after)
        page = queries.instances(world.engine, ADMIN, wanted, "sample")
        seen.extend(view.instance.id for view in page.items)
        after = page.next
        if after is None:
            break
    assert seen == [one.id for one in reversed(instances_of(world.engine.store, job.id))]


def test_a_rerun_is_a_new_run_with_the_history_kept(world: World) -> None:
    job = submit(world, schedule={"every": "P1D"})
    world.deliver()
    [one] = instances_of(world.engine.store, job.id)
    commands.patch(world.engine, ADMIN, "sample", {"description": "revised"})
    view = commands.rerun(world.engine, ADMIN, one.id, reason="data was late")
    assert [run.state for run in view.runs] == [InstanceState.SUCCEEDED, InstanceState.WAITING]
    with pytest.raises(WrongState, match="ended"):
        commands.rerun(world.engine, ADMIN, one.id)
    world.deliver()
    again = queries.instance(world.engine, ADMIN, one.id).instance
    assert (again.state, again.run, again.revision) == (InstanceState.SUCCEEDED, 2, 2)
    original = commands.rerun(world.engine, ADMIN, one.id, original=True).instance
    assert original.revision == 2
    assert len({request.token for _, request in world.targets.calls}) == 2


def test_a_rerun_that_is_asked_for_during_a_suspension_runs(world: World) -> None:
    job = submit(world)
    world.advance(MINUTE)
    first, second = instances_of(world.engine.store, job.id)
    commands.rerun(world.engine, ADMIN, first.id)
    world.clock.now += 1
    commands.suspend(world.engine, ADMIN, "sample")
    world.clock.now += 1
    commands.rerun(world.engine, ADMIN, second.id)
    world.deliver()
    assert states(world, job) == ["WAITING", "SUCCEEDED"]
    commands.resume(world.engine, ADMIN, "sample")
    world.deliver()
    assert states(world, job) == ["SUCCEEDED", "SUCCEEDED"]


def test_only_what_waits_can_be_skipped(world: World) -> None:
    job = submit(world, target={"kind": "started"}, policies={"max_active": 1})
    world.targets.otherwise = Pending()
    world.advance(MINUTE)
    running, waiting = instances_of(world.engine.store, job.id)
    assert commands.skip(world.engine, ADMIN, waiting.id).instance.state is InstanceState.SKIPPED
    assert commands.skip(world.engine, ADMIN, waiting.id).instance.state is InstanceState.SKIPPED
    with pytest.raises(WrongState, match="waits"):
        commands.skip(world.engine, ADMIN, running.id)
