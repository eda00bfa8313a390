"""Write down how runs ended, many in one transaction, and give their slots to the next in line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.engine.completion import Followed, follow, retried
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import RunMoved
from chalicelib.engine.outcomes import Outcome
from chalicelib.engine.ports import Transaction
from chalicelib.engine.wakeups import ring
from chalicelib.model.definition import Policies
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.job import read_definition
from chalicelib.model.states import TERMINAL, InstanceState, JobState, Reason

ENGINE = "noonday"  # the actor of what no person asked for

Move = Callable[[Instance, int], Followed]
"""What follows for an instance at that time."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An instance before and after; ``superseded`` is the run that a retry replaced, as it ended."""

    before: Instance
    after: Instance
    superseded: Instance | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of one run. ``epoch``: only the holder of that claim may say so; None for anybody."""

    instance_id: str
    run: int
    epoch: int | None
    move: Move


def result_of(instance: Instance, outcome: Outcome) -> Result:
    """The outcome of the instance's latest run, reported by the holder of its claim."""

    def move(present: Instance, now_ms: int) -> Followed:
        return follow(present, outcome, now_ms)

    return Result(instance.id, instance.run, instance.claim.epoch, move)


def settle(engine: Engine, results: Sequence[Result]) -> Sequence[Instance]:
    """Apply each result to its run if that is still the latest and the claim is still the reporter's.

    Returns the instances that moved. A late reporter's result changes nothing.
    """
    if not results:
        return ()

    def unit(tx: Transaction) -> Sequence[Moved]:
        now = engine.clock.now_ms()
        deleted, present = _locked(tx, results)
        definitions = tx.definitions({(seen.job_id, seen.revision) for seen in present.values()})
        moves = []
        for result in results:
            before = present.get(result.instance_id)
            if before is None or not _current(before, result):
                continue
            policies = _policies(definitions[before.job_id, before.revision])
            followed = result.move(before, now)
            if before.job_id in deleted:  # nothing of a deleted job is launched again
                followed = Followed(followed.instance)
            moved = _moved(before, followed, policies, now)
            if moved.after is not before:
                moves.append(moved)
        write_moves(engine, tx, moves, now)
        return moves

    moves = engine.store.transact(unit)
    announce(engine, moves)
    return [moved.after for moved in moves]


def _moved(before: Instance, followed: Followed, policies: Policies, now_ms: int) -> Moved:
    if followed.may_retry:
        after = retried(followed.instance, policies, now_ms)
        if after is not followed.instance:
            return Moved(before, after, superseded=followed.instance)
    return Moved(before, followed.instance)


def write_moves(engine: Engine, tx: Transaction, moves: Sequence[Moved], now_ms: int) -> None:
    """Archive what a retry superseded, save, record, and wake those who wait for a freed slot."""
    if not moves:
        return
    superseded = [moved.superseded for moved in moves if moved.superseded is not None]
    if superseded:
        tx.archive_runs(superseded)
    tx.save_instances([moved.after for moved in moves])
    tx.insert_events([_event(engine, moved, now_ms) for moved in moves if _is_history(moved)])
    freed = Counter(moved.after.job_id for moved in moves if frees(moved.before, moved.after))
    for job_id, count in sorted(freed.items()):
        tx.wake_queued(job_id, now_ms, count)


def frees(before: Instance, after: Instance) -> bool:
    """Whether the next in line has its turn: a slot is free, or who had been given one did not take it."""
    if before.active:
        return not after.active
    had_its_turn = before.state is InstanceState.WAITING and before.reason != Reason.MAX_ACTIVE
    return had_its_turn and after.state in TERMINAL


def announce(engine: Engine, moves: Sequence[Moved]) -> None:
    """After the commit: tell, and ask for a look at whatever is due soon."""
    now = engine.clock.now_ms()
    for moved in moves:
        told = moved.superseded or moved.after
        engine.listener(
            RunMoved(now, told.job_id, told.id, told.run, told.state, told.reason, told.error)
        )
    freed = any(frees(moved.before, moved.after) for moved in moves)
    wakes = [*(moved.after.wake_ms for moved in moves), now if freed else None]
    ring(engine, wakes, arms=False)


def _is_history(moved: Moved) -> bool:
    """Ends and refusals are history; the steps on the way are the run's own columns."""
    refused = moved.after.reason == Reason.TARGET_REFUSED
    return refused or moved.superseded is not None or moved.after.state in TERMINAL


def _event(engine: Engine, moved: Moved, now_ms: int) -> Event:
    told = moved.superseded or moved.after
    detail = {"run": told.run, "from": moved.before.state, "error": told.error}
    if moved.superseded is not None:
        detail["retry_ms"] = moved.after.wake_ms
    return Event(
        id=engine.ids.new(),
        owner=told.owner,
        job_id=told.job_id,
        instance_id=told.id,
        at_ms=now_ms,
        actor=ENGINE,
        verb=told.state.value,
        reason=told.reason,
        detail_json=json.dumps(detail),
    )


def _locked(tx: Transaction, results: Sequence[Result]) -> tuple[set[str], dict[str, Instance]]:
    """Jobs first, then instances: which of the jobs are deleted, and the instances by id."""
    ids = {result.instance_id for result in results}
    jobs = tx.lock_jobs({seen.job_id for seen in tx.instances_by_id(sorted(ids))})
    deleted = {job.id for job in jobs if job.state is JobState.DELETED}
    return deleted, {instance.id: instance for instance in tx.lock_instances(ids)}


def _policies(definition_json: str) -> Policies:
    """A definition that this version cannot read any more still lets its runs end, without a retry."""
    try:
        return read_definition(definition_json).policies
    except ValueError:
        return Policies()


def _current(instance: Instance, result: Result) -> bool:
    if instance.run != result.run:
        return False
    return result.epoch is None or instance.claim.epoch == result.epoch
