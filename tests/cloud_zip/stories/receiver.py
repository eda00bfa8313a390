"""A small server on this machine, for what calls out: requests of ``http`` targets, and webhooks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Heard:
    """A request. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = Callable[[Heard], int]
"""The status that it is answered with. It may take its time."""


@dataclass(slots=True)
class Receiver:
    """``replies``: by path; everything else is answered with 200."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def at(self, path: str) -> list[Heard]:
        return [one for one in self.heard if one.path == path]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard = Heard(self.path, headers, body)
            receiver.heard.append(heard)
            reply = receiver.replies.get(self.path)
            status = reply(heard) if reply else 200
            with suppress(OSError):  # whoever asked has gone
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        do_GET = do_POST = do_any  # noqa: N815 - as it calls them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
