"""Questions to the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.engine.filters import EventFilter, InstanceFilter, JobFilter
from chalicelib.engine.ports import Remembered
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.event import Event
from chalicelib.model.identity import is_id
from chalicelib.model.instance import Instance, Run
from chalicelib.model.job import Job, Revision, SkipRange
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.states import Role
from chalicelib.store import rows
from chalicelib.store.rows import as_list, batches, grouped
from chalicelib.store.session import Session

AFTER_ALL = "g" * 32
"""Greater than every id."""
LATEST_MS = (1 << 48) - 1
"""An instance's id has 48 bits for its nominal time."""


class SqlReader:
    """The ``Reader`` port."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def job(self, job_id: str, owners: Sequence[str] | None) -> Job | None:
        found = self._session.query("job", id=job_id, owners=_owners(owners))
        return rows.job_of(found[0]) if found else None

    def job_named(self, name: str, owners: Sequence[str] | None) -> Sequence[Job]:
        found = self._session.query("jobs_named", name=name, owners=_owners(owners))
        return [rows.job_of(row) for row in found]

    def jobs(self, wanted: JobFilter, owners: Sequence[str] | None) -> Sequence[Job]:
        found = self._session.query(
            "jobs",
            after=_cursor(wanted.after) or "",
            **_seen(wanted.owner, owners),
            states=as_list(wanted.state) if wanted.state else None,
            living=None if wanted.state else True,
            name=wanted.name or None,
            limit=wanted.limit,
        )
        return [rows.job_of(row) for row in found]

    def definitions(self, wanted: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        keys = [{"job_id": job, "revision": revision} for job, revision in sorted(set(wanted))]
        return {
            (job_id, revision): definition
            for text in batches(keys)
            for job_id, revision, definition in self._session.query("definitions", rows=text)
        }

    def revisions(self, job_id: str) -> Sequence[Revision]:
        return [rows.revision_of(row) for row in self._session.query("revisions", job_id=job_id)]

    def instance(self, instance_id: str, owners: Sequence[str] | None) -> Instance | None:
        found = self._session.query("instance", id=instance_id, owners=_owners(owners))
        return rows.instance_of(found[0]) if found else None

    def instances(self, wanted: InstanceFilter, owners: Sequence[str] | None) -> Sequence[Instance]:
        after = _cursor(wanted.after)
        narrowed = {
            **_seen(wanted.owner, owners),
            "state": wanted.state[0] if len(wanted.state) == 1 else None,
            "states": as_list(wanted.state) if len(wanted.state) > 1 else None,
            "kind": wanted.kind,
            "limit": wanted.limit,
        }
        if wanted.job_id is not None:
            before_ms = LATEST_MS if after is None else int(after[:12], 16)
            if wanted.to_ms is not None:
                before_ms = min(before_ms, wanted.to_ms)
            narrowed |= {"job_id": wanted.job_id, "before_ms": before_ms, "from_ms": wanted.from_ms}
            found = self._session.query("instances_of_job", **narrowed)
        else:
            ends = [end for end in (after, _first_id(wanted.to_ms)) if end is not None]
            narrowed |= {
                "after": min(ends, default=AFTER_ALL),
                "from_id": _first_id(wanted.from_ms),
            }
            found = self._session.query("instances", **narrowed)
        return [rows.instance_of(row) for row in found]

    def instances_by_id(self, ids: Sequence[str]) -> Sequence[Instance]:
        return [rows.instance_of(row) for row in self._session.query_listed("instances_by_id", ids)]

    def job_names(self, job_ids: Iterable[str]) -> Mapping[str, str]:
        return {row[0]: row[1] for row in self._session.query_listed("job_names", job_ids)}

    def runs(self, instance_ids: Sequence[str]) -> Mapping[str, Sequence[Run]]:
        found = grouped(self._session.query_listed("runs", instance_ids))
        return {one: [rows.run_of(row) for row in found.get(one, ())] for one in instance_ids}

    def events(self, wanted: EventFilter, owners: Sequence[str] | None) -> Sequence[Event]:
        found = self._session.query(
            "events",
            after=_cursor(wanted.after) or AFTER_ALL,
            **_seen(wanted.owner, owners),
            job_id=wanted.job_id,
            instance_id=wanted.instance_id,
            verb=wanted.verb,
            from_ms=wanted.from_ms,
            to_ms=wanted.to_ms,
            limit=wanted.limit,
        )
        return [rows.event_of(row) for row in found]

    def skip_ranges(self, job_id: str, from_ms: int, to_ms: int) -> Sequence[SkipRange]:
        found = self._session.query("skip_ranges", job_id=job_id, from_ms=from_ms, to_ms=to_ms)
        return [rows.skip_range_of(row) for row in found]

    def next_wake(self, before_ms: int) -> int | None:
        [[wake_ms]] = self._session.query("next_wake", before=before_ms)
        return None if wake_ms is None else int(wake_ms)

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

    def owners(self) -> Sequence[str]:
        return [name for (name,) in self._session.query("owners")]

    def memberships(self, owner: str) -> Sequence[Membership]:
        return [rows.membership_of(row) for row in self._session.query("memberships", owner=owner)]


def _owners(owners: Sequence[str] | None) -> str | None:
    return None if owners is None else as_list(owners)


def _seen(owner: str | None, owners: Sequence[str] | None) -> Mapping[str, Any]:
    """One owner is an equality, which an index serves in the order of the page; several are a list."""
    if owners is not None and owner is None and len(owners) == 1:
        return {"owner": owners[0], "owners": None}
    return {"owner": owner, "owners": _owners(owners)}


def _cursor(after: str | None) -> str | None:
    if after is not None and not is_id(after):
        raise InvalidInput(
            [Problem("after", "is no id; pass the one that the last page ended with", after)]
        )
    return after


def _first_id(nominal_ms: int | None) -> str | None:
    """The least id that an instance of that nominal time or a later one can have."""
    if nominal_ms is None:
        return None
    return AFTER_ALL if nominal_ms > LATEST_MS else f"{max(nominal_ms, 0):012x}"
