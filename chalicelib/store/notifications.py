"""The statements about notifications, and about what is watched for lateness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, product

from chalicelib.engine.filters import NotificationFilter
from chalicelib.model.notification import Lateness, Notification, NotificationState, Watch
from chalicelib.store.driver import Row
from chalicelib.store.paging import AFTER_ALL, as_cursor, as_owners, each_state, one_by_one
from chalicelib.store.rows import JsonRow
from chalicelib.store.session import Session


class NotificationReads:
    """The ``NotificationReader`` port."""

    _session: Session

    def notification(
        self, notification_id: str, owners: Sequence[str] | None
    ) -> Notification | None:
        found = self._session.query("notification", id=notification_id, owners=as_owners(owners))
        return notification_of(found[0]) if found else None

    def notifications(
        self, wanted: NotificationFilter, owners: Sequence[str] | None
    ) -> Sequence[Notification]:
        of_job = wanted.job_id is not None
        choices = product(
            one_by_one(wanted.owner, None if of_job else owners), each_state(wanted.state)
        )
        found = chain(*(self._notification_page(wanted, owners, *choice) for choice in choices))
        newest_first = sorted(found, key=lambda row: str(row[0]), reverse=True)
        return [notification_of(row) for row in newest_first[: wanted.limit]]

    def _notification_page(
        self,
        wanted: NotificationFilter,
        owners: Sequence[str] | None,
        owner: str | None,
        state: str | None,
    ) -> Sequence[Row]:
        of_job = wanted.job_id is not None
        by = {
            (False, False): "any_owner_and_state",
            (True, False): "owner_only",
            (False, True): "state_only",
            (True, True): "owner_and_state",
        }[owner is not None, state is not None]
        if of_job:
            by = "job_only" if state is None else "job_and_state"
        return self._session.query(
            "notifications",
            after=as_cursor(wanted.after) or AFTER_ALL,
            owner=owner,
            owners=as_owners(owners) if of_job else None,
            job_id=wanted.job_id,
            state=state,
            limit=wanted.limit,
            **{by: True},
        )

    def due_watches(self, now_ms: int, limit: int) -> Sequence[Watch]:
        return [
            _watch_of(row) for row in self._session.query("due_watches", now=now_ms, limit=limit)
        ]


class NotificationWrites(NotificationReads):
    """The ``NotificationTransaction`` port, without what is inserted and locked as everything is."""

    def lock_notifications(self, ids: Iterable[str]) -> Sequence[Notification]:
        found = self._session.query_listed("lock_notifications", ids)
        return [notification_of(row) for row in found]

    def save_notification(self, notification: Notification) -> None:
        self._session.change(
            "save_notification",
            id=notification.id,
            state=notification.state.value,
            attempts=notification.attempts,
            wake_ms=notification.wake_ms,
            give_up_ms=notification.give_up_ms,
            error=notification.error,
            ended_ms=notification.ended_ms,
        )

    def postpone_notifications(self, ids: Iterable[str], wake_ms: int) -> None:
        self._session.change_listed("postpone_notifications", ids, wake_ms=wake_ms)

    def lock_watches(self, instance_ids: Iterable[str]) -> Sequence[Watch]:
        return [_watch_of(row) for row in self._session.query_listed("lock_watches", instance_ids)]

    def delete_watches(self, watches: Sequence[Watch]) -> None:
        self._session.change_rows("delete_watches", map(watch_row, watches))


def notification_of(row: Row) -> Notification:
    (id_, owner, job_id, instance_id, event, channel, payload, state, attempts, wake_ms, give_up_ms, error,
     created_ms, ended_ms) = row  # fmt: skip
    return Notification(
        id=id_,
        owner=owner,
        job_id=job_id,
        instance_id=instance_id,
        event=event,
        channel_json=channel,
        payload_json=payload,
        state=NotificationState(state),
        attempts=attempts,
        wake_ms=wake_ms,
        give_up_ms=give_up_ms,
        error=error,
        created_ms=created_ms,
        ended_ms=ended_ms,
    )


def notification_row(one: Notification) -> JsonRow:
    return {
        "id": one.id,
        "owner": one.owner,
        "job_id": one.job_id,
        "instance_id": one.instance_id,
        "event": one.event,
        "channel": one.channel_json,
        "payload": one.payload_json,
        "state": one.state.value,
        "attempts": one.attempts,
        "wake_ms": one.wake_ms,
        "give_up_ms": one.give_up_ms,
        "error": one.error,
        "created_ms": one.created_ms,
        "ended_ms": one.ended_ms,
    }


def _watch_of(row: Row) -> Watch:
    instance_id, kind, job_id, due_ms = row
    return Watch(instance_id, Lateness(kind), job_id, due_ms)


def watch_row(watch: Watch) -> JsonRow:
    return {
        "instance_id": watch.instance_id,
        "kind": watch.kind.value,
        "job_id": watch.job_id,
        "due_ms": watch.due_ms,
    }
