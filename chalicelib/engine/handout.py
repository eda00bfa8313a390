"""Second half of the sweep: instances whose time has come are handed out, or end, or are asked to stop.

Handing out is a commit before the send: an instance is looked at again if nobody took it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from chalicelib.engine.callbacks import (
    handed_over,
    heartbeat_ms,
    missed,
    next_look_ms,
    not_heard_of,
    over,
)
from chalicelib.engine.completion import stop_unconfirmed, wait_timed_out
from chalicelib.engine.consequences import ENGINE
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import stop_requested
from chalicelib.engine.outcomes import Style
from chalicelib.engine.ports import HandedOut, Lane, Transaction
from chalicelib.engine.settle import Move, Result, settle
from chalicelib.engine.stopping import request_stop
from chalicelib.model.errors import NoondayError
from chalicelib.model.instance import Instance
from chalicelib.model.job import read_definition
from chalicelib.model.states import InstanceState, StopKind

PATIENCE_MS = 60_000
LONGEST_PATIENCE_MS = 900_000
LONGEST_CHECK_MS = 300_000
LANES = {Style.STARTED: Lane.LAUNCH, Style.INLINE: Lane.WORK}


@dataclass(slots=True)
class Batch:
    """What one batch found: whom to hand out, who has ended, which runs to tell of a stop, and which of
    them are asked for the first time."""

    looked_at: int = 0
    lateness_ms: int = 0
    handed: list[tuple[Lane, HandedOut]] = field(default_factory=list)
    alone: list[tuple[Lane, HandedOut]] = field(default_factory=list)
    late: list[HandedOut] = field(default_factory=list)
    over: list[Result] = field(default_factory=list)
    stopping: list[str] = field(default_factory=list)
    asked: list[Instance] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.handed) + len(self.alone) + len(self.late)


def hand_out(engine: Engine, limit: int) -> Batch:
    """Look at at most ``limit`` due instances: commit, then send. A crash in between costs a minute."""
    batch = engine.store.transact(lambda tx: _look_at_due(engine, tx, limit))
    if batch.stopping:
        engine.stops.notify(batch.stopping)
    for one in batch.asked:
        for fact in stop_requested(one, None, engine.clock.now_ms()):
            engine.listener(fact)
    for lane in Lane:
        together = [one for its, one in batch.handed if its is lane]
        if together:
            engine.queue.send(lane, together)
    for lane, alone in batch.alone:
        engine.queue.send(lane, [alone])
    if batch.late:
        engine.queue.send(Lane.CHECK, batch.late)
    settle(engine, batch.over)
    return batch


def _look_at_due(engine: Engine, tx: Transaction, limit: int) -> Batch:
    now = engine.clock.now_ms()
    paused = tx.share_pause() is not None
    due = tx.lock_due_in_flight(now, limit) if paused else tx.lock_due_instances(now, limit)
    ways = _ways(engine, tx, due)
    batch = Batch(looked_at=len(due))
    saved = []
    for instance in due:
        batch.lateness_ms = max(batch.lateness_ms, now - (instance.wake_ms or now))
        way = ways.get((instance.job_id, instance.revision))
        ends = _over(instance, way, now)
        if ends is not None:
            batch.over.append(Result(instance.id, instance.run, None, ends))
            continue
        saved.append(_looked_at(instance, way, now, batch))
    if saved:
        tx.save_instances(saved)
    return batch


@dataclass(frozen=True, slots=True)
class _Way:
    """How the instances of a revision go: to which style of target, and whether something must hold first.

    ``unasked``: how they end is known from what its targets report alone. ``heartbeat_ms``: how often they
    report that they live, if they have to.
    """

    style: Style
    prerequisites: bool
    unasked: bool = False
    heartbeat_ms: int | None = None


def _ways(
    engine: Engine, tx: Transaction, due: Sequence[Instance]
) -> Mapping[tuple[str, int], _Way]:
    """By job and revision; a definition that this version cannot read has none."""
    ways = {}
    texts = tx.definitions({(one.job_id, one.revision) for one in due}) if due else {}
    for key, text in texts.items():
        with suppress(ValueError, NoondayError):
            definition = read_definition(text)
            style = engine.targets.style(str(definition.target["kind"]))
            ways[key] = _Way(
                style,
                bool(definition.prerequisites),
                definition.only_calls_back,
                heartbeat_ms(definition.policies),
            )
    return ways


def _over(instance: Instance, way: _Way | None, now_ms: int) -> Move | None:
    """How it ends without a target's word, if it does. Its end is settled under its job's lock, not here."""
    if instance.state is InstanceState.WAITING:
        late = instance.deadline_ms is not None and instance.deadline_ms <= now_ms
        return wait_timed_out if late else None
    if instance.stop is not None:
        return stop_unconfirmed if instance.stop.deadline_ms <= now_ms else None
    if way is None or not way.unasked or not handed_over(instance):
        return None
    look_ms = next_look_ms(instance, way.heartbeat_ms)
    return over(way.heartbeat_ms) if look_ms is not None and look_ms <= now_ms else None


def _looked_at(instance: Instance, way: _Way | None, now_ms: int, batch: Batch) -> Instance:
    if way is None:  # set aside alone: nobody could launch it, and it must not delay the others
        wake_ms = now_ms + LONGEST_PATIENCE_MS
        waiting_on = "its definition or its kind of target is not known to this version of Noonday"
        return replace(instance, wake_ms=wake_ms, waiting_on=waiting_on, version=_next(instance))
    if way.prerequisites and _unchecked(instance):
        return _to_check(instance, now_ms, batch)
    if way.unasked and handed_over(instance):  # nobody can be asked: it is heard of, or it is not
        look_ms = next_look_ms(instance, way.heartbeat_ms)
        return replace(instance, wake_ms=look_ms, version=_next(instance))
    asked = _asked_to_stop(instance, way.heartbeat_ms, now_ms)
    if asked.stop is not None:
        batch.stopping.append(asked.id)
    if asked is not instance:
        batch.asked.append(asked)
    lease_ms = asked.claim.lease_ms
    if lease_ms is not None and lease_ms > now_ms:
        return replace(asked, wake_ms=_while_held(asked, lease_ms, now_ms), version=_next(instance))
    after = replace(asked, wake_ms=now_ms + _patience_ms(asked, now_ms), version=_next(instance))
    # Who was claimed without an outcome may be what brings its launcher down: it travels alone.
    travels = batch.alone if after.claim.count > 0 else batch.handed
    travels.append((LANES[way.style], HandedOut(after.id, after.version)))
    return after


def _unchecked(instance: Instance) -> bool:
    return instance.state is InstanceState.WAITING and instance.ready_ms is None


def _to_check(instance: Instance, now_ms: int, batch: Batch) -> Instance:
    """What had a check without an answer last time travels apart: it may delay those that travel with it."""
    wake_ms = now_ms + min(_patience_ms(instance, now_ms), LONGEST_CHECK_MS)
    if instance.deadline_ms is not None:
        wake_ms = min(wake_ms, instance.deadline_ms)
    after = replace(instance, wake_ms=wake_ms, version=_next(instance))
    handed = HandedOut(after.id, after.version)
    if any(finding.get("late") for finding in json.loads(instance.findings_json or "[]")):
        batch.late.append(handed)
    else:
        batch.handed.append((Lane.CHECK, handed))
    return after


def _asked_to_stop(instance: Instance, every_ms: int | None, now_ms: int) -> Instance:
    """A run whose time is over is asked to end, and one that was not heard of."""
    if instance.state is InstanceState.WAITING or instance.stop is not None:
        return instance
    # AWS may let it wait for hours; it is to be heard of once it runs.
    if instance.state is InstanceState.RUNNING and missed(instance, every_ms, now_ms):
        why = not_heard_of(every_ms)
        return request_stop(instance, StopKind.HEARTBEAT, ENGINE, why, now_ms)
    if instance.deadline_ms is None or instance.deadline_ms > now_ms:
        return instance
    return request_stop(instance, StopKind.TIME_OUT, ENGINE, None, now_ms)


def _while_held(instance: Instance, lease_ms: int, now_ms: int) -> int:
    """Somebody looks after the run: come back when the lease, the run's time or the stop's is over."""
    end = instance.stop.deadline_ms if instance.stop is not None else instance.deadline_ms
    return min(lease_ms, end) if end is not None and end > now_ms else lease_ms


def _patience_ms(instance: Instance, now_ms: int) -> int:
    """A minute, doubled with its age up to a quarter of an hour: a queue that is slow is not flooded."""
    age_ms = now_ms - instance.run_created_ms if instance.state is InstanceState.WAITING else 0
    return min(max(PATIENCE_MS, age_ms), LONGEST_PATIENCE_MS)


def _next(instance: Instance) -> int:
    return instance.version + 1
