"""One JSON line a fact. The only place that turns what happened into words for machines."""

from __future__ import annotations

import dataclasses
import json
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TextIO

from chalicelib.engine.facts import (
    BackfillSetAside,
    DataArrived,
    Fact,
    JobSetAside,
    NotificationFailed,
    OverQuota,
    PrerequisitesChecked,
    PurgeSetAside,
    Swept,
)
from chalicelib.model.errors import NoondayError
from chalicelib.notifications.metrics import STAGE, counted, embedded

Level = Literal["debug", "info", "error"]
_ORDER = {"debug": 0, "info": 1, "error": 2, "off": 3}


class JsonLog:
    """Writes facts, and what goes wrong around them, as lines. Never raises: a full disk stops no run."""

    def __init__(self, stream: TextIO, level: str, now_ms: Callable[[], int]) -> None:
        self._stream = stream
        self._least = _ORDER[level]
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self.stage: str | None = None  # metrics are written for this stage; None: nowhere

    def __call__(self, fact: Fact) -> None:
        values, dimensions = counted(fact)
        self.measured(values, **dimensions)
        fields = dataclasses.asdict(fact)
        at_ms = fields.pop("at_ms")
        self._write(_level(fact), at_ms, type(fact).__name__, fields)

    def line(self, level: Level, fact: str, **fields: object) -> None:
        """Something besides the engine's facts, now."""
        self._write(level, self._now_ms(), fact, fields)

    def _write(self, level: Level, at_ms: int, fact: str, fields: Mapping[str, object]) -> None:
        if _ORDER[level] < self._least:
            return
        time = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        said = {name: value for name, value in fields.items() if value is not None}
        text = json.dumps(
            {"time": time, "level": level, "fact": fact, **said}, default=str, ensure_ascii=False
        )
        try:
            with self._lock:
                self._stream.write(text + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return

    def measured(self, values: Mapping[str, float], **dimensions: str) -> None:
        """A line of CloudWatch's embedded metric format, whatever the level: alarms need it."""
        if self.stage is None or not values:
            return
        said = {STAGE: self.stage, **dimensions, **values}
        text = json.dumps({"_aws": embedded(values, self._now_ms()), **said})
        with suppress(OSError, ValueError), self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()

    def failure(self, error: BaseException, **where: object) -> None:
        """Something went wrong outside a request: a refusal in one sentence, a defect with its trace."""
        if isinstance(error, NoondayError):
            self.line("error", "Failed", error=error.message, **where)
        else:
            self.unexpected(error, **where)

    def unexpected(self, error: BaseException, **where: object) -> None:
        """A defect: all that helps to find it goes here, and none of it to whoever asked."""
        trace = "".join(traceback.format_exception(error))
        self.measured({"Defects": 1})
        self.line("error", "Unexpected", error=repr(error), trace=trace, **where)


def _level(fact: Fact) -> Level:
    match fact:
        case JobSetAside() | BackfillSetAside() | PurgeSetAside() | OverQuota():
            return "error"
        case NotificationFailed(again_ms=None):
            return "error"
        case DataArrived(woken=0):  # most objects of a bucket are nobody's
            return "debug"
        case Swept(jobs=0, instances=0, handed_out=0) | PrerequisitesChecked(ready=0, late=0):
            return "debug"
        case _:
            return "info"
