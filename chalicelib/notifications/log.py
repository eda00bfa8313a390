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
    INSTANTS,
    BackfillSetAside,
    DataArrived,
    EventIgnored,
    Fact,
    JobSetAside,
    NotificationFailed,
    OverQuota,
    PrerequisitesChecked,
    PurgeSetAside,
    RunClaimed,
)
from chalicelib.model.credential import without_credentials
from chalicelib.model.errors import NoondayError
from chalicelib.model.instants import format_instant
from chalicelib.notifications.invocation import current
from chalicelib.notifications.metrics import Measurements, Values, counted
from chalicelib.notifications.readable import readable

Level = Literal["debug", "info", "error"]
_ORDER = {"debug": 0, "info": 1, "error": 2, "off": 3}
LONGEST_TEXT = 4_000
"""Characters of one field. Of a trace the end is kept, which says what was raised and where."""
LONGEST_LINE = 16_000

BESIDES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Request": (
        "A request was answered. With 500 and more it is an error; else it is written with NOONDAY_LOG=debug",
        ("method", "route", "status", "duration_ms"),
    ),
    "Failed": (
        "A function could not do its work, and says why in a sentence; whoever called it tries again",
        ("error", "sending", "handler", "alarm", "queue", "message"),
    ),
    "Unexpected": (
        "An error that nobody foresaw, with its trace: please report it",
        ("error", "trace", "method", "route", "sending", "handler", "alarm", "queue", "message"),
    ),
    "Unread": (
        "A message or an event says nothing that this version reads; the message ends in the dead letters",
        ("error", "message", "source"),
    ),
    "Deployed": (
        "The function migrate made the database ready, or looked at it",
        ("action", "did", "migrations", "database", "schema", "program", "clock_ms", "owners", "admins",
         "warnings"),
    ),
}  # fmt: skip
"""Lines besides the engine's facts: what they mean, and their fields."""


class JsonLog:
    """Writes facts, and what goes wrong around them, as lines. Never raises: a full disk stops no run.

    ``for_people``: lines that are read as they come by, instead of JSON.
    """

    def __init__(
        self,
        stream: TextIO,
        level: str,
        now_ms: Callable[[], int],
        *,
        for_people: bool = False,
    ) -> None:
        self._stream = stream
        self._least = _ORDER[level]
        self._now_ms = now_ms
        self._for_people = for_people
        self._lock = threading.Lock()
        self.stage: str | None = None  # metrics are written for this stage; None: nowhere

    def __call__(self, fact: Fact) -> None:
        values, dimensions = counted(fact)
        self.measured(values, **dimensions)
        level = _level(fact)
        if _ORDER[level] < self._least:
            return
        fields = dataclasses.asdict(fact)
        at_ms = fields.pop("at_ms")
        self._write(level, at_ms, type(fact).__name__, _named(fields))

    def line(self, level: Level, fact: str, **fields: object) -> None:
        """Something besides the engine's facts, now."""
        if _ORDER[level] >= self._least:
            self._write(level, self._now_ms(), fact, fields)

    def measured(self, values: Values, **dimensions: str) -> None:
        """Written with the end of the invocation, whatever the level: alarms need it."""
        if self.stage is None or not values:
            return
        here = current()
        measurements = Measurements() if here is None else here.measured
        measurements.add(values, dimensions)
        if here is None:
            self.write_measured(measurements)

    def write_measured(self, measurements: Measurements) -> None:
        if self.stage is not None:
            for line in measurements.lines(self.stage, self._now_ms()):
                self._put(json.dumps(line))

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

    def _write(self, level: Level, at_ms: int, fact: str, fields: Mapping[str, object]) -> None:
        said = {name: self._shown(name, value) for name, value in fields.items()}
        said = {name: value for name, value in said.items() if value is not None}
        time = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        head = {"time": time, "level": level, "fact": fact}
        if self._for_people:
            self._put(readable(head, said))
            return
        whole = {**head, **self._where(), **said}
        text = _dumped(whole)
        if len(text) > LONGEST_LINE:
            text = _dumped({**whole, **{name: _cut(said[name]) for name in said}, "cut": True})
        self._put(text[: 2 * LONGEST_LINE])

    def _where(self) -> Mapping[str, str]:
        here = current()
        fields = {"stage": self.stage}
        if here is not None:
            fields["function"] = here.function
            fields["request_id"] = here.request_id
            fields["api_request_id"] = here.api_request_id
        return {name: value for name, value in fields.items() if value}

    def _shown(self, name: str, value: object) -> object:
        """As it is written: what is no plain value as text, without secrets, and no longer than is read."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(key): self._shown(str(key), each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._shown(name, each) for each in value]
        text = without_credentials(str(value)).encode(errors="backslashreplace").decode()
        if len(text) <= LONGEST_TEXT:
            return text
        return f"…{text[-LONGEST_TEXT:]}" if name == "trace" else f"{text[:LONGEST_TEXT]}…"

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError), self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()


def _named(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Instants as people read them; spans keep their unit in their name."""
    return {
        (name.removesuffix("_ms") if name in INSTANTS else name): (
            format_instant(value) if name in INSTANTS and isinstance(value, int) else value
        )
        for name, value in fields.items()
    }


def _dumped(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, default=str, ensure_ascii=False)


def _cut(value: object) -> object:
    """Of a line that is too long in all, little of each field."""
    text = value if isinstance(value, str) else _dumped({"": value})
    return value if len(text) <= 500 else f"{text[:500]}…"


def _level(fact: Fact) -> Level:
    match fact:
        case JobSetAside() | BackfillSetAside() | PurgeSetAside() | OverQuota():
            return "error"
        case NotificationFailed(again_ms=None):
            return "error"
        case (
            DataArrived(woken=0) | EventIgnored()
        ):  # most of what happens in an account is nobody's
            return "debug"
        case RunClaimed(claims=1) | PrerequisitesChecked(ready=0, late=0):
            return "debug"
        case _:
            return "info"
