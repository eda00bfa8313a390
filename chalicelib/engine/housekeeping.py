"""What is kept for a while only, and is then forgotten.

Once a day (from 02:00 UTC on) housekeeping goes through all jobs, a little each minute, in small
transactions: what it does not manage, the next minute goes on with, and after a crash the next process.
On AWS a function of its own does it in one go, and the minutes only what that left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import PurgeSetAside
from chalicelib.engine.idle_waits import forget_idle_waits
from chalicelib.engine.purging import Budget, clear_leftovers, purge_job
from chalicelib.model.errors import NoondayError
from chalicelib.model.retention import DAY_MS

HOUR_MS = 3_600_000
REMEMBERED_MS = 24 * HOUR_MS  # how long the answer to an Idempotency-Key is kept
AT_MS = 2 * HOUR_MS
FORGOTTEN = (
    1000  # so many answers in a transaction: whoever asks at that moment does not wait for all
)
PAGE = 100
NAME = "housekeeping"


@dataclass(frozen=True, slots=True)
class Progress:
    """``day``: which day's round it is, counted from 1970. ``after``: the last job seen; None: all were."""

    day: int = -1
    after: str | None = None


def tidy(engine: Engine) -> None:
    """Once an hour, at its first minute, forget what is over; until that is done, a little each minute."""
    now = engine.clock.now_ms()
    if now % HOUR_MS < 60_000:
        _forget(engine, now)
    elif not engine.chores.unfinished:
        return
    engine.chores.unfinished = not _go_on(engine, Budget(engine.clock), now)


def tidy_tonight(engine: Engine, *, seconds: float) -> bool:
    """Where there is somebody for it alone: today's round at once, as far as the time goes.

    Whether it is complete. What is left the minute hands go on with, as where nobody has more time for it.
    Stretch by stretch, each noted: who dies in between has lost no more than one.
    """
    now = engine.clock.now_ms()
    _forget(engine, now)
    while engine.clock.now_ms() < now + seconds * 1000:
        if _go_on(engine, Budget(engine.clock), now):
            return True
    return False


def _forget(engine: Engine, now_ms: int) -> None:
    before_ms = now_ms - REMEMBERED_MS
    while engine.store.transact(lambda tx: tx.forget_requests(before_ms, FORGOTTEN)) == FORGOTTEN:
        pass
    forget_idle_waits(engine)


def _go_on(engine: Engine, budget: Budget, now_ms: int) -> bool:
    """A stretch of today's round; whether it is complete."""
    noted = engine.store.read(lambda reader: reader.noted(NAME))
    today = (now_ms - AT_MS) // DAY_MS
    progress = Progress(**json.loads(noted)) if noted else Progress()
    if progress.day == today and progress.after is None:
        return True
    if progress.day != today:
        _purge_notifications(engine, budget, now_ms)
        clear_leftovers(engine, budget)
        progress = Progress(today, "")
    after = _round(engine, budget, progress.after or "", now_ms)
    text = json.dumps({"day": today, "after": after})
    engine.store.transact(lambda tx: tx.note(NAME, text))
    return after is None


def _round(engine: Engine, budget: Budget, after: str, now_ms: int) -> str | None:
    """Job by job; the last that is done with, or None when all are."""
    while True:
        jobs = engine.store.read(lambda reader, after=after: reader.jobs_after(after, PAGE))  # type: ignore[misc]
        for job in jobs:
            try:
                done = purge_job(engine, job, budget, now_ms)
            except NoondayError:
                raise
            except Exception as error:  # noqa: BLE001  one job must not keep the others from being purged
                text = f"{type(error).__name__}: {error}"
                aside = PurgeSetAside(
                    at_ms=now_ms, job_id=job.id, job=job.name, owner=job.owner, error=text
                )
                engine.listener(aside)
                done = True
            if not done:
                return after
            after = job.id
        if len(jobs) < PAGE:
            return None


def _purge_notifications(engine: Engine, budget: Budget, now_ms: int) -> None:
    age_ms = engine.chores.retention.age_ms
    if age_ms is None:
        return
    before_ms = now_ms - age_ms
    while budget.spend():
        purged = engine.store.transact(lambda tx: tx.purge_notifications(before_ms, budget.batch))
        if purged < budget.batch:
            return
