"""Backfills: ranges of nominal times that somebody wants run, as the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from chalicelib.model.states import InstanceState

Reprocess = Literal["none", "failed", "all"]

FAILED = frozenset({InstanceState.FAILED, InstanceState.TIMED_OUT, InstanceState.KILLED})
AGAIN: dict[Reprocess, frozenset[InstanceState]] = {
    "none": frozenset(),
    "failed": FAILED,
    "all": FAILED | {InstanceState.SUCCEEDED, InstanceState.SKIPPED},
}
"""The states in which a nominal time's instance is run again."""


class BackfillState(StrEnum):
    """COMPLETED: all its instances have ended, however they ended."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class Action(StrEnum):
    """What a backfill does for a nominal time. EXISTS: what is there stays as it is."""

    CREATE = "create"
    RERUN = "rerun"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The nominal times in [from_ms, to_ms) of one revision of a job. Times are UTC milliseconds.

    ``cursor_ms``: how far they are disposed of: those before it, or with ``newest_first`` those from it on.
    ``overlap`` and ``max_active`` are its own; its instances count against them instead of the job's.
    ``total``: how many nominal times there are; of those before the cursor ``made`` got an instance,
    ``rerun`` a new run, and ``existing`` stayed as they were.
    ``wait_ms``: how long an instance may wait for its launch once it is its turn.
    ``wake_ms``: when the sweep must look; None while its instances are at work, and once it has ended.
    ``failures`` and ``error``: how often in a row the sweep could not go on, and why.
    ``reason``: why it was asked for; ``end_reason``: why it was cancelled.
    """

    id: str
    owner: str
    job_id: str
    state: BackfillState = BackfillState.RUNNING
    from_ms: int
    to_ms: int
    cursor_ms: int
    newest_first: bool = False
    reprocess: Reprocess = "none"
    overlap: str
    max_active: int
    revision: int
    parameters_json: str = "{}"
    total: int
    made: int = 0
    rerun: int = 0
    existing: int = 0
    wait_ms: int
    wake_ms: int | None
    failures: int = 0
    error: str | None = None
    reason: str | None = None
    created_ms: int
    created_by: str
    ended_ms: int | None = None
    end_reason: str | None = None

    @property
    def disposed(self) -> int:
        """How many of its nominal times it has looked at."""
        return self.made + self.rerun + self.existing

    @property
    def exhausted(self) -> bool:
        """Whether no nominal time of its range is left to be looked at."""
        return self.cursor_ms == (self.from_ms if self.newest_first else self.to_ms)
