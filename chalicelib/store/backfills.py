"""The statements about backfills."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, product

from chalicelib.engine.backfill_ports import DueBackfill, Open
from chalicelib.engine.filters import BackfillFilter
from chalicelib.model.backfill import Backfill, BackfillState
from chalicelib.model.states import InstanceState
from chalicelib.store.driver import Row
from chalicelib.store.paging import AFTER_ALL, as_cursor, as_owners, each_state, one_by_one
from chalicelib.store.rows import JsonRow
from chalicelib.store.session import Session


class BackfillReads:
    """The ``BackfillReader`` port."""

    _session: Session

    def backfill(self, backfill_id: str, owners: Sequence[str] | None) -> Backfill | None:
        found = self._session.query("backfill", id=backfill_id, owners=as_owners(owners))
        return _backfill_of(found[0]) if found else None

    def backfills(self, wanted: BackfillFilter, owners: Sequence[str] | None) -> Sequence[Backfill]:
        of_job = wanted.job_id is not None
        choices = product(
            one_by_one(wanted.owner, None if of_job else owners), each_state(wanted.state)
        )
        found = chain(*(self._page(wanted, owners, *choice) for choice in choices))
        newest_first = sorted(found, key=lambda row: str(row[0]), reverse=True)
        return [_backfill_of(row) for row in newest_first[: wanted.limit]]

    def _page(
        self,
        wanted: BackfillFilter,
        owners: Sequence[str] | None,
        owner: str | None,
        state: str | None,
    ) -> Sequence[Row]:
        of_job = wanted.job_id is not None
        by = {
            (False, False): "any_owner_and_state",
            (True, False): "owner_only",
            (False, True): "state_only",
            (True, True): "owner_and_state",
        }[owner is not None, state is not None]
        if of_job:
            by = "job_only" if state is None else "job_and_state"
        return self._session.query(
            "backfills",
            after=as_cursor(wanted.after) or AFTER_ALL,
            owner=owner,
            owners=as_owners(owners) if of_job else None,
            job_id=wanted.job_id,
            state=state,
            limit=wanted.limit,
            **{by: True},
        )

    def backfill_counts(
        self, backfill_ids: Iterable[str]
    ) -> Mapping[str, Mapping[InstanceState, int]]:
        ids = set(backfill_ids)
        counts: dict[str, dict[InstanceState, int]] = {one: {} for one in ids}
        for backfill_id, state, count in self._session.query_listed("backfill_counts", ids):
            counts[backfill_id][InstanceState(state)] = int(count)
        return counts

    def due_backfills(self, now_ms: int, limit: int) -> Sequence[DueBackfill]:
        found = self._session.query("due_backfills", now=now_ms, limit=limit)
        return [DueBackfill(*row) for row in found]

    def instance_states(self, ids: Iterable[str]) -> Mapping[str, InstanceState]:
        found = self._session.query_listed("instance_states", ids)
        return {one: InstanceState(state) for one, state in found}


class BackfillWrites(BackfillReads):
    """The ``BackfillTransaction`` port."""

    def lock_backfill(self, backfill_id: str) -> Backfill | None:
        found = self._session.query("lock_backfill", id=backfill_id)
        return _backfill_of(found[0]) if found else None

    def insert_backfill(self, backfill: Backfill) -> None:
        self._session.change("insert_backfill", **_backfill_row(backfill))

    def save_backfill(self, backfill: Backfill) -> None:
        self._session.change("save_backfill", **_backfill_row(backfill))

    def open_of_backfill(self, backfill_id: str) -> Open:
        [[count, active]] = self._session.query("open_of_backfill", id=backfill_id)
        return Open(int(count), int(active))

    def open_instances(self, backfill_id: str) -> Sequence[str]:
        return [one for (one,) in self._session.query("open_instances", id=backfill_id)]

    def cancelled_backfills(self, backfill_ids: Iterable[str]) -> Collection[str]:
        found = self._session.query_listed("cancelled_backfills", backfill_ids)
        return frozenset(one for (one,) in found)

    def wake_backfills(self, backfill_ids: Iterable[str], now_ms: int) -> int:
        return self._session.change_listed("wake_backfills", backfill_ids, now=now_ms)

    def wake_backfills_of(self, job_id: str, now_ms: int) -> int:
        return self._session.change("wake_backfills_of", job_id=job_id, now=now_ms)

    def cancel_backfills_of(self, job_id: str, now_ms: int, reason: str) -> int:
        return self._session.change("cancel_backfills_of", job_id=job_id, now=now_ms, reason=reason)


def _backfill_of(row: Row) -> Backfill:
    (id_, owner, job_id, state, from_ms, to_ms, cursor_ms, newest_first, reprocess, overlap, max_active,
     revision, parameters, total, made, rerun, existing, wait_ms, wake_ms, failures, error, reason,
     created_ms, created_by, ended_ms, end_reason) = row  # fmt: skip
    return Backfill(
        id=id_,
        owner=owner,
        job_id=job_id,
        state=BackfillState(state),
        from_ms=from_ms,
        to_ms=to_ms,
        cursor_ms=cursor_ms,
        newest_first=bool(newest_first),
        reprocess=reprocess,
        overlap=overlap,
        max_active=max_active,
        revision=revision,
        parameters_json=parameters,
        total=total,
        made=made,
        rerun=rerun,
        existing=existing,
        wait_ms=wait_ms,
        wake_ms=wake_ms,
        failures=failures,
        error=error,
        reason=reason,
        created_ms=created_ms,
        created_by=created_by,
        ended_ms=ended_ms,
        end_reason=end_reason,
    )


def _backfill_row(one: Backfill) -> JsonRow:
    return {
        "id": one.id,
        "owner": one.owner,
        "job_id": one.job_id,
        "state": one.state.value,
        "from_ms": one.from_ms,
        "to_ms": one.to_ms,
        "cursor_ms": one.cursor_ms,
        "newest_first": int(one.newest_first),
        "reprocess": one.reprocess,
        "overlap": one.overlap,
        "max_active": one.max_active,
        "revision": one.revision,
        "parameters": one.parameters_json,
        "total": one.total,
        "made": one.made,
        "rerun": one.rerun,
        "existing": one.existing,
        "wait_ms": one.wait_ms,
        "wake_ms": one.wake_ms,
        "failures": one.failures,
        "error": one.error,
        "reason": one.reason,
        "created_ms": one.created_ms,
        "created_by": one.created_by,
        "ended_ms": one.ended_ms,
        "end_reason": one.end_reason,
    }
