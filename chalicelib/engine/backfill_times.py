"""Which nominal times a backfill is about, in its order, and what it does for each: pure but for one look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.backfill_ports import BackfillReader
from chalicelib.model.backfill import AGAIN, Action, Reprocess
from chalicelib.model.definition import Policies
from chalicelib.model.identity import instance_id
from chalicelib.model.job import Job, SkipRange, read_definition
from chalicelib.model.states import InstanceState, Reason
from chalicelib.schedule import Timetable, fires, fires_before

USUAL_ACTIVE = 4  # at once, unless somebody says otherwise: the schedule goes on beside a backfill


@dataclass(frozen=True, slots=True)
class Considered:
    """A nominal time and what becomes of it. ``state``: of the instance that it has.

    ``purged_run``: its instance was purged; no run of it had a higher number.
    """

    nominal_ms: int
    action: Action
    state: InstanceState | None = None
    purged_run: int | None = None


def at_revision(job: Job, revision: int, definition_json: str, calendars_json: str | None) -> Job:
    """The job as it was in that revision, for all that follows from its definition."""
    group = read_definition(definition_json).policies.group
    return replace(
        job,
        revision=revision,
        definition_json=definition_json,
        calendars_json=calendars_json,
        group=group,
    )


def times(timetable: Timetable, from_ms: int, to_ms: int, *, newest_first: bool) -> Iterator[int]:
    """The nominal times in [from_ms, to_ms), the first to be looked at first."""
    if newest_first:
        for at in fires_before(timetable, to_ms):
            if at < from_ms:
                return
            yield at
    else:
        for at in fires(timetable, from_ms - 1):
            if at >= to_ms:
                return
            yield at


def considered(
    reader: BackfillReader,
    job_id: str,
    nominal: Sequence[int],
    ranges: Iterable[SkipRange],
    reprocess: Reprocess,
) -> Iterator[Considered]:
    """What becomes of each, as things are now. ``ranges``: the skip ranges that touch them."""
    ids = {at: instance_id(job_id, at) for at in nominal}
    states = reader.instance_states(ids.values())
    purged = [one for one in ranges if one.reason == Reason.PURGED]
    for at in nominal:
        yield _considered(at, states.get(ids[at]), purged, reprocess)


def _considered(
    at: int, state: InstanceState | None, purged: Sequence[SkipRange], reprocess: Reprocess
) -> Considered:
    if state is not None:
        action = Action.RERUN if state in AGAIN[reprocess] else Action.EXISTS
        return Considered(at, action, state)
    # What was purged may have run: its record is gone, and only who wants all of it again runs it again.
    runs = [one.run or 1 for one in purged if one.from_ms <= at < one.to_ms]
    if runs:
        action = Action.CREATE if reprocess == "all" else Action.EXISTS
        return Considered(at, action, purged_run=runs[0])
    return Considered(at, Action.CREATE)


def chosen_limits(
    policies: Policies, overlap: str | None, max_active: int | None
) -> tuple[str, int]:
    """The backfill's own overlap and max_active: one at a time where the job wants no two at once."""
    if overlap is None:
        parallel = max_active is not None and max_active > 1
        overlap = "allow" if parallel or policies.overlap == "allow" else "queue"
    if overlap != "allow":
        return overlap, 1
    return overlap, max_active or min(USUAL_ACTIVE, policies.max_active)


def counted(items: Iterable[Considered]) -> Mapping[Action, int]:
    counts = dict.fromkeys(Action, 0)
    for one in items:
        counts[one.action] += 1
    return counts
