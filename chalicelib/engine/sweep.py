"""The sweep: what the engine does when an alarm rings. It looks at everything due, and moves it on."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.engine.backfilling import advance_backfills
from chalicelib.engine.delivery import hand_out_notifications
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Swept
from chalicelib.engine.handout import hand_out
from chalicelib.engine.housekeeping import tidy
from chalicelib.engine.lateness import look_for_lateness
from chalicelib.engine.materialise import materialise
from chalicelib.engine.ports import Wakes

BATCH = 500
MARGIN_SECONDS = 5.0  # of the time its process has left, what a batch may need
AGAIN_MS = 100  # what a neighbour held locked is looked at again so soon


def sweep_minute(engine: Engine, *, arm_until_ms: int, seconds_left: float) -> Swept:
    """The minute hand: sweep, and arm the second hand for what is due before ``arm_until_ms``."""
    swept, next_ms = _sweep_what_is_due(engine, arm_until_ms, seconds_left)
    _arm(engine, next_ms, arm_until_ms)
    tidy(engine)  # last: launches do not wait for it
    return swept


def sweep_second(engine: Engine, *, arm_until_ms: int, seconds_left: float) -> Swept:
    """A wake-up: sweep, and arm the next one before ``arm_until_ms``.

    Also when there was nothing to do: what it was armed for may have been suspended, killed or moved to
    a later time, and this wake-up is all that whatever is due after it has. Chains end with their
    minute, and an alarm merges wake-ups for the same moment, so that doubles do not go on side by side.
    """
    swept, next_ms = _sweep_what_is_due(engine, arm_until_ms, seconds_left)
    _arm(engine, next_ms, arm_until_ms)
    return swept


def _sweep_what_is_due(
    engine: Engine, arm_until_ms: int, seconds_left: float
) -> tuple[Swept, int | None]:
    """The sweep, and when the next is due. An idle one asks that one question and nothing else."""
    now = engine.clock.now_ms()
    before_ms = max(arm_until_ms, now + 1)
    wakes = engine.store.read(lambda reader: reader.next_wakes(before_ms))
    if wakes.earliest is None or wakes.earliest > now:
        return Swept(at_ms=now, jobs=0, instances=0, handed_out=0, lateness_ms=0), wakes.earliest
    swept = _sweep(engine, _Due(wakes, now), seconds_left)
    engine.listener(swept)
    return swept, engine.store.read(lambda reader: reader.next_wakes(before_ms)).earliest


@dataclass(frozen=True, slots=True)
class _Due:
    """What is due of what there was to see; nothing is asked of what has nothing due."""

    wakes: Wakes
    now_ms: int

    def __call__(self, wake_ms: int | None) -> bool:
        return wake_ms is not None and wake_ms <= self.now_ms


def _sweep(engine: Engine, due: _Due, seconds_left: float) -> Swept:
    """Batch by batch until nothing is due or the time is up; the next alarm goes on from there."""
    stop_ms = engine.clock.now_ms() + int(max(seconds_left - MARGIN_SECONDS, 0) * 1000)
    jobs = instances = handed_out = lateness = 0
    made = due(due.wakes.jobs)
    while made:
        batch = materialise(engine, BATCH)
        jobs, lateness = jobs + batch.jobs, max(lateness, batch.lateness_ms)
        if batch.jobs < BATCH or engine.clock.now_ms() >= stop_ms:
            break
    if due(due.wakes.backfills):
        made = advance_backfills(engine, stop_ms) > 0 or made
    while made or due(due.wakes.instances):
        handed = hand_out(engine, BATCH)
        instances, handed_out = instances + handed.looked_at, handed_out + handed.sent
        lateness = max(lateness, handed.lateness_ms)
        if handed.looked_at < BATCH or engine.clock.now_ms() >= stop_ms:
            break
    _tell(engine, due, stop_ms)
    return Swept(
        at_ms=engine.clock.now_ms(),
        jobs=jobs,
        instances=instances,
        handed_out=handed_out,
        lateness_ms=lateness,
    )


def _tell(engine: Engine, due: _Due, stop_ms: int) -> None:
    """Last, so that nobody waits for it who is to be launched."""
    decided = look_for_lateness(engine, stop_ms) if due(due.wakes.watches) else 0
    while decided or due(due.wakes.notifications):
        if hand_out_notifications(engine, BATCH) < BATCH or engine.clock.now_ms() >= stop_ms:
            return


def _arm(engine: Engine, next_ms: int | None, until_ms: int) -> None:
    if next_ms is None:
        return
    now = engine.clock.now_ms()
    if next_ms <= now:  # somebody had it locked, or the time was up: no alarm has it any more
        engine.alarm.wake(now + AGAIN_MS, until_ms)
    elif next_ms < until_ms:
        engine.alarm.wake(next_ms, until_ms)
