"""A receiver on the loopback that answers as it is told, and signatures checked by code of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


def secret(letter: str) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * 32).decode()


@dataclass(frozen=True)
class Delivery:
    """One request, its header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, text: str) -> bool:
        """As https://www.standardwebhooks.com has it."""
        key = base64.b64decode(text.removeprefix("whsec_"))
        content = b".".join(
            (self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body)
        )
        wanted = "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        return wanted in self.headers.get("webhook-signature", "").split(" ")


@dataclass
class Receiver:
    port: int = 0
    answer: Answer = lambda handler: reply(handler, 204)
    seen: list[Delivery] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def wait_for(self, count: int, seconds: float = 30) -> list[Delivery]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.seen) >= count, seconds), self.seen
            return list(self.seen)


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def held(receiver: Receiver) -> None:
    """No answer until the test is over."""
    receiver.over.wait(30)


@contextmanager
def receiving() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with made.changed:
                made.seen.append(Delivery(self.path, headers, body))
                made.changed.notify_all()
            made.answer(self)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Clients that hang up are part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.over.set()
        server.shutdown()
        thread.join()
