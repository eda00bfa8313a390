"""What people ask and do about notifications: look, have one delivered anew, try a job's channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.access import find_job, require
from chalicelib.engine.delivery import again
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Commanded
from chalicelib.engine.filters import NotificationFilter
from chalicelib.engine.notifying import News, addressed, subscriptions, write
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.engine.views import Page
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import NotFound, WrongState
from chalicelib.model.event import Event
from chalicelib.model.identity import is_id
from chalicelib.model.notification import Notification, Told
from chalicelib.model.principal import Principal
from chalicelib.model.states import Role


@dataclass(frozen=True, slots=True)
class NotificationView:
    """A notification, and its job's name."""

    notification: Notification
    job_name: str


def notification(engine: Engine, principal: Principal, notification_id: str) -> NotificationView:
    """Raises NotFound when there is none that this principal sees."""

    def work(reader: Reader) -> NotificationView:
        return _views(reader, [_found(reader, principal, notification_id)])[0]

    return engine.store.read(work)


def notifications(
    engine: Engine, principal: Principal, wanted: NotificationFilter, job_ref: str | None = None
) -> Page[NotificationView]:
    """The newest event first; of one job if it is named."""

    def work(reader: Reader) -> Page[NotificationView]:
        narrowed = replace(wanted, limit=wanted.limit + 1)
        if job_ref is not None:
            narrowed = replace(narrowed, job_id=find_job(reader, principal, job_ref).id)
        rows = reader.notifications(narrowed, principal.sees)
        page = rows[: wanted.limit]
        return Page(_views(reader, page), page[-1].id if len(rows) > wanted.limit else None)

    return engine.store.read(work)


def redeliver(
    engine: Engine, principal: Principal, notification_id: str, *, reason: str | None = None
) -> NotificationView:
    """Try it now, and for another day, whether it failed, was delivered, or waits for its next try."""

    def unit(tx: Transaction) -> NotificationView:
        now = engine.clock.now_ms()
        seen = _found(tx, principal, notification_id)
        require(principal, seen.owner, Role.OPERATOR)
        [present] = tx.lock_notifications([seen.id])
        after = again(present, now)
        tx.save_notification(after)
        detail = {"notification": after.id, "event": after.event, "state": present.state}
        event = _event(engine, after, principal, "REDELIVER", detail)
        tx.insert_events([replace(event, reason=reason, at_ms=now)])
        return _views(tx, [after])[0]

    view = engine.store.transact(unit)
    _announce(engine, "REDELIVER", view, principal)
    return view


def try_channels(engine: Engine, principal: Principal, job_ref: str) -> Sequence[NotificationView]:
    """A notification of the type ``notification.test`` to each channel of the job.

    Raises:
        WrongState: the job tells nobody.
    """

    def unit(tx: Transaction) -> Sequence[NotificationView]:
        now = engine.clock.now_ms()
        job = find_job(tx, principal, job_ref)
        require(principal, job.owner, Role.OPERATOR)
        data: Mapping[str, object] = {"by": principal.name}
        news = News(Told.TEST, now, (job.id, engine.ids.new()), data)
        rows = addressed(job, news, subscriptions(job), now)
        if not rows:
            raise WrongState(f"{job.name} tells nobody: its policies have no notify")
        write(tx, rows)
        return [NotificationView(one, job.name) for one in rows]

    views = engine.store.transact(unit)
    _announce(engine, "NOTIFY_TEST", views[0], principal)
    return views


def _found(reader: Reader, principal: Principal, notification_id: str) -> Notification:
    found = None
    if is_id(notification_id):
        found = reader.notification(notification_id, principal.sees)
    if found is None:
        raise NotFound(f"there is no notification {notification_id!r}")
    return found


def _views(reader: Reader, rows: Sequence[Notification]) -> Sequence[NotificationView]:
    names = reader.job_names({row.job_id for row in rows}) if rows else {}
    return [NotificationView(row, names.get(row.job_id, "")) for row in rows]


def _announce(engine: Engine, verb: str, view: NotificationView, principal: Principal) -> None:
    now = engine.clock.now_ms()
    one = view.notification
    engine.listener(
        Commanded(
            at_ms=now,
            verb=verb,
            actor=principal.name,
            job_id=one.job_id,
            job=view.job_name,
            owner=one.owner,
            instance_id=one.instance_id,
        )
    )
    ring(engine, [now], arms=False)


def _event(
    engine: Engine,
    one: Notification,
    principal: Principal,
    verb: str,
    detail: Mapping[str, object],
) -> Event:
    return Event(
        id=engine.ids.new(),
        owner=one.owner,
        job_id=one.job_id,
        instance_id=one.instance_id,
        at_ms=0,
        actor=principal.name,
        verb=verb,
        detail_json=json.dumps(detail),
    )
