"""What queries give: values with what a reader wants to see beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.engine.waiting import waiting_on
from chalicelib.model.backfill import Backfill, BackfillState
from chalicelib.model.instance import Instance, Run
from chalicelib.model.job import Job
from chalicelib.model.owner import Owner, Quotas
from chalicelib.model.pause import Pause
from chalicelib.model.states import TERMINAL, InstanceState, JobState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InstanceView:
    """``superseded``: the runs before the latest, oldest first. ``pause``: it holds all."""

    instance: Instance
    job_name: str
    superseded: Sequence[Run] = ()
    pause: Pause | None = None

    @property
    def runs(self) -> Sequence[Run]:
        return (*self.superseded, self.instance.latest_run)

    @property
    def waiting_on(self) -> str | None:
        own = waiting_on(self.instance)
        if self.pause is None or self.instance.state is not InstanceState.WAITING:
            return own
        return self.pause.told if own is None else f"{self.pause.told}; besides: {own}"


@dataclass(frozen=True, slots=True)
class BackfillView:
    """``counts``: how many of its instances are in which state. ``pause``: it holds all."""

    backfill: Backfill
    job: Job
    counts: Mapping[InstanceState, int]
    pause: Pause | None = None

    @property
    def finished(self) -> int:
        """Of its nominal times, those of which nothing is to come any more."""
        unended = sum(count for state, count in self.counts.items() if state not in TERMINAL)
        return self.backfill.disposed - unended

    def eta_ms(self, now_ms: int) -> int | None:
        """When it will have ended if it goes on as until now; None when nobody can tell."""
        one = self.backfill
        done = self.finished - one.existing
        held = self.pause is not None or self.job.state is JobState.SUSPENDED
        going = one.state is BackfillState.RUNNING and not held
        if not going or done <= 0 or now_ms <= one.created_ms:
            return None
        return now_ms + (now_ms - one.created_ms) * (one.total - self.finished) // done

    @property
    def waiting_on(self) -> str | None:
        """Why nothing goes on, in words."""
        if self.backfill.state is not BackfillState.RUNNING:
            return None
        if self.pause is not None:
            return self.pause.told
        if self.job.state is JobState.SUSPENDED:
            why = self.job.suspension.reason if self.job.suspension is not None else None
            because = f" ({why})" if why else ""
            return f"the job {self.job.name} is suspended{because}; resume it, and the backfill goes on"
        if self.backfill.error is not None and self.backfill.failures == 0:
            return f"there is no room for the next: {self.backfill.error}"
        if self.backfill.error is not None:
            return f"it could not go on, and is tried again: {self.backfill.error}"
        return None


@dataclass(frozen=True, slots=True)
class OwnerView:
    """``quotas``: what holds for it. ``used``: what it has of ``jobs`` and ``waiting``."""

    owner: Owner
    quotas: Quotas
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``next``: give it as ``after`` for the following page; None at the end. ``pause``: it holds all."""

    items: Sequence[T]
    next: str | None
    pause: Pause | None = None
