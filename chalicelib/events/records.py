"""Records of a queue: what can be read is worked on, and what cannot be is left to the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from chalicelib.wiring import noonday

T = TypeVar("T")


class Record(Protocol):
    body: str

    def to_dict(self) -> dict[str, Any]: ...


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
