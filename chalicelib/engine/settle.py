"""Write down how runs ended, many in one transaction, and give their slots to the next in line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine import consequences
from chalicelib.engine.callbacks import handed_over, heartbeat_ms, next_look_ms
from chalicelib.engine.completion import Followed, follow, retried
from chalicelib.engine.consequences import ENGINE, follow_up, frees, groups_of
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Commanded
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.outcomes import Outcome
from chalicelib.engine.ports import Transaction
from chalicelib.engine.wakeups import ring
from chalicelib.model.definition import Definition, Policies
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import Job, read_definition
from chalicelib.model.states import TERMINAL, InstanceState, JobState, Reason

_Further = consequences.Followed
Move = Callable[[Instance, int], Followed]
"""What follows for an instance at that time."""


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

    def unit(tx: Transaction) -> tuple[Sequence[Moved], Mapping[str, Job], _Further]:
        now = engine.clock.now_ms()
        jobs, present = _locked(tx, results)
        definitions = tx.definitions({(seen.job_id, seen.revision) for seen in present.values()})
        moves = []
        for result in results:
            before = present.get(result.instance_id)
            if before is None or not _current(before, result):
                continue
            definition = _definition(definitions[before.job_id, before.revision])
            followed = result.move(before, now)
            if (
                jobs[before.job_id].state is JobState.DELETED
            ):  # nothing of a deleted job is launched again
                followed = Followed(followed.instance)
            moved = _moved(before, followed, definition, now)
            if moved.after is not before:
                moves.append(moved)
        return moves, jobs, write_moves(engine, tx, jobs, moves, now)

    moves, jobs, further = engine.store.transact(unit)
    announce(engine, moves, jobs, further)
    return [moved.after for moved in moves]


def _moved(
    before: Instance, followed: Followed, definition: Definition | None, now_ms: int
) -> Moved:
    policies = definition.policies if definition else Policies()
    if followed.may_retry:
        after = retried(followed.instance, policies, now_ms)
        if after is not followed.instance:
            return Moved(before, after, superseded=followed.instance)
    after = followed.instance
    if definition is not None and after is not before:
        after = _looked_at_in_time(after, definition)
    if after is not before and after.state is InstanceState.WAITING:
        after = _waits_on(after, policies)
    return Moved(before, after)


def _looked_at_in_time(after: Instance, definition: Definition) -> Instance:
    """What is handed over to a target that has to report often is looked at when it should have, and in
    between if the target can be asked."""
    every_ms = heartbeat_ms(definition.policies)
    look_ms = next_look_ms(after, every_ms)
    if every_ms is None or look_ms is None or not handed_over(after):
        return after
    if definition.only_calls_back or after.wake_ms is None:
        return replace(after, wake_ms=look_ms)
    if after.state is not InstanceState.RUNNING:  # it may wait for long before it begins
        return after
    return replace(after, wake_ms=min(look_ms, after.wake_ms))


def _waits_on(refused: Instance, policies: Policies) -> Instance:
    """A launch that is refused again and again ends as any other wait: counted from when it was ready."""
    since_ms = refused.ready_ms or refused.run_created_ms
    return replace(refused, deadline_ms=since_ms + parse_duration(policies.timeouts.wait))


def write_moves(
    engine: Engine, tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> _Further:
    """Archive what a retry superseded, save, record, and do what follows. Groups and jobs are locked."""
    if not moves:
        return _Further()
    superseded = [moved.superseded for moved in moves if moved.superseded is not None]
    if superseded:
        tx.archive_runs(superseded)
    tx.save_instances([moved.after for moved in moves])
    tx.insert_events([_event(engine, moved, now_ms) for moved in moves if _is_history(moved)])
    return follow_up(engine, tx, jobs, moves, now_ms)


def announce(
    engine: Engine, moves: Sequence[Moved], jobs: Mapping[str, Job], further: _Further
) -> None:
    """After the commit: tell, and ask for a look at whatever is due soon."""
    now = engine.clock.now_ms()
    tell(engine, moves, {key: job.name for key, job in jobs.items()})
    for job in further.suspended:
        engine.listener(
            Commanded(
                at_ms=now,
                verb="SUSPEND",
                actor=ENGINE,
                job_id=job.id,
                job=job.name,
                owner=job.owner,
            )
        )
    # An end frees a slot, or has something to be told: both are for a sweep that comes at once.
    freed = further.due or any(frees(moved.before, moved.after) or moved.ends for moved in moves)
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


def _locked(
    tx: Transaction, results: Sequence[Result]
) -> tuple[Mapping[str, Job], Mapping[str, Instance]]:
    """Groups first, then jobs, then instances."""
    ids = {result.instance_id for result in results}
    seen = tx.instances_by_id(sorted(ids))
    tx.lock_groups(groups_of(seen))
    jobs = {job.id: job for job in tx.lock_jobs({one.job_id for one in seen})}
    return jobs, {instance.id: instance for instance in tx.lock_instances(ids)}


def _definition(definition_json: str) -> Definition | None:
    """One that this version cannot read any more still lets its runs end, without a retry."""
    try:
        return read_definition(definition_json)
    except ValueError:
        return None


def _current(instance: Instance, result: Result) -> bool:
    if instance.run != result.run:
        return False
    return result.epoch is None or instance.claim.epoch == result.epoch
