"""What stands before the functions in the account: API Gateway, as events and as a small HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.local.gateway import Routes
from tests.cloud.amazon import ACCOUNT

ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/noonday-admin/alice"
API_S = 29.0
"""API Gateway gives up then, whatever the function does."""
Invoke = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """``body``: the JSON document, or the text when it is none. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Front:
    """Makes events of requests as the deployed API does: by the paths that were read back from it."""

    def __init__(self, paths: frozenset[str], invoke: Invoke) -> None:
        self._routes = Routes(dict.fromkeys(paths))
        self._invoke = invoke

    def call(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        caller: str | None = ADMIN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """``caller``: whose signature API Gateway verified; None when there was none."""
        content = body if isinstance(body, str | None) else json.dumps(body)
        raw = self.answer(method, target, content, headers or {}, caller)
        told = {name.lower(): value for name, value in raw["headers"].items()}
        text = raw["body"]
        is_json = "json" in told.get("content-type", "")
        return Answer(raw["statusCode"], told, json.loads(text) if is_json and text else text)

    def answer(
        self, method: str, target: str, body: str | None, headers: Mapping[str, str],
        caller: str | None,
    ) -> Any:  # fmt: skip
        """What the function answers; what API Gateway itself would answer where there is no route."""
        parts = urlsplit(target)
        found = self._routes.match(parts.path)
        if found is None:
            return _refused("Missing Authentication Token")
        route, variables = found
        query = parse_qs(parts.query, keep_blank_values=True)
        return self._invoke(
            {
                "resource": route,
                "path": parts.path,
                "httpMethod": method,
                "headers": dict(headers) or None,
                "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
                "queryStringParameters": {name: one[-1] for name, one in query.items()} or None,
                "multiValueQueryStringParameters": query or None,
                "pathParameters": variables or None,
                "stageVariables": None,
                "requestContext": {
                    "accountId": ACCOUNT,
                    "resourcePath": route,
                    "httpMethod": method,
                    "path": f"/api{parts.path}",
                    "stage": "api",
                    "protocol": "HTTP/1.1",
                    "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                    "identity": {"sourceIp": "192.0.2.1", "userArn": caller},
                },
                "body": body,
                "isBase64Encoded": False,
            }
        )


def _refused(message: str) -> Any:
    return {
        "statusCode": 403,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }


Verify = Callable[[str, str, bytes, Mapping[str, str]], str | None]
"""The ARN of whoever signed a request: method, URL, body, headers; None for nobody."""


@contextmanager
def served(front: Front, verify: Verify) -> Iterator[str]:
    """The API's URL, below its stage as API Gateway has it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            url = f"http://{headers.get('Host')}{self.path}"
            caller = verify(self.command, url, body, headers)
            target = self.path.removeprefix("/api")
            public = urlsplit(target).path in ("/health", "/openapi.json")
            if caller is None and not public:
                raw = _refused("The request signature does not match")
            else:
                raw = front.answer(self.command, target, body.decode() or None, headers, caller)
            content = (raw["body"] or "").encode()
            self.send_response(raw["statusCode"])
            for name, value in raw["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - as it calls them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
