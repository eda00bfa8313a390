"""Records of a queue: what can be read is worked on, and what cannot be is left to the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.notifications.clock import wall_ms
from chalicelib.notifications.messages import read_handed_out
from chalicelib.wiring import noonday

T = TypeVar("T")


class Record(Protocol):
    body: str

    def to_dict(self) -> dict[str, Any]: ...


def read_handed(records: Iterable[Record], lane: Lane) -> tuple[list[list[HandedOut]], list[str]]:
    """What was handed out in a lane; how long it took to come here is measured."""
    received = list(records)
    delays = [delay for record in received if (delay := _delay_ms(record)) is not None]
    noonday().log.measured({"QueueDelay": delays}, Lane=lane.value)
    return read_all(received, read_handed_out)


def _delay_ms(record: Record) -> int | None:
    """By the queue's clock and this machine's, which AWS keeps together."""
    sent = str(record.to_dict().get("attributes", {}).get("SentTimestamp", ""))
    return max(wall_ms() - int(sent), 0) if sent.isdecimal() else None


def read_all(records: Iterable[Record], read: Callable[[str], T]) -> tuple[list[T], list[str]]:
    """What they say, and the ids of those that say nothing that this version reads."""
    found, unread = [], []
    for record in records:
        try:
            found.append(read(record.body))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            unread.append(str(record.to_dict().get("messageId", "")))
            noonday().log.line("error", "Unread", message=record.body[:500], error=repr(error))
    return found, unread


def answer(unread: Iterable[str]) -> dict[str, Any]:
    """A partial answer: only these come again, and end in the queue's dead letters."""
    return {"batchItemFailures": [{"itemIdentifier": one} for one in unread]}


def source_of(event: object) -> str:
    """Who says that an event is theirs, for the log."""
    return str(event.get("source"))[:100] if isinstance(event, Mapping) else "nobody"
