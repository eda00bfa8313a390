"""The corners of HTTP: busy, broken, slow, away. What may be repeated is; what may not never is."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.client import Client
from cli.errors import Clash, Failure, Missing, Misused, Unreachable
from cli.session import Access
from cli.transport import Patience
from tests.cli.stand_in import Answer, StandIn

BUSY = Answer(503, {"title": "Service Unavailable", "code": "unavailable"})


class Pauses:
    """The waits that were asked for; none of them is waited."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(server: StandIn, pauses: Pauses) -> Iterator[Client]:
    patience = Patience(answer=2.0, pause=pauses, now=lambda: 1_000_000.0)
    client = Client(Access(server.url, "secret", "finance"), patience=patience)
    yield client
    client.close()


def busy(retry_after: str | None = None, status: int = 503) -> Answer:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Answer(status, BUSY.document, headers=headers)


def test_every_request_says_who_asks_and_for_whom(client: Client, server: StandIn) -> None:
    server.on("GET /jobs", {"items": []})
    client.get("/jobs", {"state": ["NEW", "EXPIRED"], "name": None, "limit": 5, "kill": True})
    (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer secret"
    assert asked.headers["x-noonday-owner"] == "finance"
    assert "idempotency-key" not in asked.headers
    assert asked.query == [("state", "NEW"), ("state", "EXPIRED"), ("limit", "5"), ("kill", "true")]


def test_one_connection_serves_many_reads(client: Client, server: StandIn) -> None:
    server.on("GET /jobs", {"items": []})
    for _ in range(5):
        client.get("/jobs")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("7", 7.0), ("0", 0.0), ("Mon, 12 Jan 1970 13:46:50 GMT", 10.0), (None, 0.5), ("soon", 0.5)],
)
def test_a_busy_server_is_asked_again_when_it_says(
    client: Client, server: StandIn, pauses: Pauses, retry_after: str | None, waited: float
) -> None:
    server.then(busy(retry_after), Answer(200, {"items": []}))
    assert client.get("/jobs") == {"items": []}
    assert pauses.seconds == [waited]


def test_a_server_that_stays_busy_is_not_asked_for_ever(
    client: Client, server: StandIn, pauses: Pauses
) -> None:
    server.then(*[busy()] * 9)
    with pytest.raises(Failure) as refused:
        client.get("/jobs")
    assert len(server.asked) == 4
    assert pauses.seconds == [0.5, 1.0, 2.0]
    assert refused.value.hint == "try again in a moment"


def test_a_long_retry_after_is_told_and_not_waited_for(
    client: Client, server: StandIn, pauses: Pauses
) -> None:
    server.then(busy("3600"))
    with pytest.raises(Failure) as refused:
        client.get("/jobs")
    assert (len(server.asked), pauses.seconds) == (1, [])
    assert refused.value.hint == "try again in 3600 s"


def test_what_creates_is_repeated_with_the_same_key_and_the_same_bytes(
    client: Client, server: StandIn
) -> None:
    server.then(busy(), Answer(breaks=True), Answer(201, {"id": "1"}))
    assert client.post("/jobs", {"name": "x"}) == {"id": "1"}
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert {asked.body for asked in server.asked} == {b'{"name": "x"}'}


def test_two_commands_have_two_keys(client: Client, server: StandIn) -> None:
    server.on("POST /jobs", {"id": "1"})
    client.post("/jobs", {})
    client.post("/jobs", {})
    first, second = (asked.headers["idempotency-key"] for asked in server.asked)
    assert first != second


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.put("/jobs/x", {}),
        lambda client: client.delete("/jobs/x"),
        lambda client: client.post("/clock", {"advance": "PT1H"}, keyed=False),
    ],
)
@pytest.mark.parametrize("answer", [busy("1"), Answer(breaks=True)])
def test_what_has_no_key_is_sent_once(
    client: Client, server: StandIn, pauses: Pauses, send: Callable[[Client], Any], answer: Answer
) -> None:
    server.on("GET /jobs", {"items": []})
    client.get("/jobs")
    server.then(answer)
    with pytest.raises(Failure) as failed:
        send(client)
    assert len(server.asked) == 2
    assert pauses.seconds == []
    if answer.breaks:
        assert failed.value.hint is not None
        assert "look before" in failed.value.hint
    # A kept connection might be dead unnoticed, so it got one of its own.
    assert server.connections == 2


def test_a_body_in_chunks_is_read_whole(client: Client, server: StandIn) -> None:
    server.on("GET /jobs", {"items": [{"name": "ü"}]}, chunked=True)
    assert client.get("/jobs") == {"items": [{"name": "ü"}]}
    assert client.get("/jobs") == {"items": [{"name": "ü"}]}
    assert server.connections == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"items": [', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "page", "half", "binary", "deep"],
)
def test_an_answer_that_is_no_document_is_named(
    client: Client, server: StandIn, body: bytes
) -> None:
    server.on("GET /jobs", body=body, headers={"Content-Type": "text/html"})
    with pytest.raises(Failure, match="answered 200 with text/html, not with a document"):
        client.get("/jobs")


@pytest.mark.parametrize("status", [301, 403, 500, 502])
def test_a_refusal_that_is_no_problem_document_is_named(
    client: Client, server: StandIn, status: int
) -> None:
    server.on("GET /jobs", body=b"<h1>proxy</h1>", status=status)
    with pytest.raises(Failure, match=f"answered {status}"):
        client.get("/jobs")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Failure), (401, Failure), (403, Failure), (404, Missing), (409, Clash), (412, Clash)],
)
def test_a_status_has_its_kind(
    client: Client, server: StandIn, status: int, kind: type[Failure]
) -> None:
    server.on("GET /jobs", {"title": "No", "detail": "because"}, status=status)
    with pytest.raises(kind, match="because") as refused:
        client.get("/jobs")
    assert type(refused.value) is kind


def test_nobody_there_says_how_to_start_one(pauses: Pauses) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(Unreachable, match="nobody answers at") as away:
        Client(Access(url, None, None), patience=Patience(pause=pauses)).get("/jobs")
    assert "make run" in str(away.value.hint)
    assert pauses.seconds == []


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Client(Access(url, None, None), patience=Patience(answer=0.05))
        with pytest.raises(Unreachable, match=r"did not answer within 0\.05 s"):
            client.get("/jobs")


def test_plain_http_on_the_https_port_cannot_be_trusted(server: StandIn) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(Unreachable, match="cannot be trusted"):
        Client(Access(url, None, None)).get("/jobs")


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://x", "http://", "http://x:y", "http://u:p@x", "http://x?y"]
)
def test_an_address_that_is_none_is_misuse(url: str) -> None:
    with pytest.raises(Misused):
        Client(Access(url, None, None))


def test_a_token_over_plain_http_to_afar_is_warned_about() -> None:
    said: list[str] = []
    Client(Access("http://noonday.example.com", "secret", None), notice=said.append)
    Client(Access("http://127.0.0.1:1", "secret", None), notice=said.append)
    Client(Access("https://noonday.example.com", "secret", None), notice=said.append)
    assert len(said) == 1
    assert "unencrypted" in said[0]


def test_a_path_before_the_api_is_kept(server: StandIn) -> None:
    server.on("GET /prod/jobs", {"items": []})
    client = Client(Access(f"{server.url}/prod/", None, None))
    client.get("/jobs")
    client.close()
    assert server.asked[0].path == "/prod/jobs"


def test_a_list_that_goes_in_circles_is_not_followed(client: Client, server: StandIn) -> None:
    server.on("GET /jobs", {"items": [{"id": "1"}], "next": "a"})
    with pytest.raises(Failure, match="in circles"):
        client.pages("/jobs", {}, limit=None)
    assert len(server.asked) == 2


def test_pages_are_read_until_the_limit(client: Client, server: StandIn) -> None:
    server.then(
        Answer(200, {"items": [{"id": "1"}, {"id": "2"}], "next": "b"}),
        Answer(200, {"items": [{"id": "3"}], "next": "c"}),
    )
    page = client.pages("/jobs", {"name": "x"}, limit=3)
    assert page == {"items": [{"id": "1"}, {"id": "2"}, {"id": "3"}], "next": "c"}
    assert server.asked[1].query == [("name", "x"), ("limit", "1"), ("next", "b")]
