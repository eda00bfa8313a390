"""What history is asked of the store, beside what the engine needs to move anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.engine.filters import StatisticsFilter
from chalicelib.engine.statistics import Finished, Skipped, Unfinished
from chalicelib.model.job import Revision, RevisionEntry, SkipRange


class HistoryReader(Protocol):
    """Questions about what was. ``owners`` limits what is seen; None sees all."""

    def finished(
        self, wanted: StatisticsFilter, owners: Sequence[str] | None
    ) -> Sequence[Finished]:
        """Instances that have ended, the newest nominal times first."""
        ...

    def unfinished(
        self, wanted: StatisticsFilter, owners: Sequence[str] | None
    ) -> Sequence[Unfinished]:
        """Those that have not, in no order."""
        ...

    def skipped(self, wanted: StatisticsFilter, owners: Sequence[str] | None) -> Sequence[Skipped]:
        """Skip ranges that touch the span, in no order, without those that purging left."""
        ...

    def skip_page(self, job_id: str, before_ms: int, limit: int) -> Sequence[SkipRange]:
        """The job's skip ranges that begin before that time, the newest first."""
        ...

    def revisions(self, job_id: str, before: int | None, limit: int) -> Sequence[RevisionEntry]:
        """The job's revisions below that one, the newest first."""
        ...

    def revision(self, job_id: str, revision: int) -> Revision | None: ...
