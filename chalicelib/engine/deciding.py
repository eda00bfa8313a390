"""What becomes of instances that somebody wants to launch or look after: pure, under others' locks.

``decide`` looks at one instance; ``Scene`` decides a batch, each after those before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.engine.completion import ended
from chalicelib.engine.consequences import ENGINE, limits, scope_of
from chalicelib.engine.moved import Moved
from chalicelib.engine.ports import GroupKey, Scope
from chalicelib.engine.stopping import CONFIRM_MS, request_stop
from chalicelib.model.definition import Policies
from chalicelib.model.group import Group
from chalicelib.model.instance import Claim, Instance, Stop
from chalicelib.model.instants import format_instant, parse_duration
from chalicelib.model.job import Job, Suspension
from chalicelib.model.states import (
    BY_ITSELF,
    IN_FLIGHT,
    TERMINAL,
    GroupPlace,
    InstanceKind,
    InstanceState,
    JobState,
    Reason,
    StopKind,
)
from chalicelib.state_machine import InstanceEvent, move_instance

LEASE_MS = 60_000
MAX_CLAIMS = 5
SLOT_LOOK_MS = (
    900_000  # who waits for a slot of a group or backfill looks again: nobody may have told it
)
Revision = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What an instance finds: how many hold a slot of its limit, who the others are (of those that must see
    them), its group (None: there is none of that name) and how many hold a slot of that. ``cancelled``: its
    backfill is. ``newest_ms``: the newest nominal time of those that have not been decided yet."""

    active: int = 0
    rivals: Sequence[Instance] = ()
    group: Group | None = None
    in_group: int = 0
    cancelled: bool = False
    newest_ms: int = 0


@dataclass(slots=True)
class Scene:
    """A batch under its locks. ``handed``: those to decide. ``rivals``: others that may have to make room.

    ``policies``: of each revision. Limits are the job's present ones, time-outs and retries the revision's.
    ``cancelled``: backfills that are. ``newest_ms``: of jobs whose newest replaces the others.
    """

    jobs: Mapping[str, Job]
    texts: Mapping[Revision, str]
    policies: Mapping[Revision, Policies]
    calendars: Mapping[Revision, str]
    handed: Sequence[Instance]
    rivals: dict[str, Instance]
    groups: Mapping[GroupKey, Group]
    active: dict[Scope, int]
    in_groups: dict[GroupKey, int]
    cancelled: Collection[str] = ()
    newest_ms: Mapping[str, int] = field(default_factory=dict)
    _moves: dict[str, Moved] = field(default_factory=dict)

    def decided(self, now_ms: int) -> Sequence[Moved]:
        """Oldest nominal time first; where the newest replaces the others, newest first."""
        for one in sorted(self.handed, key=self._turn):
            if one.id in self._moves:  # it made room for one before it
                continue
            job, standing = self.jobs[one.job_id], self._standing(one)
            policies = self.policies[one.job_id, one.revision]
            after = decide(one, job, policies, standing, now_ms)
            self._record(one, after)
            if after.reason == Reason.MAX_ACTIVE and overlap_of(after, job) == "replace":
                for rival in standing.rivals:
                    self._record(rival, made_room(rival, one, now_ms))
        return [moved for moved in self._moves.values() if moved.after is not moved.before]

    def _turn(self, one: Instance) -> tuple[int, str]:
        newest_first = overlap_of(one, self.jobs[one.job_id]) == "replace"
        return (-one.nominal_ms if newest_first else one.nominal_ms), one.id

    def _standing(self, one: Instance) -> Standing:
        key = (one.owner, one.group or "")
        others = [
            rival
            for rival in self.rivals.values()
            if rival.id != one.id and scope_of(rival) == scope_of(one)
        ]
        return Standing(
            active=self.active.get(scope_of(one), 0),
            rivals=[rival for rival in others if rival.state not in TERMINAL],
            group=self.groups.get(key),
            in_group=self.in_groups.get(key, 0),
            cancelled=one.backfill in self.cancelled,
            newest_ms=self.newest_ms.get(one.job_id, 0) if one.backfill is None else 0,
        )

    def _record(self, before: Instance, after: Instance) -> None:
        first = self._moves[before.id].before if before.id in self._moves else before
        self._moves[before.id] = Moved(first, after)
        if before.id in self.rivals or after.reason == Reason.MAX_ACTIVE or after.active:
            self.rivals[before.id] = after
        scope, key = scope_of(before), (before.owner, before.group or "")
        self.active[scope] = self.active.get(scope, 0) + after.active - before.active
        held = (after.place is GroupPlace.HELD) - (before.place is GroupPlace.HELD)
        self.in_groups[key] = self.in_groups.get(key, 0) + held


def must_see_rivals(instance: Instance, job: Job) -> bool:
    """Whether it must know the others of its job before it can be decided."""
    waits = instance.state is InstanceState.WAITING and not instance.active
    return waits and overlap_of(instance, job) in ("queue_one", "replace")


def unseen_replace(instance: Instance, job: Job) -> bool:
    """Whether newer ones replace it that have come due too, though nobody has looked at them yet. Where they
    may have to wait for data, that is not known before."""
    return overlap_of(instance, job) == "replace" and not waits_for_data(job)


def waits_for_data(job: Job) -> bool:
    """Whether there is more to be decided of its instances than whose turn it is."""
    try:
        return bool(job.definition.prerequisites)
    except ValueError:
        return False


def overlap_of(instance: Instance, job: Job) -> str:
    return instance.overlap or limits(job).overlap


def decide(
    instance: Instance, job: Job, policies: Policies, standing: Standing, now_ms: int
) -> Instance:
    """What becomes of one instance. The same value: leave it alone."""
    if instance.state is InstanceState.WAITING:
        return _from_waiting(instance, job, policies, standing, now_ms)
    if instance.state not in IN_FLIGHT:
        return instance
    lease_ms = instance.claim.lease_ms
    if lease_ms is not None and lease_ms > now_ms:
        return instance
    if instance.claim.count >= MAX_CLAIMS:
        return _lost(instance, now_ms)
    again = _claimed_again(instance, now_ms)
    if job.state is JobState.DELETED and instance.state is InstanceState.LAUNCHING:
        return _not_after_all(again, now_ms)
    return again


def made_room(rival: Instance, newer: Instance, now_ms: int) -> Instance:
    """A rival that a newer nominal time replaces: skipped while it waits, asked to stop when in flight."""
    if rival.state is InstanceState.WAITING:
        return ended(rival, InstanceEvent.SKIP, Reason.REPLACED, now_ms)
    if rival.stop is not None and rival.stop.kind not in BY_ITSELF:
        return rival
    reason = f"replaced by the instance of {format_instant(newer.nominal_ms)}"
    return request_stop(rival, StopKind.REPLACE, ENGINE, reason, now_ms)


def _from_waiting(
    instance: Instance, job: Job, policies: Policies, standing: Standing, now_ms: int
) -> Instance:
    if job.state is JobState.DELETED:
        return ended(instance, InstanceEvent.SKIP, Reason.JOB_DELETED, now_ms)
    if standing.cancelled:  # a retry, or a refused launch, of a run that was in flight then
        return ended(instance, InstanceEvent.SKIP, Reason.BACKFILL_CANCELLED, now_ms)
    if job.state is JobState.SUSPENDED and not _asked_for(instance, job.suspension):
        held = replace(instance, active=False, place=None)
        return _held(held, Reason.JOB_SUSPENDED, None)
    overlap = overlap_of(instance, job)
    if not instance.active and overlap == "replace" and standing.newest_ms > instance.nominal_ms:
        return ended(instance, InstanceEvent.SKIP, Reason.REPLACED, now_ms)
    most = instance.max_active or limits(job).max_active
    room = most if overlap == "allow" else 1
    if not instance.active and standing.active >= room:
        return _without_slot(instance, overlap, standing.rivals, now_ms)
    if instance.group is not None and instance.place is not GroupPlace.HELD:
        if standing.group is None or standing.in_group >= standing.group.size:
            return _in_queue_of_group(instance, standing.group, now_ms)
        instance = replace(instance, place=GroupPlace.HELD)
    return replace(
        _claimed_again(instance, now_ms),
        state=move_instance(instance.state, InstanceEvent.PREPARE),
        reason=None,
        waiting_on=None,
        active=True,
        deadline_ms=now_ms + parse_duration(policies.timeouts.run),
        ready_ms=instance.ready_ms or now_ms,
    )


def _without_slot(
    instance: Instance, overlap: str, rivals: Iterable[Instance], now_ms: int
) -> Instance:
    """All slots of its job are taken."""
    if overlap == "queue_one" and any(one.reason == Reason.MAX_ACTIVE for one in rivals):
        overlap = "skip"
    if overlap == "skip":
        return ended(instance, InstanceEvent.SKIP, Reason.OVERLAP, now_ms)
    if overlap == "replace" and any(one.nominal_ms > instance.nominal_ms for one in rivals):
        return ended(instance, InstanceEvent.SKIP, Reason.REPLACED, now_ms)
    if instance.backfill is not None:  # it was made ahead of its turn; with that its wait begins
        return _held(replace(instance, deadline_ms=None), Reason.MAX_ACTIVE, now_ms + SLOT_LOOK_MS)
    return _held(instance, Reason.MAX_ACTIVE, instance.deadline_ms)


def _in_queue_of_group(instance: Instance, group: Group | None, now_ms: int) -> Instance:
    """It has its slot of the job, and waits for one of the group."""
    look_ms = now_ms + SLOT_LOOK_MS
    ends_ms = instance.deadline_ms
    queued = replace(instance, active=True, place=GroupPlace.QUEUED)
    missing = (
        f"there is no group {instance.group!r}; create it, or rerun with the present definition"
    )
    return replace(
        _held(queued, Reason.GROUP_FULL, look_ms if ends_ms is None else min(look_ms, ends_ms)),
        waiting_on=missing if group is None else None,
    )


def _asked_for(instance: Instance, suspension: Suspension | None) -> bool:
    """Whether a person wants it although the job is suspended: a trigger, or a rerun since then, with all
    that its retries take."""
    if instance.backfill is not None:
        return False
    if instance.kind is InstanceKind.MANUAL or suspension is None:
        return instance.kind is InstanceKind.MANUAL
    return instance.asked_ms is not None and instance.asked_ms >= suspension.since_ms


def _held(instance: Instance, reason: Reason, wake_ms: int | None) -> Instance:
    return replace(instance, reason=reason, wake_ms=wake_ms, version=instance.version + 1)


def _claimed_again(instance: Instance, now_ms: int) -> Instance:
    """A new epoch shuts out the holder before; the run and its token stay."""
    lease_ms = now_ms + LEASE_MS
    return replace(
        instance,
        claim=Claim(instance.claim.epoch + 1, lease_ms, instance.claim.count + 1),
        wake_ms=lease_ms,
        version=instance.version + 1,
    )


def _not_after_all(instance: Instance, now_ms: int) -> Instance:
    """Whoever was to launch it died, and its job has been deleted since: nothing of it may begin now."""
    if instance.stop is not None:
        return instance
    stop = Stop(StopKind.KILL, ENGINE, "its job was deleted", now_ms + CONFIRM_MS)
    return replace(instance, stop=stop)


def _lost(instance: Instance, now_ms: int) -> Instance:
    began = instance.state is InstanceState.RUNNING
    reason = Reason.RUN_LOST if began else Reason.LAUNCH_LOST
    after = ended(instance, InstanceEvent.FAILURE, reason, now_ms)
    error = f"claimed {MAX_CLAIMS} times, and nobody lived to say what became of it"
    return replace(after, error=error)
