"""The statements about owners: what they may have, and what they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.model.owner import Owner
from chalicelib.store.driver import Row
from chalicelib.store.session import Session


class OwnerReads:
    """The ``OwnerReader`` port."""

    _session: Session

    def owner(self, name: str) -> Owner | None:
        found = self._session.query("owner", name=name)
        return _owner_of(found[0]) if found else None

    def job_count(self, owner: str) -> int:
        [[count]] = self._session.query("job_count", owner=owner)
        return int(count)

    def waiting_counts(self, owners: Iterable[str]) -> Mapping[str, int]:
        counts = dict.fromkeys(owners, 0)
        for owner, count in self._session.query_listed("waiting_counts", counts):
            counts[owner] = int(count)
        return counts


class OwnerWrites(OwnerReads):
    """The ``OwnerTransaction`` port."""

    def lock_owners(self, names: Iterable[str]) -> Sequence[Owner]:
        return [_owner_of(row) for row in self._session.query_listed("lock_owners", names)]

    def save_owner(self, owner: Owner) -> None:
        self._session.change(
            "save_owner",
            name=owner.name,
            max_jobs=owner.max_jobs,
            max_waiting=owner.max_waiting,
            max_backfill=owner.max_backfill,
        )


def _owner_of(row: Row) -> Owner:
    name, created_ms, max_jobs, max_waiting, max_backfill = row
    return Owner(
        name=name,
        created_ms=created_ms,
        max_jobs=max_jobs,
        max_waiting=max_waiting,
        max_backfill=max_backfill,
    )
