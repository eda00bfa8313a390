"""What a move of an instance is called, as facts: one table for all who move instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import (
    Commanded,
    Fact,
    InstanceHeld,
    InstanceSkipped,
    LaunchRefused,
    RunEnded,
    RunLaunched,
    RunRetried,
    RunStarted,
    StopRequested,
    of_run,
)
from chalicelib.engine.moved import Moved
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.states import TERMINAL, InstanceState, Reason

_HELD = frozenset({Reason.MAX_ACTIVE, Reason.GROUP_FULL, Reason.JOB_SUSPENDED})


def tell(engine: Engine, moves: Iterable[Moved], names: Mapping[str, str]) -> None:
    """After the commit. ``names``: of the jobs, by id, as far as they are known."""
    now = engine.clock.now_ms()
    for moved in moves:
        for fact in facts_of(moved, names.get(moved.after.job_id), now):
            engine.listener(fact)


def facts_of(moved: Moved, job: str | None, now_ms: int) -> Iterator[Fact]:
    """What is to be told of a move; nothing of a look that found everything as it was."""
    before, after = moved.before, moved.after
    told = moved.superseded or after
    if told.state in TERMINAL and (before.state not in TERMINAL or before.run != told.run):
        yield _ended(told, job, now_ms)
    if moved.superseded is not None:
        yield RunRetried(
            at_ms=now_ms, **of_run(after, job), reason=told.reason, again_ms=after.wake_ms
        )
    elif after.state not in TERMINAL:
        yield from _moved_on(before, after, job, now_ms)


def stop_requested(instance: Instance, job: str | None, now_ms: int) -> Iterator[Fact]:
    if instance.stop is not None:
        stop = instance.stop
        yield StopRequested(at_ms=now_ms, **of_run(instance, job), stop=stop.kind.value, by=stop.by)


def commanded(event: Event, job: str | None) -> Commanded:
    """What the engine itself did to a job, as its history has it."""
    return Commanded(
        at_ms=event.at_ms,
        verb=event.verb,
        actor=event.actor,
        job_id=event.job_id,
        job=job,
        owner=event.owner,
    )


def administered(
    engine: Engine, actor: str, verb: str, subject: str, owner: str | None = None
) -> None:
    """Something besides jobs and instances was changed; what is in it is not told."""
    engine.listener(
        Commanded(at_ms=engine.clock.now_ms(), verb=verb, actor=actor, owner=owner, subject=subject)
    )


def _moved_on(before: Instance, after: Instance, job: str | None, now_ms: int) -> Iterator[Fact]:
    which = of_run(after, job)
    if after.stop is not None and (before.stop is None or before.stop.kind != after.stop.kind):
        yield from stop_requested(after, job, now_ms)
    if after.state is InstanceState.WAITING:
        if after.reason == Reason.TARGET_REFUSED and before.state is InstanceState.LAUNCHING:
            again_ms = after.wake_ms
            yield LaunchRefused(at_ms=now_ms, **which, error=after.waiting_on, again_ms=again_ms)
        elif after.reason in _HELD and after.reason != before.reason:
            yield InstanceHeld(at_ms=now_ms, **which, reason=str(after.reason))
    elif after.state is not before.state:
        if after.state is InstanceState.LAUNCHED:
            yield RunLaunched(at_ms=now_ms, **which)
        elif after.state is InstanceState.RUNNING:
            yield RunStarted(at_ms=now_ms, **which)


def _ended(told: Instance, job: str | None, now_ms: int) -> Fact:
    if told.state is InstanceState.SKIPPED:
        return InstanceSkipped(at_ms=now_ms, **of_run(told, job), reason=told.reason)
    ended = told.ended_ms
    began = told.launched_ms or told.started_ms
    return RunEnded(
        at_ms=now_ms,
        **of_run(told, job),
        state=told.state.value,
        reason=told.reason,
        error=told.error,
        duration_ms=None if began is None or ended is None else max(ended - began, 0),
    )
