"""Requests: what is sent, what an answer means, and what never leaves or reaches this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from chalicelib.engine.outcomes import Dropped, Failed, Outcome, Stopped, Succeeded
from chalicelib.targets import TargetRegistry, TargetSettings
from chalicelib.targets.http import HttpKind
from tests.targets.hands import NOW_MS, TOKEN, FixedClock, Hand, a_request
from tests.targets.test_process import until

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A server on the loopback: ``answer`` decides, ``seen`` remembers (method, path, headers, body)."""

    port: int = 0
    answer: Answer = lambda handler: reply(handler, 200, b"fine")
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.seen.append((self.command, self.path, dict(self.headers.items()), body))
            made.answer(self)

        do_GET = do_POST = do_PUT = do_HEAD = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Clients that hang up are what these tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def run(registry: TargetRegistry, hand: Hand | None = None, **spec: Any) -> Outcome:
    return registry.run(a_request("http", spec), hand or Hand())


def log(registry: TargetRegistry) -> str:
    return registry.read(f"runs/{TOKEN}/run.log").decode()


def test_a_request_carries_the_token_and_what_was_asked(
    registry: TargetRegistry, site: Site
) -> None:
    outcome = run(
        registry, method="POST", url=site.url("/a?b=c"), body={"day": "ü"}, headers={"X-A": "1"}
    )
    assert outcome == Succeeded(log_path=f"runs/{TOKEN}/run.log", facts={"status": 200})
    [(method, path, headers, body)] = site.seen
    assert (method, path, json.loads(body)) == ("POST", "/a?b=c", {"day": "ü"})
    assert headers["Idempotency-Key"] == TOKEN
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{site.port}"
    assert headers["X-A"] == "1"


def test_a_repetition_sends_the_same_bytes(registry: TargetRegistry, site: Site) -> None:
    hand = Hand()
    run(registry, hand, method="POST", url=site.url(), body="x")
    request = a_request(
        "http", {"method": "POST", "url": site.url(), "body": "x"}, handle=hand.handle
    )
    registry.run(request, Hand())
    assert site.seen[0] == site.seen[1]


def test_nothing_is_sent_when_the_run_was_taken(registry: TargetRegistry, site: Site) -> None:
    assert run(registry, Hand(taken=True), url=site.url()) == Dropped()
    assert site.seen == []


@pytest.mark.parametrize(
    ("status", "retry"),
    [(302, False), (400, False), (401, False), (404, False), (408, True), (409, False), (425, True),
     (429, True), (500, True), (502, True), (503, True)],
)  # fmt: skip
def test_what_an_unexpected_status_means(
    registry: TargetRegistry, site: Site, status: int, retry: bool
) -> None:
    site.answer = lambda handler: reply(handler, status, Retry_After="120", Location="/x")
    outcome = run(registry, url=site.url())
    assert isinstance(outcome, Failed)
    assert outcome.retry is retry
    assert f"answered {status}" in outcome.error
    assert "120" in outcome.error


@pytest.mark.parametrize(
    ("expected", "status"), [([404], 404), (["2xx", "4xx"], 418), ([302], 302)]
)
def test_expected_statuses_are_success(
    registry: TargetRegistry, site: Site, expected: list[int | str], status: int
) -> None:
    site.answer = lambda handler: reply(handler, status)
    assert isinstance(run(registry, url=site.url(), expected_status=expected), Succeeded)


def test_a_refused_connection_may_be_tried_again(registry: TargetRegistry) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = run(registry, url=f"http://127.0.0.1:{port}/")
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "nothing was sent" in outcome.error


def test_an_unknown_host_may_be_tried_again(settings: TargetSettings) -> None:
    def nobody(*_: object) -> list[str]:
        raise OSError("Name or service not known")

    registry = with_resolver(settings, nobody)
    outcome = run(registry, url="https://nobody.example/")
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "nobody.example cannot be found" in outcome.error


def with_resolver(settings: TargetSettings, resolve: Any) -> TargetRegistry:
    return TargetRegistry(settings, FixedClock(), [HttpKind(settings, FixedClock(), resolve)])


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(
    settings: TargetSettings, site: Site
) -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    outcome = run(with_resolver(settings, rebinding), url=f"http://shop.example:{site.port}/")
    assert isinstance(outcome, Succeeded)
    assert asked == ["shop.example"]
    assert site.seen[0][2]["Host"] == f"shop.example:{site.port}"


def test_the_next_address_is_tried_when_the_first_does_not_answer(
    settings: TargetSettings, site: Site
) -> None:
    open_network = TargetSettings(settings.files, settings.runs, http_allow=("127.0.0.0/8",))
    registry = with_resolver(open_network, lambda *_: ["127.0.0.9", "127.0.0.1"])
    assert isinstance(run(registry, url=f"http://shop.example:{site.port}/"), Succeeded)


def test_a_name_that_leads_inside_is_refused_for_good(settings: TargetSettings) -> None:
    registry = with_resolver(settings, lambda *_: ["8.8.8.8", "169.254.169.254"])
    outcome = run(registry, url="http://innocent.example/latest/meta-data")
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "169.254.169.254" in outcome.error
    assert "NOONDAY_HTTP_ALLOW" in outcome.error


def test_a_proxy_of_the_environment_is_not_used(
    registry: TargetRegistry, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert isinstance(run(registry, url=site.url()), Succeeded)


def test_redirects_are_followed_only_on_request(registry: TargetRegistry, site: Site) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/old":
            return reply(handler, 302, Location="/new")
        return reply(handler, 200, b"moved here")

    site.answer = answer
    stayed = run(registry, url=site.url("/old"))
    assert isinstance(stayed, Failed)
    assert "follow_redirects" in stayed.error
    followed = run(registry, method="POST", body="x", url=site.url("/old"), follow_redirects=True)
    assert isinstance(followed, Succeeded)
    assert [(method, path) for method, path, _, _ in site.seen[1:]] == [
        ("POST", "/old"),
        ("GET", "/new"),
    ]


def test_a_redirect_that_keeps_the_method_keeps_the_body(
    registry: TargetRegistry, site: Site
) -> None:
    site.answer = lambda handler: (
        reply(handler, 307, Location="/new") if handler.path == "/old" else reply(handler, 200)
    )
    run(registry, method="POST", body="x", url=site.url("/old"), follow_redirects=True)
    assert [(method, body) for method, _, _, body in site.seen] == [("POST", b"x"), ("POST", b"x")]


@pytest.mark.parametrize(
    "location", ["http://10.0.0.1/", "http://169.254.169.254/", "http://localhost.example/"]
)
def test_every_hop_is_checked(settings: TargetSettings, site: Site, location: str) -> None:
    site.answer = lambda handler: reply(handler, 302, Location=location)

    def resolve(host: str, _: int) -> list[str]:
        return [host] if host[0].isdigit() else ["::1"]

    outcome = run(with_resolver(settings, resolve), url=site.url(), follow_redirects=True)
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "NOONDAY_HTTP_ALLOW" in outcome.error


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[::1", "/x"]
)
def test_a_redirect_leads_to_a_web_server_or_nowhere(
    registry: TargetRegistry, site: Site, location: str
) -> None:
    site.answer = lambda handler: reply(handler, 302, Location=location)
    outcome = run(registry, url=site.url(), follow_redirects=True)
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert len(site.seen) <= 6


def test_another_host_does_not_see_the_headers_of_the_definition(
    settings: TargetSettings, site: Site
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Host"].startswith("one"):
            return reply(handler, 302, Location=f"http://two.example:{site.port}/")
        return reply(handler, 200)

    site.answer = answer
    registry = with_resolver(settings, lambda *_: ["127.0.0.1"])
    headers = {"Authorization": "Bearer x", "X-Api-Key": "y"}
    url = f"http://one.example:{site.port}/"
    run(registry, url=url, headers=headers, follow_redirects=True)
    assert "Authorization" in site.seen[0][2]
    assert not {"Authorization", "X-Api-Key"} & set(site.seen[1][2])


def test_a_result_is_the_body(registry: TargetRegistry, site: Site) -> None:
    site.answer = lambda handler: reply(handler, 200, b"\0" * 1_000_000)
    outcome = run(registry, url=site.url(), result="in/body.bin")
    assert isinstance(outcome, Succeeded)
    assert outcome.facts == {"status": 200, "bytes": 1_000_000}
    assert registry.read("in/body.bin") == b"\0" * 1_000_000


def test_a_body_without_end_is_no_result(
    registry: TargetRegistry, site: Site, settings: TargetSettings
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"x" * 1000)

    site.answer = answer
    outcome = run(registry, url=site.url(), result="body", max_bytes=5000)
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "max_bytes: 5000" in outcome.error
    assert list(settings.files.iterdir()) == []


def test_a_body_that_breaks_off_is_no_result(
    registry: TargetRegistry, site: Site, settings: TargetSettings
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.connection.shutdown(socket.SHUT_RDWR)

    site.answer = answer
    outcome = run(registry, url=site.url(), result="body")
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert list(settings.files.iterdir()) == []


def test_a_server_that_hangs_up_without_an_answer(registry: TargetRegistry, site: Site) -> None:
    site.answer = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    outcome = run(registry, url=site.url())
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "may have been carried out" in outcome.error


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are accepted and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_server_that_says_nothing_is_given_up(registry: TargetRegistry, silent: int) -> None:
    outcome = run(registry, url=f"http://127.0.0.1:{silent}/", timeout="PT0.2S")
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "PT0.2S" in outcome.error


def test_the_end_of_the_run_is_the_end_of_the_request(
    registry: TargetRegistry, silent: int
) -> None:
    spec = {"url": f"http://127.0.0.1:{silent}/"}
    outcome = registry.run(a_request("http", spec, deadline_ms=NOW_MS + 200), Hand())
    assert isinstance(outcome, Failed)


class Overtaken(Hand):
    """The engine says that the run's time is over as soon as somebody waits for it."""

    def wait(self, seconds: float) -> bool:
        self.stop()
        return super().wait(seconds)


class Running:
    """A clock that goes, from the time that requests are made at."""

    def __init__(self) -> None:
        self._began = monotonic()

    def now_ms(self) -> int:
        return NOW_MS + int((monotonic() - self._began) * 1000)


def test_a_request_that_ends_with_its_run_is_a_time_out_and_no_failure(
    settings: TargetSettings, silent: int
) -> None:
    registry = TargetRegistry(settings, Running())
    request = a_request("http", {"url": f"http://127.0.0.1:{silent}/"}, deadline_ms=NOW_MS + 200)
    assert isinstance(registry.run(request, Overtaken()), Stopped)


def test_tls_names_the_host_and_not_its_address(settings: TargetSettings) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            with listening.accept()[0] as connection:
                heard.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        registry = with_resolver(settings, lambda *_: ["127.0.0.1"])
        outcome = run(registry, url=f"https://named.example:{listening.getsockname()[1]}/")
        thread.join()
    assert b"named.example" in heard[0]
    assert isinstance(outcome, Failed)
    assert "nothing was sent" in outcome.error


def test_a_stop_hangs_up(registry: TargetRegistry, silent: int, settings: TargetSettings) -> None:
    hand = Hand()
    outcomes: list[Outcome] = []
    url = f"http://127.0.0.1:{silent}/"
    thread = threading.Thread(target=lambda: outcomes.append(run(registry, hand, url=url)))
    thread.start()
    until((settings.runs / TOKEN / "run.log").exists)
    hand.stop()
    thread.join(10)
    assert outcomes == [Stopped(log_path=f"runs/{TOKEN}/run.log")]


def test_the_log_tells_what_happened_but_no_secrets(registry: TargetRegistry, site: Site) -> None:
    site.answer = lambda handler: reply(handler, 200, b"the answer", Set_Cookie="id=s3cret")
    headers = {"Authorization": "Bearer s3cret", "Cookie": "s3cret", "X-Api-Key": "s3cret"}
    run(registry, url=site.url("/path?key=s3cret"), headers=headers)
    text = log(registry)
    assert "s3cret" not in text
    assert "GET http://127.0.0.1" in text
    assert "200 OK" in text
    assert "the answer" in text


def test_a_result_outside_is_refused_before_anything_is_sent(
    registry: TargetRegistry, site: Site, settings: TargetSettings, tmp_path: Path
) -> None:
    settings.files.mkdir()
    (settings.files / "out").symlink_to(tmp_path)
    outcome = run(registry, url=site.url(), result="out/body")
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "target.result" in outcome.error
    assert site.seen == []
