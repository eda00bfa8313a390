"""What follows from moves of instances, in the transaction of the moves: slots pass on, failures add up.

Whoever saves an instance in another state calls ``follow_up``, under the locks of the groups and jobs that
the instances belong to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.conditions import job_key
from chalicelib.engine.disposition import Disposition, armed, dispose
from chalicelib.engine.engine import Engine
from chalicelib.engine.lateness import watch_moves, watch_new
from chalicelib.engine.moved import Moved
from chalicelib.engine.notifying import (
    tell_of_deletion,
    tell_of_moves,
    tell_of_ranges,
    tell_of_suspension,
)
from chalicelib.engine.ports import GroupKey, Scope, Slots, Transaction
from chalicelib.engine.quotas import fitting
from chalicelib.model.definition import Policies
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, Suspension
from chalicelib.model.states import (
    TERMINAL,
    GroupPlace,
    InstanceKind,
    InstanceState,
    JobState,
    Reason,
)
from chalicelib.state_machine import JobEvent, move_job

ENGINE = "noonday"  # the actor of what no person asked for


@dataclass(frozen=True, slots=True)
class Followed:
    """``due``: something else is due now that the moves themselves do not show. ``suspended``: the jobs that
    had too many failures."""

    due: bool = False
    suspended: Sequence[Job] = ()


def follow_up(
    engine: Engine, tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> Followed:
    """All that follows, each in a function of its own. ``jobs``: those of the instances, locked."""
    suspended = _count_failures(engine, tx, jobs, moves, now_ms)
    pass_on(tx, jobs, moves, now_ms)
    _wake_backfills(tx, moves, now_ms)
    _forget_waits(tx, moves)
    tell_of_moves(tx, jobs, moves, now_ms)
    watch_moves(tx, jobs, moves, now_ms)
    for job in suspended:
        suspend_waiting(tx, job, now_ms)
    return Followed(_wake_downstream(tx, jobs, moves, now_ms), suspended)


def write_disposition(
    engine: Engine, tx: Transaction, settled: Sequence[Disposition], now_ms: int
) -> Sequence[Disposition]:
    """What was decided of nominal times: instances, ranges, and what follows from them.

    Returns what was written: what the quotas of the owners, whose locks are held, have no room for is in
    ranges. Who comes first in ``settled`` comes first.
    """
    written = fitting(engine, tx, settled)
    tx.insert_instances([one for each in written for one in each.instances])
    tx.insert_skip_ranges([skip for each in written for skip in each.skipped])
    tell_of_ranges(tx, written, now_ms)
    watch_new(tx, written)
    return written


def groups_of(instances: Iterable[Instance]) -> set[GroupKey]:
    """The groups whose rows must be locked before these instances move, and before their jobs are."""
    return {(one.owner, one.group) for one in instances if one.group is not None}


def scope_of(instance: Instance) -> Scope:
    return instance.job_id, instance.backfill


def frees(before: Instance, after: Instance) -> bool:
    """Whether a slot became free for the next in line."""
    freed_group = before.place is GroupPlace.HELD and after.place is not GroupPlace.HELD
    return (before.active and not after.active) or freed_group


def pass_on(tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int) -> None:
    """Slots that became free go to those who wait longest, in this transaction: nobody steps in between."""
    scopes: dict[Scope, int] = {}
    groups: set[GroupKey] = set()
    for moved in moves:
        before, after = moved.before, moved.after
        if before.active and not after.active:
            scopes[scope_of(before)] = limit_of(before, jobs[before.job_id])
        if before.place is GroupPlace.HELD and after.place is not GroupPlace.HELD:
            groups.add((before.owner, before.group or ""))
    fill_scopes(tx, scopes, now_ms)
    fill_groups(tx, groups, now_ms)


def limits(job: Job) -> Policies:
    """What bounds the job's instances now, whatever their revisions: a lowered limit holds at once.

    A definition that this version cannot read has the limits of one that says nothing.
    """
    try:
        return job.definition.policies
    except ValueError:
        return Policies()


def limit_of(instance: Instance, job: Job) -> int:
    """How many may hold a slot of the instance's scope: its backfill's limit, or its job's."""
    if instance.backfill is None:
        return job_limit(job)
    return (instance.max_active or 1) if instance.overlap == "allow" else 1


def job_limit(job: Job) -> int:
    policies = limits(job)
    return policies.max_active if policies.overlap == "allow" else 1


def fill_scopes(tx: Transaction, wanted: Mapping[Scope, int], now_ms: int) -> int:
    """Give what is free of these limits to those that wait for it; how many were given a slot.

    Counted anew each time, under the lock of the job's row: a limit that was lowered gives nothing.
    """
    queued = tx.queued({job_id for job_id, _ in wanted}) if wanted else frozenset()
    waited_for = {scope: limit for scope, limit in wanted.items() if scope[0] in queued}
    if not waited_for:
        return 0
    counts = tx.active_counts(queued)
    ordered = sorted(waited_for, key=lambda scope: (scope[0], scope[1] or ""))
    given = sum(
        _fill_scope(tx, scope, counts.get(scope, 0), waited_for[scope], now_ms) for scope in ordered
    )
    tx.wake_own(queued, now_ms)
    return given


def _fill_scope(tx: Transaction, scope: Scope, active: int, limit: int, now_ms: int) -> int:
    """Nobody is given a slot that its own overlap forbids. Where all slots are free, one begins alone: who
    waits for that gets its turn."""
    given = 0
    if active == 0 and limit > 1 and scope[1] is None:
        given = tx.wake_queued(scope, now_ms, 1)
        if given == 0:
            return 0
    room = limit - active - given
    return given + (tx.wake_queued(scope, now_ms, room, beside=active + given) if room > 0 else 0)


def fill_groups(tx: Transaction, keys: Iterable[GroupKey], now_ms: int) -> int:
    """Give what is free in these groups to those that wait for it; how many were given a slot.

    Counted anew each time, under the lock of the group's row: a group that was made smaller gives nothing.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return 0
    groups = tx.lock_groups(wanted)
    counts = tx.group_counts(groups)
    room = {key: group.size - counts[key] for key, group in groups.items()}
    return sum(tx.wake_group(key, now_ms, free) for key, free in room.items() if free > 0)


def suspend_waiting(tx: Transaction, job: Job, now_ms: int) -> None:
    """Suspension: what waits is held, and gives back what it holds: retries, and who waits for a group."""
    held = tx.slots_of_waiting(job.id, held=True)
    tx.hold_instances(job.id)
    if held:
        fill_scopes(tx, {(job.id, None): job_limit(job)}, now_ms)
    fill_groups(tx, _freed_groups(job, held), now_ms)


def skip_waiting(tx: Transaction, job: Job, now_ms: int, reason: Reason) -> None:
    """Deletion: what waits is skipped, and gives back what it holds of groups."""
    held = tx.slots_of_waiting(job.id, held=False)
    count = tx.skip_waiting(job.id, now_ms, reason)
    tell_of_deletion(tx, job, count, reason, now_ms)
    fill_groups(tx, _freed_groups(job, held), now_ms)


def _wake_backfills(tx: Transaction, moves: Sequence[Moved], now_ms: int) -> None:
    """The end of an instance makes room for the next of its backfill, or ends it."""
    woken = {
        moved.after.backfill
        for moved in moves
        if moved.after.backfill is not None and moved.after.state in TERMINAL
    }
    if woken:
        tx.wake_backfills(woken, now_ms)


def _freed_groups(job: Job, held: Sequence[Slots]) -> set[GroupKey]:
    return {
        (job.owner, one.group)
        for one in held
        if one.group is not None and one.place is GroupPlace.HELD
    }


def _forget_waits(tx: Transaction, moves: Sequence[Moved]) -> None:
    """Who ended while it waited for data waits for it no more."""
    ended = [
        moved.after.id
        for moved in moves
        if moved.before.checks and moved.before.ready_ms is None and moved.after.state in TERMINAL
    ]
    if ended:
        tx.forget_waits(ended)


def _wake_downstream(
    tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> bool:
    """Whoever waits for an instance that succeeded looks again now. One question where nobody does."""
    succeeded = [moved.after for moved in moves if moved.after.state is InstanceState.SUCCEEDED]
    if not succeeded:
        return False
    names = {one.id: jobs[one.job_id].name for one in succeeded}
    waiters = tx.waiters(job_key((one.owner, names[one.id], one.nominal_ms)) for one in succeeded)
    return bool(waiters) and tx.wake_waiters(waiters, now_ms) > 0


def _count_failures(
    engine: Engine, tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> Sequence[Job]:
    """Keep each job's series of failures; the jobs that it suspends, as saved."""
    streaks: dict[str, int] = {}
    for moved in sorted(moves, key=lambda one: (one.after.nominal_ms, one.after.id)):
        job = jobs[moved.after.job_id]
        if _counts(moved.after) and limits(job).on_failure.suspend_after is not None:
            before = streaks.get(job.id, job.streak)
            succeeded = moved.after.state is InstanceState.SUCCEEDED
            streaks[job.id] = 0 if succeeded else before + 1
    changed = [
        replace(jobs[key], streak=streak)
        for key, streak in sorted(streaks.items())
        if streak != jobs[key].streak
    ]
    after = [_suspended(engine, tx, job, now_ms) for job in changed]
    tx.save_jobs(after)
    return [job for job in after if job.state is JobState.SUSPENDED and job not in changed]


def _counts(after: Instance) -> bool:
    if after.kind is not InstanceKind.SCHEDULED or after.backfill is not None:
        return False
    if after.state is InstanceState.TIMED_OUT:  # who waited too long has not failed: it never began
        return after.reason != Reason.WAIT_TIMEOUT
    return after.state in (InstanceState.SUCCEEDED, InstanceState.FAILED)


def _suspended(engine: Engine, tx: Transaction, job: Job, now_ms: int) -> Job:
    """The job, suspended if its series is long enough: settle what is past, then change."""
    limit = limits(job).on_failure.suspend_after
    if limit is None or job.streak < limit or job.state is not JobState.SCHEDULED:
        return job
    settled = dispose(job, now_ms, now_ms)
    # The owner's lock comes before those that are held here, and is not taken: several such suspensions at
    # the same moment may exceed its quota by what they settle.
    write_disposition(engine, tx, [settled], now_ms)
    reason = f"{job.streak} instances failed one after the other"
    after = armed(
        replace(
            settled.job,
            state=move_job(job.state, JobEvent.SUSPEND),
            suspension=Suspension(ENGINE, reason, now_ms),
            edit=job.edit + 1,
            modified_ms=now_ms,
            modified_by=ENGINE,
        )
    )
    tx.insert_events([_suspend_event(engine, after, reason, now_ms)])
    tell_of_suspension(tx, after, now_ms)
    return after


def _suspend_event(engine: Engine, job: Job, reason: str, now_ms: int) -> Event:
    return Event(
        id=engine.ids.new(),
        owner=job.owner,
        job_id=job.id,
        at_ms=now_ms,
        actor=ENGINE,
        verb="SUSPEND",
        reason=reason,
        detail_json=json.dumps({"to": job.state, "streak": job.streak, "revision": job.revision}),
    )
