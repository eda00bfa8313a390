"""A small HTTP/1.1 server: few threads, many connections, and an end that loses nothing it accepted.

One thread watches connections that are idle; a bounded pool reads, answers and writes. A slow client
holds one thread of the pool, no longer than the time limits of a request.
"""

from __future__ import annotations

import errno
import os
import queue
import resource
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from chalicelib.local.http_message import (
    Connection,
    Gone,
    HttpRequest,
    Limits,
    Refused,
    read_request,
)

CONNECTIONS = 1000
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
NEXT_REQUEST_S = 0.005
"""A thread waits so long for the connection's next request before it gives the connection back."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handle = Callable[[HttpRequest], HttpResponse]
Refuse = Callable[[int, str], HttpResponse]


class HttpServer:
    """``handle`` answers requests and raises nothing; ``refuse`` words what is no request."""

    def __init__(
        self,
        listener: socket.socket,
        handle: Handle,
        refuse: Refuse,
        *,
        threads: int = 32,
        connections: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._listener = listener
        self._handle = handle
        self._refuse = refuse
        self._most = connections or _room()
        self._starved = False
        self._ready: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._returned: deque[Connection] = deque()
        self._idle: dict[int, Connection] = {}
        self._busy = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._draining = False
        self._listening = False
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_w, False)
        self._watcher = threading.Thread(target=self._watch, name="http-watch", daemon=True)
        self._pool = [
            threading.Thread(target=self._work, name=f"http-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        self._listener.listen(1024)
        self._listener.settimeout(0)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        for thread in (self._watcher, *self._pool):
            thread.start()

    def stop(self, wait_s: float) -> bool:
        """Accept nothing new and answer what was accepted; False when some were left at the end."""
        self._stopping.set()
        self._wake()
        deadline = time.monotonic() + wait_s
        self._watcher.join(wait_s)
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._busy == 0, max(0.0, deadline - time.monotonic())
            )
        for _ in self._pool:
            self._ready.put(None)
        return done

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_w, b".")

    # --- the watcher: idle connections

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._listen_if_there_is_room()
            paused = not self._listening
            for key, _ in self._selector.select(timeout=1.0 if self._listening else 0.1):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd == self._wake_r:
                    os.read(self._wake_r, 4096)
                else:
                    self._take(key.fd)
            self._park_returned()
            self._drop_idle()
            self._starved = self._starved and not paused
        self._accept()
        self._listener.close()
        with self._changed:
            self._draining = True  # from here on nothing is given back: nobody would look at it
        self._park_returned()
        self._hand_over_or_close()

    def _crowded(self) -> bool:
        return self._starved or len(self._idle) + self._busy >= self._most

    def _listen_if_there_is_room(self) -> None:
        """A listener that is watched but not answered would wake the watcher without end."""
        room = not self._crowded()
        if room and not self._listening:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._listening and not room:
            self._selector.unregister(self._listener)
        self._listening = room

    def _accept(self) -> None:
        """All that wait, so that none of them is reset when the listener closes."""
        while not self._crowded():
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                # What cannot be accepted goes on waking the watcher: it looks away for a moment.
                self._starved = error.errno in _EXHAUSTED
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._park(Connection(sock, str(address[0])))

    def _park(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        number = connection.sock.fileno()
        self._idle[number] = connection
        self._selector.register(number, selectors.EVENT_READ)

    def _park_returned(self) -> None:
        while self._returned:
            self._park(self._returned.popleft())
            self._leave()

    def _take(self, number: int) -> None:
        self._selector.unregister(number)
        self._enter()
        self._ready.put(self._idle.pop(number))

    def _drop_idle(self) -> None:
        """Oldest first; when no connection is free, a waiting client needs the place of an idle one."""
        limit = time.monotonic() - (1.0 if self._crowded() else self._limits.idle_s)
        for number in [key for key, one in self._idle.items() if one.idle_since < limit]:
            self._close_idle(number)

    def _close_idle(self, number: int) -> None:
        self._selector.unregister(number)
        self._idle.pop(number).sock.close()

    def _hand_over_or_close(self) -> None:
        """At the end: who has sent something is answered, the others have nothing to lose."""
        for _ in range(2):  # a second look, for what arrived while we looked
            for key, _ in self._selector.select(timeout=0):
                if key.fd in self._idle:
                    self._take(key.fd)
        for number in list(self._idle):
            self._close_idle(number)

    # --- the pool: requests

    def _enter(self) -> None:
        with self._changed:
            self._busy += 1

    def _leave(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _work(self) -> None:
        while (connection := self._ready.get()) is not None:
            if not (self._serve(connection) and self._give_back(connection)):
                _close(connection)
                self._leave()

    def _give_back(self, connection: Connection) -> bool:
        with self._changed:
            if self._draining:
                return False
            self._returned.append(connection)
        self._wake()
        return True

    def _serve(self, connection: Connection) -> bool:
        """Answer requests while they come; whether the connection is worth keeping."""
        while True:
            try:
                request = read_request(connection, self._limits)
                response = self._handle(request)
                keep = request.keep and not self._stopping.is_set()
                self._write(connection, response, keep=keep, bare=request.method == "HEAD")
                if not keep:
                    return False
            except Refused as refused:
                connection.refused = True
                with suppress(OSError):
                    response = self._refuse(refused.status, refused.message)
                    self._write(connection, response, keep=False)
                return False
            except (Gone, OSError):
                return False
            if not connection.has_more and not self._more_soon(connection):
                return connection.sock.fileno() >= 0

    def _write(
        self, connection: Connection, response: HttpResponse, *, keep: bool, bare: bool = False
    ) -> None:
        """``bare``: the head alone, as HEAD wants it."""
        head = _head(response, keep=keep)
        connection.sock.settimeout(self._limits.write_s)
        connection.sock.sendall(head if bare or response.status == 204 else head + response.body)

    def _more_soon(self, connection: Connection) -> bool:
        """Giving a connection back costs more than a short wait, if nobody else needs this thread."""
        if not self._ready.empty():
            return False
        try:
            if not connection.fill(time.monotonic() + NEXT_REQUEST_S):
                connection.sock.close()
        except TimeoutError:
            return False
        except OSError:
            connection.sock.close()
        return connection.has_more


def _room() -> int:
    """How many connections are held: half of what this process may open, for its runs need files too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, files // 2))


def _head(response: HttpResponse, *, keep: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"


def _close(connection: Connection) -> None:
    """Who may still be sending reads the answer before it learns that we stopped (RFC 9112, 9.6)."""
    with suppress(OSError):
        if connection.refused or connection.has_more:
            _read_on(connection.sock)
    with suppress(OSError):
        connection.sock.close()


def _read_on(sock: socket.socket) -> None:
    """Take what still comes, for a second at most, and throw it away."""
    sock.shutdown(socket.SHUT_WR)
    deadline, read = time.monotonic() + 1.0, 0
    while read < 16_000_000 and (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        data = sock.recv(262_144)
        if not data:
            return
        read += len(data)
