"""The statements of one unit of work that change or lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from chalicelib.engine.ports import GroupKey, Remembered, Scope, Slots
from chalicelib.engine.wait_ports import Wait
from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.errors import AlreadyExists, NameTaken
from chalicelib.model.event import Event
from chalicelib.model.group import Group
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.notification import Notification, Watch
from chalicelib.model.principal import Membership
from chalicelib.model.states import JobState
from chalicelib.store import rows
from chalicelib.store.backfills import BackfillWrites
from chalicelib.store.driver import Row
from chalicelib.store.failures import ConstraintViolated, Duplicate
from chalicelib.store.housekeeping import HousekeepingWrites
from chalicelib.store.notifications import (
    NotificationWrites,
    notification_of,
    notification_row,
    watch_row,
)
from chalicelib.store.owners import OwnerWrites
from chalicelib.store.pausing import PauseWrites
from chalicelib.store.reader import SqlReader

V = TypeVar("V", Job, Instance, Notification)
_NOMINAL_PAGE = 1000


class SqlTransaction(
    SqlReader, BackfillWrites, OwnerWrites, PauseWrites, HousekeepingWrites, NotificationWrites
):
    """The ``Transaction`` port."""

    def lock_jobs(self, ids: Iterable[str]) -> Sequence[Job]:
        return [rows.job_of(row) for row in self._session.query_listed("lock_jobs", ids)]

    def lock_due_jobs(self, now_ms: int, limit: int) -> Sequence[Job]:
        return self._lock_due("due_jobs", "lock_due_jobs", rows.job_of, now_ms, limit)

    def insert_job(self, job: Job, reason: str | None = None) -> None:
        try:
            self._session.change("insert_job", **rows.job_row(job))
        except Duplicate:
            self._refuse_name(job)
        self._insert_revision(job, (job.created_ms, job.created_by), reason, None)

    def save_jobs(self, jobs: Sequence[Job]) -> None:
        saved = self._session.change_rows("save_jobs", map(rows.saved_job_row, jobs))
        if saved != len(jobs):
            raise ConstraintViolated(
                f"save_jobs: {len(jobs) - saved} of {len(jobs)} jobs are ahead of what is to be saved "
                "or do not exist; whoever saves a job has locked it"
            )

    def revise_job(self, job: Job, reason: str | None = None, changed: Sequence[str] = ()) -> None:
        try:
            revised = self._session.change(
                "revise_job",
                id=job.id,
                name=job.name,
                definition=job.definition_json,
                revision=job.revision,
                calendars=job.calendars_json,
                grp=job.group,
            )
        except Duplicate:
            self._refuse_name(job)
        if revised != 1:
            raise ConstraintViolated(f"revise_job: revision {job.revision} is not the next one")
        self._session.change("forget_job_calendars", job_id=job.id)
        names = json.dumps(list(changed))
        self._insert_revision(job, (job.modified_ms, job.modified_by), reason, names)

    def lock_calendars(self, owner: str, names: Iterable[str]) -> Sequence[StoredCalendar]:
        found = self._session.query_listed("lock_calendars", names, owner=owner)
        return [rows.calendar_of(row) for row in found]

    def insert_calendar(self, calendar: StoredCalendar) -> None:
        try:
            self._session.change("insert_calendar", **rows.calendar_row(calendar))
        except Duplicate:
            raise AlreadyExists(
                f"{calendar.owner} was given a calendar {calendar.name} at this moment; look at it first"
            ) from None

    def save_calendar(self, calendar: StoredCalendar) -> None:
        if self._session.change("save_calendar", **rows.calendar_row(calendar)) != 1:
            raise ConstraintViolated(f"save_calendar: edit {calendar.edit} is not the next one")

    def delete_calendar(self, owner: str, name: str) -> None:
        self._session.change("delete_calendar", owner=owner, name=name)

    def insert_instances(self, instances: Sequence[Instance]) -> None:
        self._insert_missing("insert_instances", map(rows.instance_row, instances))

    def lock_instances(self, ids: Iterable[str]) -> Sequence[Instance]:
        return [rows.instance_of(row) for row in self._session.query_listed("lock_instances", ids)]

    def lock_due_instances(self, now_ms: int, limit: int) -> Sequence[Instance]:
        return self._lock_due(
            "due_instances", "lock_due_instances", rows.instance_of, now_ms, limit
        )

    def save_instances(self, instances: Sequence[Instance]) -> int:
        return self._session.change_rows("save_instances", map(rows.instance_row, instances))

    def active_counts(self, job_ids: Iterable[str]) -> Mapping[Scope, int]:
        found = self._session.query_listed("active_counts", job_ids)
        return {(job_id, backfill): count for job_id, backfill, count in found}

    def rivals(self, job_ids: Iterable[str]) -> Sequence[str]:
        return [one for (one,) in self._session.query_listed("rivals", job_ids)]

    def newest_undecided(self, job_ids: Iterable[str]) -> Mapping[str, int]:
        found = self._session.query_listed("newest_undecided", job_ids)
        return {job_id: int(nominal_ms) for job_id, nominal_ms in found if nominal_ms is not None}

    def queued(self, job_ids: Iterable[str]) -> frozenset[str]:
        return frozenset(one for (one,) in self._session.query_listed("queued", job_ids))

    def lock_groups(self, keys: Iterable[GroupKey]) -> Mapping[GroupKey, Group]:
        return {
            (group.owner, group.name): group
            for owner, names in rows.by_owner(keys)
            for row in self._session.query_listed("lock_groups", names, owner=owner)
            for group in [rows.group_of(row)]
        }

    def insert_group(self, group: Group) -> None:
        try:
            self._session.change("insert_group", **rows.group_row(group))
        except Duplicate:
            raise AlreadyExists(
                f"{group.owner} was given a group {group.name} at this moment; look at it first"
            ) from None

    def save_group(self, group: Group) -> None:
        if self._session.change("save_group", **rows.group_row(group)) != 1:
            raise ConstraintViolated(f"save_group: edit {group.edit} is not the next one")

    def delete_group(self, owner: str, name: str) -> None:
        self._session.change("delete_group", owner=owner, name=name)

    def has_members(self, key: GroupKey) -> bool:
        owner, name = key
        [[placed, waiting]] = self._session.query("has_members", owner=owner, grp=name)
        return bool(placed or waiting)

    def group_counts(self, keys: Iterable[GroupKey]) -> Mapping[GroupKey, int]:
        counts = {}
        for owner, name in sorted(set(keys)):
            [[count]] = self._session.query("group_count", owner=owner, grp=name)
            counts[owner, name] = int(count)
        return counts

    def slots_of_waiting(self, job_id: str, *, held: bool) -> Sequence[Slots]:
        found = self._session.query("slots_of_waiting", job_id=job_id, held=held or None)
        return [rows.slots_of(row) for row in found]

    def hold_instances(self, job_id: str) -> int:
        return self._session.change("hold_instances", job_id=job_id)

    def release_instances(
        self, job_id: str, now_ms: int, held_since_ms: int, held_until_ms: int
    ) -> int:
        until_ms = max(held_until_ms, held_since_ms)
        return self._session.change(
            "release_instances", job_id=job_id, now=now_ms, since=held_since_ms, until=until_ms
        )

    def wake_queued(self, scope: Scope, now_ms: int, count: int, *, beside: int = 0) -> int:
        job_id, backfill = scope
        found = self._session.query("backfill_turns", id=backfill) if backfill is not None else ()
        newest_first, wait_ms = found[0] if found else (0, None)
        return self._session.change(
            "wake_queued",
            job_id=job_id,
            backfill=backfill,
            of_job=backfill is None or None,
            together=beside + count if backfill is None else None,
            oldest_first=(not newest_first) or None,
            oldest_of_backfill=(backfill is not None and not newest_first) or None,
            newest_first=bool(newest_first) or None,
            deadline_ms=None if wait_ms is None else now_ms + int(wait_ms),
            now=now_ms,
            count=count,
        )

    def wake_own(self, job_ids: Iterable[str], now_ms: int) -> int:
        return self._session.change_listed("wake_own", job_ids, now=now_ms)

    def wake_group(self, key: GroupKey, now_ms: int, count: int) -> int:
        owner, name = key
        return self._session.change("wake_group", owner=owner, grp=name, now=now_ms, count=count)

    def wake_waiters(
        self, instance_ids: Iterable[str], now_ms: int, owners: Sequence[str] | None = None
    ) -> int:
        owned = None if owners is None else rows.as_list(owners)
        return sum(
            self._session.change("wake_waiters", ids=rows.as_list(part), now=now_ms, owners=owned)
            for part in rows.slices(instance_ids)
        )

    def save_waits(self, waits: Sequence[Wait]) -> None:
        ordered = sorted(set(waits), key=lambda wait: (wait.key, wait.instance_id))
        keys = ({"key_hash": one.key, "instance_id": one.instance_id} for one in ordered)
        self._insert_missing("save_waits", keys)

    def forget_waits(self, instance_ids: Iterable[str]) -> int:
        return sum(
            self._session.change("forget_waits", ids=rows.as_list(part))
            for part in rows.slices(instance_ids)
        )

    def skip_waiting(self, job_id: str, now_ms: int, reason: str) -> int:
        return self._session.change("skip_waiting", job_id=job_id, now=now_ms, reason=reason)

    def active_instances(self, job_id: str) -> Sequence[str]:
        return sorted(one for (one,) in self._session.query("active_instances", job_id=job_id))

    def next_free_ms(self, job_id: str, from_ms: int) -> int:
        free = from_ms + (from_ms % 1000 == 0)
        while True:
            taken = self._session.query(
                "nominal_times", job_id=job_id, from_ms=free, limit=_NOMINAL_PAGE
            )
            for (nominal_ms,) in taken:
                if nominal_ms > free:
                    return free
                free = nominal_ms + 1
                free += free % 1000 == 0
            if len(taken) < _NOMINAL_PAGE:
                return free

    def archive_runs(self, instances: Sequence[Instance]) -> None:
        self._insert_missing("archive_runs", map(rows.run_row, instances))

    def insert_skip_ranges(self, ranges: Sequence[SkipRange]) -> None:
        self._insert("insert_skip_ranges", map(rows.skip_range_row, ranges))

    def insert_events(self, events: Sequence[Event]) -> None:
        self._insert("insert_events", map(rows.event_row, events))

    def insert_notifications(self, notifications: Sequence[Notification]) -> None:
        self._insert_missing("insert_notifications", map(notification_row, notifications))

    def lock_due_notifications(self, now_ms: int, limit: int) -> Sequence[Notification]:
        return self._lock_due(
            "due_notifications", "lock_due_notifications", notification_of, now_ms, limit
        )

    def insert_watches(self, watches: Sequence[Watch]) -> None:
        self._insert_missing("insert_watches", map(watch_row, watches))

    def remember(self, answer: Remembered) -> None:
        try:
            self._session.change("remember", **rows.remembered_row(answer))
        except Duplicate:
            raise AlreadyExists(
                f"the Idempotency-Key {answer.key!r} was used by another request at this moment"
            ) from None

    def insert_owner(self, owner: str, now_ms: int) -> None:
        self._insert_once("insert_owner", name=owner, now=now_ms)

    def insert_token(self, token_hash: str, principal: str, *, admin: bool, now_ms: int) -> None:
        self._insert_once(
            "insert_token", token_hash=token_hash, principal=principal, admin=int(admin), now=now_ms
        )

    def save_membership(self, member: Membership) -> None:
        self._session.change(
            "save_membership",
            owner=member.owner,
            principal=member.principal,
            role=member.role.value,
        )

    def delete_membership(self, owner: str, principal: str) -> bool:
        return self._session.change("delete_membership", owner=owner, principal=principal) > 0

    def forget_requests(self, before_ms: int, limit: int) -> int:
        self._session.change("forget_writers", before=before_ms)
        old = self._session.query("old_requests", before=before_ms, limit=limit)
        return self._session.change_listed("forget_requests", (one for (one,) in old))

    def _lock_due(
        self, choose: str, lock: str, read: Callable[[Row], V], now_ms: int, limit: int
    ) -> Sequence[V]:
        """Choose the oldest, then lock them in order of id; what is passed over makes room for later ones.

        Choosing locks nothing and locking waits for nothing, so it cannot deadlock.
        """
        locked: list[V] = []
        after: dict[str, object] = {}
        while len(locked) < limit:
            room = limit - len(locked)
            chosen = self._session.query(choose, now=now_ms, limit=room, **after)
            ids = [id_ for _, id_ in chosen]
            locked += map(read, self._session.query_listed(lock, ids, now=now_ms))
            if len(chosen) < room:
                break
            after = {"after_ms": chosen[-1][0], "after": chosen[-1][1]}
        return sorted(locked, key=lambda one: (one.wake_ms or 0, one.id))

    def _refuse_name(self, job: Job) -> None:
        if job.state is not JobState.DELETED and self._session.query(
            "name_holder", owner=job.owner, name=job.name
        ):
            raise NameTaken(
                f"{job.owner} has a job named {job.name} already; update that one, or choose another name"
            ) from None
        raise ConstraintViolated(f"there is a job {job.id} already") from None

    def _insert_revision(
        self, job: Job, made: tuple[int, str], reason: str | None, changed: str | None
    ) -> None:
        """``made``: when, and by whom."""
        self._session.change(
            "insert_revision",
            job_id=job.id,
            revision=job.revision,
            definition=job.definition_json,
            created_ms=made[0],
            created_by=made[1],
            reason=reason,
            changed=changed,
        )
        if job.calendars_json is None:
            return
        self._session.change(
            "insert_revision_calendars",
            job_id=job.id,
            revision=job.revision,
            calendars=job.calendars_json,
        )
        for name in job.calendar_names:
            self._session.change(
                "insert_job_calendar", owner=job.owner, calendar=name, job_id=job.id
            )

    def _insert(self, name: str, values: Iterable[rows.JsonRow]) -> None:
        try:
            self._session.change_rows(name, values)
        except Duplicate as duplicate:
            raise ConstraintViolated(f"{name}: {duplicate}") from None

    def _insert_missing(self, name: str, values: Iterable[rows.JsonRow]) -> None:
        """The statement leaves out what exists. A neighbour may insert between its look and its write:
        then it did nothing, and looks again.
        """
        for text in rows.batches(values):
            try:
                self._session.change(name, rows=text)
            except Duplicate:
                self._session.change(name, rows=text)

    def _insert_once(self, name: str, /, **values: object) -> None:
        try:
            self._session.change(name, **values)
        except Duplicate:
            return
