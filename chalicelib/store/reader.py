"""Questions to the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from chalicelib.engine.conditions import UpstreamKey
from chalicelib.engine.filters import EventFilter, JobFilter
from chalicelib.engine.ports import Remembered, Scope, Wakes
from chalicelib.engine.wait_ports import Upstream, WaitPlace
from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.event import Event
from chalicelib.model.group import Group
from chalicelib.model.instance import Instance, Run
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.states import GroupPlace, Role
from chalicelib.store import rows
from chalicelib.store.backfills import BackfillReads
from chalicelib.store.history import HistoryReads
from chalicelib.store.housekeeping import HousekeepingReads
from chalicelib.store.instance_pages import InstancePages
from chalicelib.store.notifications import NotificationReads
from chalicelib.store.owners import OwnerReads
from chalicelib.store.paging import AFTER_ALL, as_cursor, as_owners, one_by_one
from chalicelib.store.pausing import PauseReads
from chalicelib.store.rows import as_list, batches, grouped
from chalicelib.store.session import Session

RANKS = list(Role)


class SqlReader(
    BackfillReads,
    HistoryReads,
    InstancePages,
    OwnerReads,
    PauseReads,
    HousekeepingReads,
    NotificationReads,
):
    """The ``Reader`` port."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def job(self, job_id: str, owners: Sequence[str] | None) -> Job | None:
        found = self._session.query("job", id=job_id, owners=as_owners(owners))
        return rows.job_of(found[0]) if found else None

    def job_named(self, name: str, owners: Sequence[str] | None) -> Sequence[Job]:
        found = self._session.query("jobs_named", name=name, owners=as_owners(owners))
        return [rows.job_of(row) for row in found]

    def jobs(self, wanted: JobFilter, owners: Sequence[str] | None) -> Sequence[Job]:
        after = as_cursor(wanted.after) or ""

        def page(owner: str | None) -> Sequence[Job]:
            found = self._session.query(
                "jobs",
                after=after,
                owner=owner,
                states=as_list(wanted.state) if wanted.state else None,
                living=None if wanted.state else True,
                name=wanted.name or None,
                grp=wanted.group,
                tags=_tags(wanted.tags) if wanted.tags else None,
                limit=wanted.limit,
            )
            return [rows.job_of(row) for row in found]

        pages = map(page, one_by_one(wanted.owner, owners))
        return sorted(chain(*pages), key=lambda job: job.id)[: wanted.limit]

    def jobs_by_id(self, ids: Iterable[str]) -> Sequence[Job]:
        return [rows.job_of(row) for row in self._session.query_listed("jobs_by_id", ids)]

    def definitions(self, wanted: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        keys = [{"job_id": job, "revision": revision} for job, revision in sorted(set(wanted))]
        return {
            (job_id, revision): definition
            for text in batches(keys)
            for job_id, revision, definition in self._session.query("definitions", rows=text)
        }

    def revision_calendars(
        self, wanted: Iterable[tuple[str, int]]
    ) -> Mapping[tuple[str, int], str]:
        keys = [{"job_id": job, "revision": revision} for job, revision in sorted(set(wanted))]
        return {
            (job_id, revision): calendars
            for text in batches(keys)
            for job_id, revision, calendars in self._session.query("revision_calendars", rows=text)
        }

    def calendars(self, owners: Sequence[str] | None) -> Sequence[StoredCalendar]:
        pages = (
            self._session.query("calendars", owner=owner) for owner in one_by_one(None, owners)
        )
        return [rows.calendar_of(row) for row in chain(*pages)]

    def calendars_named(self, owner: str, names: Iterable[str]) -> Sequence[StoredCalendar]:
        found = self._session.query_listed("calendars_named", names, owner=owner)
        return [rows.calendar_of(row) for row in found]

    def calendar_jobs(self, owner: str, calendar: str, limit: int) -> Sequence[tuple[str, str]]:
        found = self._session.query("calendar_jobs", owner=owner, calendar=calendar, limit=limit)
        return [(job_id, name) for job_id, name in found]

    def groups(self, owners: Sequence[str] | None) -> Sequence[Group]:
        pages = (self._session.query("groups", owner=owner) for owner in one_by_one(None, owners))
        return [rows.group_of(row) for row in chain(*pages)]

    def groups_named(self, owner: str, names: Iterable[str]) -> Sequence[Group]:
        found = self._session.query_listed("groups_named", names, owner=owner)
        return [rows.group_of(row) for row in found]

    def group_jobs(self, owner: str, group: str, limit: int) -> Sequence[tuple[str, str]]:
        found = self._session.query("group_jobs", owner=owner, grp=group, limit=limit)
        return [(job_id, name) for job_id, name in found]

    def group_members(
        self, owner: str, group: str, place: GroupPlace, limit: int
    ) -> Sequence[Instance]:
        found = self._session.query(
            "group_members", owner=owner, grp=group, place=int(place), limit=limit
        )
        return [rows.instance_of(row) for row in found]

    def group_places(
        self, owner: str, groups: Iterable[str]
    ) -> Mapping[tuple[str, GroupPlace], int]:
        found = self._session.query_listed("group_places", groups, owner=owner)
        return {(group, GroupPlace(place)): int(count) for group, place, count in found}

    def instance(self, instance_id: str, owners: Sequence[str] | None) -> Instance | None:
        found = self._session.query("instance", id=instance_id, owners=as_owners(owners))
        return rows.instance_of(found[0]) if found else None

    def instances_by_id(self, ids: Sequence[str]) -> Sequence[Instance]:
        return [rows.instance_of(row) for row in self._session.query_listed("instances_by_id", ids)]

    def started_as(self, external_id: str, limit: int) -> Sequence[Instance]:
        found = self._session.query("instances_started_as", external_id=external_id, limit=limit)
        return [rows.instance_of(row) for row in found]

    def job_names(self, job_ids: Iterable[str]) -> Mapping[str, str]:
        return {row[0]: row[1] for row in self._session.query_listed("job_names", job_ids)}

    def upstreams(self, wanted: Iterable[UpstreamKey]) -> Mapping[UpstreamKey, Upstream]:
        keys = [
            {"owner": owner, "name": name, "nominal_ms": nominal_ms}
            for owner, name, nominal_ms in sorted(set(wanted))
        ]
        return {
            (owner, name, nominal_ms): Upstream(state, reason, skipped)
            for text in batches(keys)
            for owner, name, nominal_ms, state, reason, skipped in self._session.query(
                "upstreams", rows=text
            )
        }

    def waiters(self, keys: Iterable[str]) -> Sequence[str]:
        found = self._session.query_listed("waiters", keys)
        return sorted({instance_id for (instance_id,) in found})

    def idle_waits(self, after: WaitPlace, limit: int) -> tuple[Sequence[str], WaitPlace | None]:
        page = self._session.query("waits", limit=limit, after_key=after[0], after=after[1])
        idle = sorted({instance_id for _, instance_id, waits in page if not waits})
        return idle, (page[-1][0], page[-1][1]) if len(page) == limit else None

    def slot_holders(self, scope: Scope, limit: int) -> Sequence[str]:
        job_id, backfill = scope
        found = self._session.query(
            "slot_holders",
            job_id=job_id,
            backfill=backfill,
            of_job=backfill is None or None,
            limit=limit,
        )
        return sorted(one for (one,) in found)

    def runs(self, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Run]]:
        found = grouped(self._session.query_listed("runs", instance_ids))
        return {one: [rows.run_of(row) for row in found.get(one, ())] for one in instance_ids}

    def events(self, wanted: EventFilter, owners: Sequence[str] | None) -> Sequence[Event]:
        after = as_cursor(wanted.after) or AFTER_ALL
        everywhere = wanted.job_id is None and wanted.instance_id is None

        def page(owner: str | None) -> Sequence[Event]:
            found = self._session.query(
                "events",
                after=after,
                owner=owner,
                owners=None if everywhere else as_owners(owners),
                job_id=wanted.job_id,
                instance_id=wanted.instance_id,
                verb=wanted.verb,
                actor=wanted.actor,
                from_ms=wanted.from_ms,
                to_ms=wanted.to_ms,
                limit=wanted.limit,
                job_only=(wanted.job_id is not None and wanted.instance_id is None) or None,
                owner_only=(everywhere and owner is not None) or None,
            )
            return [rows.event_of(row) for row in found]

        pages = map(page, one_by_one(wanted.owner, owners if everywhere else None))
        newest_first = sorted(chain(*pages), key=lambda event: event.id, reverse=True)
        return newest_first[: wanted.limit]

    def skip_ranges(self, job_id: str, from_ms: int, to_ms: int) -> Sequence[SkipRange]:
        found = self._session.query("skip_ranges", job_id=job_id, from_ms=from_ms, to_ms=to_ms)
        return [rows.skip_range_of(row) for row in found]

    def next_wakes(self, before_ms: int) -> Wakes:
        [[jobs, instances, backfills, watches, notifications, pause]] = self._session.query(
            "next_wakes", before=before_ms
        )
        return Wakes(jobs, instances, backfills, watches, notifications, bool(pause))

    def remembered(self, owner: str, key: str) -> Remembered | None:
        found = self._session.query("remembered", id=rows.request_id(owner, key))
        return rows.remembered_of(found[0]) if found else None

    def principal(self, token_hash: str) -> Principal | None:
        found = self._session.query("principal", token_hash=token_hash)
        if not found:
            return None
        name, admin, *_ = found[0]
        roles = {owner: Role(role) for _, _, owner, role in found if owner is not None}
        return Principal(name, bool(admin), roles)

    def roles_of(self, principals: Iterable[str]) -> Mapping[str, Role]:
        found: dict[str, Role] = {}
        for owner, role in self._session.query_listed("roles_of", principals):
            found[owner] = max(found.get(owner, Role(role)), Role(role), key=RANKS.index)
        return found

    def owners(self) -> Sequence[str]:
        return [name for (name,) in self._session.query("owners")]

    def memberships(self, owner: str) -> Sequence[Membership]:
        return [rows.membership_of(row) for row in self._session.query("memberships", owner=owner)]


def _tags(tags: Iterable[tuple[str, str]]) -> str:
    return json.dumps([{"name": name, "value": value} for name, value in tags])
