"""A server that answers what a test wrote down, for the corners of transport a real one never shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request, as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """One answer. ``breaks``: the connection ends instead. ``chunked``: the body comes in pieces."""

    status: int = 200
    document: object = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False
    chunked: bool = False

    @property
    def content(self) -> bytes:
        return self.body if self.body is not None else json.dumps(self.document).encode()


Rule = Callable[[Asked], Answer]


class StandIn:
    """Answers by a queue first, then by route, then 404; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.queue: list[Answer] = []
        self.routes: dict[tuple[str, str], Rule] = {}
        self.connections = 0
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        # The loop polls this often for its end; the default would add half a second to every test.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def on(self, route: str, document: object = None, **answer: Any) -> None:
        """Always answer this route, written as in ``GET /jobs``, so."""
        method, _, path = route.partition(" ")
        self.routes[method, path] = lambda _: Answer(document=document, **answer)

    def then(self, *answers: Answer) -> None:
        """Answer the next requests so, whatever they ask."""
        self.queue += answers

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.queue:
            return self.queue.pop(0)
        rule = self.routes.get((asked.method, asked.path))
        if rule is None:
            title = f"nothing at {asked.method} {asked.path}"
            return Answer(404, {"title": title, "status": 404, "code": "not_found"})
        return rule(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = stand_in


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # head and body are written apart, and must not wait for each other
    )
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.stand_in.connections += 1

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        asked = Asked(self.command, parts.path, parse_qsl(parts.query), headers, body)
        answer = self.server.stand_in.answer(asked)
        if answer.breaks:
            self.close_connection = True
        else:
            self._reply(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """The test's output is its own."""

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(_in_pieces(answer.content) if answer.chunked else answer.content)


def _in_pieces(content: bytes) -> bytes:
    return b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in content) + b"0\r\n\r\n"
