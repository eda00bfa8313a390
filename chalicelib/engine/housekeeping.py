"""What is kept for a while only, and is then forgotten."""

from __future__ import annotations

from chalicelib.engine.engine import Engine

HOUR_MS = 3_600_000
REMEMBERED_MS = 24 * HOUR_MS  # how long the answer to an Idempotency-Key is kept


def tidy(engine: Engine) -> None:
    """Once an hour, at its first minute, forget what is over."""
    now = engine.clock.now_ms()
    if now % HOUR_MS < 60_000:
        engine.store.transact(lambda tx: tx.forget_requests(now - REMEMBERED_MS))
        engine.store.transact(lambda tx: tx.forget_idle_waits())
