"""HTTP/1.1 requests from a socket (RFC 9112), within limits of size and time."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/(\d)\.(\d)")
_HEADER = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[^\x00\r\n]*[^\x00\r\n \t])?)[ \t]*"
)
LONGEST_CHUNK_HEAD = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. ``idle_s``: of silence between requests."""

    head: int = 32_768
    body: int = 1_000_000
    head_s: float = 10.0
    body_s: float = 30.0
    write_s: float = 30.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``headers``: as they came, names in lower case. ``keep``: whether another request may follow."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    keep: bool
    peer: str

    def header(self, name: str) -> str | None:
        return next((value for key, value in reversed(self.headers) if key == name), None)


class Refused(Exception):
    """No request that this server reads; it is answered with ``status``, and the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Gone(Exception):
    """The client left, or sent nothing more in time before a request began."""


class Connection:
    """A client's socket and what has been read from it ahead. ``refused``: it may still be sending."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.peer = peer
        self.idle_since = time.monotonic()
        self.refused = False
        self._ahead = bytearray()

    @property
    def has_more(self) -> bool:
        return bool(self._ahead)

    def fill(self, deadline: float) -> bool:
        """Read what is there, waiting until the deadline; False at the end of the stream.

        Raises:
            TimeoutError: nothing came until then.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)
        data = self.sock.recv(65_536)
        self._ahead += data
        return bool(data)

    def read_until(self, mark: bytes, limit: int, deadline: float, *, status: int = 431) -> bytes:
        """The bytes before the mark, which is consumed. Raises Refused with the status beyond the limit."""
        start = 0
        while (end := self._ahead.find(mark, start)) < 0:
            if len(self._ahead) > limit:
                break
            start = max(0, len(self._ahead) - len(mark) + 1)
            self._must_fill(deadline)
        if end < 0 or end > limit:
            raise Refused(status, f"a head is longer than the {limit} bytes that are read")
        taken = bytes(self._ahead[:end])
        del self._ahead[: end + len(mark)]
        return taken

    def read_exactly(self, count: int, deadline: float) -> bytes:
        while len(self._ahead) < count:
            self._must_fill(deadline)
        taken = bytes(self._ahead[:count])
        del self._ahead[:count]
        return taken

    def _must_fill(self, deadline: float) -> None:
        began = bool(self._ahead)
        try:
            if self.fill(deadline):
                return
        except TimeoutError:
            if began:
                raise Refused(408, "the request did not arrive in time") from None
            raise Gone from None
        except OSError:
            raise Gone from None
        raise Gone


def read_request(connection: Connection, limits: Limits) -> HttpRequest:
    """The next request of the connection.

    Raises:
        Refused: it is answered with an error.
        Gone: there is none.
    """
    head = connection.read_until(b"\r\n\r\n", limits.head, time.monotonic() + limits.head_s)
    first, *lines = head.lstrip(b"\r\n").split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise Refused(400, "the request line is not METHOD TARGET HTTP/1.1")
    if match[3] != b"1":
        raise Refused(505, "only HTTP/1.1 is spoken here")
    headers = tuple(_header(line) for line in lines)
    modern = match[4] != b"0"
    if modern and sum(name == "host" for name, _ in headers) != 1:
        raise Refused(400, "a request has exactly one Host header")
    body = _Body(headers, limits).read(connection)
    connects = ",".join(value for name, value in headers if name == "connection").lower()
    options = {option.strip() for option in connects.split(",")}
    keep = "close" not in options if modern else "keep-alive" in options
    return HttpRequest(
        method=match[1].decode("ascii"),
        target=match[2].decode("latin-1"),
        headers=headers,
        body=body,
        keep=keep,
        peer=connection.peer,
    )


def _header(line: bytes) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise Refused(400, "a header line is not NAME: VALUE")
    return match[1].decode("ascii").lower(), match[2].decode("latin-1")


class _Body:
    """How the body is delimited. What two readers could delimit differently is refused."""

    def __init__(self, headers: tuple[tuple[str, str], ...], limits: Limits) -> None:
        self._limits = limits
        self._lengths = {value for name, value in headers if name == "content-length"}
        self._codings = [value.lower() for name, value in headers if name == "transfer-encoding"]
        self._expects = [value.lower() for name, value in headers if name == "expect"]

    def read(self, connection: Connection) -> bytes:
        reader = self._reader()
        if reader is None:
            return b""
        if self._expects == ["100-continue"]:
            connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self._expects:
            raise Refused(417, "only 100-continue can be expected here")
        try:
            return reader(connection, time.monotonic() + self._limits.body_s)
        except Gone:
            raise Refused(400, "the body ended before its announced end") from None

    def _reader(self) -> Callable[[Connection, float], bytes] | None:
        if self._codings:
            if self._lengths:
                raise Refused(400, "send Content-Length or Transfer-Encoding, not both")
            if self._codings != ["chunked"]:
                raise Refused(501, "the only transfer encoding read here is chunked")
            return self._chunked
        if not self._lengths:
            return None
        text = self._lengths.pop()
        if self._lengths or not text.isascii() or not text.isdigit():
            raise Refused(400, "Content-Length is not one whole number")
        most = self._limits.body
        if len(text) > 18 or int(text) > most:
            raise Refused(413, f"the body has {text[:20]} bytes; at most {most} are read")
        length = int(text)
        return lambda connection, deadline: connection.read_exactly(length, deadline)

    def _chunked(self, connection: Connection, deadline: float) -> bytes:
        body = bytearray()
        while size := _chunk_size(connection, deadline):
            if len(body) + size > self._limits.body:
                most = self._limits.body
                raise Refused(413, f"the body is longer than the {most} bytes that are read")
            body += connection.read_exactly(size, deadline)
            if connection.read_exactly(2, deadline) != b"\r\n":
                raise Refused(400, "a chunk is longer than its size")
        trailers = 0
        while line := connection.read_until(b"\r\n", self._limits.head, deadline):
            trailers += len(line)
            if trailers > self._limits.head:
                raise Refused(431, "the trailers of the body are too long")
        return bytes(body)


def _chunk_size(connection: Connection, deadline: float) -> int:
    line = connection.read_until(b"\r\n", LONGEST_CHUNK_HEAD, deadline, status=400)
    match = _SIZE.fullmatch(line)
    if match is None:
        raise Refused(400, "a chunk does not begin with its size")
    return int(match[1], 16)
