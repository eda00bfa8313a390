"""Noonday in this process, from its start to its end."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from chalicelib import api, wiring
from chalicelib.engine.commands import pause, register_token
from chalicelib.engine.pausing import give_back
from chalicelib.engine.ports import Clock, HandedOut, Lane
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.alarm_thread import AlarmThread
from chalicelib.local.gateway import Gateway, refuse
from chalicelib.local.http_server import HttpServer
from chalicelib.local.manual_clock import ManualClock
from chalicelib.local.only_one import hold
from chalicelib.local.profile import known_token, new_token
from chalicelib.local.queues import Left, MemoryQueues
from chalicelib.model.errors import NoondayError
from chalicelib.model.principal import Principal
from chalicelib.settings import Settings
from chalicelib.store import SqlStore

ANSWER_S = 30.0
GIVEN_BACK = 500
PRINCIPAL = "local"


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve. ``clock_ms``: where a clock that is moved by hand starts; None for the real one.
    ``pause``: why all is paused before anything runs; None: it goes on as it was."""

    host: str
    port: int
    clock_ms: int | None
    profile: Path
    pause: str | None = None


class Service:
    """The parts that run, and how they start and end together."""

    def __init__(
        self, noonday: wiring.Noonday, queues: MemoryQueues, alarm: AlarmThread, http: HttpServer
    ) -> None:
        self.noonday = noonday
        self._queues = queues
        self._alarm = alarm
        self._http = http

    def start(self, handlers: Mapping[str, Any]) -> None:
        log = self.noonday.log
        self._queues.start(dict(handlers), log)
        self._alarm.start(dict(handlers), log)
        self._http.start()

    def stop(self, grace_s: float) -> int:
        """Answer what was accepted, let runs that began finish within the grace; how many were left.

        Those at work go on where they can (a program under its runner), and are looked after again at the
        next start, under the same token; those in line begin then, at once.
        """
        deadline = time.monotonic() + grace_s
        self._http.stop(max(ANSWER_S, grace_s))
        self._alarm.stop(max(0.0, deadline - time.monotonic()))
        left = self._queues.stop(max(0.0, deadline - time.monotonic()))
        with suppress(NoondayError):  # what cannot be given back comes again when its patience ends
            for handed in _batches(left):
                give_back(self.noonday.engine, handed)
            self.noonday.store.close()
        return left.count

    # --- what a clock moved by hand drives

    def next_wake(self, before_ms: int) -> int | None:
        return self.noonday.engine.store.read(lambda reader: reader.next_wakes(before_ms)).earliest

    def ring(self, wait_s: float) -> bool:
        return self._alarm.ring_now(wait_s)

    def quiet(self, wait_s: float) -> bool:
        return self._queues.quiet(wait_s)


def _batches(left: Left) -> Iterator[Sequence[HandedOut]]:
    """Instances that were in line; a notification keeps its own time."""
    for lane, handed in left.in_line.items():
        if lane is not Lane.DELIVER:
            yield from (handed[at : at + GIVEN_BACK] for at in range(0, len(handed), GIVEN_BACK))


def build(settings: Settings, options: Options, listener: socket.socket, app: Any) -> Service:
    """Open the database, bring its schema up to date, and put the parts together. Nothing runs yet.

    Raises:
        NoondayError: the database cannot be used.
        Served: another process serves it.
    """
    _claim_file(settings)
    store = wiring.open_database(settings)
    clock = _clock(store, settings, options)
    log = wiring.standard_log(settings, clock, for_people=sys.stderr.isatty())
    store.migrate(clock.now_ms())
    queues = MemoryQueues(settings.workers)
    alarm = AlarmThread(clock)
    transport = wiring.Transport(
        queue=queues, alarm=alarm, stops=RunsInThisProcess(), address=address_of(listener)
    )
    noonday = wiring.compose(settings, store, clock, transport, log)
    if options.pause is not None:
        pause(noonday.engine, Principal(PRINCIPAL, admin=True), reason=options.pause)
    wiring.provide(lambda: noonday)
    api.prepare()
    gateway = Gateway(app)
    service = Service(noonday, queues, alarm, HttpServer(listener, gateway.handle, refuse))
    if isinstance(clock, ManualClock):
        clock.attach(service)
    return service


def address_of(listener: socket.socket) -> str:
    """Where this machine reaches it; others need NOONDAY_URL."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def admit(noonday: wiring.Noonday, options: Options) -> str:
    """The token of this server: the operator's, the one of an earlier start, or a new one."""
    token = noonday.settings.token or known_token(options.profile) or new_token()
    register_token(noonday.engine, token, PRINCIPAL, admin=True)
    return token


def database_file(url: str) -> Path | None:
    """The SQLite file behind a URL: three slashes begin a relative path, four an absolute one."""
    parts = urlsplit(url)
    return Path(unquote(parts.path.removeprefix("/"))) if parts.scheme == "sqlite" else None


def _claim_file(settings: Settings) -> None:
    path = database_file(settings.database.url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _HELD.append(hold(path))


_HELD: list[Any] = []
"""Locks live as long as the process: closing one would give the file away."""


def _clock(store: SqlStore, settings: Settings, options: Options) -> Clock:
    if options.clock_ms is not None:
        return ManualClock(options.clock_ms)
    return wiring.system_clock(store, settings.database)
