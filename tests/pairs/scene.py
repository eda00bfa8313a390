"""A job in the midst of its life, what can be asked of it, and what must be true of it whoever asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.engine import commands
from chalicelib.engine.checking import check_waiting
from chalicelib.engine.commands import Choice, Verb, Wanted, Wish
from chalicelib.engine.consequences import limits
from chalicelib.engine.filters import BackfillFilter, JobFilter
from chalicelib.engine.handout import hand_out
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.engine.settle import result_of, settle
from chalicelib.model.calendar import Calendar
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import (
    IN_FLIGHT,
    TERMINAL,
    GroupPlace,
    InstanceState,
    JobState,
    Reason,
)
from chalicelib.store import SqlStore
from tests.engine.history import assert_accounted, instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

S = InstanceState
START = NOON - 10 * MINUTE
SIZE = 2
CALENDAR = Calendar.model_validate({"dates": ["2026-12-24"]})
OTHER_CALENDAR = Calendar.model_validate({"dates": ["2026-12-25"]})


@dataclass(frozen=True)
class Cast:
    """Who is on the stage: an instance in each of the states that matter, by id."""

    job: str
    running: Instance
    handed: tuple[HandedOut, ...]
    checked: tuple[HandedOut, ...]
    waiting: str
    queued: str
    failed: str
    backfill: str


def definition(**changes: Any) -> Any:
    return a_definition(
        target={"kind": "started"},
        schedule={"every": "PT1M", "start": "2026-01-01T11:50:00Z", "exclude": ["c"]},
        policies={
            "group": "g",
            "max_active": 2,
            "catch_up": {"mode": "all", "limit": 3},
            "retries": {"max_attempts": 2, "delay": "PT5M"},
            "on_failure": {"suspend_after": 2},
        },
        **changes,
    )


def perform(world: World) -> Cast:
    """Two slots and two places in a group, all given; a backfill beside, with one of the places. Some wait
    for slots, two are on their way to the launcher, one has failed; and a nominal time is due."""
    engine = world.engine
    commands.set_calendar(engine, ADMIN, "c", CALENDAR)
    commands.set_group(engine, ADMIN, "g", SIZE)
    job = commands.submit(engine, ADMIN, definition())
    assert isinstance(job, Job)
    world.targets.launch_outcomes = [Failed("no", retry=False)]
    failed = _triggered(world, job)
    world.deliver()
    commands.schedule(engine, ADMIN, job.id)
    world.deliver()
    queued = _triggered(world, job)
    wish = Wish(from_ms=START, to_ms=START + 3 * MINUTE, max_active=1)
    view: Any = commands.create_backfill(engine, ADMIN, job.id, wish)
    world.deliver()
    running, other = [one for one in instances_of(engine.store, job.id) if one.state in IN_FLIGHT]
    settle(engine, [result_of(other, Succeeded())])
    _downstream(world, running)
    world.alarm.wakes.clear()
    hand_out(engine, 100)
    handed = [one for lane, one in world.queue.messages if lane is Lane.LAUNCH]
    checked = [one for lane, one in world.queue.messages if lane is Lane.CHECK]
    world.queue.messages.clear()
    world.clock.now += MINUTE
    every = {one.id: one for one in instances_of(engine.store, job.id)}
    assert (len(handed), len(checked)) == (2, 1)
    assert all(every[one.id].active for one in handed)
    assert every[queued].reason == Reason.MAX_ACTIVE
    assert every[failed].state is S.FAILED
    waiting = next(one.id for one in handed if every[one.id].backfill is None)
    return Cast(
        job.id,
        running,
        tuple(handed),
        tuple(checked),
        waiting,
        queued,
        failed,
        view.backfill.id,
    )


def _downstream(world: World, running: Instance) -> None:
    """An instance of another job waits for the one that runs, and for data; it was looked at once."""
    report = a_definition(
        name="report",
        schedule={"every": "PT1M", "start": "2026-01-01T11:50:00Z"},
        prerequisites=[{"job": "sample"}, {"data": "x"}],
    )
    world.places.there.add("x")
    commands.submit(world.engine, ADMIN, report)
    at_ms = running.nominal_ms
    commands.trigger(world.engine, ADMIN, "report", nominal_ms=at_ms)
    hand_out(world.engine, 100)
    [one] = [one for lane, one in world.queue.messages if lane is Lane.CHECK]
    world.queue.messages = [sent for sent in world.queue.messages if sent[0] is not Lane.CHECK]
    check_waiting(world.engine, [one])
    world.clock.now += 10_000


def _triggered(world: World, job: Job) -> str:
    view: Any = commands.trigger(world.engine, ADMIN, job.id)
    return str(view.instance.id)


Doing = Callable[[World, Cast], object]


def _many(verb: Verb, *states: InstanceState) -> Doing:
    def do(world: World, cast: Cast) -> object:
        wanted = Wanted(verb, Choice(jobs=(cast.job,), states=states))
        return commands.change_many(world.engine, ADMIN, wanted)

    return do


def _patched(patch: dict[str, Any]) -> Doing:
    return lambda world, cast: commands.patch(world.engine, ADMIN, cast.job, patch)


def _settled(outcome: Outcome) -> Doing:
    return lambda world, cast: settle(world.engine, [result_of(cast.running, outcome)])


def _backfill(world: World, cast: Cast) -> object:
    wish = Wish(from_ms=START, to_ms=NOON, reprocess="failed", overlap="queue")
    return commands.create_backfill(world.engine, ADMIN, cast.job, wish)


COMMANDS: Mapping[str, Doing] = {
    "submit the same": lambda w, _: commands.submit(w.engine, ADMIN, definition(), schedule=True),
    "submit another": lambda w, _: commands.submit(w.engine, ADMIN, definition(name="another")),
    "schedule": lambda w, c: commands.schedule(w.engine, ADMIN, c.job),
    "suspend": lambda w, c: commands.suspend(w.engine, ADMIN, c.job),
    "suspend longer": lambda w, c: commands.suspend(
        w.engine, ADMIN, c.job, until_ms=NOON + 60 * MINUTE
    ),
    "resume": lambda w, c: commands.resume(w.engine, ADMIN, c.job),
    "resume, catch up": lambda w, c: commands.resume(w.engine, ADMIN, c.job, catch_up="all"),
    "expire": lambda w, c: commands.expire(w.engine, ADMIN, c.job),
    "delete": lambda w, c: commands.delete(w.engine, ADMIN, c.job),
    "delete, kill": lambda w, c: commands.delete(w.engine, ADMIN, c.job, kill=True),
    "patch": _patched({"policies": {"max_active": 3}}),
    "patch group": _patched({"policies": {"group": None}}),
    "patch calendar": _patched({"schedule": {"exclude": None}}),
    "trigger": lambda w, c: commands.trigger(w.engine, ADMIN, c.job),
    "trigger a time": lambda w, c: commands.trigger(
        w.engine, ADMIN, c.job, nominal_ms=START + 4 * MINUTE
    ),
    "kill running": lambda w, c: commands.kill(w.engine, ADMIN, c.running.id),
    "kill waiting": lambda w, c: commands.kill(w.engine, ADMIN, c.waiting),
    "skip waiting": lambda w, c: commands.skip(w.engine, ADMIN, c.waiting),
    "skip queued": lambda w, c: commands.skip(w.engine, ADMIN, c.queued),
    "rerun": lambda w, c: commands.rerun(w.engine, ADMIN, c.failed),
    "backfill": _backfill,
    "cancel backfill": lambda w, c: commands.cancel_backfill(
        w.engine, ADMIN, c.backfill, kill=True
    ),
    "kill many": _many(Verb.KILL, S.WAITING, *IN_FLIGHT),
    "skip many": _many(Verb.SKIP, S.WAITING),
    "rerun many": _many(Verb.RERUN, S.FAILED, S.SUCCEEDED),
    "calendar": lambda w, _: commands.set_calendar(w.engine, ADMIN, "c", OTHER_CALENDAR),
    "group larger": lambda w, _: commands.set_group(w.engine, ADMIN, "g", SIZE + 1),
    "group smaller": lambda w, _: commands.set_group(w.engine, ADMIN, "g", 1),
    "group deleted": lambda w, _: commands.delete_group(w.engine, ADMIN, "g"),
    "quotas": lambda w, _: commands.set_quotas(w.engine, ADMIN, "default", {"max_jobs": 5}),
    "trigger beside": lambda w, c: commands.trigger(
        w.engine, ADMIN, c.job, overlap="allow", max_active=4, ignore_prerequisites=True
    ),
    "update": lambda w, c: commands.update(w.engine, ADMIN, c.job, definition(tags={"tier": "b"})),
    "rerun original": lambda w, c: commands.rerun(w.engine, ADMIN, c.failed, original=True),
    "kill failed": lambda w, c: commands.kill(w.engine, ADMIN, c.failed),
    "cancel backfill, runs go on": lambda w, c: commands.cancel_backfill(
        w.engine, ADMIN, c.backfill
    ),
    "kill backfill": lambda w, c: commands.change_many(
        w.engine, ADMIN, Wanted(Verb.KILL, Choice(backfill=c.backfill))
    ),
    "no more may wait": lambda w, _: commands.set_quotas(
        w.engine, ADMIN, "default", {"max_waiting": 0}
    ),
    "pause": lambda w, _: commands.pause(w.engine, ADMIN, reason="an incident"),
    "resume all": lambda w, _: commands.resume_all(w.engine, ADMIN),
    "sweep": lambda w, _: w.minute(),
    "claim": lambda w, c: launch_started(w.engine, c.handed),
    "check": lambda w, c: check_waiting(w.engine, c.checked),
    "data arrives": lambda w, _: commands.data_arrived(w.engine, ADMIN, ["x"]),
    "succeed": _settled(Succeeded()),
    "fail": _settled(Failed("broken")),
}
# What each is about happens only to a job in this state; elsewhere it is refused or does nothing.
NEEDS = {
    "suspend longer": "suspended",
    "resume": "suspended",
    "resume, catch up": "suspended",
    "schedule": "expired",
    "resume all": "paused",
}
# Several units, or what they find depends on when they look: together they do what neither order does.
SEVERAL = frozenset(
    {"sweep", "claim", "check", "kill many", "skip many", "rerun many", "kill backfill"}
)


def base_of(first: str, second: str) -> str:
    """The job's state at the beginning, whichever comes first."""
    return min((NEEDS[one] for one in (first, second) if one in NEEDS), default="scheduled")


def prepared(world: World, base: str) -> Cast:
    cast = perform(world)
    if base == "suspended":
        commands.suspend(world.engine, ADMIN, cast.job)
    elif base == "expired":
        commands.expire(world.engine, ADMIN, cast.job)
    elif base == "paused":
        commands.pause(world.engine, ADMIN, reason="an incident")
    world.clock.now += MINUTE * (base != "scheduled")
    world.alarm.wakes.clear()
    return cast


def digest(store: SqlStore, cast: Cast) -> tuple[object, ...]:
    """All that people can see of the outcome, and who holds what."""
    jobs = store.read(lambda reader: reader.jobs(JobFilter(state=tuple(JobState)), None))
    shown: list[object] = []
    for job in sorted(jobs, key=lambda one: (one.id != cast.job, one.name, one.state)):
        shown.append((job.name, job.state, job.revision, job.cursor_ms, job.streak, job.edit))
        shown += [
            (
                one.nominal_ms,
                one.kind,
                one.state,
                one.reason,
                one.run,
                one.revision,
                one.active,
                one.place,
                one.stop.kind if one.stop else None,
                one.backfill is not None,
            )
            for one in instances_of(store, job.id)
        ]
        shown += [(one.from_ms, one.to_ms, one.reason) for one in skips_of(store, job.id)]
    backfills = store.read(lambda reader: reader.backfills(BackfillFilter(), None))
    shown += sorted((one.state, one.cursor_ms, one.made, one.rerun) for one in backfills)
    shown.append(store.read(lambda reader: reader.pause()))
    return tuple(shown)


def check(store: SqlStore, cast: Cast) -> None:
    """The invariants: true at every moment between two transactions."""
    [job] = store.read(lambda reader: reader.jobs_by_id([cast.job]))
    every = instances_of(store, cast.job)
    for one in every:
        _check_alone(one, job)
    accounted = range(START, job.cursor_ms, MINUTE)
    assert_accounted(store, job.id, accounted, range(START, START + 60 * MINUTE, MINUTE))
    slots = Counter(one.backfill for one in every if one.active)
    queued = Counter(one.backfill for one in every if one.reason == Reason.MAX_ACTIVE)
    most = limits(job).max_active
    assert slots[None] <= 3, "more hold a slot than any limit that there was"
    for backfill, count in slots.items():
        assert backfill is None or count <= 1, "more of the backfill hold a slot than may"
    if job.state in (JobState.SCHEDULED, JobState.EXPIRED) and queued[None]:
        assert slots[None] >= most, "somebody waits for a slot that is free"
    _check_group(store, every)


def check_that_it_goes_on(world: World, cast: Cast) -> None:
    """Whatever there is now has ended a while later, unless its job holds it."""
    store = world.engine.store
    present = [one.id for one in instances_of(store, cast.job)]
    commands.resume_all(world.engine, ADMIN)
    for _ in range(16):
        world.clock.now += MINUTE
        world.minute()
        world.deliver()
    [job] = store.read(lambda reader: reader.jobs_by_id([cast.job]))
    for one in store.read(lambda reader: reader.instances_by_id(present)):
        held = job.state is JobState.SUSPENDED and one.reason == Reason.JOB_SUSPENDED
        assert held or one.state in TERMINAL, f"stuck: {one}"


def _check_alone(one: Instance, job: Job) -> None:
    if one.state in TERMINAL:
        assert (one.active, one.place, one.wake_ms) == (False, None, None), one
        assert one.ended_ms is not None
    if one.state in IN_FLIGHT:
        assert one.active, one
        assert one.wake_ms is not None, one
    if one.place is GroupPlace.HELD:
        assert one.active, one
    if one.state is S.WAITING:
        assert job.state is not JobState.DELETED, "it waits, and its job is deleted"
        assert one.wake_ms is not None or job.state is JobState.SUSPENDED, f"nobody wakes {one}"


def _check_group(store: SqlStore, every: Sequence[Instance]) -> None:
    groups = store.read(lambda reader: reader.groups_named("default", ["g"]))
    held = sum(one.place is GroupPlace.HELD for one in every)
    waits = any(one.place is GroupPlace.QUEUED for one in every)
    if not groups:
        assert not held, "it holds a place in a group that is gone"
        return
    assert held <= max(SIZE, groups[0].size), "more hold a place in the group than there are"
    assert not waits or held >= groups[0].size, "somebody waits for a place that is free"
