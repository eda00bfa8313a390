"""The process dies right before and right after every effect, enumerated; a new one on the same database
finds every nominal time accounted for exactly once, and no instance launched under two tokens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.announcing import Announced, end_announced
from chalicelib.engine.callback_keys import NOTE, stored_keys
from chalicelib.engine.callbacks import Callbacks
from chalicelib.engine.commands import (
    Choice,
    Report,
    Said,
    Verb,
    Wanted,
    Wish,
    many,
    report,
)
from chalicelib.engine.conditions import data_key, job_key
from chalicelib.engine.filters import BackfillFilter, NotificationFilter
from chalicelib.engine.housekeeping import AT_MS, NAME
from chalicelib.engine.once import Once
from chalicelib.engine.outcomes import Running
from chalicelib.engine.ports import Store
from chalicelib.engine.views import BackfillView
from chalicelib.model.backfill import BackfillState, Reprocess
from chalicelib.model.errors import Conflict, RunOver, WrongState
from chalicelib.model.identity import run_token
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.notification import NotificationState
from chalicelib.model.retention import DAY_MS
from chalicelib.model.states import IN_FLIGHT, TERMINAL, InstanceKind, InstanceState, Reason
from tests.engine.crashing import (
    Crash,
    CrashingAlarm,
    CrashingChannels,
    CrashingQueue,
    CrashingStore,
    CrashingTargets,
    Fuse,
    Site,
    effects_of_the_engine,
)
from tests.engine.history import (
    assert_accounted,
    assert_one_identity,
    assert_settled,
    instances_of,
)
from tests.engine.world import (
    ADMIN,
    MINUTE,
    NOON,
    RecordingChannels,
    RecordingTargets,
    World,
    a_definition,
)

Step = Callable[["Life"], None]
END = NOON + 3 * MINUTE
NOMINAL = [NOON + k * MINUTE for k in range(3)]


class Life:
    """A service and its users: the process dies and comes back, the database and the targets stay.

    Lives of other numbers may have been lived on the same database: each has an owner and ids of its own.
    """

    def __init__(self, store: Store, fuse: Fuse, number: int, *, keep_messages: bool) -> None:
        self.store = store
        self.owner = f"owner-{number}"
        self.first_id = 1 + number * 10_000_000
        self.outside = RecordingTargets()
        self.arrived: set[str] = set()
        self.receivers = RecordingChannels()
        self.keep_messages = keep_messages
        self.crashes = 0
        self.asked = 0
        self.world = self._started(fuse, NOON - MINUTE)
        fuse.besides = self._besides
        self.job_id = ""
        self.backfill_id = ""
        self.upstream_id = ""

    def _started(self, fuse: Fuse, now_ms: int) -> World:
        world = World(self.store, now_ms=now_ms, ids_from=self.first_id + 1_000_000 * self.crashes)
        world.places.there = self.arrived
        world.queue = CrashingQueue(fuse)
        world.alarm = CrashingAlarm(fuse)
        world.targets = CrashingTargets(fuse, self.outside)
        world.channels = CrashingChannels(fuse, self.receivers)
        world.engine = replace(
            world.engine,
            channels=world.channels,
            store=CrashingStore(self.store, fuse),
            queue=world.queue,
            alarm=world.alarm,
            targets=world.targets,
        )
        keys = stored_keys(world.engine.store, world.engine.ids, world.clock)
        world.engine = replace(world.engine, callbacks=Callbacks("http://noonday.test", keys))
        return world

    def do(self, step: Step) -> None:
        """A user's request, or a stretch of time; who gets no answer asks again."""
        self.asked += 1
        try:
            step(self)
        except Crash:
            self._restart()
            step(self)

    def _besides(self) -> Hashable:
        """What is asked again, and when; and what the queue may have kept."""
        kept = (*self.world.queue.messages, *self.world.alarm.wakes) if self.keep_messages else ()
        return self.asked, self.world.clock.now, kept

    def _restart(self) -> None:
        """A new process: what was in memory is gone, though a queue may have kept what it was given."""
        self.crashes += 1
        old = self.world
        self.world = self._started(Fuse(), old.clock.now)
        if self.keep_messages:
            self.world.queue.messages.extend(old.queue.messages)
            self.world.alarm.wakes.extend(old.alarm.wakes)


def submit(kind: str, *, scheduled: bool, **changes: Any) -> Step:
    definition = a_definition(
        **{"target": {"kind": kind}, **changes},
        schedule={"every": "PT1M", "start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:03:00Z"},
    )

    def step(life: Life) -> None:
        once = Once(
            f"submit-{definition.name}-{life.owner}", "the same", 201, lambda job: str(job.id)
        )
        answer = commands.submit(
            life.world.engine, ADMIN, definition, owner=life.owner, schedule=scheduled, once=once
        )
        life.job_id = answer.id if isinstance(answer, Job) else answer.body

    return step


def submit_upstream(kind: str, **changes: Any) -> Step:
    """Another job, ``load``, that one may wait for; the story goes on about the one."""
    submission = submit(kind, scheduled=True, name="load", **changes)

    def step(life: Life) -> None:
        submission(life)
        life.upstream_id, life.job_id = life.job_id, life.upstream_id

    return step


def arrive(life: Life) -> None:
    """The data is there, and somebody says so."""
    life.arrived.add("orders/ready")
    commands.data_arrived(life.world.engine, ADMIN, ["orders/ready"], owner=life.owner)


def announce_ends(life: Life) -> None:
    """Somebody outside says of all runs that they have ended; what is inline has ended by now."""
    for one in instances_of(life.store, life.job_id):
        if one.state in IN_FLIGHT:
            end_announced(life.world.engine, "aws.states", Announced(one.token))


def until(at_ms: int) -> Step:
    return lambda life: life.world.advance_to(at_ms)


def schedule(life: Life) -> None:
    commands.schedule(life.world.engine, ADMIN, life.job_id)


def suspend(life: Life) -> None:
    commands.suspend(life.world.engine, ADMIN, life.job_id)


def resume(life: Life) -> None:
    commands.resume(life.world.engine, ADMIN, life.job_id)


def change(life: Life) -> None:
    commands.patch(life.world.engine, ADMIN, life.job_id, {"description": "changed"})


def suspend_until(at_ms: int) -> Step:
    return lambda life: _suspend_until(life, at_ms)


def _suspend_until(life: Life, at_ms: int) -> None:
    commands.suspend(life.world.engine, ADMIN, life.job_id, until_ms=at_ms)


def resume_with_all(life: Life) -> None:
    commands.resume(life.world.engine, ADMIN, life.job_id, catch_up="all")


def outage(life: Life) -> None:
    """Nobody is there while everything falls due."""
    life.world.clock.now = max(life.world.clock.now, END + HALF)


def skip_one(life: Life) -> None:
    for one in instances_of(life.store, life.job_id):
        if one.kind is InstanceKind.MANUAL and one.state is InstanceState.WAITING:
            commands.skip(life.world.engine, ADMIN, one.id)


def rerun_skipped(life: Life) -> None:
    for one in instances_of(life.store, life.job_id):
        if one.state is InstanceState.SKIPPED:
            commands.rerun(life.world.engine, ADMIN, one.id)


def expire(life: Life) -> None:
    commands.expire(life.world.engine, ADMIN, life.job_id)


def delete(life: Life) -> None:
    commands.delete(life.world.engine, ADMIN, life.job_id, kill=True)


def trigger(life: Life) -> None:
    once = Once(f"trigger-{life.owner}", "the same", 201, lambda view: str(view.instance.id))
    commands.trigger(life.world.engine, ADMIN, life.job_id, once=once)


def trigger_one(life: Life) -> None:
    """Not the same at a repeat: then there is one more of them, which is killed too."""
    commands.trigger(life.world.engine, ADMIN, life.job_id)


def kill(life: Life) -> None:
    for one in instances_of(life.store, life.job_id):
        if one.state not in TERMINAL:
            commands.kill(life.world.engine, ADMIN, one.id)


def backfill(reprocess: Reprocess) -> Step:
    """Of the first two nominal times, one at a time."""
    wish = Wish(from_ms=NOON, to_ms=NOON + MINUTE + 1, reprocess=reprocess, overlap="queue")

    def step(life: Life) -> None:
        once = Once(f"backfill-{life.owner}", "the same", 201, lambda view: str(view.backfill.id))
        answer = commands.create_backfill(life.world.engine, ADMIN, life.job_id, wish, once=once)
        life.backfill_id = answer.backfill.id if isinstance(answer, BackfillView) else answer.body

    return step


def room_for_one(life: Life) -> None:
    """Of the owner, one instance may wait."""
    commands.set_quotas(life.world.engine, ADMIN, life.owner, {"max_waiting": 1})


def cancel(life: Life) -> None:
    with suppress(WrongState):  # what is inline has ended by now
        commands.cancel_backfill(life.world.engine, ADMIN, life.backfill_id, kill=True)


def kill_many(life: Life) -> None:
    """Page by page as a client does it; who gets no answer asks for the same page again."""
    _many(life, Verb.KILL, (InstanceState.WAITING, *IN_FLIGHT))


def rerun_many(life: Life) -> None:
    """Also of what an earlier request of the same command has rerun, and has ended again since."""
    _many(life, Verb.RERUN, tuple(TERMINAL), as_of_ms=END + HALF - 1)


def _many(
    life: Life, verb: Verb, states: tuple[InstanceState, ...], as_of_ms: int | None = None
) -> None:
    wanted = Wanted(verb, Choice(jobs=(life.job_id,), states=states), as_of_ms=as_of_ms)
    while True:
        done = commands.change_many(life.world.engine, ADMIN, wanted)
        if done.after is None:
            return
        wanted = replace(wanted, after=done.after, as_of_ms=done.as_of_ms)


def pause_all(life: Life) -> None:
    commands.pause(life.world.engine, ADMIN, reason="an incident")


def pause_before_the_check(life: Life) -> None:
    """What was handed out to be checked is on its way when all is paused."""
    life.world.clock.now = max(life.world.clock.now, NOON)
    life.world.minute()
    pause_all(life)


def resume_all(life: Life) -> None:
    commands.resume_all(life.world.engine, ADMIN)


def in_the_way(life: Life) -> SkipRange:
    """Where the schedule puts a range of its own: the schema refuses that, whatever the reason."""
    return SkipRange(life.job_id, NOON, NOON + 1, "EXPIRED", 1)


def get_in_the_way(life: Life) -> None:
    life.store.transact(lambda tx: tx.insert_skip_ranges([in_the_way(life)]))


def get_out_of_the_way(life: Life) -> None:
    life.store.transact(lambda tx: tx.replace_ranges([in_the_way(life)], []))


HALF = MINUTE // 2
MISSED = (until(NOON - HALF), suspend, until(NOON + MINUTE + HALF), resume)
NOTIFY = [
    {"on": ["success"], "url": "https://example.com/"},
    {"not_ended_within": "PT20S", "running_longer_than": "PT10S", "url": "https://example.com/"},
]


def reported(*reports: Report) -> Step:
    """Every target that was reached reports; it sends again what was not answered, and stops when told so."""

    def step(life: Life) -> None:
        for token, request in life.outside.executions.items():
            assert request.callback is not None
            for said in reports:
                with suppress(RunOver):
                    report(life.world.engine, token, request.callback.credential, Said(said))

    return step


call_back = reported(Report.RUNNING, Report.SUCCEEDED)


def rotate(life: Life) -> None:
    commands.rotate_callback_key(life.world.engine, ADMIN)


def kill_all(life: Life) -> None:
    for one in instances_of(life.store, life.job_id):
        with suppress(Conflict):
            commands.kill(life.world.engine, ADMIN, one.id)


SILENT = ("callbacks-of-nobody", "callbacks-of-the-silent")
"""Nobody can stop the first, and the second are stopped."""


def without_keys(store: Store) -> None:
    """The next that calls back makes one, as the first life did."""
    store.transact(lambda tx: tx.note(NOTE, "[]"))


STORIES: dict[str, tuple[Step, ...]] = {
    "fire": (),
    "schedule": (until(NOON - HALF), schedule),
    "suspend-resume": (until(NOON + HALF), suspend, until(NOON + 2 * MINUTE - HALF), resume),
    "suspend-at-a-fire": (until(NOON + MINUTE), suspend, until(NOON + 2 * MINUTE), resume),
    "suspend-until": (until(NOON - HALF), suspend_until(NOON + MINUTE + HALF)),
    "catch-up": (outage,),
    "refused": (get_in_the_way, outage, until(END + 2 * MINUTE), get_out_of_the_way),
    "resume-catch-up": (
        *(until(NOON - HALF), suspend, until(NOON + HALF), change),
        *(until(NOON + MINUTE + HALF), resume_with_all),
    ),
    "skip-rerun": (until(NOON + HALF), trigger, skip_one, rerun_skipped),
    "pause-resume": (until(NOON + HALF), pause_all, until(NOON + 2 * MINUTE - HALF), resume_all),
    "pause-at-a-fire": (until(NOON + MINUTE), pause_all, until(NOON + 2 * MINUTE), resume_all),
    "update": (until(NOON + HALF), change, until(NOON + 2 * MINUTE), change),
    "trigger-kill": (until(NOON + HALF), trigger, kill),
    "expire": (until(NOON + MINUTE + HALF), expire),
    "delete": (until(NOON + MINUTE), delete),
    "kill-many": (until(NOON + HALF), *[trigger_one] * 3, kill_many),
    "rerun-many": (until(END + HALF), rerun_many, until(END + MINUTE), rerun_many),
    "wait": (until(NOON + HALF), arrive),
    "announced": (until(NOON + 5000), announce_ends),
    "notify": (),
    "callbacks": (until(END + HALF), call_back, rotate, until(END + 5 * MINUTE), call_back),
    "callbacks-of-the-killed": (
        *(until(END + HALF), reported(Report.RUNNING), kill_all),
        *(reported(Report.HEARTBEAT, Report.STOPPED), until(END + 5 * MINUTE), kill_all),
        *(reported(Report.STOPPED), until(END + 6 * MINUTE), reported(Report.STOPPED)),
    ),
    "callbacks-of-nobody": (until(END + MINUTE), reported(Report.HEARTBEAT)),
    "callbacks-of-the-silent": (),
    "pause-a-check": (
        *(until(NOON - HALF), arrive, pause_before_the_check),
        *(until(NOON + MINUTE + HALF), resume_all),
    ),
    "backfill": (*MISSED, backfill("none")),
    "backfill-cancel": (*MISSED, backfill("none"), until(NOON + MINUTE + HALF + 1000), cancel),
    "backfill-quota": (
        *(room_for_one, outage, until(END + 4 * MINUTE), backfill("none")),
        until(END + 14 * MINUTE),
    ),
    "backfill-rerun": (until(END + HALF), backfill("all")),
}


def tell(story: str, kind: str, life: Life) -> None:
    waits = [{"data": "orders/ready"}] if story in ("wait", "pause-a-check") else []
    if story == "wait":
        life.do(submit_upstream(kind))
        waits.insert(0, {"job": "load"})
    policies: dict[str, Any] = {"notify": NOTIFY if story == "notify" else []}
    target = {"kind": kind}
    if story.startswith("callbacks"):
        without_keys(life.store)
        target["completion"] = "callback"
    if story == "callbacks-of-the-silent" and kind == "started":
        target["completion"] = "either"
        life.outside.otherwise = life.world.targets.otherwise = Running()
    if story in SILENT:
        policies |= {"timeouts": {"heartbeat": "PT20S"}, "retries": {"max_attempts": 2}}
    if story == "refused":
        policies["catch_up"] = {"limit": 1}
    scheduled = story != "schedule"
    life.do(
        submit(kind, scheduled=scheduled, prerequisites=waits, policies=policies, target=target)
    )
    for step in STORIES[story]:
        life.do(step)
    life.do(until(END + 8 * MINUTE))


def judge(story: str, life: Life) -> None:
    ended_early = {"expire": NOON + MINUTE + HALF, "delete": NOON + MINUTE}.get(story, END)
    accounted = [at for at in NOMINAL if at < ended_early]
    assert_accounted(life.store, life.job_id, accounted, possible=NOMINAL)
    assert_settled(life.store, life.job_id)
    if story == "backfill-rerun":
        assert_each_run_once(life, [1, 2, 2])
    elif story in SILENT:
        judge_silent(life)
    elif story == "rerun-many":
        assert_each_run_once(life, [2, 2, 2])
    else:
        assert_one_identity(life.outside, life.store, life.job_id)
    if story.startswith("backfill"):
        judge_backfill(story, life)
    if story == "wait":
        judge_waiting(life)
    if story == "suspend-until":
        assert len(life.outside.executions) == 1
    if story == "notify":
        judge_notifications(life)
    if story == "callbacks-of-the-killed":
        ends = {(one.state, one.reason) for one in instances_of(life.store, life.job_id)}
        assert ends == {(InstanceState.KILLED, Reason.KILLED)}
    calm = ("fire", "announced", "schedule", "catch-up", "resume-catch-up", "notify", "callbacks")
    if story in calm or story.startswith("pause"):
        states = {one.state for one in instances_of(life.store, life.job_id)}
        assert states == {InstanceState.SUCCEEDED}
        assert len(life.outside.executions) == len(NOMINAL)


def judge_silent(life: Life) -> None:
    """Of whom nothing is heard, has failed, was tried once more, and neither run began twice."""
    assert_each_run_once(life, [2, 2, 2])
    ends = {(one.state, one.reason) for one in instances_of(life.store, life.job_id)}
    assert ends == {(InstanceState.FAILED, Reason.HEARTBEAT_MISSED)}


def judge_waiting(life: Life) -> None:
    """All ran, none before its upstream had succeeded, and nobody is remembered as waiting."""
    ups = {one.nominal_ms: one for one in instances_of(life.store, life.upstream_id)}
    downs = instances_of(life.store, life.job_id)
    assert {one.state for one in [*ups.values(), *downs]} == {InstanceState.SUCCEEDED}
    for one in downs:
        assert (one.ready_ms or 0) >= (ups[one.nominal_ms].ended_ms or 0)
        keys = [job_key((life.owner, "load", one.nominal_ms)), data_key("orders/ready")]
        assert one.id not in life.store.read(lambda reader, keys=keys: reader.waiters(keys))  # type: ignore[misc]


def judge_notifications(life: Life) -> None:
    """Of each end one row, delivered at least once under one id with the same bytes; nothing is watched."""
    wanted = NotificationFilter(owner=life.owner, limit=100)
    rows = life.store.read(lambda reader: reader.notifications(wanted, None))
    assert {row.state for row in rows} == {NotificationState.DELIVERED}
    told = Counter((row.instance_id, row.event) for row in rows)
    assert set(told.values()) == {1}
    ids = [one.id for one in instances_of(life.store, life.job_id)]
    assert all(told[one, "instance.succeeded"] for one in ids)
    seen: dict[str, set[str]] = {row.id: set() for row in rows}
    for one in life.receivers.delivered:
        seen[one.id].add(one.payload_json)
    assert {len(payloads) for payloads in seen.values()} == {1}
    assert life.store.transact(lambda tx: tx.lock_watches(ids)) == []


def judge_backfill(story: str, life: Life) -> None:
    view = queries.backfill(life.world.engine, ADMIN, life.backfill_id)
    one = view.backfill
    counts = (one.made, one.rerun, one.existing)
    if story == "backfill-cancel":
        assert one.state in (BackfillState.CANCELLED, BackfillState.COMPLETED)
        assert counts in ((0, 0, 0), (2, 0, 0))
    else:
        assert one.state is BackfillState.COMPLETED
        assert counts == ((0, 2, 0) if story == "backfill-rerun" else (2, 0, 0))
        assert view.counts == {InstanceState.SUCCEEDED: 2}
    listed = queries.backfills(life.world.engine, ADMIN, BackfillFilter(owner=life.owner)).items
    assert [each.backfill.id for each in listed] == [one.id]


def assert_each_run_once(life: Life, expected_runs: list[int]) -> None:
    """What ran again has two runs, each executed once."""
    runs = {one.id: one.run for one in instances_of(life.store, life.job_id)}
    assert sorted(runs.values()) == expected_runs
    expected = {run_token(one, run) for one, last in runs.items() for run in range(1, last + 1)}
    assert set(life.outside.executions) == expected


def tidied_today(store: Store) -> None:
    """The first life of a day would have more effects than the others: test_retention enumerates those."""
    done = json.dumps({"day": (NOON - AT_MS) // DAY_MS, "after": None})
    store.transact(lambda tx: tx.note(NAME, done))


@pytest.mark.parametrize("kind", ["started", "inline"])
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(
    ("database", "keep_messages"),
    [("sqlite-memory", True), ("sqlite-memory", False), ("mariadb", False)],
    ids=["sqlite-queue-kept", "sqlite-queue-lost", "mariadb-queue-lost"],
)
def test_dying_at_any_moment_loses_and_doubles_nothing(
    database: str,
    story: str,
    kind: str,
    keep_messages: bool,
    open_empty: Callable[[str], Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every moment on SQLite; every fifth on MariaDB, where it is the rollback that is on trial."""
    # A command of many is several batches and requests here.
    monkeypatch.setattr(many, "BATCH", 2)
    monkeypatch.setattr(many, "MOST", 2)
    store = open_empty(database)
    tidied_today(store)
    stride = 5 if database == "mariadb" else 1
    fuse = Fuse()
    calm = Life(store, fuse, 0, keep_messages=keep_messages)
    tell(story, kind, calm)
    judge(story, calm)
    assert fuse.count > 20, "the story has hardly any effects: the fuse is not wired"
    for moment in fuse.moments(stride, len(story)):
        life = Life(store, Fuse(moment), 1 + moment, keep_messages=keep_messages)
        tell(story, kind, life)
        assert life.crashes == 1
        judge(story, life)


ELSEWHERE = {
    "commands/calendars.py": "test_calendars.py has stories of its own",
    "commands/groups.py": "test_policy_crashes.py has stories of its own",
    "commands/people.py": "one commit each, and nothing after it",
    "commands/quotas.py": "one commit, and nothing after it",
    "housekeeping.py": "test_retention.py has stories of its own",
    "idle_waits.py": "one commit each, which the next hour repeats",
    "notification_desk.py": "one commit each, and nothing after it but a ring",
    "purging.py": "test_retention.py has stories of its own",
}


def test_every_effect_of_the_engine_has_its_story(
    open_empty: Callable[[str], Store],
) -> None:
    """A new commit, message, alarm or call of a target fails here until a story passes through it."""
    store = open_empty("sqlite-memory")
    tidied_today(store)
    seen: set[Site] = set()
    for number, (story, kind) in enumerate(product(STORIES, ("started", "inline"))):
        life = Life(store, Fuse(sites=seen), number, keep_messages=True)
        tell(story, kind, life)
    effects = effects_of_the_engine()
    assert set(ELSEWHERE) <= {module for module, *_ in effects}
    without = {site for site in effects - seen if site[0] not in ELSEWHERE}
    assert not without, "these have no story in which the process dies around them"
