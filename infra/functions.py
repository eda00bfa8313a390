"""The functions of ``app.py``, as it declares them, and what each is given of memory, time and company."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from chalice.app import CloudWatchEventConfig, ScheduledEventConfig, SQSEventConfig

from infra.problems import Stuck


class Source(Enum):
    """What calls a function."""

    API = "api"
    SCHEDULE = "schedule"
    QUEUE = "queue"
    EVENTS = "events"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Size:
    """``concurrency``: how many of it may be at work at once. ``connections``: to the database, of one
    process; its second is that of the thread that keeps the claim of an inline run."""

    memory_mb: int
    timeout_s: int
    concurrency: int
    connections: int = 1


SIZES = {
    "api": Size(512, 29, 10),
    "minute": Size(512, 55, 2),
    "second": Size(512, 55, 2),
    "launch": Size(512, 60, 5),
    "work": Size(1024, 900, 10, connections=2),
    "check": Size(512, 120, 3),
    "deliver": Size(512, 60, 3),
    "completion": Size(512, 30, 3),
    "data_arrival": Size(512, 30, 2),
    "housekeeping": Size(512, 900, 1),
    "migrate": Size(512, 900, 1),
}
STANDARD = Size(512, 60, 2)
"""A function that is new here."""


@dataclass(frozen=True, slots=True)
class Function:
    """``lane``: the queue that feeds it; None where none does. ``at_once``: a stage's own limit."""

    name: str
    source: Source
    lane: str | None = None
    at_once: int | None = None

    @property
    def size(self) -> Size:
        usual = SIZES.get(self.name, STANDARD)
        return usual if self.at_once is None else replace(usual, concurrency=self.at_once)

    @property
    def logical_id(self) -> str:
        """As Chalice calls it in its template."""
        return "APIHandler" if self.source is Source.API else _camel(self.name)

    @property
    def configured_as(self) -> str:
        """As Chalice calls it in its configuration."""
        return "api_handler" if self.source is Source.API else self.name

    @property
    def role_id(self) -> str:
        """As Chalice calls its role; CloudFormation makes the role's name of it."""
        return "ApiHandlerRole" if self.source is Source.API else f"{_camel(self.name)}Role"

    @property
    def event_id(self) -> str:
        return _camel(f"{self.name}-sqs-event-source" if self.lane else f"{self.name}-event")

    @property
    def logs_id(self) -> str:
        return f"{_camel(self.name)}Logs"

    @property
    def limits_by_reserve(self) -> bool:
        """A mapping limits what a queue feeds; a rule by itself calls one at a time."""
        return self.source in (Source.API, Source.EVENTS)


def declared() -> Sequence[Function]:
    """In the order of ``app.py``; the API first."""
    return tuple(_functions(importlib.import_module("app").app))


def sized(functions: Sequence[Function], concurrency: Mapping[str, int]) -> Sequence[Function]:
    """The functions with the limits of a stage.

    Raises:
        Stuck: there is no such function, or what it does is not to be done by several at once.
    """
    open_to = {
        one.name for one in functions if one.source in (Source.API, Source.QUEUE, Source.EVENTS)
    }
    strange = sorted(set(concurrency) - open_to)
    if strange:
        raise Stuck(f"concurrency: {strange[0]} is none of {', '.join(sorted(open_to))}")
    return [replace(one, at_once=concurrency.get(one.name)) for one in functions]


def _functions(app: Any) -> list[Function]:
    found = [Function("api", Source.API)]
    for one in app.event_sources:
        match one:
            case ScheduledEventConfig():
                found.append(Function(one.name, Source.SCHEDULE))
            case SQSEventConfig():
                found.append(Function(one.name, Source.QUEUE, str(one.queue).rpartition("-")[2]))
            case CloudWatchEventConfig():
                found.append(Function(one.name, Source.EVENTS))
            case _:
                raise TypeError(f"infra/ does not know what feeds {one.name}: {type(one).__name__}")
    return [*found, *(Function(one.name, Source.HAND) for one in app.pure_lambda_functions)]


def _camel(name: str) -> str:
    """As Chalice makes logical ids of names."""
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def lanes(functions: Sequence[Function]) -> Sequence[Function]:
    """Those that a queue feeds."""
    return [one for one in functions if one.lane is not None]


def connections(functions: Sequence[Function]) -> int:
    """All that can be open to the database at the same moment."""
    return sum(one.size.concurrency * one.size.connections for one in functions)
