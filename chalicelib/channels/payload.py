"""What is told, as every kind of channel says it."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.model.notification import Notification


def body_of(notification: Notification, address: str | None) -> bytes:
    """The same bytes at every repetition."""
    return json.dumps(document_of(notification, address), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def document_of(notification: Notification, address: str | None) -> dict[str, Any]:
    """What was decided, with a link to where the server is reached now; ``address`` None: with none."""
    document: dict[str, Any] = json.loads(notification.payload_json)
    link = None if address is None else f"{address.rstrip('/')}{_path(notification)}"
    document["data"]["url"] = link
    return document


def _path(notification: Notification) -> str:
    if notification.instance_id is not None:
        return f"/instances/{notification.instance_id}"
    return f"/jobs/{notification.job_id}"
