"""The composition root: settings become a store, targets and ports; together they are the engine.

A process composes Noonday once, at its first use: importing costs nothing and reaches nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Alarm, Clock, Queue, Stops
from chalicelib.entropy import SystemChance, SystemIds
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.availability import Availability
from chalicelib.notifications.clock import CorrectedClock, SystemClock
from chalicelib.notifications.local_data import LocalData
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import Database, Settings
from chalicelib.store import SqlStore, Tls, open_store
from chalicelib.targets import (
    Allowance,
    Connection,
    HttpProbe,
    Permission,
    S3Probe,
    SqlProbe,
    TargetRegistry,
    TargetSettings,
)


@dataclass(frozen=True, slots=True)
class Transport:
    """What carries wake-ups and messages: in one process memory, in the cloud queues."""

    queue: Queue
    alarm: Alarm
    stops: Stops


@dataclass(frozen=True, slots=True)
class Noonday:
    """All of it, composed."""

    settings: Settings
    engine: Engine
    store: SqlStore
    targets: TargetRegistry
    log: JsonLog


def compose(
    settings: Settings, store: SqlStore, clock: Clock, transport: Transport, log: JsonLog
) -> Noonday:
    """The parts, put together; nothing is started and nothing is asked."""
    target_settings = _target_settings(settings)
    targets = TargetRegistry(target_settings, clock)
    conditions = Availability(
        {
            "file": LocalData(settings.files),
            "s3": S3Probe(target_settings, clock),
            "sql": SqlProbe(target_settings),
            "http": HttpProbe(target_settings),
        }
    )
    engine = Engine(
        clock=clock,
        ids=SystemIds(clock),
        chance=SystemChance(),
        store=store,
        queue=transport.queue,
        alarm=transport.alarm,
        targets=targets,
        conditions=conditions,
        artifacts=targets,
        stops=transport.stops,
        listener=log,
        quotas=settings.quotas,
    )
    return Noonday(settings, engine, store, targets, log)


def _target_settings(settings: Settings) -> TargetSettings:
    return TargetSettings(
        files=settings.files,
        runs=settings.runs,
        connections={
            name: Connection(name, database.url, database.password or "")
            for name, database in settings.connections.items()
        },
        http_allow=settings.http_allow,
        process_enabled=settings.process,
        allow=Allowance(
            [
                Permission(entry.owner, entry.kind, entry.resource, entry.role)
                for entry in settings.targets_allow
            ]
        ),
        aws_region=settings.aws_region,
    )


def open_database(settings: Settings) -> SqlStore:
    """Raises NoondayError when the URL cannot be read; the database itself is not asked yet."""
    tls = Tls(settings.database_ca) if settings.database_ca else None
    return open_store(settings.database.url, password=settings.database.password, tls=tls)


def system_clock(store: SqlStore, database: Database) -> Clock:
    """A database on another machine has a clock of its own, and its word counts."""
    if database.url.startswith("sqlite:"):
        return SystemClock()
    return CorrectedClock(store.database_now_ms)


def standard_log(settings: Settings, clock: Clock) -> JsonLog:
    return JsonLog(sys.stderr, settings.log, clock.now_ms)


def _nothing() -> Noonday:
    raise Unavailable(
        "Noonday is not composed in this process; serve it: python -m chalicelib.local"
    )


_composing = threading.Lock()
_make: Callable[[], Noonday] = _nothing
_made: Noonday | None = None


def provide(make: Callable[[], Noonday]) -> None:
    """How this process composes Noonday, when it is first asked for; what was made before is forgotten."""
    global _make, _made
    with _composing:
        _make, _made = make, None


def noonday() -> Noonday:
    """This process's Noonday.

    Raises:
        Unavailable: it cannot be composed now.
    """
    global _made  # noqa: PLW0603
    if _made is None:
        with _composing:
            if _made is None:
                _made = _make()
    return _made
