"""HTTP as Noonday needs it: one kept connection, bounded waits, and repeats only where they are safe."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from cli.errors import Misused, Unreachable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 35.0  # API Gateway gives up after 29: its answer should still reach us
LONGEST_PAUSE = 30.0
_REPEATED = frozenset({429, 502, 503, 504})
_LOST = (ConnectionError, http.client.HTTPException, TimeoutError, ssl.SSLError)


@dataclass(frozen=True, slots=True)
class Request:
    """``repeatable``: doing it twice is doing it once, because it reads or carries a key."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


Sign = Callable[[str, str, Mapping[str, str], bytes | None], dict[str, str]]
"""Method, whole URL, headers and body of a request; gives its headers with the signature among them."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long its answer may take. ``pause`` waits for seconds."""

    tries: int = 4
    connect: float = CONNECT_SECONDS
    answer: float = ANSWER_SECONDS
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time


class Transport:
    """One server. Not for use by several threads."""

    def __init__(
        self,
        url: str,
        *,
        patience: Patience | None = None,
        notice: Callable[[str], None],
        sign: Sign | None = None,
    ) -> None:
        """``sign``: what signs each request as it is sent, also when it is sent again."""
        self.patience = patience or Patience()
        self._notice = notice
        self._sign = sign
        self._parts = _checked(url)
        self._connection: http.client.HTTPConnection | None = None
        self.url = url.rstrip("/")

    @property
    def is_plain_and_far(self) -> bool:
        """Whether a token would travel unencrypted over a network."""
        near = self._parts.hostname in {"127.0.0.1", "localhost", "::1"}
        return self._parts.scheme == "http" and not near

    def send(self, request: Request) -> Response:
        """The server's answer, whatever its status; a busy server is asked again while that is safe.

        Raises:
            Unreachable: there is no answer.
        """
        for attempt in range(1, self.patience.tries + 1):
            last = attempt == self.patience.tries
            try:
                response = self._once(request)
            except _LOST as error:
                if last or not request.repeatable or isinstance(error, ssl.SSLError | TimeoutError):
                    raise self._lost(request, error) from error
                self.patience.pause(_back_off(attempt))
                continue
            wait = self._wait(response, attempt)
            if last or wait is None or not request.repeatable:
                return response
            self._notice(f"{self.url} is busy ({response.status}), trying again in {wait:g} s")
            self.patience.pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, request: Request) -> Response:
        if not request.repeatable:
            # A kept connection may be dead without our knowing, and this must not be sent twice.
            self.close()
        path = self._parts.path.rstrip("/") + request.path
        headers = self._headers(request, path)
        connection = self._connection or self._connect()
        try:
            connection.request(request.method, path, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Response(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
        )

    def _headers(self, request: Request, path: str) -> dict[str, str]:
        if self._sign is None:
            return dict(request.headers)
        url = f"{self._parts.scheme}://{self._parts.netloc}{path}"
        return self._sign(request.method, url, request.headers, request.body)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self.patience.connect, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self.patience.connect)
        try:
            connection.connect()
        except ssl.SSLError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            raise self._away(error) from error
        connection.sock.settimeout(self.patience.answer)
        self._connection = connection
        return connection

    def _wait(self, response: Response, attempt: int) -> float | None:
        """Seconds to wait before the request is sent again; None when it should not be."""
        if response.status not in _REPEATED:
            return None
        asked = _retry_after(response.header("retry-after"), self.patience.now())
        wait = _back_off(attempt) if asked is None else asked
        return wait if wait <= LONGEST_PAUSE else None

    def _away(self, error: OSError) -> Unreachable:
        hint = "start it with make run, or choose another server: noonday config use, NOONDAY_URL"
        if isinstance(error, socket.gaierror):
            hint = "check the address: noonday config show"
        reason = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        return Unreachable(f"nobody answers at {self.url}: {reason.lower()}", hint=hint)

    def _lost(self, request: Request, error: Exception) -> Unreachable:
        if isinstance(error, ssl.SSLError):
            return Unreachable(
                f"{self.url} cannot be trusted: {error.reason or error}",
                hint="check the address and its certificate; SSL_CERT_FILE adds an authority",
            )
        if isinstance(error, TimeoutError):
            message = f"{self.url} did not answer within {self.patience.answer:g} s"
        else:
            message = f"{self.url} broke the connection ({type(error).__name__})"
        unknown = None
        if request.method != "GET":
            unknown = "whether it was done is not known: look before you do it again"
        return Unreachable(message, hint=unknown)


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username is not None:
        raise Misused(
            f"{url!r} is no address of a server", hint="write it like http://127.0.0.1:8080"
        )
    return parts


def _back_off(attempt: int) -> float:
    return 0.5 * 2.0 ** (attempt - 1)


def _retry_after(text: str | None, now: float) -> float | None:
    """Seconds, from either form the header has: a number or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None
