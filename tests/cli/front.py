"""API Gateway as far as it verifies signatures: from AWS's description, and none of its clients' code.

It recomputes the signature from what arrived, refuses as API Gateway does, and hands what it lets in to the
app, with the identity that no client can write.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from chalicelib.local.gateway import Gateway
from chalicelib.local.http_message import HttpRequest
from chalicelib.local.http_server import HttpResponse

REGION = "eu-central-1"
ACCOUNT = "123456789012"
STAGE = "/v1"
LONGEST_SKEW_S = 300


@dataclass(frozen=True)
class Keys:
    """What AWS knows of an access key. ``token``: temporary ones have one. ``ends_s``: until then."""

    secret: str
    arn: str
    token: str | None = None
    ends_s: float | None = None
    invokes: bool = True


class Refused(Exception):
    """``kind``: as in the header x-amzn-errortype."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


@dataclass
class Front:
    """``skew_s``: how far its clock is from this machine's. ``refuse``: what it answers instead, once."""

    keys: Mapping[str, Keys]
    behind: Callable[[HttpRequest, Keys], HttpResponse]
    skew_s: float = 0.0
    refuse: list[Refused] = field(default_factory=list)
    seen: list[HttpRequest] = field(default_factory=list)
    url: str = ""

    def answer(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        try:
            if self.refuse:
                raise self.refuse.pop(0)
            known = verified(request, self.keys, time.time() + self.skew_s)
            if not request.target.startswith(f"{STAGE}/"):
                raise Refused(403, "ForbiddenException", "Forbidden")
            return self.behind(request, known)
        except Refused as error:
            word = "Message" if error.kind == "AccessDeniedException" else "message"
            body = json.dumps({word: error.message}).encode()
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.kind}
            return HttpResponse(error.status, body, {**headers, "x-amzn-RequestId": "some-id"})


def verified(request: HttpRequest, keys: Mapping[str, Keys], now_s: float) -> Keys:
    """Whose signature it is. Raises Refused as API Gateway does."""
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if not rest:
        raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    if scheme != "AWS4-HMAC-SHA256":
        message = "Authorization header requires 'Credential' parameter."
        raise Refused(403, "IncompleteSignatureException", message)
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    access_key, day, region, service, end = parts["Credential"].split("/")
    known = keys.get(access_key)
    token = request.header("x-amz-security-token")
    if known is None or known.token != token:
        message = "The security token included in the request is invalid."
        raise Refused(403, "UnrecognizedClientException", message)
    if known.ends_s is not None and known.ends_s <= now_s:
        message = "The security token included in the request is expired"
        raise Refused(403, "ExpiredTokenException", message)
    scope = f"{day}/{region}/{service}/{end}"
    if (region, service, end) != (REGION, "execute-api", "aws4_request"):
        message = f"Credential should be scoped to a valid region, not {scope}"
        raise Refused(403, "InvalidSignatureException", message)
    moment = request.header("x-amz-date") or ""
    sent_s = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if abs(now_s - sent_s) > LONGEST_SKEW_S:
        message = f"Signature expired: {moment} is now earlier than the server's time - 5 min."
        raise Refused(403, "InvalidSignatureException", message)
    names = parts["SignedHeaders"].split(";")
    assert "host" in names
    assert "x-amz-date" in names
    assert token is None or "x-amz-security-token" in names
    document = canonical(request, names)
    hashed = hashlib.sha256(document).hexdigest()
    told = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}".encode()
    key = f"AWS4{known.secret}".encode()
    for piece in (*(part.encode() for part in scope.split("/")), told):
        key = hmac.digest(key, piece, "sha256")
    if not hmac.compare_digest(key.hex(), parts["Signature"]):
        message = (
            "The request signature we calculated does not match the signature you provided."
            f" The Canonical String for this request should have been {document.decode()!r}"
        )
        raise Refused(403, "InvalidSignatureException", message)
    if not known.invokes:
        message = f"User: {known.arn} is not authorized to perform: execute-api:Invoke on resource"
        raise Refused(403, "AccessDeniedException", message)
    return known


def canonical(request: HttpRequest, names: list[str]) -> bytes:
    """The request as both sides hash it. The path as it was sent is escaped once more, as all services but
    S3 have it; names and values of the query are read, and written in one way."""
    path, _, query = request.target.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    written = sorted((_once(name), _once(value)) for name, value in pairs)
    lines = [
        request.method,
        quote(path, safe="/-_.~"),
        "&".join(f"{name}={value}" for name, value in written),
        *(f"{name}:{' '.join((request.header(name) or '').split())}" for name in sorted(names)),
        "",
        ";".join(sorted(names)),
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines).encode()


def _once(text: str) -> str:
    """A plus stands for a space in a query, and is written as what it stands for."""
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="-_.~")


class App(Gateway):
    """The app behind it: the event carries who signed."""

    def __call__(self, request: HttpRequest, known: Keys) -> HttpResponse:
        target = request.target.removeprefix(STAGE)
        inside = HttpRequest(
            request.method, target, request.headers, request.body, request.keep, request.peer
        )
        event = self._event(inside)
        event["requestContext"]["accountId"] = ACCOUNT
        event["requestContext"]["identity"]["userArn"] = known.arn
        return self._answered(event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def serve(self) -> None:
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = HttpRequest(self.command, self.path, headers, body, keep=True, peer="10.0.0.1")
        answer = self.server.front.answer(asked)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """The test's output is its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, front: Front) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.front = front


@contextmanager
def serving(front: Front) -> Iterator[Front]:
    server = _Server(front)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    front.url = f"http://127.0.0.1:{server.server_address[1]}{STAGE}"
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def echo(request: HttpRequest, known: Keys) -> HttpResponse:
    """What arrived, as a document."""
    document: dict[str, Any] = {"target": request.target, "arn": known.arn}
    return HttpResponse(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
