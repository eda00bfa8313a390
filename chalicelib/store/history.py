"""Questions about what was: samples for statistics, skip ranges, revisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.engine.filters import StatisticsFilter
from chalicelib.engine.statistics import Finished, Skipped, Unfinished
from chalicelib.model.job import Revision, RevisionEntry, SkipRange
from chalicelib.store import rows
from chalicelib.store.driver import Row
from chalicelib.store.paging import first_id, one_by_one
from chalicelib.store.session import Session

FEW_JOBS = 20  # are asked for one by one; more are picked out of all that their owners have


class HistoryReads:
    """The ``HistoryReader`` port."""

    _session: Session

    def finished(
        self, wanted: StatisticsFilter, owners: Sequence[str] | None
    ) -> Sequence[Finished]:
        """Once there are enough, only what is newer than the oldest of them is asked for."""
        newest: list[tuple[str, Finished]] = []
        for scope in _scopes(wanted, owners):
            newest += [(id_, Finished(*row)) for id_, *row in self._of("finished", wanted, scope)]
            # Also of equal nominal times, so that whoever sees all and whoever sees each has the same.
            newest = sorted(newest, key=lambda one: one[0], reverse=True)[: wanted.limit]
            if len(newest) >= wanted.limit:
                wanted = replace(wanted, from_ms=newest[-1][1].nominal_ms)
        return [one for _, one in newest]

    def unfinished(
        self, wanted: StatisticsFilter, owners: Sequence[str] | None
    ) -> Sequence[Unfinished]:
        found = [Unfinished(*row) for row in self._sample("unfinished", wanted, owners)]
        return found[: wanted.limit]

    def skipped(self, wanted: StatisticsFilter, owners: Sequence[str] | None) -> Sequence[Skipped]:
        found = [
            Skipped(owner, rows.skip_range_of(tuple(span)))
            for owner, *span in self._sample("skipped", wanted, owners)
        ]
        return found[: wanted.limit]

    def skip_page(self, job_id: str, before_ms: int, limit: int) -> Sequence[SkipRange]:
        found = self._session.query("skip_page", job_id=job_id, before_ms=before_ms, limit=limit)
        return [rows.skip_range_of(row) for row in found]

    def revisions(self, job_id: str, before: int | None, limit: int) -> Sequence[RevisionEntry]:
        found = self._session.query("revisions", job_id=job_id, before=before, limit=limit)
        return [rows.revision_entry_of(row) for row in found]

    def revision(self, job_id: str, revision: int) -> Revision | None:
        found = self._session.query("revision", job_id=job_id, revision=revision)
        return rows.revision_of(found[0]) if found else None

    def _sample(
        self, name: str, wanted: StatisticsFilter, owners: Sequence[str] | None
    ) -> Iterator[Row]:
        for scope in _scopes(wanted, owners):
            yield from self._of(name, wanted, scope)

    def _of(self, name: str, wanted: StatisticsFilter, scope: dict[str, Any]) -> Sequence[Row]:
        return self._session.query(
            name,
            from_ms=wanted.from_ms,
            to_ms=wanted.to_ms,
            from_id=first_id(wanted.from_ms),
            to_id=first_id(wanted.to_ms),
            kind=wanted.kind,
            limit=wanted.limit,
            **scope,
            **_among(wanted, scope),
        )


def _among(wanted: StatisticsFilter, scope: dict[str, Any]) -> dict[str, Any]:
    if wanted.among is None or "job_id" in scope:
        return {}
    return {"among": rows.as_list(wanted.among)}


def _scopes(wanted: StatisticsFilter, owners: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """What to ask for, each with an index of its own: the job or a few jobs, else every owner, else all."""
    if wanted.job_id is not None:
        yield {"job_id": wanted.job_id}
        return
    if wanted.among is not None and len(wanted.among) <= FEW_JOBS:
        yield from ({"job_id": one} for one in sorted(wanted.among))
        return
    for owner in one_by_one(wanted.owner, owners):
        whose = {"of_all": True} if owner is None else {"owner": owner, "of_owner": True}
        yield {**whose, "of_many": True}
