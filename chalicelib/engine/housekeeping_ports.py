"""What housekeeping asks of the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model.job import Job, SkipRange


@dataclass(frozen=True, slots=True)
class Ended:
    """What purging needs of an instance that has ended. ``launched``: a target may have been called."""

    id: str
    nominal_ms: int
    kind: str
    run: int
    revision: int
    launched: bool


class HousekeepingReader(Protocol):
    def noted(self, name: str) -> str | None:
        """What housekeeping wrote down for itself under that name."""
        ...

    def jobs_after(self, job_id: str, limit: int) -> Sequence[Job]:
        """By id, also deleted ones."""
        ...

    def nth_newest(self, job_id: str, count: int) -> int | None:
        """The nominal time of the job's count-th newest instance; None when there are fewer."""
        ...

    def last_success(self, job_id: str) -> int | None:
        """The nominal time of the newest instance that succeeded."""
        ...

    def ended_before(
        self, job_id: str, ended_ms: int, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[Ended]:
        """Those of nominal times in [from_ms, to_ms) that ended before then, the oldest first."""
        ...

    def ranges_around(self, job_id: str, from_ms: int, to_ms: int) -> Sequence[SkipRange]:
        """Those that touch [from_ms, to_ms), with the one before and the one behind; in order of time."""
        ...

    def leftovers(self, after: str, limit: int) -> Sequence[str]:
        """Tokens of purged runs whose files may still be there; in order, after that one."""
        ...


class HousekeepingTransaction(Protocol):
    def note(self, name: str, value: str) -> None: ...

    def purge_instances(self, ids: Iterable[str]) -> int:
        """With their runs, events and all that hangs on them; how many there were. Open ones stay."""
        ...

    def replace_ranges(self, before: Sequence[SkipRange], after: Sequence[SkipRange]) -> None:
        """Of one job; those that are in both stay as they are."""
        ...

    def add_leftovers(self, tokens: Iterable[str]) -> None: ...

    def drop_leftovers(self, tokens: Iterable[str]) -> None: ...

    def purge_notifications(self, before_ms: int, limit: int) -> int:
        """Those that were delivered or given up before then; how many there were."""
        ...

    def purge_job(self, job_id: str, limit: int) -> int:
        """A deleted job without instances. Events go first, so many at a time; 0 when it is all gone."""
        ...
