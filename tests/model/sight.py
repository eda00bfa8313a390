"""All that there is at a moment, read from the store: what the invariants are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from chalicelib.engine.filters import (
    BackfillFilter,
    InstanceFilter,
    JobFilter,
    NotificationFilter,
)
from chalicelib.engine.ports import Reader, Scope
from chalicelib.model.backfill import Backfill
from chalicelib.model.group import Group
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job, SkipRange, read_definition
from chalicelib.model.notification import Notification
from chalicelib.model.owner import Owner
from chalicelib.model.states import GroupPlace, InstanceState, JobState
from chalicelib.store import SqlStore

PAGE = 500
EVER = 1 << 52


@dataclass(frozen=True, slots=True)
class Times:
    """Nominal times: start, start + every, …, before ``end``."""

    start: int
    every: int
    end: int | None

    def within(self, low: int, high: int) -> range:
        """Those in [low, high)."""
        if self.end is not None:
            high = min(high, self.end)
        steps = max(0, -((self.start - low) // self.every))
        return range(self.start + steps * self.every, max(high, self.start), self.every)

    def __contains__(self, at: int) -> bool:
        return bool(self.within(at, at + 1))


@lru_cache(maxsize=1024)
def times_of(definition_json: str) -> Times:
    """Those of the definitions that the machine writes: with start and every."""
    schedule = read_definition(definition_json).schedule
    return Times(_ms(schedule.start), parse_duration(schedule.every or ""), _maybe_ms(schedule.end))


def _ms(text: str | None) -> int:
    return int(datetime.fromisoformat(text or "").timestamp() * 1000)


def _maybe_ms(text: str | None) -> int | None:
    return None if text is None else _ms(text)


@dataclass(frozen=True)
class Sight:
    """Jobs, instances, backfills and notifications by id, ranges by job, groups by name."""

    now: int
    jobs: Mapping[str, Job]
    instances: Mapping[str, Instance]
    ranges: Mapping[str, Sequence[SkipRange]]
    backfills: Mapping[str, Backfill]
    groups: Mapping[str, Group]
    outbox: Mapping[str, Notification]
    owner: Owner | None
    paused_since: int | None

    @property
    def paused(self) -> bool:
        return self.paused_since is not None

    def of_job(self, job_id: str) -> Iterator[Instance]:
        return (one for one in self.instances.values() if one.job_id == job_id)

    def of_backfill(self, backfill_id: str) -> Iterator[Instance]:
        return (one for one in self.instances.values() if one.backfill == backfill_id)

    @property
    def slots(self) -> Counter[Scope]:
        return Counter((one.job_id, one.backfill) for one in self.instances.values() if one.active)

    @property
    def places(self) -> Counter[str]:
        """How many hold a place, by group."""
        held = (one for one in self.instances.values() if one.place is GroupPlace.HELD)
        return Counter(one.group or "" for one in held)

    @property
    def waiting(self) -> int:
        return sum(one.state is InstanceState.WAITING for one in self.instances.values())

    @property
    def living(self) -> int:
        """How many jobs there are that are not deleted."""
        return sum(job.state is not JobState.DELETED for job in self.jobs.values())

    def room(self, one: Instance) -> int:
        """How many may hold a slot beside it, itself included."""
        policies = self.jobs[one.job_id].definition.policies
        if (one.overlap or policies.overlap) != "allow":
            return 1
        return one.max_active or policies.max_active

    def same_but_now(self, other: Sight) -> bool:
        return replace(self, now=0) == replace(other, now=0)


def look(store: SqlStore, now: int) -> Sight:
    return store.read(lambda reader: _look(reader, now))


def _look(reader: Reader, now: int) -> Sight:
    jobs = {
        job.id: job
        for job in _pages(
            lambda after: reader.jobs(
                JobFilter(state=tuple(JobState), after=after, limit=PAGE), None
            )
        )
    }
    instances = _pages(
        lambda after: reader.instances(InstanceFilter(after=after, limit=PAGE), None)
    )
    backfills = _pages(
        lambda after: reader.backfills(BackfillFilter(after=after, limit=PAGE), None)
    )
    outbox = _pages(
        lambda after: reader.notifications(NotificationFilter(after=after, limit=PAGE), None)
    )
    pause = reader.pause()
    return Sight(
        now,
        jobs,
        _by_id(instances),
        {job_id: list(reader.skip_ranges(job_id, 0, EVER)) for job_id in jobs},
        _by_id(backfills),
        {group.name: group for group in reader.groups(None)},
        _by_id(outbox),
        reader.owner("default"),
        None if pause is None else pause.since_ms,
    )


def _pages(read: Callable[[str | None], Sequence[Any]]) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = read(after)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].id


def _by_id(rows: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        assert row.id not in found, f"twice in its list: {row}"
        found[row.id] = row
    return found
