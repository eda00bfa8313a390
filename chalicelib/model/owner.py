"""What an owner is: a team that jobs belong to, and what it may have at most."""

from __future__ import annotations

from dataclasses import dataclass

MOST_JOBS = 1_000_000
MOST_WAITING = 10_000_000
MOST_BACKFILL = 100_000


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits that hold. ``jobs``: that are not deleted. ``waiting``: instances in WAITING.
    ``backfill``: nominal times of one backfill. Nought allows none."""

    jobs: int = 10_000
    waiting: int = 100_000
    backfill: int = 10_000


USUAL = Quotas()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A team. Its own limits stand in for the installation's; None: the installation's holds."""

    name: str
    created_ms: int
    max_jobs: int | None = None
    max_waiting: int | None = None
    max_backfill: int | None = None

    def quotas(self, default: Quotas) -> Quotas:
        """What holds for this owner."""
        return Quotas(
            jobs=default.jobs if self.max_jobs is None else self.max_jobs,
            waiting=default.waiting if self.max_waiting is None else self.max_waiting,
            backfill=default.backfill if self.max_backfill is None else self.max_backfill,
        )
