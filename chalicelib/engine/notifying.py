"""What is told to those who asked: decided once, in the transaction of what it tells of.

Whom to tell is what the job's definition says now, whatever the revision of an instance: a webhook that has
moved is not told at its old address. The outbox keeps what was decided until it is delivered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.engine.disposition import Disposition
from chalicelib.engine.moved import Moved
from chalicelib.engine.ports import Transaction
from chalicelib.model.definition import Notify, Occasion
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job, SkipRange
from chalicelib.model.notification import Notification, Told, notification_id
from chalicelib.model.states import InstanceState

GIVE_UP_MS = 24 * 3_600_000  # so long a delivery that fails is tried again
ERROR_CHARACTERS = 2000  # of a run's error that are told; the rest can be read
VERSION = 1  # of the payload's form; it grows when a field changes its meaning or goes

_ENDS: Mapping[InstanceState, tuple[Occasion, Told]] = {
    InstanceState.SUCCEEDED: ("success", Told.SUCCEEDED),
    InstanceState.FAILED: ("failure", Told.FAILED),
    InstanceState.TIMED_OUT: ("timeout", Told.TIMED_OUT),
    InstanceState.KILLED: ("kill", Told.KILLED),
    InstanceState.SKIPPED: ("skip", Told.SKIPPED),
}


@dataclass(frozen=True, slots=True)
class News:
    """One event of a job, before it is known who hears of it. ``key``: what makes it this event."""

    told: Told
    at_ms: int
    key: tuple[object, ...]
    data: Mapping[str, object]
    instance_id: str | None = None


def subscriptions(job: Job) -> Sequence[Notify]:
    """Whom the job tells now; nobody, if this version cannot read its definition."""
    try:
        return job.definition.policies.notify
    except ValueError:
        return ()


def tell_of_moves(
    tx: Transaction, jobs: Mapping[str, Job], moves: Sequence[Moved], now_ms: int
) -> None:
    """Instances that ended. What a retry superseded has not ended: the instance is still under way."""
    rows: list[Notification] = []
    skipped: dict[tuple[str, str | None], list[Instance]] = {}
    for moved in moves:
        one, job = moved.after, jobs[moved.after.job_id]
        if moved.ends and subscriptions(job):
            occasion, told = _ENDS[one.state]
            if told is Told.SKIPPED:
                skipped.setdefault((job.id, one.reason), []).append(one)
            else:
                news = _news(told, job, one)
                rows += addressed(job, news, hearing(job, occasion), now_ms)
    for (job_id, reason), ones in sorted(skipped.items(), key=lambda item: str(item[0])):
        job = jobs[job_id]
        news = _news(Told.SKIPPED, job, ones[0]) if len(ones) == 1 else _many(job, ones, reason)
        rows += addressed(job, news, hearing(job, "skip"), now_ms)
    write(tx, rows)


def tell_of_ranges(tx: Transaction, settled: Iterable[Disposition], now_ms: int) -> None:
    """Nominal times that were disposed of without an instance: one notification for a whole range."""
    write(
        tx,
        [
            one
            for each in settled
            if each.skipped
            for skip in each.skipped
            for one in addressed(
                each.job, _range(each.job, skip), hearing(each.job, "skip"), now_ms
            )
        ],
    )


def tell_of_deletion(tx: Transaction, job: Job, count: int, reason: str, now_ms: int) -> None:
    """The job's instances that waited are skipped, all at once."""
    if not count:
        return
    data = {"count": count, "reason": reason}
    news = News(Told.MANY_SKIPPED, now_ms, (job.id, reason, job.edit), data)
    write(tx, addressed(job, news, hearing(job, "skip"), now_ms))


def tell_of_suspension(tx: Transaction, job: Job, now_ms: int) -> None:
    """``job`` as it is saved: its edit tells this suspension from others."""
    suspension = job.suspension
    if suspension is None:
        return
    until = suspension.until_ms
    data = {
        "by": suspension.by,
        "reason": suspension.reason,
        "since_time": format_instant(suspension.since_ms),
        "until_time": None if until is None else format_instant(until),
    }
    news = News(Told.SUSPENDED, suspension.since_ms, (job.id, job.edit), data)
    write(tx, addressed(job, news, hearing(job, "suspension"), now_ms))


def hearing(job: Job, occasion: Occasion) -> Sequence[Notify]:
    return [one for one in subscriptions(job) if occasion in one.on]


def addressed(
    job: Job, news: News, audience: Iterable[Notify], now_ms: int
) -> Sequence[Notification]:
    """The news for each channel, once however often the channel is named."""
    channels = {json.dumps(one.channel, sort_keys=True) for one in audience}
    if not channels:
        return ()
    payload = json.dumps(
        {
            "type": news.told.value,
            "version": VERSION,
            "timestamp": format_instant(now_ms),
            "data": {"job_id": job.id, "name": job.name, "owner": job.owner, **news.data},
        },
        ensure_ascii=False,
    )
    return [
        Notification(
            id=notification_id(news.at_ms, news.told.value, *news.key, channel),
            owner=job.owner,
            job_id=job.id,
            instance_id=news.instance_id,
            event=news.told.value,
            channel_json=channel,
            payload_json=payload,
            wake_ms=now_ms,
            give_up_ms=now_ms + GIVE_UP_MS,
            created_ms=now_ms,
        )
        for channel in sorted(channels)
    ]


def write(tx: Transaction, rows: Sequence[Notification]) -> None:
    """No statement where nobody asked."""
    if rows:
        tx.insert_notifications(list({row.id: row for row in rows}.values()))


def about(one: Instance) -> dict[str, object]:
    """What every notification says of its instance."""
    error = one.error
    return {
        "instance_id": one.id,
        "nominal_time": format_instant(one.nominal_ms),
        "kind": one.kind.value,
        "backfill_id": one.backfill,
        "run": one.run,
        "state": one.state.value,
        "reason": one.reason,
        "error": None if error is None else error[:ERROR_CHARACTERS],
        "launched_time": _time(one.launched_ms),
        "started_time": _time(one.started_ms),
        "ended_time": _time(one.ended_ms),
    }


def _news(told: Told, job: Job, one: Instance) -> News:
    """A run of another number is another event: what fails again after a rerun is told again."""
    return News(told, one.nominal_ms, (job.id, one.id, one.run), about(one), one.id)


def _many(job: Job, ones: Sequence[Instance], reason: str | None) -> News:
    times = [one.nominal_ms for one in ones]
    first = min(ones, key=lambda one: (one.nominal_ms, one.id))
    data = {
        "from_time": format_instant(min(times)),
        "to_time": format_instant(max(times) + 1),
        "count": len(ones),
        "reason": reason,
    }
    return News(Told.MANY_SKIPPED, min(times), (job.id, first.id, first.run), data)


def _range(job: Job, skip: SkipRange) -> News:
    """A range holds no count: it may be long, and counting it would cost what it saves."""
    data = {
        "from_time": format_instant(skip.from_ms),
        "to_time": format_instant(skip.to_ms),
        "count": None,
        "reason": skip.reason,
    }
    return News(Told.MANY_SKIPPED, skip.from_ms, (job.id, skip.from_ms, skip.to_ms), data)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_instant(at_ms)
