"""The claim: one transaction decides state, overlap and stops, takes slots, and is the last commit
before the calls.

``decide`` is pure and looks at one instance; ``claim`` does a batch under the locks of the jobs' rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.completion import ended
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import RunClaimed
from chalicelib.engine.outcomes import Failed
from chalicelib.engine.ports import HandedOut, LaunchRequest, Transaction
from chalicelib.engine.requests import launch_request
from chalicelib.engine.settle import ENGINE, Moved, announce, result_of, settle, write_moves
from chalicelib.engine.stopping import CONFIRM_MS
from chalicelib.model.definition import Policies
from chalicelib.model.instance import Claim, Instance, Stop
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job, Suspension, read_definition
from chalicelib.model.states import (
    IN_FLIGHT,
    InstanceKind,
    InstanceState,
    JobState,
    Reason,
    StopKind,
)
from chalicelib.state_machine import InstanceEvent, move_instance

LEASE_MS = 60_000
MAX_CLAIMS = 5


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours to launch or to look after, until its lease ends."""

    instance: Instance
    request: LaunchRequest


def claim(engine: Engine, handed: Sequence[HandedOut]) -> Sequence[Claimed]:
    """Take what may be launched of what was handed out; whatever moved meanwhile is dropped.

    Returns the runs that are now ours. What must wait, or ends without a launch, is written too.
    """

    def unit(tx: Transaction) -> _Decided:
        now = engine.clock.now_ms()
        jobs, instances = _locked(tx, {item.instance_id: item.version for item in handed})
        texts = tx.definitions({(one.job_id, one.revision) for one in instances})
        excluding = [key for key, text in texts.items() if read_definition(text).schedule.exclude]
        calendars = tx.revision_calendars(excluding) if excluding else {}
        counts = dict(tx.active_counts(jobs))
        moves: list[Moved] = []
        for before in sorted(instances, key=lambda one: (one.nominal_ms, one.id)):
            policies = read_definition(texts[before.job_id, before.revision]).policies
            active = counts.get(before.job_id, 0)
            after = decide(before, jobs[before.job_id], policies, active, now)
            if after is not before:
                counts[before.job_id] = active + after.active - before.active
                moves.append(Moved(before, after))
        write_moves(engine, tx, moves, now)
        names = {key: job.name for key, job in jobs.items()}
        return _Decided(moves, names, texts, calendars)

    decided = engine.store.transact(unit)
    announce(engine, [moved for moved in decided.moves if moved.after.state not in IN_FLIGHT])
    return _requested(engine, decided)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What the transaction decided, and what the requests of the claimed runs are made from."""

    moves: Sequence[Moved]
    job_names: Mapping[str, str]
    texts: Mapping[tuple[str, int], str]
    calendars: Mapping[tuple[str, int], str]


def _requested(engine: Engine, decided: _Decided) -> Sequence[Claimed]:
    """The claimed runs with their requests; one whose request cannot be made fails, alone."""
    claims, hopeless = [], []
    for moved in decided.moves:
        one = moved.after
        if one.claim.epoch == moved.before.claim.epoch:
            continue
        engine.listener(
            RunClaimed(engine.clock.now_ms(), one.job_id, one.id, one.run, one.claim.epoch)
        )
        revision = (one.job_id, one.revision)
        definition = read_definition(decided.texts[revision])
        calendars = decided.calendars.get(revision)
        try:
            request = launch_request(one, decided.job_names[one.job_id], definition, calendars)
        except (ValueError, KeyError, OverflowError) as error:
            failed = Failed(f"the request cannot be made: {error}", retry=False)
            hopeless.append(result_of(one, failed))
        else:
            claims.append(Claimed(one, request))
    settle(engine, hopeless)
    return claims


def _locked(
    tx: Transaction, versions: Mapping[str, int]
) -> tuple[dict[str, Job], Sequence[Instance]]:
    """Jobs first, then instances; those that moved since they were handed out are left out."""
    seen = tx.instances_by_id(sorted(versions))
    jobs = {job.id: job for job in tx.lock_jobs({one.job_id for one in seen})}
    current = {one.id for one in seen if one.version == versions[one.id]}
    locked = tx.lock_instances(current) if current else ()
    return jobs, [one for one in locked if one.version == versions[one.id]]


def decide(instance: Instance, job: Job, policies: Policies, active: int, now_ms: int) -> Instance:
    """What becomes of one instance that somebody wants to launch or look after.

    ``active``: how many of the job hold a slot, itself included. The same value: leave it alone.
    """
    if instance.state is InstanceState.WAITING:
        return _from_waiting(instance, job, policies, active, now_ms)
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


def _from_waiting(
    instance: Instance, job: Job, policies: Policies, active: int, now_ms: int
) -> Instance:
    if job.state is JobState.DELETED:
        return ended(instance, InstanceEvent.SKIP, Reason.JOB_DELETED, now_ms)
    if job.state is JobState.SUSPENDED and not _asked_for(instance, job.suspension):
        return _held(instance, Reason.JOB_SUSPENDED, None)
    room = policies.max_active if policies.overlap == "allow" else 1
    if not instance.active and active >= room:
        if policies.overlap == "skip":
            return ended(instance, InstanceEvent.SKIP, Reason.OVERLAP, now_ms)
        return _held(instance, Reason.MAX_ACTIVE, instance.deadline_ms)
    return replace(
        _claimed_again(instance, now_ms),
        state=move_instance(instance.state, InstanceEvent.PREPARE),
        reason=None,
        waiting_on=None,
        active=True,
        deadline_ms=now_ms + parse_duration(policies.timeouts.run),
        ready_ms=instance.ready_ms or now_ms,
    )


def _asked_for(instance: Instance, suspension: Suspension | None) -> bool:
    """Whether a person wants it although the job is suspended: a trigger, or a rerun since then."""
    if instance.kind is InstanceKind.MANUAL or suspension is None:
        return instance.kind is InstanceKind.MANUAL
    is_rerun = instance.run > 1 and instance.attempt == 1
    return is_rerun and instance.run_created_ms >= suspension.since_ms


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
