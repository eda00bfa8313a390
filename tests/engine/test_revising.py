"""Another definition: what an update changes, what it leaves alone, and what it launches: nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.engine import commands, history, queries
from chalicelib.engine.commands.revising import merged
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.outcomes import Pending
from chalicelib.model.changes import changes
from chalicelib.model.definition import Definition
from chalicelib.model.errors import InvalidInput, NameTaken, NotFound, StaleEdit, WrongState
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState, JobState
from tests.engine.history import assert_accounted, instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

HOUR = 60 * MINUTE


def submit(world: World, *, scheduled: bool = True, **fields: Any) -> Job:
    job = commands.submit(world.engine, ADMIN, a_definition(**fields), schedule=scheduled)
    assert isinstance(job, Job)
    return job


def patch(world: World, **fields: Any) -> Job:
    return commands.patch(world.engine, ADMIN, "sample", fields)


def revisions(world: World) -> list[tuple[int, str | None, tuple[str, ...]]]:
    rows, _ = history.revisions(world.engine, ADMIN, "sample", before=None, limit=100)
    return [(row.revision, row.reason, row.changed) for row in rows]


def test_a_revision_says_who_made_it_why_and_what_changed(world: World) -> None:
    job = commands.submit(world.engine, ADMIN, a_definition(), reason="first")
    assert isinstance(job, Job)
    world.clock.now += 5
    fields = {"tags": {"tier": "gold"}, "policies": {"max_active": 3}}
    commands.patch(world.engine, ADMIN, "sample", fields, reason="slower")
    assert revisions(world) == [
        (2, "slower", ("tags.tier", "policies.max_active")),
        (1, "first", ()),
    ]
    [event] = queries.events(world.engine, ADMIN, EventFilter(verb="UPDATE"), "sample").items
    assert json.loads(event.detail_json)["changed"] == ["tags.tier", "policies.max_active"]
    first = history.revision(world.engine, ADMIN, "sample", 1)
    assert first.definition_json == job.definition_json
    with pytest.raises(NotFound, match="up to 2"):
        history.revision(world.engine, ADMIN, "sample", 3)


def test_pages_of_revisions_join(world: World) -> None:
    submit(world)
    for number in range(7):
        patch(world, description=f"{number}")
    seen: list[int] = []
    before = None
    while True:
        rows, before = history.revisions(world.engine, ADMIN, "sample", before=before, limit=3)
        seen += [row.revision for row in rows]
        if before is None:
            break
    assert seen == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"description": None},
        {"description": ""},
        {"policies": {"max_active": 16, "group": None}},
        {"policies": {"catch_up": "all"}},
        {"policies": {"on_failure": {"suspend_after": None}}},
        {"schedule": {"end": None, "timezone": "UTC"}},
        {"schedule": {"start": None}},
        {"target": {"note": None}},
        {"prerequisites": []},
    ],
    ids=str,
)
def test_what_means_the_same_is_no_revision(world: World, same: dict[str, Any]) -> None:
    """Nulls and defaults are written out in the stored definition, or in the patch, or in neither."""
    written = {"suspend_after": None}
    target = {"kind": "inline", "note": None}
    job = submit(world, policies={"on_failure": written, "group": None}, target=target)
    assert '"suspend_after":null' in job.definition_json
    assert patch(world, **same) == job
    assert not commands.plan_patch(world.engine, ADMIN, "sample", same).changes
    assert len(revisions(world)) == 1


def test_one_is_not_true_and_not_one_point_nought(world: World) -> None:
    submit(world, parameters={"n": 1})
    assert patch(world, parameters={"n": 1.0}).revision == 2
    assert patch(world, parameters={"n": True}).revision == 3


def test_a_mode_alone_leaves_limit_and_window(world: World) -> None:
    submit(world, policies={"catch_up": {"mode": "all", "limit": 7, "window": "P1D"}})
    after = patch(world, policies={"catch_up": "latest"}).definition.policies.catch_up
    assert (after.mode, after.limit, after.window) == ("latest", 7, "P1D")


SLUGS = st.sampled_from(["a", "b", "tier"])
TEXTS = st.sampled_from(["", "x", "gold"])
DURATIONS = st.sampled_from(["PT1M", "P1D"])
POLICIES: dict[str, st.SearchStrategy[Any]] = {
    "catch_up": st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from(["all", "latest", "none"]),
            "limit": st.sampled_from([1, 100, 7]),
            "window": st.none() | DURATIONS,
        },
    ),
    "overlap": st.sampled_from(["allow", "skip", "queue"]),
    "max_active": st.sampled_from([1, 16]),
    "retries": st.fixed_dictionaries(
        {},
        optional={
            "max_attempts": st.sampled_from([1, 3]),
            "delay": DURATIONS,
            "launch": st.fixed_dictionaries({}, optional={"max_attempts": st.sampled_from([3, 5])}),
        },
    ),
    "timeouts": st.fixed_dictionaries({}, optional={"wait": DURATIONS, "run": DURATIONS}),
    "on_failure": st.fixed_dictionaries(
        {}, optional={"suspend_after": st.none() | st.sampled_from([1, 5])}
    ),
}
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXTS,
    "tags": st.dictionaries(SLUGS, TEXTS),
    "parameters": st.dictionaries(SLUGS, st.sampled_from([1, 1.5, True, "x"])),
    "policies": st.fixed_dictionaries({}, optional=POLICIES),
    "schedule": st.fixed_dictionaries(
        {"every": DURATIONS, "start": st.just("2026-01-01T00:00:00Z")},
        optional={"end": st.none() | st.just("2030-01-01T00:00:00Z"), "timezone": st.just("UTC")},
    ),
    "target": st.fixed_dictionaries(
        {"kind": st.just("inline")},
        optional={"deep": st.dictionaries(SLUGS, st.none() | TEXTS), "note": st.none() | TEXTS},
    ),
}
DEFINITIONS = st.fixed_dictionaries({"name": st.just("sample"), **FIELDS})
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        **{name: value for name, value in FIELDS.items() if name != "schedule"},
        "tags": st.dictionaries(SLUGS, st.none() | TEXTS),
        "policies": st.none()
        | st.fixed_dictionaries(
            {}, optional={name: st.none() | value for name, value in POLICIES.items()}
        ),
    },
)


def leaves(document: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from leaves(value, (*at, key))
    else:
        yield at, document


def is_named(path: tuple[str, ...], patched: Any) -> bool:
    """Whether a merge patch says anything about that place, or about what it is a part of."""
    for step in path:
        if not isinstance(patched, dict):
            return True
        if step not in patched:
            return False
        patched = patched[step]
    return True


@settings(max_examples=300, deadline=None)
@given(DEFINITIONS, PATCHES)
def test_a_patch_changes_nothing_that_it_does_not_name(
    before: dict[str, Any], patched: dict[str, Any]
) -> None:
    """As it is stored and as it is meant, defaults included; and a second time it changes nothing."""
    stored = Definition.model_validate(before)
    document = json.loads(stored.to_json())
    after = Definition.model_validate(merged(document, patched))
    result = dict(leaves(json.loads(after.to_json())))
    for path, value in leaves(document):
        if not is_named(path, patched):
            assert result.get(path, "gone") == value, path
    meant = dict(leaves(after.model_dump(mode="json")))
    for path, value in leaves(stored.model_dump(mode="json")):
        if not is_named(path, patched):
            assert meant.get(path, "gone") == value, path
    again = Definition.model_validate(merged(json.loads(after.to_json()), patched))
    assert not changes(after.to_json(), again.to_json())
    named = {change.field.split(".")[0] for change in changes(stored.to_json(), after.to_json())}
    assert named <= set(patched)


def test_a_plan_says_what_would_change_and_changes_nothing(world: World) -> None:
    job = submit(world)
    submit(world, name="other")
    wanted = a_definition(schedule={"every": "PT5M"}, tags={"tier": "gold"})
    planned = commands.plan_update(world.engine, ADMIN, "sample", wanted)
    assert {change.field: (change.before, change.after) for change in planned.changes} == {
        "tags.tier": (None, "gold"),
        "schedule.every": ("PT1M", "PT5M"),
    }
    assert planned.definition.schedule.start == job.definition.schedule.start
    assert queries.job(world.engine, ADMIN, "sample") == job
    updated = commands.update(world.engine, ADMIN, "sample", wanted)
    assert updated.definition == planned.definition


def test_a_plan_refuses_what_the_update_would(world: World) -> None:
    job = submit(world)
    submit(world, name="other")
    wanted = a_definition(schedule={"every": "PT5M", "exclude": ["unknown"]})
    with pytest.raises(InvalidInput, match="calendar"):
        commands.plan_update(world.engine, ADMIN, "sample", wanted)
    with pytest.raises(StaleEdit):
        commands.plan_update(world.engine, ADMIN, "sample", a_definition(), if_match=7)
    with pytest.raises(NameTaken):
        commands.plan_patch(world.engine, ADMIN, "sample", {"name": "other"})
    with pytest.raises(InvalidInput, match="group"):
        commands.plan_patch(world.engine, ADMIN, "sample", {"policies": {"group": "unknown"}})
    commands.delete(world.engine, ADMIN, "sample")
    with pytest.raises(WrongState):
        commands.plan_patch(world.engine, ADMIN, job.id, {"description": "x"})


def test_what_exists_keeps_its_revision_and_the_limits_are_the_present_ones(world: World) -> None:
    """One runs, one waits its turn; the update lets both run, and only what comes later is new."""
    world.targets.otherwise = Pending()
    job = submit(world, target={"kind": "started"}, policies={"max_active": 1})
    world.advance(MINUTE)
    running, waiting = instances_of(world.engine.store, job.id)
    assert (running.state, waiting.state) == (InstanceState.LAUNCHED, InstanceState.WAITING)
    target = {"kind": "started", "version": "new"}
    commands.patch(world.engine, ADMIN, "sample", {"target": target, "policies": {"max_active": 9}})
    world.advance(MINUTE)
    rows = instances_of(world.engine.store, job.id)
    assert [(one.revision, one.state) for one in rows] == [
        (1, InstanceState.LAUNCHED),
        (1, InstanceState.LAUNCHED),
        (2, InstanceState.LAUNCHED),
    ]
    launched = {
        request.instance_id: request.spec.get("version")
        for verb, request in world.targets.calls
        if verb == "launch"
    }
    assert [launched[one.id] for one in rows] == [None, None, "new"]


def test_another_schedule_holds_from_now_and_launches_nothing_of_the_past(world: World) -> None:
    job = submit(world, schedule={"every": "PT1H", "start": "2026-01-01T12:00:00Z"})
    world.advance(90 * MINUTE)
    schedule = {"every": "PT1M", "start": "2025-01-01T00:00:00Z", "end": "2026-01-01T14:00:00Z"}
    patch(world, schedule=schedule)
    world.advance(HOUR)
    fired = [one.nominal_ms for one in instances_of(world.engine.store, job.id)]
    updated = NOON + 90 * MINUTE
    assert fired == [NOON, NOON + HOUR, *range(updated, NOON + 2 * HOUR, MINUTE)]
    assert skips_of(world.engine.store, job.id) == []
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.EXPIRED


def test_what_the_old_schedule_left_undone_is_accounted_for_by_it(world: World) -> None:
    """The server was away: the update settles the span as the old revision wants it."""
    job = submit(world, policies={"catch_up": "none"})
    world.advance(MINUTE)
    world.clock.now += 10 * MINUTE
    patch(world, schedule={"every": "PT7M"})
    [skip] = skips_of(world.engine.store, job.id)
    assert (skip.reason, skip.revision) == ("CATCH_UP_NONE", 1)
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(11)])


def test_an_expired_job_with_a_later_end_goes_on_from_now(world: World) -> None:
    """Extended and scheduled again: nothing is launched of the time in which it was over."""
    hour = {"every": "PT1M", "start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:03:00Z"}
    job = submit(world, schedule=hour)
    world.advance(10 * MINUTE)
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.EXPIRED
    with pytest.raises(WrongState, match="later end"):
        commands.schedule(world.engine, ADMIN, "sample")
    planned = commands.plan_patch(
        world.engine, ADMIN, "sample", {"schedule": {"end": "2026-01-01T12:30:00Z"}}
    )
    assert [change.field for change in planned.changes] == ["schedule.end"]
    extended = patch(world, schedule={"end": "2026-01-01T12:30:00Z"})
    assert extended.state is JobState.EXPIRED
    world.advance(5 * MINUTE)
    assert len(instances_of(world.engine.store, job.id)) == 3
    commands.schedule(world.engine, ADMIN, "sample")
    world.advance(20 * MINUTE)
    fired = [one.nominal_ms for one in instances_of(world.engine.store, job.id)]
    resumed = [NOON + k * MINUTE for k in range(15, 30)]
    assert fired == [*(NOON + k * MINUTE for k in range(3)), *resumed]
    # Those of the new end that had passed while it was over are told, with the reason.
    skips = skips_of(world.engine.store, job.id)
    assert {(skip.reason, skip.revision) for skip in skips} == {("EXPIRED", 2)}
    assert_accounted(world.engine.store, job.id, [NOON + k * MINUTE for k in range(30)])
    assert queries.job(world.engine, ADMIN, "sample").state is JobState.EXPIRED
