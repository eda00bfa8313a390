"""Receive Noonday's notifications: check that they are ours, take each once, answer at once.

    SECRETS=whsec_… python examples/receiver.py 9000

Standard library only, and nothing of Noonday: copy it. Whoever prefers a library takes one of
https://www.standardwebhooks.com, which all check the same three headers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_S = 300  # an older or younger signature may be a recording of somebody's
seen: set[str] = set()  # keep it in your database, for at least two days


class NotOurs(Exception):
    """The signature, or its time, is not right."""


def verified(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float) -> Any:
    """The document. ``headers``: names in lower case. Check the bytes as they came, before parsing them."""
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isascii() or not sent.isdigit() or abs(now_s - int(sent)) > TOLERANCE_S:
        raise NotOurs("it is too old, or from the future, or says no time")
    content = f"{identity}.{sent}.".encode() + body
    given = headers.get("webhook-signature", "").split()
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, content, hashlib.sha256).digest()
        wanted = f"v1,{base64.b64encode(digest).decode()}"
        if any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
            return json.loads(body)
    raise NotOurs("no signature fits")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1_000_000))
        headers = {name.lower(): value for name, value in self.headers.items()}
        secrets = os.environ.get("SECRETS", "").split()  # noqa: TID251
        try:
            document = verified(headers, body, secrets, time.time())  # noqa: TID251
        except NotOurs as error:
            self.send_error(401, str(error))
            return
        if headers["webhook-id"] not in seen:  # it may come more than once
            handle(document)
            seen.add(headers["webhook-id"])  # not before: what failed here must come again
        self.send_response(204)  # only what is done with: anything else is sent again
        self.end_headers()


def handle(document: Any) -> None:
    """Yours. Be quick: hand on what takes longer than a few seconds."""
    data = document["data"]
    sys.stdout.write(f"{document['type']}: {data['name']} {data.get('nominal_time') or ''}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
