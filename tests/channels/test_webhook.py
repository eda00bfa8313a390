"""Webhooks: what is sent, how it is signed, what an answer means, and whom a definition cannot reach."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from time import monotonic
from typing import Any

import pytest

from chalicelib.channels import ChannelRegistry, Webhook, WebhookSettings
from chalicelib.channels.signing import secret_of
from chalicelib.engine.notification_ports import Receipt
from chalicelib.model.notification import Notification
from tests.channels.receiver import Receiver, held, receiving, reply, secret
from tests.store.builders import NOON, a_notification, an_id
from tests.targets.hands import FixedClock

A, B, C = secret("a"), secret("b"), secret("c")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def webhook(seconds: float = 10.0, resolve: Any = None, **settings: Any) -> Webhook:
    given: dict[str, Any] = {"http_allow": ("127.0.0.1",), "secrets": {"*": (A,)}, **settings}
    more = {} if resolve is None else {"resolve": resolve}
    return Webhook(WebhookSettings(**given), FixedClock(), seconds=seconds, **more)


def to(url: str, **changes: Any) -> Notification:
    channel = json.dumps({"kind": "webhook", "url": url})
    return a_notification(channel_json=channel, **changes)


def deliver(url: str, hook: Webhook | None = None, **changes: Any) -> Receipt:
    return ChannelRegistry(hook or webhook()).deliver(to(url, **changes))


# ---- what is sent


def test_what_arrives_is_signed_and_says_where_to_look(receiver: Receiver) -> None:
    hook = webhook(address="https://noonday.example/")
    assert deliver(receiver.url("/a?b=c"), hook, instance_id=an_id(7)).delivered
    [seen] = receiver.seen
    assert seen.path == "/a?b=c"
    assert seen.id == a_notification().id
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["webhook-timestamp"] == "1750000000"
    assert seen.is_signed_with(A)
    assert not seen.is_signed_with(B)
    document = json.loads(seen.body)
    assert document["data"]["url"] == f"https://noonday.example/instances/{an_id(7)}"


def test_a_repetition_has_the_same_id_and_the_same_bytes(receiver: Receiver) -> None:
    payload = '{"type": "x", "data": {"error": "Österreich 🍕 \\ud800"}}'
    for attempt in (1, 2):
        assert deliver(receiver.url(), payload_json=payload, attempts=attempt).delivered
    first, second = receiver.seen
    assert (first.id, first.body) == (second.id, second.body)
    assert first.is_signed_with(A)


def test_while_secrets_are_changed_all_of_them_sign(receiver: Receiver) -> None:
    deliver(receiver.url(), webhook(secrets={"*": (A, B), "team": (C,)}))
    [seen] = receiver.seen
    assert (seen.is_signed_with(A), seen.is_signed_with(B), seen.is_signed_with(C)) == (
        True,
        True,
        False,
    )


def test_an_owner_may_have_secrets_of_its_own(receiver: Receiver) -> None:
    deliver(receiver.url(), webhook(secrets={"*": (A, B), "team": (C,)}), owner="team")
    [seen] = receiver.seen
    assert seen.headers["webhook-signature"].count("v1,") == 1
    assert seen.is_signed_with(C)


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    assert deliver(receiver.url(), webhook(secrets={})).delivered
    assert "webhook-signature" not in receiver.seen[0].headers


@pytest.mark.parametrize("text", ["", "abc", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ="])
def test_what_is_no_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"secret|base64") as refused:
        secret_of(text)
    assert not text or text not in str(refused.value)


def test_the_example_of_the_standard() -> None:
    """From the specification: an independent witness of what is signed."""
    from chalicelib.channels.signing import signed  # noqa: PLC0415

    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# ---- what an answer means


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_success_is_one(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda handler: reply(handler, status)
    assert deliver(receiver.url()) == Receipt()


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 429, 500, 503])
def test_everything_else_is_none(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda handler: reply(
        handler, status, b"no such hook", Location="http://127.0.0.1/elsewhere", Retry_After="7"
    )
    receipt = deliver(receiver.url())
    assert receipt.error is not None
    assert f"answered {status}" in receipt.error
    assert receipt.error.endswith("no such hook")
    assert receipt.give_up == (status == 410)
    assert receipt.retry_after_ms == (7000 if status in (429, 503) else None)
    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("120", 120_000),
        ("Sun, 15 Jun 2025 15:07:40 GMT", 60_000),
        ("Sun, 15 Jun 2025 14:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("9" * 5000, 999_999_999_000),
    ],
)
def test_the_wish_for_a_pause(receiver: Receiver, text: str, wait_ms: int | None) -> None:
    receiver.answer = lambda handler: reply(handler, 503, Retry_After=text)
    assert deliver(receiver.url()).retry_after_ms == wait_ms


def hang(receiver: Receiver) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda _: held(receiver)


def drip(receiver: Receiver) -> Callable[[BaseHTTPRequestHandler], None]:
    """A header that never ends, a byte now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.over.wait(0.05):
            handler.wfile.write(b"x")

    return answer


@pytest.mark.parametrize("slow", [hang, drip])
def test_a_receiver_that_hangs_is_left(receiver: Receiver, slow: Any) -> None:
    receiver.answer = slow(receiver)
    began = monotonic()
    receipt = deliver(receiver.url(), webhook(seconds=0.4))
    assert receipt.error == "no answer within 0.4 seconds"
    assert monotonic() - began < 5


def flood(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(int(handler.path.removeprefix("/")))
    handler.send_header("Content-Length", str(10_000_000))
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b"x" * 1000)


@pytest.mark.parametrize("status", [200, 500])
def test_ten_megabytes_are_not_read(receiver: Receiver, status: int) -> None:
    receiver.answer = flood
    receipt = deliver(receiver.url(f"/{status}"))
    assert receipt.delivered == (status == 200)
    assert len(receipt.error or "") < 1000


def reset(handler: BaseHTTPRequestHandler) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")


def headers_without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500)


@pytest.mark.parametrize("broken", [reset, nonsense, headers_without_end])
def test_an_answer_that_breaks_is_a_failure(receiver: Receiver, broken: Any) -> None:
    receiver.answer = broken
    receipt = deliver(receiver.url())
    assert receipt.error is not None
    assert not receipt.give_up


def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        receipt = deliver(f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert receipt.error is not None
    assert not receipt.give_up


def test_many_at_once_do_not_wait_for_one_that_hangs(receiver: Receiver) -> None:
    receiver.answer = lambda handler: (
        held(receiver) if handler.path == "/slow" else reply(handler, 204)
    )
    slow = threading.Thread(target=deliver, args=(receiver.url("/slow"), webhook(seconds=1.0)))
    slow.start()
    receiver.wait_for(1)
    began = monotonic()
    assert deliver(receiver.url()).delivered
    assert monotonic() - began < 0.8
    slow.join()


# ---- whom a definition cannot reach

PRIVATE = ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://10.1.2.3/",
           "http://localhost/", "http://2130706433/", "http://0x7f.1/"]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused_at_submission_and_at_delivery(url: str) -> None:
    hook = webhook(http_allow=())
    assert "NOONDAY_HTTP_ALLOW" in (hook.complaint({"kind": "webhook", "url": url}, "team") or "")
    receipt = deliver(url, hook)
    assert receipt.give_up
    assert "not a public address" in (receipt.error or "")


def test_a_name_that_leads_inside_is_refused_at_delivery() -> None:
    hook = webhook(http_allow=(), resolve=lambda *_: ["93.184.215.14", "10.0.0.1"])
    assert hook.complaint({"kind": "webhook", "url": "https://example.com/"}, "team") is None
    receipt = deliver("https://example.com/", hook)
    assert receipt.give_up
    assert "10.0.0.1" in (receipt.error or "")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "example.com/hook",
        "https:///x",
        "https://ada:secret@example.com/",
        "https://example.com/a b",
        "https://example.com:99999/",
        "https://exämple.com/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    assert webhook().complaint({"kind": "webhook", "url": url}, "team")


def test_a_channel_that_is_not_known_fails_and_says_so() -> None:
    registry = ChannelRegistry(webhook())
    assert registry.complaint({"kind": "pigeon"}, "team")
    unknown = a_notification(channel_json='{"kind": "pigeon"}', created_ms=NOON)
    assert "pigeon" in (registry.deliver(unknown).error or "")


def test_a_channel_that_raises_has_failed() -> None:
    def broken(*_: object) -> list[str]:
        raise KeyError("a defect")

    receipt = deliver("https://example.com/", webhook(resolve=broken))
    assert "KeyError" in (receipt.error or "")
