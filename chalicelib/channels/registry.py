"""All kinds of channel, by the name that a channel's document carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from chalicelib.engine.notification_ports import Receipt
from chalicelib.model.notification import Notification


class ChannelKind(Protocol):
    """One way to reach somebody."""

    name: str

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None: ...

    def deliver(self, channel: Mapping[str, Any], notification: Notification) -> Receipt:
        """Within seconds; may raise what nobody foresaw."""
        ...


class ChannelRegistry:
    """The ``Channels`` port."""

    def __init__(self, *kinds: ChannelKind) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None:
        kind = self._kinds.get(str(channel.get("kind")))
        if kind is None:
            return f"is no channel of this server; there are {', '.join(sorted(self._kinds))}"
        return kind.complaint(channel, owner)

    def deliver(self, notification: Notification) -> Receipt:
        """A channel that raises has failed like one that refuses: others must not suffer."""
        channel = json.loads(notification.channel_json)
        kind = self._kinds.get(str(channel.get("kind")))
        if kind is None:
            return Receipt(f"this version of Noonday knows no channel {channel.get('kind')!r}")
        try:
            return kind.deliver(channel, notification)
        except Exception as error:  # noqa: BLE001  told with the notification, and tried again
            return Receipt(f"{type(error).__name__}: {error}")
