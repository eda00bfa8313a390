"""What the engine needs of the world. Everything that can differ, fail or surprise comes in through here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from chalicelib.engine.backfill_ports import BackfillReader, BackfillTransaction
from chalicelib.engine.callbacks import Callback
from chalicelib.engine.facts import Fact
from chalicelib.engine.filters import (
    Candidate,
    EventFilter,
    InstanceFilter,
    JobFilter,
    Selection,
)
from chalicelib.engine.history_ports import HistoryReader
from chalicelib.engine.housekeeping_ports import HousekeepingReader, HousekeepingTransaction
from chalicelib.engine.notification_ports import NotificationReader, NotificationTransaction
from chalicelib.engine.outcomes import Outcome, Style
from chalicelib.engine.owner_ports import OwnerReader, OwnerTransaction
from chalicelib.engine.pause_ports import PauseReader, PauseTransaction
from chalicelib.engine.wait_ports import WaitReader, WaitTransaction
from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.event import Event
from chalicelib.model.group import Group
from chalicelib.model.instance import Instance, Run
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.states import GroupPlace, Role

T = TypeVar("T")


class Clock(Protocol):
    def now_ms(self) -> int:
        """UTC milliseconds."""
        ...


class Ids(Protocol):
    def new(self) -> str:
        """32 hex digits, never given before, growing with time."""
        ...

    def secret(self) -> str:
        """32 hex digits that nobody can guess."""
        ...


class Chance(Protocol):
    def between(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to a request that carried an Idempotency-Key, kept for 24 hours."""

    owner: str
    key: str
    fingerprint: str
    status: int
    body: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Wakes:
    """When the earliest of each kind is due, UTC milliseconds; None for none.

    ``paused``: nothing begins; then only what is in flight, and notifications, can be due.
    """

    jobs: int | None = None
    instances: int | None = None
    backfills: int | None = None
    watches: int | None = None
    notifications: int | None = None
    paused: bool = False

    @property
    def earliest(self) -> int | None:
        every = (self.jobs, self.instances, self.backfills, self.watches, self.notifications)
        return min((one for one in every if one is not None), default=None)


Scope = tuple[str, str | None]
"""Whose limit an instance counts against: its job's id, and its backfill's if it belongs to one."""

GroupKey = tuple[str, str]
"""A concurrency group: its owner and its name."""


class Reader(
    BackfillReader,
    HistoryReader,
    OwnerReader,
    PauseReader,
    WaitReader,
    HousekeepingReader,
    NotificationReader,
    Protocol,
):
    """Questions. ``owners`` limits what is seen; None sees all (admins and the engine itself)."""

    def job(self, job_id: str, owners: Sequence[str] | None) -> Job | None:
        """Also a deleted one."""
        ...

    def job_named(self, name: str, owners: Sequence[str] | None) -> Sequence[Job]:
        """Live jobs of that name, one an owner at most."""
        ...

    def jobs(self, wanted: JobFilter, owners: Sequence[str] | None) -> Sequence[Job]:
        """One page, by id; at most ``wanted.limit`` rows, after ``wanted.after``."""
        ...

    def jobs_by_id(self, ids: Iterable[str]) -> Sequence[Job]:
        """Those that exist, by id; also deleted ones."""
        ...

    def definitions(self, wanted: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        """(job id, revision) to the definition's JSON."""
        ...

    def revision_calendars(
        self, wanted: Iterable[tuple[str, int]]
    ) -> Mapping[tuple[str, int], str]:
        """(job id, revision) to the snapshot of its calendars; those without calendars are missing."""
        ...

    def calendars(self, owners: Sequence[str] | None) -> Sequence[StoredCalendar]:
        """All of them, by owner and name."""
        ...

    def calendars_named(self, owner: str, names: Iterable[str]) -> Sequence[StoredCalendar]:
        """Those that exist, by name."""
        ...

    def calendar_jobs(self, owner: str, calendar: str, limit: int) -> Sequence[tuple[str, str]]:
        """Id and name of jobs that name the calendar and are not deleted, by id."""
        ...

    def groups(self, owners: Sequence[str] | None) -> Sequence[Group]:
        """All of them, by owner and name."""
        ...

    def groups_named(self, owner: str, names: Iterable[str]) -> Sequence[Group]:
        """Those that exist, by name."""
        ...

    def group_jobs(self, owner: str, group: str, limit: int) -> Sequence[tuple[str, str]]:
        """Id and name of jobs that name the group and are not deleted, by id."""
        ...

    def group_members(
        self, owner: str, group: str, place: GroupPlace, limit: int
    ) -> Sequence[Instance]:
        """Instances that hold a slot of the group, or wait for one; oldest nominal time first."""
        ...

    def group_places(
        self, owner: str, groups: Iterable[str]
    ) -> Mapping[tuple[str, GroupPlace], int]:
        """How many of each group hold a slot and how many wait for one; none is missing."""
        ...

    def instance(self, instance_id: str, owners: Sequence[str] | None) -> Instance | None: ...

    def instances(self, wanted: InstanceFilter, owners: Sequence[str] | None) -> Sequence[Instance]:
        """One page, newest first (by id, descending), ``wanted.after`` exclusive."""
        ...

    def selected(self, wanted: Selection) -> Sequence[Candidate]:
        """Instances in the named states, by id, ``wanted.after`` exclusive."""
        ...

    def instances_by_id(self, ids: Sequence[str]) -> Sequence[Instance]: ...

    def started_as(self, external_id: str, limit: int) -> Sequence[Instance]:
        """Instances in flight whose latest run its target calls that; usually one, or none."""
        ...

    def job_names(self, job_ids: Iterable[str]) -> Mapping[str, str]: ...

    def runs(self, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Run]]:
        """The runs that a retry or a rerun superseded, oldest first; every id has its entry."""
        ...

    def events(self, wanted: EventFilter, owners: Sequence[str] | None) -> Sequence[Event]:
        """One page, newest first (by id, descending)."""
        ...

    def skip_ranges(self, job_id: str, from_ms: int, to_ms: int) -> Sequence[SkipRange]:
        """Those that touch [from_ms, to_ms), in order of time."""
        ...

    def next_wakes(self, before_ms: int) -> Wakes:
        """When the sweep must look at what, as far as it is before that time: one question."""
        ...

    def remembered(self, owner: str, key: str) -> Remembered | None: ...

    def principal(self, token_hash: str) -> Principal | None:
        """Whoever holds the token of that SHA-256, with all memberships; None for nobody."""
        ...

    def roles_of(self, principals: Iterable[str]) -> Mapping[str, Role]:
        """By owner, the highest role that one of them has there."""
        ...

    def owners(self) -> Sequence[str]: ...

    def memberships(self, owner: str) -> Sequence[Membership]: ...


@dataclass(frozen=True, slots=True)
class Slots:
    """So many instances hold a slot of that backfill's (None: the job's) limit, and perhaps of that group."""

    backfill: str | None
    group: str | None
    place: GroupPlace | None
    count: int


class Transaction(
    Reader,
    BackfillTransaction,
    OwnerTransaction,
    PauseTransaction,
    WaitTransaction,
    HousekeepingTransaction,
    NotificationTransaction,
    Protocol,
):
    """One unit of work: all of it happens, or none.

    Locks are taken in this order, whoever takes them: the pause, owners, calendars and groups by name,
    jobs by id, instances by id. Backfills, which only their jobs' holders touch, have no place of their own
    in it.
    A value is written as a whole; ``save_instances`` repeats the guard on ``version``.
    """

    def lock_jobs(self, ids: Iterable[str]) -> Sequence[Job]:
        """Those that exist, in order of id."""
        ...

    def lock_due_jobs(self, now_ms: int, limit: int) -> Sequence[Job]:
        """wake_ms <= now, oldest first; what another transaction holds is passed over."""
        ...

    def insert_job(self, job: Job, reason: str | None = None) -> None:
        """With its revision, and why there is one.

        Raises:
            NameTaken: the owner has a live job of that name.
        """
        ...

    def save_jobs(self, jobs: Sequence[Job]) -> None:
        """All but the definition. A DELETED job frees its name."""
        ...

    def revise_job(self, job: Job, reason: str | None = None, changed: Sequence[str] = ()) -> None:
        """Name, definition, calendars, and the new revision's row; ``save_jobs`` writes the rest.

        ``changed``: names of the fields in which the revision differs from the one before.

        Raises:
            NameTaken: the owner has another live job of that name.
        """
        ...

    def lock_calendars(self, owner: str, names: Iterable[str]) -> Sequence[StoredCalendar]:
        """Those that exist, in order of name. Who names a calendar in a job holds its lock."""
        ...

    def insert_calendar(self, calendar: StoredCalendar) -> None:
        """Raises AlreadyExists when the owner was given one of that name meanwhile."""
        ...

    def save_calendar(self, calendar: StoredCalendar) -> None: ...

    def delete_calendar(self, owner: str, name: str) -> None: ...

    def insert_group(self, group: Group) -> None:
        """Raises AlreadyExists when the owner was given one of that name meanwhile."""
        ...

    def save_group(self, group: Group) -> None: ...

    def delete_group(self, owner: str, name: str) -> None: ...

    def has_members(self, key: GroupKey) -> bool:
        """Whether an instance that has not ended belongs to the group, wherever it is in it."""
        ...

    def insert_instances(self, instances: Sequence[Instance]) -> None:
        """Those whose (job, nominal time) exists already are passed over, untouched."""
        ...

    def lock_instances(self, ids: Iterable[str]) -> Sequence[Instance]:
        """Those that exist, in order of id."""
        ...

    def lock_due_instances(self, now_ms: int, limit: int) -> Sequence[Instance]:
        """wake_ms <= now, oldest first; what another transaction holds is passed over."""
        ...

    def save_instances(self, instances: Sequence[Instance]) -> int:
        """Each value carries version + 1; how many rows still had the version before it."""
        ...

    def active_counts(self, job_ids: Iterable[str]) -> Mapping[Scope, int]:
        """How many hold a slot, by job and backfill; who has none is missing."""
        ...

    def rivals(self, job_ids: Iterable[str]) -> Sequence[str]:
        """Ids of the jobs' instances that hold a slot or wait for one (WAITING, reason MAX_ACTIVE)."""
        ...

    def newest_undecided(self, job_ids: Iterable[str]) -> Mapping[str, int]:
        """The newest nominal time of each job's instances that nobody has looked at (WAITING without a
        reason, of no backfill), if there are any."""
        ...

    def queued(self, job_ids: Iterable[str]) -> AbstractSet[str]:
        """Those of the jobs of which an instance waits for a slot (WAITING, reason MAX_ACTIVE)."""
        ...

    def lock_groups(self, keys: Iterable[GroupKey]) -> Mapping[GroupKey, Group]:
        """Those that exist, locked by owner and name. Before the jobs."""
        ...

    def group_counts(self, keys: Iterable[GroupKey]) -> Mapping[GroupKey, int]:
        """How many instances hold a slot of each group."""
        ...

    def slots_of_waiting(self, job_id: str, *, held: bool) -> Sequence[Slots]:
        """What those of the job that wait hold, retries for example; with ``held`` without manual ones."""
        ...

    def hold_instances(self, job_id: str) -> int:
        """Suspension: scheduled and backfilled ones that wait lose their wake_ms and their slots."""
        ...

    def release_instances(
        self, job_id: str, now_ms: int, held_since_ms: int, held_until_ms: int
    ) -> int:
        """Resume: they wake now, and their wait's end moves by the time they were held, as far as nobody
        else gives it back: until then."""
        ...

    def wake_queued(self, scope: Scope, now_ms: int, count: int, *, beside: int = 0) -> int:
        """The oldest that wait for a slot (WAITING, reason MAX_ACTIVE) are given one, and wake now.

        ``beside``: so many hold one already. Who has a limit of its own that all of them together would
        exceed is passed over.

        The slot passes from hand to hand in one transaction: nobody who comes later can take it.
        Of a backfill that begins with the newest, the newest; and only from now on can they wait too long.
        """
        ...

    def wake_own(self, job_ids: Iterable[str], now_ms: int) -> int:
        """Those of the jobs that wait for a slot with overlap allow of their own look again now: their limit
        may leave room where their job's leaves none."""
        ...

    def wake_group(self, key: GroupKey, now_ms: int, count: int) -> int:
        """The same for those that wait for a slot of their group (place QUEUED)."""
        ...

    def skip_waiting(self, job_id: str, now_ms: int, reason: str) -> int:
        """Delete: all that wait become SKIPPED, free their slots and never wake."""
        ...

    def active_instances(self, job_id: str) -> Sequence[str]:
        """Ids of those that hold a slot and are in flight."""
        ...

    def next_free_ms(self, job_id: str, from_ms: int) -> int:
        """The first millisecond >= from_ms, not on a whole second, without an instance of the job."""
        ...

    def archive_runs(self, instances: Sequence[Instance]) -> None:
        """Their latest runs become history; a run that is there already stays as it is."""
        ...

    def insert_skip_ranges(self, ranges: Sequence[SkipRange]) -> None: ...

    def insert_events(self, events: Sequence[Event]) -> None: ...

    def remember(self, answer: Remembered) -> None:
        """Raises AlreadyExists when the key was used meanwhile."""
        ...

    def insert_owner(self, owner: str, now_ms: int) -> None:
        """No-op for an owner that exists."""
        ...

    def insert_token(self, token_hash: str, principal: str, *, admin: bool, now_ms: int) -> None:
        """No-op for a token that exists."""
        ...

    def save_membership(self, member: Membership) -> None: ...

    def delete_membership(self, owner: str, principal: str) -> bool: ...

    def forget_requests(self, before_ms: int, limit: int) -> int:
        """Answers that were given before that time, at most so many; how many."""
        ...


class Store(Protocol):
    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run the unit and commit it; deadlocks and lost connections repeat the whole unit, so it must
        compute everything from what it reads.

        Raises:
            Unavailable: the database cannot be reached, or its schema is older than this program.
        """
        ...

    def read(self, work: Callable[[Reader], T]) -> T:
        """Like ``transact``, but nothing is written or locked."""
        ...

    def database_now_ms(self) -> int:
        """The database's clock."""
        ...


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What to look at, as it was when it was handed out; if its version moved, drop it.

    In every lane but DELIVER ``id`` is an instance's; there it is a notification's, and ``version`` counts
    the deliveries before.
    """

    id: str
    version: int


class Lane(StrEnum):
    """Who is to look at it: whoever launches started kinds, does inline work, checks prerequisites, or
    delivers notifications. None of them waits for another."""

    LAUNCH = "launch"
    WORK = "work"
    CHECK = "check"
    DELIVER = "deliver"


class Queue(Protocol):
    def send(self, lane: Lane, handed: Sequence[HandedOut]) -> None:
        """Delivered at least once, in any order. In WORK and DELIVER each travels alone."""
        ...


class Alarm(Protocol):
    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        """Sweep at that time. The wake-up may arm the next one only before ``arm_until_ms``.

        Wake-ups for the same moment may be merged; then the latest of their permissions holds.
        """
        ...


class Control(Protocol):
    """What an inline run has of the engine while it works."""

    def begin(self, handle: Mapping[str, object]) -> None:
        """Commit RUNNING with the handle, before any effect.

        Raises:
            RunTaken: the claim is no longer ours, or a stop was requested; do nothing and return.
        """
        ...

    @property
    def lost(self) -> bool:
        """The claim went to somebody else, who looks after the run now: leave it alone and return."""
        ...

    @property
    def stopping(self) -> bool:
        """Somebody asked this run to stop, or the claim was lost: cancel and return."""
        ...

    def on_stop(self, cancel: Callable[[], None]) -> None:
        """Call ``cancel`` once, from any thread, as soon as the run must stop."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait that long or until the run must stop; true when it must."""
        ...


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a run launches: a pure function of instance, run and revision; the same bytes at every repeat.

    ``spec`` is the target's document with every template rendered, ``bindings`` what SQL may bind by
    name. ``handle`` is what an earlier claim of the same run committed: then adopt, do not begin again.
    ``deadline_ms`` is the end of the run's time. ``repeated``: an earlier claim had no outcome, so that the
    target may have been called: look before it is called again. ``callback``: where the target reports; None
    where it does not. ``heard``: it has.
    """

    token: str
    instance_id: str
    job_id: str
    job_name: str
    owner: str
    run: int
    kind: str
    spec: Mapping[str, Any]
    bindings: Mapping[str, str | int | float | bool | None]
    handle: Mapping[str, Any] | None
    external_id: str | None
    deadline_ms: int
    repeated: bool = False
    callback: Callback | None = None
    heard: bool = False


class Targets(Protocol):
    """All kinds of target, by name."""

    def validate(
        self,
        target: Mapping[str, Any],
        parameters: Collection[str] | None = None,
        *,
        owner: str | None = None,
    ) -> None:
        """Raises InvalidInput with fields under ``target``: unknown kind, fields, connection, host…

        ``parameters``: the names that the definition declares; None when they are not known here.
        ``owner``: whose job it is, and who must be permitted to launch it.
        """
        ...

    def style(self, kind: str) -> Style: ...

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        """Started kinds: call with the token, in parallel; never raises."""
        ...

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        """Started kinds: how the runs are now, found by external id or token; never raises."""
        ...

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        """Started kinds: ask them to end; Pending until the target confirms; never raises."""
        ...

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        """Inline kinds: do the work; never raises."""
        ...


class Artifacts(Protocol):
    """Results and logs that runs left, by the path that their outcome named."""

    def read(self, path: str, *, offset: int = 0, limit: int = 5_000_000) -> bytes:
        """Raises NotFound when it is gone or was never written."""
        ...

    def forget(self, tokens: Sequence[str]) -> Sequence[str]:
        """Remove the folders of these runs; those of which nothing is left. Raises nothing.

        Results are their users', and stay. The folder of a program that is still at work stays too.
        """
        ...


class Stops(Protocol):
    """Tells runs in this process of a stop at once; elsewhere they read it with their lease."""

    def notify(self, instance_ids: Sequence[str]) -> None: ...

    def watch(self, instance_id: str, look: Callable[[], None]) -> AbstractContextManager[None]:
        """While the context is open, ``notify`` of that instance calls ``look``, from any thread."""
        ...


class Listener(Protocol):
    def __call__(self, fact: Fact, /) -> None:
        """Must not raise."""
        ...
