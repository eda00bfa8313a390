"""Delivery of what was decided to be told: at least once, in a lane of its own, for a day.

Handing out is a commit before the send, and beginning a delivery a commit before the call: whoever dies at
any moment leaves a row that is tried again, under the same id and with the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import NotificationDelivered, NotificationFailed
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.notifying import GIVE_UP_MS
from chalicelib.engine.ports import HandedOut, Lane, Transaction
from chalicelib.engine.wakeups import ring
from chalicelib.model.credential import without_credentials
from chalicelib.model.notification import Notification, NotificationState

LEASE_MS = 60_000  # much longer than a channel takes; then somebody else may try
PATIENCE_MS = (60_000, 120_000, 240_000, 480_000, 900_000)
FIRST_MS = 5_000
LONGEST_MS = 3_600_000
ERROR_CHARACTERS = 1000


def hand_out_notifications(engine: Engine, limit: int) -> int:
    """Send at most ``limit`` due ones to be delivered; how many there were."""

    def unit(tx: Transaction) -> Sequence[Notification]:
        now = engine.clock.now_ms()
        due = tx.lock_due_notifications(now, limit)
        for patience in PATIENCE_MS:
            alike = [one.id for one in due if _patience_ms(one, now) == patience]
            if alike:
                tx.postpone_notifications(alike, now + patience)
        return due

    due = engine.store.transact(unit)
    if due:
        engine.queue.send(Lane.DELIVER, [HandedOut(one.id, one.attempts) for one in due])
    return len(due)


def deliver(engine: Engine, handed: HandedOut) -> None:
    """Begin, call, settle. What was begun by somebody else meanwhile, or has ended, is dropped."""

    def begin(tx: Transaction) -> Notification | None:
        for present in tx.lock_notifications([handed.id]):
            if present.wake_ms is not None and present.attempts == handed.version:
                wake_ms = engine.clock.now_ms() + LEASE_MS
                begun = replace(present, attempts=present.attempts + 1, wake_ms=wake_ms)
                tx.save_notification(begun)
                return begun
        return None

    begun = engine.store.transact(begin)  # the last commit before the call
    if begun is not None:
        _settle(engine, begun, engine.channels.deliver(begun))


def _settle(engine: Engine, begun: Notification, receipt: Receipt) -> None:
    chance = engine.chance.between(0.5, 1.0)

    def unit(tx: Transaction) -> Notification | None:
        now = engine.clock.now_ms()
        for present in tx.lock_notifications([begun.id]):
            if present.wake_ms is not None and present.attempts == begun.attempts:
                after = settled(present, receipt, chance, now)
                tx.save_notification(after)
                return after
        return None

    after = engine.store.transact(unit)
    if after is None:
        return
    which: dict[str, Any] = {
        "at_ms": engine.clock.now_ms(),
        "job_id": after.job_id,
        "owner": after.owner,
        "notification_id": after.id,
        "instance_id": after.instance_id,
        "event": after.event,
        "attempt": after.attempts,
    }
    if receipt.error is None:
        engine.listener(NotificationDelivered(**which))
        return
    error = after.error or receipt.error
    engine.listener(NotificationFailed(**which, error=error, again_ms=after.wake_ms))
    ring(engine, [after.wake_ms], arms=False)


def settled(one: Notification, receipt: Receipt, chance: float, now_ms: int) -> Notification:
    """The notification after a try. ``chance``: 0.5 to 1, the share of the delay that is waited for.

    The delay grows with the time since the first try, from seconds to an hour; what the receiver asks for
    is waited for, but no longer than until the last try.
    """
    if receipt.error is None:
        return replace(
            one, state=NotificationState.DELIVERED, wake_ms=None, error=None, ended_ms=now_ms
        )
    error = without_credentials(receipt.error)[:ERROR_CHARACTERS]
    if receipt.give_up or now_ms >= one.give_up_ms:
        return replace(
            one, state=NotificationState.FAILED, wake_ms=None, error=error, ended_ms=now_ms
        )
    since_ms = one.give_up_ms - GIVE_UP_MS
    delay_ms = min(max(FIRST_MS, now_ms - since_ms), LONGEST_MS) * chance
    asked_ms = receipt.retry_after_ms or 0
    wake_ms = min(now_ms + max(round(delay_ms), asked_ms), one.give_up_ms)
    return replace(one, error=error, wake_ms=max(wake_ms, now_ms + 1))


def again(one: Notification, now_ms: int) -> Notification:
    """To be delivered anew, with a day for it; one that is pending is tried now."""
    return replace(
        one,
        state=NotificationState.PENDING,
        wake_ms=now_ms,
        give_up_ms=now_ms + GIVE_UP_MS,
        ended_ms=None,
    )


def _patience_ms(one: Notification, now_ms: int) -> int:
    """A minute, doubled with its age up to a quarter of an hour: a queue that is slow is not flooded."""
    age_ms = now_ms - one.created_ms
    return next((each for each in PATIENCE_MS if age_ms <= each), PATIENCE_MS[-1])
