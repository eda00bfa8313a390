"""What the engine asks of the store about backfills. A backfill is touched only under its job's lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.engine.filters import BackfillFilter
from chalicelib.model.backfill import Backfill
from chalicelib.model.states import InstanceState


@dataclass(frozen=True, slots=True)
class Open:
    """How many of a backfill's instances have not ended, and how many of these hold a slot."""

    count: int
    active: int


@dataclass(frozen=True, slots=True)
class DueBackfill:
    """One that the sweep must look at, and whose locks that takes."""

    id: str
    job_id: str
    owner: str


class BackfillReader(Protocol):
    """Questions. ``owners`` limits what is seen; None sees all."""

    def backfill(self, backfill_id: str, owners: Sequence[str] | None) -> Backfill | None: ...

    def backfills(self, wanted: BackfillFilter, owners: Sequence[str] | None) -> Sequence[Backfill]:
        """One page, newest first (by id, descending), ``wanted.after`` exclusive."""
        ...

    def backfill_counts(
        self, backfill_ids: Iterable[str]
    ) -> Mapping[str, Mapping[InstanceState, int]]:
        """How many of each one's instances are in which state; every id has its entry.

        Who was rerun by hand or was purged since does not belong to it any more.
        """
        ...

    def due_backfills(self, now_ms: int, limit: int) -> Sequence[DueBackfill]:
        """Those with wake_ms <= now, oldest first. Nothing is locked."""
        ...

    def instance_states(self, ids: Iterable[str]) -> Mapping[str, InstanceState]:
        """Of the instances that exist."""
        ...


class BackfillTransaction(Protocol):
    def lock_backfill(self, backfill_id: str) -> Backfill | None:
        """After its job."""
        ...

    def insert_backfill(self, backfill: Backfill) -> None: ...

    def save_backfill(self, backfill: Backfill) -> None:
        """What moves of it: state, cursor, counts, when to look, and how it ended."""
        ...

    def open_of_backfill(self, backfill_id: str) -> Open: ...

    def open_instances(self, backfill_id: str) -> Sequence[str]:
        """Ids of its instances that have not ended."""
        ...

    def cancelled_backfills(self, backfill_ids: Iterable[str]) -> Collection[str]:
        """Those of them that are cancelled."""
        ...

    def wake_backfills(self, backfill_ids: Iterable[str], now_ms: int) -> int:
        """An instance of each has ended: the sweep looks at those that still run."""
        ...

    def wake_backfills_of(self, job_id: str, now_ms: int) -> int:
        """The end of a suspension: the sweep looks at all of the job's that still run."""
        ...

    def cancel_backfills_of(self, job_id: str, now_ms: int, reason: str) -> int:
        """Deletion: all of the job's that still run are cancelled."""
        ...
