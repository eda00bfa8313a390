"""A prerequisite that hangs, fails or answers with megabytes delays only its own job: on a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.local.server import Server, serving
from tests.targets.test_process import until

MEGABYTES = b"x" * 10_000_000
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + MEGABYTES


class Rude:
    """Three servers: ``silent`` takes a request and says nothing, ``endless`` sends a header without an end,
    ``large`` a body of ten megabytes."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []
        self.silent = self._url(lambda _: self._over.wait())
        self.endless = self._url(self._endless)
        self.large = self._url(lambda peer: peer.sendall(LARGE))

    def close(self) -> None:
        self._over.set()
        for listener in self._listeners:
            with listener, suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _url(self, act: Callable[[socket.socket], object]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        self._begin(self._serve, listener, act)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    def _begin(self, work: Callable[..., object], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, listener: socket.socket, act: Callable[[socket.socket], object]) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                self._begin(self._meet, peer, act)

    def _meet(self, peer: socket.socket, act: Callable[[socket.socket], object]) -> None:
        with peer, suppress(OSError):
            act(peer)

    def _endless(self, peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not self._over.is_set():
            peer.sendall(MEGABYTES)


@pytest.fixture
def rude() -> Iterator[Rude]:
    with closing(Rude()) as made:
        yield made


def submitted(server: Server, name: str, *prerequisites: dict[str, Any]) -> str:
    body = {
        "name": name,
        "schedule": {"every": "P1D"},
        "target": {"kind": "process", "command": ["true"]},
        "prerequisites": prerequisites,
    }
    job = server.call("POST", "/jobs?schedule=true", body)
    assert job.status == 201, job.body
    return str(job.body["id"])


def latest(server: Server, job_id: str) -> dict[str, Any]:
    items = server.call("GET", f"/jobs/{job_id}/instances").body["items"]
    return dict(items[0]) if items else {}


def finding(server: Server, job_id: str) -> str:
    one = latest(server, job_id)
    if not one:
        return ""
    [found] = server.call("GET", f"/instances/{one['id']}/why").body["findings"] or [{"found": ""}]
    return str(found["found"])


def test_what_hangs_or_floods_delays_only_its_own_job(tmp_path: Path, rude: Rude) -> None:
    with serving(tmp_path) as server:
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files/ready").touch()
        begun = monotonic()
        hanging = [submitted(server, f"silent-{n}", {"http": rude.silent}) for n in range(3)]
        flooded = submitted(server, "endless", {"http": rude.endless})
        good = [submitted(server, f"good-{n}", {"data": "ready"}) for n in range(5)]
        large = submitted(server, "large", {"http": rude.large})
        until(
            lambda: all(latest(server, each).get("state") == "SUCCEEDED" for each in [*good, large])
        )
        assert monotonic() - begun < 8, "nobody waited for what hangs"
        assert [latest(server, each)["state"] for each in hanging] == ["WAITING"] * 3
        until(lambda: "no answer" in finding(server, hanging[0]))
        until(lambda: "no answer" in finding(server, flooded))
        later = submitted(server, "later", {"data": "ready"})
        until(lambda: latest(server, later).get("state") == "SUCCEEDED")
