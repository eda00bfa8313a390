"""The statements of housekeeping."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from chalicelib.engine.housekeeping_ports import Ended
from chalicelib.model.job import Job, SkipRange
from chalicelib.store import rows
from chalicelib.store.failures import Duplicate
from chalicelib.store.session import Session

_OF_INSTANCES = ("runs", "instance_events", "waits", "watches")
_OF_JOB = ("job_ranges", "backfills", "revision_calendars", "revisions")
_DECIDED = ("DELIVERED", "FAILED")


class HousekeepingReads:
    """The ``HousekeepingReader`` port."""

    _session: Session

    def noted(self, name: str) -> str | None:
        found = self._session.query("noted", name=name)
        return found[0][0] if found else None

    def jobs_after(self, job_id: str, limit: int) -> Sequence[Job]:
        found = self._session.query("jobs_after", after=job_id, limit=limit)
        return [rows.job_of(row) for row in found]

    def nth_newest(self, job_id: str, count: int) -> int | None:
        found = self._session.query("nth_newest", job_id=job_id, skipped=count - 1)
        return found[0][0] if found else None

    def last_success(self, job_id: str) -> int | None:
        [[found]] = self._session.query("last_success", job_id=job_id)
        return None if found is None else int(found)

    def ended_before(
        self, job_id: str, ended_ms: int, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[Ended]:
        found = self._session.query(
            "ended_before",
            job_id=job_id,
            ended_ms=ended_ms,
            from_ms=from_ms,
            to_ms=to_ms,
            limit=limit,
        )
        return [rows.ended_of(row) for row in found]

    def ranges_around(self, job_id: str, from_ms: int, to_ms: int) -> Sequence[SkipRange]:
        ask = self._session.query
        found = [
            *ask("skip_page", job_id=job_id, before_ms=from_ms, limit=1),
            *ask("skip_ranges", job_id=job_id, from_ms=from_ms, to_ms=to_ms),
            *ask("range_behind", job_id=job_id, from_ms=to_ms),
        ]
        spans = {row[1]: rows.skip_range_of(row) for row in found}
        return [spans[first_ms] for first_ms in sorted(spans)]

    def leftovers(self, after: str, limit: int) -> Sequence[str]:
        found = self._session.query("leftovers", after=after, limit=limit)
        return [token for (token,) in found]


class HousekeepingWrites:
    """The ``HousekeepingTransaction`` port."""

    _session: Session

    def note(self, name: str, value: str) -> None:
        if self._session.change("update_meta", name=name, value=value) == 0:
            self._once("insert_meta", name=name, value=value)

    def purge_instances(self, ids: Iterable[str]) -> int:
        listed = sorted(set(ids))
        for what in _OF_INSTANCES:
            self._session.change_listed(f"purge_{what}", listed)
        return self._session.change_listed("purge_instances", listed)

    def replace_ranges(self, before: Sequence[SkipRange], after: Sequence[SkipRange]) -> None:
        kept = set(before) & set(after)
        gone = [one for one in before if one not in kept]
        for one in gone:
            self._session.change("delete_range", job_id=one.job_id, from_ms=one.from_ms)
        new = [rows.skip_range_row(one) for one in after if one not in kept]
        self._session.change_rows("insert_skip_ranges", new)

    def add_leftovers(self, tokens: Iterable[str]) -> None:
        for part in rows.slices(tokens):
            self._session.change("add_leftovers", rows=json.dumps(part))

    def drop_leftovers(self, tokens: Iterable[str]) -> None:
        self._session.change_listed("drop_leftovers", tokens)

    def purge_notifications(self, before_ms: int, limit: int) -> int:
        ids: list[str] = []
        for state in _DECIDED:
            room = limit - len(ids)
            if room:
                found = self._session.query(
                    "old_notifications", state=state, before=before_ms, limit=room
                )
                ids += [one for (one,) in found]
        return self._session.change_listed("purge_notifications", ids)

    def purge_job(self, job_id: str, limit: int) -> int:
        if self._session.query("has_instances", job_id=job_id):
            return 0
        for choose, purge in (("job_events", "events"), ("job_notifications", "notifications")):
            found = self._session.query(choose, job_id=job_id, limit=limit)
            if found:
                return self._session.change_listed(f"purge_{purge}", (one for (one,) in found))
        for what in _OF_JOB:
            self._session.change(f"purge_{what}", job_id=job_id)
        self._session.change("forget_job_calendars", job_id=job_id)
        self._session.change("purge_job", job_id=job_id)
        return 0

    def _once(self, name: str, /, **values: object) -> None:
        """A neighbour wrote it at this moment: its word is as good as ours."""
        try:
            self._session.change(name, **values)
        except Duplicate:
            return
