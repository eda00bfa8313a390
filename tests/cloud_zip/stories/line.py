"""A line to a server that can be cut: whoever uses it finds the server gone, and later back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """Connections to ``port`` of this machine, through a port of its own that stays the same."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = _listening(0)
        self.port = int(self._listener.getsockname()[1])
        self._take(self._listener)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Meanwhile all connections are closed, and new ones are refused."""
        self.close()
        try:
            yield
        finally:
            self._listener = _listening(self.port)
            self._take(self._listener)

    def close(self) -> None:
        with suppress(OSError):  # or its thread goes on to take what comes
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            _hang_up(end)

    def _take(self, listener: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with self._lock:
                self._ends += (near, far)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _listening(port: int) -> socket.socket:
    made = socket.create_server(("127.0.0.1", port))
    made.listen()
    return made


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            sink.sendall(content)
    _hang_up(source)
    _hang_up(sink)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
