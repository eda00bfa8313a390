"""What the engine needs to tell others: rows that wait for their delivery, and channels that deliver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.engine.filters import NotificationFilter
from chalicelib.model.notification import Notification, Watch


class NotificationReader(Protocol):
    """Questions. ``owners`` limits what is seen; None sees all."""

    def notification(
        self, notification_id: str, owners: Sequence[str] | None
    ) -> Notification | None: ...

    def notifications(
        self, wanted: NotificationFilter, owners: Sequence[str] | None
    ) -> Sequence[Notification]:
        """One page, newest first (by id, descending), ``wanted.after`` exclusive."""
        ...

    def due_watches(self, now_ms: int, limit: int) -> Sequence[Watch]:
        """Those with due_ms <= now, oldest first. Nothing is locked."""
        ...


class NotificationTransaction(Protocol):
    """Watches and notifications are locked after instances."""

    def insert_notifications(self, notifications: Sequence[Notification]) -> None:
        """Those whose id exists already are passed over, untouched."""
        ...

    def lock_notifications(self, ids: Iterable[str]) -> Sequence[Notification]:
        """Those that exist, in order of id."""
        ...

    def lock_due_notifications(self, now_ms: int, limit: int) -> Sequence[Notification]:
        """wake_ms <= now, oldest first; what another transaction holds is passed over."""
        ...

    def save_notification(self, notification: Notification) -> None:
        """What moves of it: state, attempts, when to try, and how it ended."""
        ...

    def postpone_notifications(self, ids: Iterable[str], wake_ms: int) -> None:
        """Those of them that are pending are tried then, if nobody tries before."""
        ...

    def insert_watches(self, watches: Sequence[Watch]) -> None:
        """What is watched for already stays as it is."""
        ...

    def lock_watches(self, instance_ids: Iterable[str]) -> Sequence[Watch]:
        """All of these instances."""
        ...

    def delete_watches(self, watches: Sequence[Watch]) -> None: ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel said. ``retry_after_ms``: it asks for no other try before. ``give_up``: for none."""

    error: str | None = None
    retry_after_ms: int | None = None
    give_up: bool = False

    @property
    def delivered(self) -> bool:
        return self.error is None


class Channels(Protocol):
    """The ways to reach somebody, by the kind that a channel's document names."""

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None:
        """What is wrong with a channel of that owner, as far as it can be told without asking it."""
        ...

    def deliver(self, notification: Notification) -> Receipt:
        """Hand it over, within seconds. The same bytes at every repetition; never raises."""
        ...
