"""Finding instances: pages for people, newest first; for commands of many, oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain, product

from chalicelib.engine.filters import Candidate, InstanceFilter, Selection
from chalicelib.model.instance import Instance
from chalicelib.model.states import GroupPlace, InstanceState
from chalicelib.store import rows
from chalicelib.store.driver import Row
from chalicelib.store.paging import (
    AFTER_ALL,
    LATEST_MS,
    as_cursor,
    as_owners,
    each_state,
    first_id,
    one_by_one,
)
from chalicelib.store.session import Session

Pages = Callable[[InstanceFilter, Sequence[str] | None], Iterable[Sequence[Row]]]


class InstancePages:
    """The part of the ``Reader`` port that finds instances by what they are."""

    _session: Session

    def instances(self, wanted: InstanceFilter, owners: Sequence[str] | None) -> Sequence[Instance]:
        pages: Pages = self._pages_of_all
        if wanted.among is not None:
            pages = self._pages_among
        elif wanted.job_id is not None:
            pages = self._pages_of_job
        elif wanted.backfill is not None:
            pages = self._pages_of_backfill
        elif wanted.group is not None:
            pages = self._pages_of_group
        found = chain(*pages(wanted, owners))
        newest_first = sorted(found, key=lambda row: str(row[0]), reverse=True)
        return [rows.instance_of(row) for row in newest_first[: wanted.limit]]

    def _pages_of_all(
        self, wanted: InstanceFilter, owners: Sequence[str] | None
    ) -> Iterable[Sequence[Row]]:
        ends = [as_cursor(wanted.after), _first_id(wanted.to_ms), AFTER_ALL]
        choices = product(one_by_one(wanted.owner, owners), each_state(wanted.state))
        for owner, state in choices:
            yield self._session.query(
                "instances",
                after=min(end for end in ends if end is not None),
                from_id=_first_id(wanted.from_ms),
                owner=owner,
                state=state,
                kind=wanted.kind,
                limit=wanted.limit,
                any_owner_and_state=(owner is None and state is None) or None,
                owner_only=(owner is not None and state is None) or None,
                state_only=(owner is None and state is not None) or None,
                owner_and_state=(owner is not None and state is not None) or None,
            )

    def _pages_of_job(
        self, wanted: InstanceFilter, owners: Sequence[str] | None
    ) -> Iterable[Sequence[Row]]:
        choices = product(one_by_one(wanted.owner, None), each_state(wanted.state))
        for owner, state in choices:
            yield self._session.query(
                "instances_of_job",
                job_id=wanted.job_id,
                before_ms=_before_ms(wanted),
                after=as_cursor(wanted.after) if wanted.among else None,
                from_ms=wanted.from_ms,
                owner=owner,
                owners=as_owners(owners),
                state=state,
                any_state=state is None or None,
                kind=wanted.kind,
                backfill=wanted.backfill,
                grp=wanted.group,
                limit=wanted.limit,
            )

    def _pages_among(
        self, wanted: InstanceFilter, owners: Sequence[str] | None
    ) -> Iterable[Sequence[Row]]:
        for job_id in wanted.among or ():
            yield from self._pages_of_job(replace(wanted, job_id=job_id), owners)

    def _pages_of_backfill(
        self, wanted: InstanceFilter, owners: Sequence[str] | None
    ) -> Iterable[Sequence[Row]]:
        for state in each_state(wanted.state or tuple(InstanceState)):
            yield self._session.query(
                "instances_of_backfill",
                backfill=wanted.backfill,
                before_ms=_before_ms(wanted),
                from_ms=wanted.from_ms,
                owner=wanted.owner,
                owners=as_owners(owners),
                state=state,
                kind=wanted.kind,
                grp=wanted.group,
                limit=wanted.limit,
            )

    def _pages_of_group(
        self, wanted: InstanceFilter, owners: Sequence[str] | None
    ) -> Iterable[Sequence[Row]]:
        """A group's name is its owner's. In turn those without a place in it, that queue, that hold one."""
        known = [name for (name,) in self._session.query("owners")] if owners is None else owners
        for owner, place in product(one_by_one(wanted.owner, known), (None, *GroupPlace)):
            yield self._session.query(
                "instances_of_group",
                owner=owner,
                grp=wanted.group,
                place=None if place is None else int(place),
                placeless=place is None or None,
                before_ms=_before_ms(wanted),
                after=as_cursor(wanted.after),
                from_ms=wanted.from_ms,
                states=rows.as_list(wanted.state) if wanted.state else None,
                kind=wanted.kind,
                limit=wanted.limit,
            )

    def selected(self, wanted: Selection) -> Sequence[Candidate]:
        after = as_cursor(wanted.after)
        starts = [wanted.from_ms, None if after is None else _nominal_ms(after)]
        of_jobs: Sequence[str | None] = sorted(set(wanted.job_ids)) or [None]
        direct = bool(wanted.job_ids) or wanted.backfill is not None
        of_owners = [None] if direct else one_by_one(None, wanted.owners)
        found: list[Candidate] = []
        for job_id, owner, state in product(of_jobs, of_owners, sorted(set(wanted.state))):
            page = self._session.query(
                "selected_instances",
                job_id=job_id if wanted.backfill is None else None,
                backfill=wanted.backfill,
                within=job_id,
                owner=owner,
                everybody=(not direct and owner is None) or None,
                by_time=direct or None,
                by_id=(not direct) or None,
                state=state,
                after=after,
                from_id=_first_id(wanted.from_ms),
                to_id=_first_id(wanted.to_ms),
                from_ms=max((one for one in starts if one is not None), default=None),
                to_ms=wanted.to_ms,
                limit=wanted.limit,
            )
            found += [Candidate(*row) for row in page]
        return sorted(found, key=lambda one: one.id)[: wanted.limit]


def _before_ms(wanted: InstanceFilter) -> int:
    """Within a job ids are ordered as nominal times are, so a page ends before the time of its cursor."""
    after = as_cursor(wanted.after)
    last_ms = LATEST_MS if after is None else _nominal_ms(after)
    one_job = wanted.among is None and (wanted.job_id or wanted.backfill) is not None
    ends = [last_ms if one_job or after is None else last_ms + 1, wanted.to_ms]
    return min(end for end in ends if end is not None)


def _nominal_ms(instance_id: str) -> int:
    return int(instance_id[:12], 16)


def _first_id(nominal_ms: int | None) -> str | None:
    return None if nominal_ms is None else first_id(nominal_ms)
