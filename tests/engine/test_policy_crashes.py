"""The process dies at any moment of the stories of policies: slots of a group are neither lost nor given
twice, the newest replaces the others, a series of failures suspends once, and no launch is tried beyond its
budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from chalicelib.engine import commands, group_views
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.outcomes import Failed, Running, Succeeded
from chalicelib.engine.ports import Store
from chalicelib.model.errors import NotFound, WrongState
from chalicelib.model.instance import Instance
from chalicelib.model.states import InstanceState, JobState, Reason
from tests.engine.crashing import Fuse
from tests.engine.history import (
    assert_accounted,
    assert_one_identity,
    assert_settled,
    instances_of,
)
from tests.engine.test_crashes import (
    END,
    HALF,
    NOMINAL,
    Life,
    Step,
    delete,
    submit,
    submit_upstream,
    suspend,
    tidied_today,
    until,
)
from tests.engine.world import ADMIN, MINUTE, NOON

S = InstanceState


def the_end(life: Life) -> None:
    life.do(until(END + 12 * MINUTE))


def told(life: Life, *steps: Step) -> None:
    for step in steps:
        life.do(step)


def assert_as_scheduled(life: Life, job_id: str) -> Sequence[Instance]:
    assert_accounted(life.store, job_id, NOMINAL)
    assert_settled(life.store, job_id)
    return instances_of(life.store, job_id)


def most_at_once(life: Life) -> int:
    """As the targets saw it: between the call that began a run and the one that told of its end."""
    going: set[str] = set()
    most = 0
    for verb, request in life.outside.calls:
        if verb == "launch":
            going.add(request.token)
        elif verb == "describe" or request.token in life.outside.cancelled:
            going.discard(request.token)
        most = max(most, len(going))
    return most


# ---- two jobs, one slot


def resize(size: int) -> Step:
    def step(life: Life) -> None:
        commands.set_group(life.world.engine, ADMIN, "one", size, owner=life.owner)

    return step


def delete_group(life: Life) -> None:
    try:
        commands.delete_group(life.world.engine, ADMIN, "one", owner=life.owner)
    except NotFound:
        assert life.crashes, "it was there"


def delete_both(life: Life) -> None:
    for job_id in (life.job_id, life.upstream_id):
        commands.delete(life.world.engine, ADMIN, job_id)


def share_a_slot(kind: str, life: Life) -> None:
    """One slot, then none, then one again; at the end nobody needs the group any more."""
    group = {"policies": {"group": "one"}}
    told(life, resize(1), submit_upstream(kind, **group))
    told(life, submit(kind, scheduled=True, **group))
    told(life, until(NOON + HALF), resize(0), until(NOON + 2 * MINUTE + HALF), resize(1))
    the_end(life)


def judge_sharing(life: Life) -> None:
    for job_id in (life.job_id, life.upstream_id):
        assert {one.state for one in assert_as_scheduled(life, job_id)} == {S.SUCCEEDED}
        assert_one_identity(life.outside, life.store, job_id)
    assert most_at_once(life) <= 1
    view = group_views.group(life.world.engine, ADMIN, "one", life.owner).view
    assert (view.group.size, view.held, view.queued) == (1, 0, 0)
    told(life, delete_both, delete_group)


# ---- members leave the queue of a group


def leave(kind: str, life: Life) -> None:
    """Those that wait for a group are suspended, then deleted with their job; others wait behind them."""
    group = {"policies": {"group": "one"}}
    told(life, resize(0), submit_upstream(kind, **group))
    told(life, submit(kind, scheduled=True, **group))
    told(life, until(NOON + HALF), suspend, resize(1), until(NOON + 2 * MINUTE), delete)
    the_end(life)
    told(life, partial(_delete, "upstream_id"), delete_group)


def _delete(name: str, life: Life) -> None:
    commands.delete(life.world.engine, ADMIN, getattr(life, name))


def judge_leaving(life: Life) -> None:
    assert {one.state for one in assert_as_scheduled(life, life.upstream_id)} == {S.SUCCEEDED}
    assert_settled(life.store, life.job_id)
    assert most_at_once(life) <= 1
    with pytest.raises(NotFound):
        group_views.group(life.world.engine, ADMIN, "one", life.owner)


# ---- the newest replaces the others


def run_on(life: Life) -> None:
    life.outside.otherwise = life.world.targets.otherwise = Running()


def run_out(life: Life) -> None:
    life.outside.otherwise = life.world.targets.otherwise = Succeeded()


def resumed(catch_up: str) -> Step:
    def step(life: Life) -> None:
        try:
            commands.resume(life.world.engine, ADMIN, life.job_id, catch_up=catch_up)
        except WrongState:  # it was resumed before nobody heard of it, and has expired since
            assert life.crashes

    return step


def replace_each_other(kind: str, life: Life) -> None:
    """The first runs when two come due together; the last is not replaced and ends."""
    told(life, run_on, submit(kind, scheduled=True, policies={"overlap": "replace"}))
    told(life, until(NOON + HALF), suspend, until(END + HALF), resumed("all"))
    told(life, until(END + 2 * MINUTE), run_out)
    the_end(life)


def judge_replacing(life: Life) -> None:
    first, second, third = assert_as_scheduled(life, life.job_id)
    assert third.state is S.SUCCEEDED
    # Where a death kept the first from its launch until the others came, it was replaced too.
    assert first.state in (S.SUCCEEDED, S.KILLED) or first.reason == Reason.REPLACED
    # One whose message arrives when the newest has ended replaces nobody and is replaced by nobody.
    alone = life.crashes and (second.launched_ms or 0) >= (third.ended_ms or 0)
    assert alone or (second.state, second.reason) == (S.SKIPPED, Reason.REPLACED)
    called = {request.instance_id for _, request in life.outside.calls}
    assert third.id in called
    assert alone or second.id not in called
    assert most_at_once(life) <= 1
    assert_one_identity(life.outside, life.store, life.job_id)


# ---- a series of failures


def fail_in_a_row(kind: str, life: Life) -> None:
    life.outside.otherwise = life.world.targets.otherwise = Failed("no", retry=False)
    life.outside.run_outcomes[:] = [Failed("no", retry=False)] * 20
    policies = {"on_failure": {"suspend_after": 2}}
    told(life, submit(kind, scheduled=True, policies=policies))
    the_end(life)


def judge_failing(life: Life) -> None:
    job = life.store.read(lambda reader: reader.job(life.job_id, None))
    assert job is not None
    # A death may have kept the failures until the last time had come: then there is nothing to suspend.
    suspended = job.state is JobState.SUSPENDED
    assert suspended or (life.crashes and job.state is JobState.EXPIRED)
    wanted = EventFilter(job_id=life.job_id, verb="SUSPEND", limit=10)
    assert len(life.store.read(lambda reader: reader.events(wanted, None))) == suspended
    failed = [one for one in instances_of(life.store, life.job_id) if one.state is S.FAILED]
    assert len(failed) == job.streak >= 2
    if suspended:
        told(life, resumed("none"))
    assert_accounted(life.store, life.job_id, NOMINAL)


# ---- launches that fail


def fail_to_launch(kind: str, life: Life) -> None:
    """The first four calls begin nothing: of the first times, three of each at most are tried."""
    assert kind == "started"
    life.outside.launch_outcomes[:] = [Failed("no room")] * 4
    retries = {"launch": {"max_attempts": 3, "delay": "PT5S"}}
    told(life, submit(kind, scheduled=True, policies={"retries": retries}))
    the_end(life)


def judge_launching(life: Life) -> None:
    tried: dict[str, int] = {}
    for one in assert_as_scheduled(life, life.job_id):
        assert one.attempt == 1, "nothing ran, so no try of a run was used"
        assert one.launch_attempt == one.run <= 3
        assert one.state is S.SUCCEEDED or (one.run, one.reason) == (3, Reason.LAUNCH_FAILED)
        tried[one.id] = one.run
        numbers = life.store.read(lambda reader, one=one: reader.runs([one.id])[one.id])  # type: ignore[misc]
        assert [run.number for run in numbers] == list(range(1, one.run))
    tokens = {request.token for verb, request in life.outside.calls if verb == "launch"}
    assert len(tokens) == sum(tried.values())


Tell = Callable[[str, Life], None]
STORIES: dict[str, tuple[Tell, Callable[[Life], None], tuple[str, ...]]] = {
    "group": (share_a_slot, judge_sharing, ("started", "inline")),
    "group-left": (leave, judge_leaving, ("started",)),
    "replace": (replace_each_other, judge_replacing, ("started", "inline")),
    "suspend-after": (fail_in_a_row, judge_failing, ("started", "inline")),
    "launch-budget": (fail_to_launch, judge_launching, ("started",)),
}
CASES = [(story, kind) for story, (_, _, kinds) in STORIES.items() for kind in kinds]


@pytest.mark.parametrize(("story", "kind"), CASES)
@pytest.mark.parametrize(
    ("database", "keep_messages"),
    [("sqlite-memory", True), ("sqlite-memory", False), ("mariadb", False)],
    ids=["sqlite-queue-kept", "sqlite-queue-lost", "mariadb-queue-lost"],
)
def test_a_policy_holds_whenever_the_process_dies(
    database: str, story: str, kind: str, keep_messages: bool, open_empty: Callable[[str], Store]
) -> None:
    """Every moment on SQLite; every fifth on MariaDB, where it is the rollback that is on trial."""
    store = open_empty(database)
    tidied_today(store)
    tell, judge, _ = STORIES[story]

    def live(fuse: Fuse, number: int) -> Life:
        life = Life(store, fuse, number, keep_messages=keep_messages)
        tell(kind, life)
        judge(life)
        return life

    fuse = Fuse()
    live(fuse, 0)
    assert fuse.count > 20, "the story has hardly any effects: the fuse is not wired"
    stride = 5 if database == "mariadb" else 1
    for moment in fuse.moments(stride, len(story)):
        assert live(Fuse(moment), 1 + moment).crashes == 1
