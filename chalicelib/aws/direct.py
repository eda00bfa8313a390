"""The few calls that every function makes, without botocore.

Loading botocore and making a client takes longer than all the rest of a cold start, and in the first event a
function has a third of a processor: about a second. These operations speak JSON over HTTPS, need nothing of
what botocore knows, and may be repeated: a message that comes twice changes nothing.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from chalicelib.aws.failures import AwsFailure, LostAnswer, NotTaken, answered
from chalicelib.aws.signing import Keys, database_token, signed

CONNECT_S = 3.0
READ_S = 10.0  # with the connection, well below the minute that a claim lasts

_JSON_1_0 = "application/x-amz-json-1.0"
_JSON_1_1 = "application/x-amz-json-1.1"
_SERVICES = {"sqs": (_JSON_1_0, "AmazonSQS"), "secretsmanager": (_JSON_1_1, "secretsmanager")}
OPERATIONS = frozenset(
    {
        ("sqs", "SendMessage"),
        ("sqs", "SendMessageBatch"),
        ("secretsmanager", "GetSecretValue"),
    }
)
_SUFFIXES = {"cn-": "amazonaws.com.cn", "us-iso": None}
"""Of regions that begin so; None: botocore knows better. All others end in amazonaws.com."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class DirectCalls:
    """A Caller for ``OPERATIONS``. Safe for threads; a connection is kept for the next call."""

    def __init__(
        self, keys: Keys, region: str, endpoints: Mapping[str, str], now_ms: Callable[[], int]
    ) -> None:
        """``endpoints``: the URL of each service."""
        self._keys = keys
        self.region = region
        self._endpoints = endpoints
        self._now_ms = now_ms
        self._idle: dict[str, list[HTTPConnection]] = {}
        self._guard = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def __call__(
        self, service: str, operation: str, parameters: Mapping[str, Any], /
    ) -> Mapping[str, Any]:
        """Raises NotTaken, Rejected or LostAnswer."""
        content_type, target = _SERVICES[service]
        body = json.dumps(parameters).encode()
        headers = {
            "content-type": content_type,
            "host": urlsplit(self._endpoints[service]).netloc,
            "x-amz-target": f"{target}.{operation}",
        }
        headers = signed(self._keys, self.region, service, headers, body, self._now_ms())
        return _read(self._post(service, {**headers, "user-agent": "noonday"}, body))

    def database_token(self, region: str, place: str, user: str) -> str:
        return database_token(self._keys, region, place, user, self._now_ms())

    def __del__(self) -> None:
        """Nobody else holds the connections that are kept."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()

    def _post(self, service: str, headers: Mapping[str, str], body: bytes) -> _Answer:
        """A connection that was kept may have been closed meanwhile, while this process slept."""
        kept = self._kept(service)
        if kept is not None:
            try:
                return self._exchange(service, kept, headers, body)
            except LostAnswer:
                pass
        return self._exchange(service, self._connected(service), headers, body)

    def _exchange(
        self, service: str, connection: HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> _Answer:
        try:
            connection.request("POST", "/", body, dict(headers))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            answer = _Answer(response.status, names, response.read())
        except (OSError, HTTPException) as error:
            connection.close()
            raise LostAnswer(type(error).__name__, str(error)) from error
        with self._guard:
            self._idle.setdefault(service, []).append(connection)
        return answer

    def _kept(self, service: str) -> HTTPConnection | None:
        with self._guard:
            idle = self._idle.get(service)
            return idle.pop() if idle else None

    def _connected(self, service: str) -> HTTPConnection:
        url = urlsplit(self._endpoints[service])
        host = url.hostname or ""
        if url.scheme == "http":
            connection = HTTPConnection(host, url.port, timeout=CONNECT_S)
        else:
            connection = HTTPSConnection(host, url.port, timeout=CONNECT_S, context=self._tls())
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NotTaken(type(error).__name__, f"{url.netloc}: {error}") from error
        connection.sock.settimeout(READ_S)
        return connection

    def _tls(self) -> ssl.SSLContext:
        with self._guard:
            if self._context is None:
                self._context = ssl.create_default_context()
            return self._context


def direct_calls(
    environ: Mapping[str, str], region: str | None, now_ms: Callable[[], int]
) -> DirectCalls | None:
    """Where the environment says all that is needed, as it does in Lambda; None leaves it to botocore."""
    region = region or environ.get("AWS_REGION") or ""
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    by_proxy = any(environ.get(name) for name in ("HTTPS_PROXY", "https_proxy"))
    endpoints = {service: _endpoint(service, region, environ) for service in _SERVICES}
    if not (region and access_key and secret_key and all(endpoints.values())) or by_proxy:
        return None
    keys = Keys(access_key, secret_key, environ.get("AWS_SESSION_TOKEN"))
    known = {service: url for service, url in endpoints.items() if url is not None}
    return DirectCalls(keys, region, known, now_ms)


def _endpoint(service: str, region: str, environ: Mapping[str, str]) -> str | None:
    """As botocore reads the environment."""
    given = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL")
    suffixes = (suffix for start, suffix in _SUFFIXES.items() if region.startswith(start))
    suffix = next(suffixes, "amazonaws.com")
    return given or (f"https://{service}.{region}.{suffix}" if suffix else None)


def _read(answer: _Answer) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.content or b"{}")
    except ValueError:
        document = None
    if answer.status == 200 and isinstance(document, dict):
        return document
    raise _failure(answer, document if isinstance(document, dict) else {})


def _failure(answer: _Answer, document: Mapping[str, Any]) -> AwsFailure:
    """SQS says in a header what its errors were called before it spoke JSON, as botocore tells them."""
    if answer.status == 200:
        return LostAnswer("Unreadable", "the answer is no JSON")
    code = str(document.get("__type") or answer.headers.get("x-amzn-errortype") or "Unknown")
    older = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    message = str(document.get("message") or document.get("Message") or "")
    return answered(older or code.rpartition("#")[2].partition(":")[0], message, answer.status)
