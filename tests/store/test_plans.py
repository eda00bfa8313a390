"""Plans: every statement reaches its rows by an index, and reads no more of them than it needs.

The number of rows is NOONDAY_TEST_SCALE=1 for a million, else a few thousand: enough that a scan shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.conditions import data_key
from chalicelib.engine.filters import (
    BackfillFilter,
    EventFilter,
    InstanceFilter,
    JobFilter,
    NotificationFilter,
    Selection,
    StatisticsFilter,
)
from chalicelib.engine.ports import Reader, Remembered, Transaction
from chalicelib.engine.wait_ports import Wait
from chalicelib.model.backfill import BackfillState
from chalicelib.model.instance import Instance
from chalicelib.model.job import SkipRange
from chalicelib.model.notification import Lateness, Notification, NotificationState, Watch
from chalicelib.model.owner import Owner
from chalicelib.model.states import GroupPlace, InstanceState
from chalicelib.store import SqlStore
from chalicelib.store.driver import Driver, Link, Parameters, Row
from chalicelib.store.failures import CommitLost
from tests.store.builders import (
    MINUTE,
    NOON,
    a_backfill,
    a_job,
    a_notification,
    an_event,
    an_id,
    an_instance,
    insert_backfills,
    insert_instances,
    insert_jobs,
)

SCALE = os.environ.get("NOONDAY_TEST_SCALE") == "1"
JOBS = 200
EACH = 5000 if SCALE else 40
OWNERS = ("blue", "green", "red", "rare")
READ = 400  # rows that a page of 20 may touch, in all; a scan would touch thousands
S = InstanceState


class Watched:
    """A link that asks for the plan of every statement before it runs it, and counts the rows it reads."""

    def __init__(self, link: Link, kind: str, plans: list[tuple[str, list[Any]]]) -> None:
        self._link = link
        self._kind = kind
        self._plans = plans
        self.begin = link.begin
        self.commit = link.commit
        self.rollback = link.rollback
        self.script = link.script

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        self._explain(sql, parameters)
        return self._link.query(sql, parameters)

    def change(self, sql: str, parameters: Parameters) -> int:
        self._explain(sql, parameters)
        return self._link.change(sql, parameters)

    def _explain(self, sql: str, parameters: Parameters) -> None:
        ask = {"mysql": "EXPLAIN FORMAT=TRADITIONAL", "mariadb": "EXPLAIN"}
        explain = ask.get(self._kind, "EXPLAIN QUERY PLAN")
        self._plans.append((sql, list(self._link.query(f"{explain} {sql}", parameters))))


class WatchedDriver:
    def __init__(self, driver: Driver, kind: str) -> None:
        self._driver = driver
        self._kind = kind
        self.plans: list[tuple[str, list[Any]]] = []
        self.read_rows = 0
        self.dialect = driver.dialect
        self.statements = driver.statements

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with self._driver.writing() as link:
            yield Watched(link, self._kind, self.plans)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        with self._driver.reading() as link:
            yield Watched(link, self._kind, self.plans)

    def migrating(self) -> Any:
        return self._driver.migrating()

    def was_committed(self, lost: CommitLost) -> bool:
        return self._driver.was_committed(lost)

    def describe(self) -> str:
        return self._driver.describe()

    def close(self) -> None:
        self._driver.close()


def fill(store: SqlStore) -> None:
    """Jobs of four owners, one of them with a single job; nearly all instances ended long ago."""
    answers = [Remembered("red", f"k{n}", "f", 201, "{}", NOON + n * MINUTE) for n in range(JOBS)]
    for one in answers:
        store.transact(lambda tx, one=one: tx.remember(one))  # type: ignore[misc]
    for start in range(0, JOBS, 50):
        jobs = [a_job(n, owner=owner_of(n), wake_ms=NOON + n) for n in range(start, start + 50)]
        insert_jobs(store, *jobs)
        for job in jobs:
            number = int(job.id, 16)
            for first in range(0, EACH, 1000):
                minutes = range(first, min(first + 1000, EACH))
                insert_instances(store, *(stored(number, minute) for minute in minutes))
        events = [
            an_event(start * EACH + n, job_id=an_id(start + n % 50), owner=owner_of(start + n % 50))
            for n in range(50 * min(EACH, 200))
        ]
        store.transact(lambda tx, e=events: tx.insert_events(e))  # type: ignore[misc]
    for start in range(0, JOBS, 50):
        backfills = [
            a_backfill(
                n,
                an_id(n),
                owner=owner_of(n),
                state=BackfillState.RUNNING if n % 40 == 8 else BackfillState.COMPLETED,
            )
            for n in range(start, start + 50)
        ]
        insert_backfills(store, *backfills)
    tokens = [f"{an_id(n)}-1" for n in range(200)]
    store.transact(lambda tx: tx.add_leftovers(tokens))
    insert_backfills(store, a_backfill(JOBS + 1, an_id(9), newest_first=True))
    waits = [Wait(data_key(str(n % 50)), stored(n % JOBS, n % EACH).id) for n in range(40 * 50)]
    store.transact(lambda tx: tx.save_waits(waits))
    for start in range(0, JOBS * EACH // 2, 1000):
        some = range(start, min(start + 1000, JOBS * EACH // 2))
        told = [stored_notification(n) for n in some]
        watched = [a_watch(n) for n in some]
        store.transact(lambda tx, o=told: tx.insert_notifications(o))  # type: ignore[misc]
        store.transact(lambda tx, w=watched: tx.insert_watches(w))  # type: ignore[misc]
    for number in range(20):
        ranges = [
            SkipRange(an_id(number), NOON + n * MINUTE, NOON + n * MINUTE + 9, "SUSPENDED", 1)
            for n in range(EACH)
        ]
        store.transact(lambda tx, r=ranges: tx.insert_skip_ranges(r))  # type: ignore[misc]


def stored_notification(number: int) -> Notification:
    """Nearly all were delivered long ago."""
    job = number % JOBS
    one = a_notification(number, job_id=an_id(job), owner=owner_of(job), wake_ms=NOON + number)
    if number % 97 == 1:
        return one
    state = NotificationState.FAILED if number % 997 == 0 else NotificationState.DELIVERED
    return replace(one, state=state, wake_ms=None, ended_ms=NOON + number)


def a_watch(number: int) -> Watch:
    return Watch(an_id(number), Lateness.NOT_ENDED, an_id(number % JOBS), NOON + number)


def owner_of(number: int) -> str:
    return "rare" if number == JOBS - 1 else OWNERS[number % 3]


def stored(number: int, minute: int) -> Instance:
    left = EACH - minute
    state = S.WAITING if left == 1 else S.RUNNING if left == 2 else S.SUCCEEDED
    if left > 2 and (number * EACH + minute) % 997 == 0:
        state = S.FAILED
    one = an_instance(minute, an_id(number), owner=owner_of(number), state=state)
    one = replace(one, backfill=an_id(number)) if left <= 10 else one
    return replace(one, reason="MAX_ACTIVE") if state is S.WAITING else one


def latest(number: int) -> Instance:
    return stored(number, EACH - 1)


def reads() -> dict[str, Callable[[Reader], object]]:
    middle = an_instance(EACH // 2, an_id(3)).id
    span: dict[str, Any] = {"from_ms": NOON + 3 * MINUTE, "to_ms": NOON + 9 * MINUTE}

    def instances(owners: list[str] | None = None, **wanted: Any) -> Callable[[Reader], object]:
        return lambda reader: reader.instances(InstanceFilter(limit=20, **wanted), owners)

    def events(owners: list[str] | None = None, **wanted: Any) -> Callable[[Reader], object]:
        return lambda reader: reader.events(EventFilter(limit=20, **wanted), owners)

    def backfills(owners: list[str] | None = None, **wanted: Any) -> Callable[[Reader], object]:
        return lambda reader: reader.backfills(BackfillFilter(limit=20, **wanted), owners)

    def selected(**wanted: Any) -> Callable[[Reader], object]:
        return lambda reader: reader.selected(Selection(limit=20, **wanted))

    def notifications(owners: list[str] | None = None, **wanted: Any) -> Callable[[Reader], object]:
        return lambda reader: reader.notifications(NotificationFilter(limit=20, **wanted), owners)

    return {
        **samples(),
        "noted": lambda reader: reader.noted("housekeeping"),
        "jobs after": lambda reader: reader.jobs_after(an_id(90), 20),
        "nth newest": lambda reader: reader.nth_newest(an_id(30), 20),
        "last success": lambda reader: reader.last_success(an_id(30)),
        "ended before": lambda reader: reader.ended_before(
            an_id(30), NOON + 20 * MINUTE, NOON, NOON + 20 * MINUTE, 20
        ),
        "ranges around": lambda reader: reader.ranges_around(
            an_id(3), NOON + 9 * MINUTE, NOON + 12 * MINUTE
        ),
        "leftovers": lambda reader: reader.leftovers(an_id(90), 20),
        "skip page": lambda reader: reader.skip_page(an_id(3), NOON + 90 * MINUTE, 20),
        "roles of": lambda reader: reader.roles_of(["role:data", "user:alice"]),
        "job": lambda reader: reader.job(an_id(3), ["red", "blue"]),
        "job named": lambda reader: reader.job_named("job-3", None),
        "job named of": lambda reader: reader.job_named("job-3", ["blue", "red"]),
        "jobs": lambda reader: reader.jobs(JobFilter(limit=20, after=an_id(90)), None),
        "jobs of": lambda reader: reader.jobs(JobFilter(limit=20), ["red", "rare"]),
        "job names": lambda reader: reader.job_names([an_id(3), an_id(7)]),
        "jobs by id": lambda reader: reader.jobs_by_id([an_id(3), an_id(7)]),
        "backfill": lambda reader: reader.backfill(an_id(3), ["red", "blue"]),
        "backfills": backfills(),
        "backfills of owners": backfills(["red", "rare"]),
        "backfills in state": backfills(state=("RUNNING",)),
        "backfills of owner in state": backfills(["red"], state=("COMPLETED",)),
        "backfills of job": backfills(["red", "blue"], job_id=an_id(3)),
        "backfills of job in state": backfills(job_id=an_id(8), state=("RUNNING",)),
        "backfill counts": lambda reader: reader.backfill_counts([an_id(3), an_id(8)]),
        "notification": lambda reader: reader.notification(an_id(3), ["red", "blue"]),
        "notifications": notifications(),
        "notifications of owners": notifications(["red", "rare"]),
        "notifications in state": notifications(state=("FAILED",)),
        "notifications of owner in state": notifications(["red"], state=("DELIVERED",)),
        "notifications of job": notifications(["red", "blue"], job_id=an_id(3)),
        "notifications of job in state": notifications(job_id=an_id(3), state=("FAILED",)),
        "due watches": lambda reader: reader.due_watches(NOON + 30, 20),
        "due backfills": lambda reader: reader.due_backfills(NOON, 20),
        "instance states": lambda reader: reader.instance_states([middle, latest(4).id]),
        "definitions": lambda reader: reader.definitions([(an_id(3), 1), (an_id(4), 1)]),
        "revision calendars": lambda reader: reader.revision_calendars([(an_id(3), 1)]),
        "calendars of": lambda reader: reader.calendars(["red"]),
        "calendars named": lambda reader: reader.calendars_named("red", ["c"]),
        "calendar jobs": lambda reader: reader.calendar_jobs("red", "c", 20),
        "groups of": lambda reader: reader.groups(["red"]),
        "groups named": lambda reader: reader.groups_named("red", ["g"]),
        "group jobs": lambda reader: reader.group_jobs("red", "g", 20),
        "group members": lambda reader: reader.group_members("red", "g", GroupPlace.HELD, 20),
        "group places": lambda reader: reader.group_places("red", ["g", "h"]),
        "upstreams": lambda reader: reader.upstreams(
            [("red", "job-2", NOON), ("green", "job-1", NOON + MINUTE)]
        ),
        "idle waits": lambda reader: reader.idle_waits((data_key("3"), ""), 20),
        "waiters": lambda reader: reader.waiters([data_key("3"), data_key("4")]),
        "slot holders": lambda reader: reader.slot_holders((an_id(4), None), 5),
        "slot holders of backfill": lambda reader: reader.slot_holders((an_id(4), an_id(4)), 5),
        "revisions": lambda reader: reader.revisions(an_id(3), None, 20),
        "revisions before": lambda reader: reader.revisions(an_id(3), 9, 20),
        "revision": lambda reader: reader.revision(an_id(3), 1),
        "instance": lambda reader: reader.instance(middle, None),
        "instances": instances(),
        "instances after": instances(after=middle),
        "instances of owner": instances(["rare"]),
        "instances of owners": instances(["rare", "red"], after=middle),
        "instances in state": instances(state=("RUNNING",)),
        "instances of owner in states": instances(["red"], state=("FAILED", "WAITING")),
        "instances in time": instances(**span),
        "instances of job": instances(job_id=an_id(3)),
        "instances of job after": instances(["red", "blue"], job_id=an_id(3), after=middle),
        "instances of job in state": instances(job_id=an_id(3), state=("FAILED",)),
        "instances of job in time": instances(job_id=an_id(3), **span),
        "instances among jobs": instances(among=(an_id(3), an_id(4)), after=middle),
        "instances of backfill": instances(backfill=an_id(3), state=("WAITING",)),
        "instances of group": instances(["red"], group="g"),
        "selected": selected(state=("WAITING",), after=middle),
        "selected in time": selected(state=("SUCCEEDED",), **span),
        "selected of owners": selected(state=("FAILED", "RUNNING"), owners=("red", "rare")),
        "selected of jobs": selected(state=("SUCCEEDED",), job_ids=(an_id(3), an_id(4)), **span),
        "selected of backfill": selected(state=("WAITING", "RUNNING"), backfill=an_id(3)),
        "jobs with tags": lambda reader: reader.jobs(
            JobFilter(limit=20, tags=(("tier", "gold"),)), ["rare"]
        ),
        "instances by id": lambda reader: reader.instances_by_id([middle, latest(4).id]),
        "started as": lambda reader: reader.started_as("x-3", 20),
        "runs": lambda reader: reader.runs([middle, latest(4).id]),
        "events": events(),
        "events of owner": events(["rare"]),
        "events of job": events(["red", "blue"], job_id=an_id(3)),
        "events of instance": events(instance_id=middle),
        "skip ranges": lambda reader: reader.skip_ranges(
            an_id(3), NOON + 9 * MINUTE, NOON + 12 * MINUTE
        ),
        "next wakes": lambda reader: reader.next_wakes(NOON * 2),
        "remembered": lambda reader: reader.remembered("ada", "key"),
        "principal": lambda reader: reader.principal("ab" * 32),
        "pause": lambda reader: reader.pause(),
        "owner": lambda reader: reader.owner("red"),
        "job count": lambda reader: reader.job_count("red"),
        "memberships": lambda reader: reader.memberships("red"),
    }


def samples() -> dict[str, Callable[[Reader], object]]:
    """What statistics are made of; here twenty rows of each, there 10,001."""

    def wanted(**changes: Any) -> StatisticsFilter:
        span = {"from_ms": NOON + 3 * MINUTE, "to_ms": NOON + EACH * MINUTE, "limit": 20}
        return StatisticsFilter(**{**span, **changes})

    found: dict[str, Callable[[Reader], object]] = {}
    for name, changes, owners in (
        ("all", {}, None),
        ("of owners", {}, ["red", "blue"]),
        ("of job", {"job_id": an_id(30)}, None),
        ("of few jobs", {"among": (an_id(30), an_id(31))}, None),
        ("of many jobs", {"among": tuple(an_id(n) for n in range(30, 60))}, ["red", "blue"]),
    ):
        sample = wanted(**changes)
        ended = replace(sample, to_ms=NOON + (EACH - 2) * MINUTE)
        found[f"finished {name}"] = lambda r, s=ended, o=owners: r.finished(s, o)  # type: ignore[misc]
        found[f"unfinished {name}"] = lambda r, s=sample, o=owners: r.unfinished(s, o)  # type: ignore[misc]
        found[f"skipped {name}"] = lambda r, s=sample, o=owners: r.skipped(s, o)  # type: ignore[misc]
    return found


def writes() -> dict[str, Callable[[Transaction], object]]:
    some = [latest(n) for n in (4, 5, 6)]
    ids = [one.id for one in some]
    jobs = [an_id(4), an_id(5)]
    return {
        "share pause": lambda tx: tx.share_pause(),
        "lock pause": lambda tx: tx.lock_pause(),
        "due in flight": lambda tx: tx.lock_due_in_flight(NOON * 2, 20),
        "give back": lambda tx: tx.give_back(NOON * 2, NOON),
        "lock owners": lambda tx: tx.lock_owners(["blue", "red"]),
        "save owner": lambda tx: tx.save_owner(Owner(name="red", created_ms=NOON)),
        "waiting": lambda tx: tx.waiting(["blue", "red"]),
        "lock due owners": lambda tx: tx.lock_due_owners(NOON + 30, 20, patient=True),
        "lock free owners": lambda tx: tx.lock_due_owners(NOON + 30, 20, patient=False),
        "lock calendars": lambda tx: tx.lock_calendars("red", ["c", "d"]),
        "delete calendar": lambda tx: tx.delete_calendar("red", "c"),
        "delete group": lambda tx: tx.delete_group("red", "g"),
        "group's members": lambda tx: tx.has_members(("red", "g")),
        "lock jobs": lambda tx: tx.lock_jobs(jobs),
        "lock due jobs": lambda tx: tx.lock_due_jobs(NOON + 30, 20),
        "save jobs": lambda tx: tx.save_jobs(tx.lock_jobs(jobs)),
        "insert instances": lambda tx: tx.insert_instances([an_instance(EACH + 1, an_id(4))]),
        "lock instances": lambda tx: tx.lock_instances(ids),
        "lock due instances": lambda tx: tx.lock_due_instances(NOON * 2, 20),
        "save instances": lambda tx: tx.save_instances([replace(o, version=2) for o in some]),
        "active counts": lambda tx: tx.active_counts(jobs),
        "queued": lambda tx: tx.queued(jobs),
        "newest undecided": lambda tx: tx.newest_undecided(jobs),
        "rivals": lambda tx: tx.rivals(jobs),
        "groups": lambda tx: tx.lock_groups([("blue", "g")]),
        "group counts": lambda tx: tx.group_counts([("blue", "g")]),
        "wake group": lambda tx: tx.wake_group(("blue", "g"), NOON, 2),
        "wake waiters": lambda tx: tx.wake_waiters(ids, NOON),
        "wake waiters of owners": lambda tx: tx.wake_waiters(ids, NOON, ["red", "blue"]),
        "save waits": lambda tx: tx.save_waits([Wait(data_key("4"), ids[0]), Wait("x", ids[1])]),
        "forget waits": lambda tx: tx.forget_waits(ids),
        "slots of waiting": lambda tx: tx.slots_of_waiting(an_id(8), held=True),
        "hold": lambda tx: tx.hold_instances(an_id(7)),
        "release": lambda tx: tx.release_instances(an_id(7), NOON, NOON, NOON),
        "wake queued": lambda tx: tx.wake_queued((an_id(8), None), NOON, 2),
        "insert notifications": lambda tx: tx.insert_notifications([a_notification(9_999_999)]),
        "lock notifications": lambda tx: tx.lock_notifications([an_id(4), an_id(5)]),
        "lock due notifications": lambda tx: tx.lock_due_notifications(NOON + 30, 20),
        "save notification": lambda tx: tx.save_notification(a_notification(4)),
        "postpone": lambda tx: tx.postpone_notifications([an_id(4)], NOON),
        "insert watches": lambda tx: tx.insert_watches([a_watch(9_999_999)]),
        "lock watches": lambda tx: tx.lock_watches([an_id(4), an_id(5)]),
        "delete watches": lambda tx: tx.delete_watches([a_watch(4), a_watch(5)]),
        "lock backfill": lambda tx: tx.lock_backfill(an_id(8)),
        "save backfill": lambda tx: tx.save_backfill(a_backfill(8, an_id(8))),
        "open of backfill": lambda tx: tx.open_of_backfill(an_id(8)),
        "open instances": lambda tx: tx.open_instances(an_id(8)),
        "cancelled backfills": lambda tx: tx.cancelled_backfills([an_id(8), an_id(9)]),
        "wake backfills": lambda tx: tx.wake_backfills([an_id(8), an_id(48)], NOON),
        "wake backfills of": lambda tx: tx.wake_backfills_of(an_id(8), NOON),
        "wake own": lambda tx: tx.wake_own([an_id(8), an_id(9)], NOON),
        "wake queued of backfill": lambda tx: tx.wake_queued((an_id(8), an_id(8)), NOON, 2),
        "wake newest of backfill": lambda tx: tx.wake_queued((an_id(9), an_id(201)), NOON, 2),
        "cancel backfills of": lambda tx: tx.cancel_backfills_of(an_id(8), NOON, "JOB_DELETED"),
        "skip waiting": lambda tx: tx.skip_waiting(an_id(9), NOON, "JOB_DELETED"),
        "active instances": lambda tx: tx.active_instances(an_id(4)),
        "next free": lambda tx: tx.next_free_ms(an_id(4), NOON + (EACH - 3) * MINUTE),
        "archive": lambda tx: tx.archive_runs(some),
        "forget": lambda tx: tx.forget_requests(NOON, 20),
        "note": lambda tx: tx.note("housekeeping", "{}"),
        "purge instances": lambda tx: tx.purge_instances([stored(11, 3).id, stored(12, 4).id]),
        "replace ranges": lambda tx: tx.replace_ranges(
            tx.skip_ranges(an_id(3), NOON, NOON + 2 * MINUTE), []
        ),
        "leftovers": lambda tx: tx.add_leftovers([an_id(3) + "-1"]),
        "drop leftovers": lambda tx: tx.drop_leftovers([an_id(3) + "-1"]),
        "purge notifications": lambda tx: tx.purge_notifications(NOON + 60, 20),
        "purge job": lambda tx: tx.purge_job(an_id(JOBS + 5), 20),
    }


KINDS = ("sqlite-file", "mariadb", "mysql")
SCANS = re.compile(r"^SCAN (?!listed|json_each|n\b|wanted\b|tag\b|CONSTANT ROW)")
SORTS = re.compile(r"TEMP B-TREE FOR (ORDER BY|LAST TERM)")


def scans(kind: str, sql: str, plan: list[Any]) -> list[Any]:
    """The lines of a plan that read a whole table or a whole index, or that sort to find a page."""
    if kind.startswith("sqlite"):
        lines = [line for *_, line in plan]
        return [
            line for line in lines if SCANS.search(line) or ("LIMIT" in sql and SORTS.search(line))
        ]
    found = []
    for row in plan:
        table, access, extra = row[2], row[4] if kind == "mysql" else row[3], str(row[-1])
        stands = (
            table is not None and not table.startswith("<") and table not in {"list", "n", "wanted"}
        )
        whole = stands and access in {"ALL", "index"} and row[1] != "INSERT"
        if whole or ("LIMIT" in sql and "filesort" in extra):
            found.append(row)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_statement_scans(kind: str, open_empty: Callable[[str], SqlStore]) -> None:
    plain = open_empty(kind)
    fill(plain)
    driver = WatchedDriver(plain._driver, kind)
    store = SqlStore(driver)
    store.read(lambda _: None)
    bad: list[object] = []
    for name, read in reads().items():
        driver.plans.clear()
        store.read(read)
        bad += [(name, *scans(kind, *plan)) for plan in driver.plans if scans(kind, *plan)]
    for name, write in writes().items():
        driver.plans.clear()
        store.transact(write)
        bad += [(name, *scans(kind, *plan)) for plan in driver.plans if scans(kind, *plan)]
    assert not bad
    if kind != "sqlite-file":
        pages_read_little(plain)


def pages_read_little(store: SqlStore) -> None:
    """What the server itself counts: an index that is used may still be read from end to end."""
    for name, read in reads().items():
        with store._driver.reading() as link:
            link.query("FLUSH STATUS", {})
        store.read(read)
        with store._driver.reading() as link:
            counted = link.query("SHOW SESSION STATUS LIKE 'Handler_read%%'", {})
        total = sum(int(count) for _, count in counted)
        assert total <= READ, (name, total, counted)
