"""The HTTP server over real sockets: what it reads, what it refuses, how it ends."""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.local.http_message import HttpRequest, Limits
from chalicelib.local.http_server import HttpResponse, HttpServer

HOST = b"Host: here\r\n"
QUICK = Limits(head=2_000, body=1_000, head_s=0.2, body_s=0.2, idle_s=0.2)


@dataclass
class Echo:
    """Answers with what it was asked; ``/wait`` answers only when ``go`` is set."""

    seen: list[HttpRequest] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        if request.target == "/wait":
            self.waiting.release()
            self.go.wait(10)
        if request.target == "/nothing":
            return HttpResponse(204, b"")
        body = request.method.encode() + b" " + request.target.encode() + b" " + request.body
        return HttpResponse(200, body, {"Content-Type": "text/plain"})


def refuse(status: int, message: str) -> HttpResponse:
    return HttpResponse(status, message.encode())


@contextmanager
def serving(
    echo: Echo, *, limits: Limits | None = None, threads: int = 4, connections: int = 100
) -> Iterator[tuple[HttpServer, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(
        listener, echo, refuse, threads=threads, connections=connections, limits=limits
    )
    server.start()
    try:
        yield server, listener.getsockname()[1]
    finally:
        echo.go.set()
        server.stop(5)


class Starved(socket.socket):
    """A listener of a process that has no descriptor left until the fourth connection it refuses."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(fileno=listener.detach())
        self.tried: list[float] = []

    def accept(self) -> tuple[socket.socket, Any]:
        if len(self.tried) < 4:
            self.tried.append(time.monotonic())
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


def test_without_a_free_descriptor_the_server_waits_and_does_not_spin(echo: Echo) -> None:
    listener = Starved(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    server = HttpServer(listener, echo, refuse, threads=2)
    server.start()
    try:
        answer = exchange(port, b"GET /late HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    finally:
        server.stop(5)
    assert b"GET /late" in answer
    assert all(later - earlier > 0.05 for earlier, later in pairwise(listener.tried))


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def port(echo: Echo) -> Iterator[int]:
    with serving(echo, limits=QUICK) as (_, port):
        yield port


def exchange(port: int, *parts: bytes) -> bytes:
    """Send the parts, each in a packet of its own, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            sock.sendall(part)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while data := sock.recv(65_536):
        received += data
    return received


def read_one(sock: socket.socket) -> bytes:
    """One response with a Content-Length; its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(1)
    match = re.search(rb"Content-Length: (\d+)", received)
    assert match
    body = b""
    while len(body) < int(match[1]):
        body += sock.recv(int(match[1]) - len(body))
    return body


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def get(target: bytes, *headers: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n"


CLOSE = b"Connection: close\r\n"


def test_requests_on_one_connection_are_answered_in_order(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        for number in (b"/1", b"/2", b"/3"):
            sock.sendall(get(number))
            assert read_one(sock) == b"GET " + number + b" "


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    response = exchange(port, get(b"/1") + get(b"/2") + get(b"/3", CLOSE))
    assert re.findall(rb"GET /\d", response) == [b"GET /1", b"GET /2", b"GET /3"]


def test_a_body_by_content_length_arrives_whole_in_pieces(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 6\r\n\r\n"
    assert exchange(port, head[:9], head[9:], b"abc", b"def").endswith(b"POST / abcdef")


def test_a_chunked_body_is_put_together(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"3;note=x\r\nabc\r\n", b"A\r\n0123456789\r\n", b"0\r\nTrailer: x\r\n\r\n"
    assert exchange(port, head, *chunks).endswith(b"POST / abc0123456789")


def test_after_a_chunked_body_the_connection_goes_on(port: int) -> None:
    first = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    assert exchange(port, first + get(b"/next", CLOSE)).endswith(b"GET /next ")


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert read_one(sock) == b"POST / ok"


def test_a_client_that_announces_too_much_is_not_asked_for_it(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9999\r\nExpect: 100-continue\r\n\r\n"
    assert status(exchange(port, head)) == 413


def test_head_is_answered_without_a_body(port: int) -> None:
    response = exchange(port, b"HEAD /x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert b"Content-Length: 8" in response
    assert response.endswith(b"\r\n\r\n")


def test_no_content_has_neither_a_body_nor_a_length(port: int) -> None:
    response = exchange(port, get(b"/nothing", CLOSE))
    assert status(response) == 204
    assert b"Content-Length" not in response


def test_an_old_client_is_answered_and_let_go(port: int) -> None:
    assert exchange(port, b"GET /old HTTP/1.0\r\n\r\n").endswith(b"GET /old ")


REFUSED = {
    "no request line": (b"hello\r\n\r\n", 400),
    "a binary greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "HTTP/2": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "a header without a colon": (get(b"/", b"nonsense\r\n"), 400),
    "a folded header": (get(b"/", b"A: b\r\n c\r\n"), 400),
    "space before the colon": (get(b"/", b"A : b\r\n"), 400),
    "a NUL in a header": (get(b"/", b"A: b\x00\r\n"), 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "length and chunks": (get(b"/", b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
    "two lengths": (get(b"/", b"Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
    "a negative length": (get(b"/", b"Content-Length: -1\r\n"), 400),
    "a length that is none": (get(b"/", b"Content-Length: 1e3\r\n"), 400),
    "a length of many digits": (get(b"/", b"Content-Length: " + b"9" * 40 + b"\r\n"), 413),
    "a body that is too long": (get(b"/", b"Content-Length: 1001\r\n"), 413),
    "gzip": (get(b"/", b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "a chunk without a size": (get(b"/", b"Transfer-Encoding: chunked\r\n") + b"xyz\r\n", 400),
    "a chunk that is too long": (get(b"/", b"Transfer-Encoding: chunked\r\n") + b"ffff\r\n", 413),
    "a chunk past its size": (get(b"/", b"Transfer-Encoding: chunked\r\n") + b"1\r\nabc\r\n", 400),
    "a head that is too long": (get(b"/", b"A: " + b"a" * 3000 + b"\r\n"), 431),
    "a head without an end": (b"GET / HTTP/1.1\r\nA: " + b"a" * 3000, 431),
    "another expectation": (get(b"/", b"Content-Length: 1\r\nExpect: a-miracle\r\n"), 417),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    port: int, echo: Echo, request_: bytes, expected: int
) -> None:
    assert status(exchange(port, request_)) == expected
    assert echo.seen == []


def test_the_refusal_of_a_long_body_reaches_a_client_that_still_sends_it(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5000000\r\n\r\n"
    assert status(exchange(port, head, b"x" * 5_000_000)) == 413


@pytest.mark.parametrize(
    "begun", [b"GET / HT", b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nab"]
)
def test_a_slow_client_is_told_and_let_go(port: int, begun: bytes) -> None:
    assert status(exchange(port, begun)) == 408


def test_a_silent_connection_is_closed(port: int) -> None:
    assert exchange(port) == b""


def test_slow_clients_do_not_keep_others_waiting_for_long(echo: Echo) -> None:
    with serving(echo, limits=QUICK, threads=2) as (_, port):
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        for sock in slow:
            sock.sendall(b"GET / H")
        assert exchange(port, get(b"/quick", CLOSE)).endswith(b"GET /quick ")
        for sock in slow:
            sock.close()


def test_idle_connections_hold_no_thread(echo: Echo) -> None:
    with serving(echo, threads=1) as (_, port):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for sock in idle:
            sock.sendall(get(b"/"))
            read_one(sock)
        assert exchange(port, get(b"/another", CLOSE)).endswith(b"GET /another ")
        for sock in idle:
            sock.sendall(get(b"/again"))
            assert read_one(sock) == b"GET /again "
            sock.close()


def test_the_number_of_connections_is_bounded_and_idle_ones_make_room(echo: Echo) -> None:
    with serving(echo, connections=3) as (_, port):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        assert exchange(port, get(b"/more", CLOSE)).endswith(b"GET /more ")
        for sock in idle:
            sock.close()


def test_more_clients_than_connections_wait_for_their_turn(echo: Echo) -> None:
    with serving(echo, connections=2, threads=2) as (_, port):
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
        for sock in clients:
            sock.sendall(get(b"/wait", CLOSE))
        for _ in range(2):
            assert echo.waiting.acquire(timeout=10)
        assert len(echo.seen) == 2
        echo.go.set()
        for sock in clients:
            assert read_all(sock).endswith(b"GET /wait ")
            sock.close()


def test_a_client_that_leaves_early_harms_nobody(port: int) -> None:
    for begun in (b"GET / HTTP/1.1\r\n", get(b"/", b"Content-Length: 50\r\n") + b"x"):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(begun)
    assert exchange(port, get(b"/still-there", CLOSE)).endswith(b"GET /still-there ")


def test_many_at_once_are_each_answered_with_their_own(echo: Echo) -> None:
    wrong: list[bytes] = []

    def ask(port: int, number: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            for turn in range(20):
                target = f"/{number}/{turn}".encode()
                sock.sendall(get(target))
                if (body := read_one(sock)) != b"GET " + target + b" ":
                    wrong.append(body)

    with serving(echo, threads=8) as (_, port):
        clients = [threading.Thread(target=ask, args=(port, number)) for number in range(50)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(30)
    assert wrong == []
    assert len(echo.seen) == 1000


def test_the_end_answers_what_was_accepted(echo: Echo) -> None:
    """In work, in line for a thread, and still in the listener's backlog: all are answered."""
    answers: list[bytes] = []
    clients = []
    with serving(echo, threads=2) as (server, port):
        for _ in range(6):
            sock = socket.create_connection(("127.0.0.1", port), timeout=20)
            sock.sendall(get(b"/wait"))
            clients.append(sock)
        for _ in range(2):
            assert echo.waiting.acquire(timeout=10)
        end = threading.Thread(target=lambda: answers.append(b"%d" % server.stop(20)))
        end.start()
        echo.go.set()
        end.join(30)
        for sock in clients:
            response = read_all(sock)
            assert response.endswith(b"GET /wait ")
            assert b"Connection: close" in response
            sock.close()
    assert answers == [b"1"]


def test_after_the_end_nobody_is_let_in(echo: Echo) -> None:
    with serving(echo) as (server, port):
        assert server.stop(5)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port))


def test_the_end_does_not_wait_for_idle_connections(echo: Echo) -> None:
    with serving(echo) as (server, port), socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(get(b"/"))
        read_one(sock)
        began = time.monotonic()
        assert server.stop(30)
        assert time.monotonic() - began < 10
        assert sock.recv(10) == b""
