"""A line to a database that breaks where a test wants it to: a proxy that understands packets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

WAIT_S = 20
CUT = "cut"
"""Instead of a packet: end the connection."""


@dataclass(slots=True)
class Wire:
    """Statements pass through ``on_statement``: it gets the text, and the means to send it and
    swallow the answer; it returns None to let the statement pass, or CUT. ``on_greeting`` may change the
    server's first packet.
    """

    target: tuple[str, int]
    on_statement: Callable[[str, Callable[[], None]], str | None] = lambda _, __: None
    on_greeting: Callable[[bytes], bytes] = lambda packet: packet
    refusing: bool = False
    statements: list[str] = field(default_factory=list)
    port: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            self._open.append(client)
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def cut_all(self) -> None:
        """End every connection that is open."""
        _end(*self._open)
        self._open.clear()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.target, WAIT_S) as server:
            back = _Back(server, client, self.on_greeting)
            thread = threading.Thread(target=back.run, daemon=True)
            thread.start()
            with suppress(OSError, EOFError):
                self._there(client, server, back)
            _end(server, client)
            thread.join(WAIT_S)

    def _there(self, client: socket.socket, server: socket.socket, back: _Back) -> None:
        while True:
            packet = _packet(client)
            text = packet[5:].decode(errors="replace") if packet[3:5] == b"\x00\x03" else ""
            if text:
                self.statements.append(text)

            def send(packet: bytes = packet) -> None:
                back.swallow.set()
                server.sendall(packet)
                back.swallowed.wait(WAIT_S)

            if text and self.on_statement(text, send) == CUT:
                return
            server.sendall(packet)


class _Back:
    """The way from the server to the client."""

    def __init__(
        self, server: socket.socket, client: socket.socket, on_greeting: Callable[[bytes], bytes]
    ) -> None:
        self._server = server
        self._client = client
        self._on_greeting = on_greeting
        self.swallow = threading.Event()
        self.swallowed = threading.Event()

    def run(self) -> None:
        with suppress(OSError, EOFError):
            self._client.sendall(self._on_greeting(_packet(self._server)))
            while part := self._server.recv(65536):
                if self.swallow.is_set():
                    self.swallowed.set()
                else:
                    self._client.sendall(part)
        _end(self._server, self._client)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(host: str, port: int) -> Iterator[Wire]:
    """A wire on a port of its own."""
    wire = Wire((host, port))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire.port = listener.getsockname()[1]
        thread = threading.Thread(target=wire.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    wire.cut_all()


def _packet(source: socket.socket) -> bytes:
    head = _exactly(source, 4)
    return head + _exactly(source, int.from_bytes(head[:3], "little"))


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found
