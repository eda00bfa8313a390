"""Notifications, on their way to those who asked for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.engine.delivery import deliver as deliver_one
from chalicelib.engine.ports import Lane
from chalicelib.events.records import Record, answer, read_handed
from chalicelib.wiring import noonday


def deliver(records: Iterable[Record]) -> dict[str, Any]:
    """One after the other: a receiver that hangs is given up after seconds."""
    read, unread = read_handed(records, Lane.DELIVER)
    for together in read:
        for one in together:
            deliver_one(noonday().engine, one)
    return answer(unread)
