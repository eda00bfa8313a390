"""The statements about owners: what they may have, and what they have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from chalicelib.engine.owner_ports import Waiting
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

    def waiting(self, owners: Iterable[str]) -> Mapping[str, Waiting]:
        found = dict.fromkeys(owners, Waiting(0))
        for owner, most, count in self._session.query_listed("waiting", found):
            found[owner] = Waiting(int(count), most)
        return found


class OwnerWrites(OwnerReads):
    """The ``OwnerTransaction`` port."""

    def lock_owners(self, names: Iterable[str]) -> Sequence[Owner]:
        return [_owner_of(row) for row in self._session.query_listed("lock_owners", names)]

    def lock_due_owners(self, now_ms: int, limit: int, *, patient: bool) -> Collection[str]:
        names = {one for (one,) in self._session.query("due_owners", now=now_ms, limit=limit)}
        if patient:
            self.lock_owners(names)
            return names
        locked = {one for (one,) in self._session.query_listed("lock_free_owners", names)}
        held = {name for name in names - locked if self.owner(name) is not None}
        return names - held

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
