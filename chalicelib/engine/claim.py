"""The claim: one transaction decides state, overlap, groups and stops, takes slots, and is the last commit
before the calls. What becomes of each instance is decided in ``deciding``; here it is locked and written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.engine.consequences import Followed, groups_of
from chalicelib.engine.deciding import LEASE_MS, Scene, must_see_rivals, unseen_replace
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Fact, LaunchBegun, RunClaimed, of_run
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.outcomes import Failed
from chalicelib.engine.pausing import held_back
from chalicelib.engine.ports import HandedOut, LaunchRequest, Transaction
from chalicelib.engine.punctuality import lateness_ms
from chalicelib.engine.requests import launch_request
from chalicelib.engine.settle import announce, result_of, settle, write_moves
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import Unavailable
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job, read_definition
from chalicelib.model.states import IN_FLIGHT, InstanceState

__all__ = ["LEASE_MS", "Claimed", "claim"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours to launch or to look after, until its lease ends."""

    instance: Instance
    request: LaunchRequest


def claim(engine: Engine, handed: Sequence[HandedOut]) -> Sequence[Claimed]:
    """Take what may be launched of what was handed out; whatever moved meanwhile is dropped. While all is
    paused that is nothing: only runs that have begun are taken, to be looked after.

    Returns the runs that are now ours. What must wait, or ends without a launch, is written too.
    """

    def unit(tx: Transaction) -> _Decided:
        now = engine.clock.now_ms()
        paused = tx.share_pause() is not None
        scene = _look(tx, {item.id: item.version for item in handed})
        if paused:
            scene.handed = held_back(tx, scene.handed, now)
        moves = scene.decided(now)
        further = write_moves(engine, tx, scene.jobs, moves, now)
        return _Decided(moves, scene.jobs, scene.texts, scene.calendars, further, now)

    decided = engine.store.transact(unit)
    begun = [moved for moved in decided.moves if moved.after.state in IN_FLIGHT]
    others = [moved for moved in decided.moves if moved.after.state not in IN_FLIGHT]
    tell(engine, begun, {key: job.name for key, job in decided.jobs.items()})
    announce(engine, others, decided.jobs, decided.further)
    stopping = [moved.after for moved in decided.moves if moved.after.stop != moved.before.stop]
    if stopping:
        engine.stops.notify([one.id for one in stopping])
        ring(engine, [one.wake_ms for one in stopping], arms=False)
    return _requested(engine, decided)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What the transaction decided, and when, and what the requests of the claimed runs are made from."""

    moves: Sequence[Moved]
    jobs: Mapping[str, Job]
    texts: Mapping[tuple[str, int], str]
    calendars: Mapping[tuple[str, int], str]
    further: Followed
    now_ms: int


def _requested(engine: Engine, decided: _Decided) -> Sequence[Claimed]:
    """The claimed runs with their requests; one whose request cannot be made fails, alone."""
    claims, hopeless = [], []
    callbacks = engine.callbacks.at_once()
    for moved in decided.moves:
        one = moved.after
        if one.claim.epoch == moved.before.claim.epoch:
            continue
        revision = (one.job_id, one.revision)
        definition = read_definition(decided.texts[revision])
        calendars = decided.calendars.get(revision)
        job = decided.jobs[one.job_id]
        engine.listener(_claimed(moved, job, str(definition.target["kind"]), decided.now_ms))
        try:
            request = launch_request(one, job.name, definition, calendars, callbacks)
        except (ValueError, KeyError, OverflowError, Unavailable) as error:
            failed = Failed(f"the request cannot be made: {error}", retry=False)
            hopeless.append(result_of(one, failed))
        else:
            claims.append(Claimed(one, request))
    settle(engine, hopeless)
    return claims


def _claimed(moved: Moved, job: Job, kind: str, now_ms: int) -> Fact:
    before, one = moved.before, moved.after
    which = of_run(one, job.name)
    epoch, claims = one.claim.epoch, one.claim.count
    if before.state is not InstanceState.WAITING:
        return RunClaimed(at_ms=now_ms, **which, state=one.state.value, epoch=epoch, claims=claims)
    late_ms = lateness_ms(before, job, now_ms)
    return LaunchBegun(at_ms=now_ms, **which, kind=kind, epoch=epoch, lateness_ms=late_ms)


def _look(tx: Transaction, versions: Mapping[str, int]) -> Scene:
    """Lock groups, jobs and instances; those that moved since they were handed out are left out."""
    seen = tx.instances_by_id(sorted(versions))
    groups = tx.lock_groups(groups_of(seen))
    jobs = {job.id: job for job in tx.lock_jobs({one.job_id for one in seen})}
    current = {one.id for one in seen if one.version == versions[one.id]}
    texts = tx.definitions({(one.job_id, one.revision) for one in seen if one.id in current})
    policies = {key: read_definition(text).policies for key, text in texts.items()}
    watchful = {
        one.job_id for one in seen if one.id in current and must_see_rivals(one, jobs[one.job_id])
    }
    rivals = set(tx.rivals(watchful)) if watchful else set()
    replaced = {one.job_id for one in seen if unseen_replace(one, jobs[one.job_id])} & watchful
    locked = tx.lock_instances(current | rivals) if current else ()
    backfills = {one.backfill for one in seen if one.backfill is not None}
    excluding = [key for key, text in texts.items() if read_definition(text).schedule.exclude]
    return Scene(
        jobs=jobs,
        texts=texts,
        policies=policies,
        calendars=tx.revision_calendars(excluding) if excluding else {},
        handed=[one for one in locked if versions.get(one.id) == one.version],
        rivals={one.id: one for one in locked if one.id in rivals},
        groups=groups,
        active=dict(tx.active_counts(jobs)),
        in_groups=dict(tx.group_counts(groups)),
        cancelled=tx.cancelled_backfills(backfills) if backfills else (),
        newest_ms=tx.newest_undecided(replaced) if replaced else {},
    )
