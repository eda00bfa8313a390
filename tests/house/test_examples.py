"""The examples: their data is what IANA publishes, and the demonstration fails when something is wrong."""

from __future__ import annotations

import http.client
import runpy
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.channels.signing import signed
from examples import demo, receiver
from tests.house.documents import ROOT

EXAMPLES = ROOT / "examples"


def test_the_data_is_that_of_the_pinned_tzdata() -> None:
    script: Callable[[], str] = runpy.run_path(str(EXAMPLES / "data" / "build.py"))["script"]
    shipped = (EXAMPLES / "data" / "zones.sql").read_text(encoding="utf-8")
    assert shipped == script(), "run: python examples/data/build.py"


def test_the_data_is_sound() -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA foreign_keys = on")
        database.executescript((EXAMPLES / "data" / "zones.sql").read_text(encoding="utf-8"))
        zones = "SELECT place, latitude, longitude FROM zones WHERE zone = 'Europe/Berlin'"
        assert database.execute(zones).fetchone() == ("Berlin", 52.5, 13.3667)
        outside = "SELECT * FROM zones WHERE abs(latitude) > 90 OR abs(longitude) > 180"
        assert database.execute(outside).fetchall() == []
        mains = "SELECT zone FROM zone_countries GROUP BY zone HAVING sum(main) <> 1"
        assert database.execute(mains).fetchall() == []
        east = [row[0] for row in database.execute("SELECT longitude FROM zones ORDER BY 1")]
        assert max(b - a for a, b in pairwise([*east, east[0] + 360])) < 10
    database.close()


def instances(times: list[int], state: str = "SUCCEEDED") -> list[dict[str, Any]]:
    """Of each job of the demonstration, one instance for each time."""
    return [
        {"name": job, "nominal_ms": time, "state": state} for job in demo.JOBS for time in times
    ]


def test_the_demonstration_accepts_what_is_right() -> None:
    demo.check_every_nominal_time(instances([10_000, 5_000, 15_000]))


@pytest.mark.parametrize(
    ("times", "state"),
    [([5_000, 15_000], "SUCCEEDED"), ([5_000, 5_000], "SUCCEEDED"), ([5_000, 10_000], "FAILED")],
    ids=["a time is missing", "a time counts twice", "a run failed"],
)
def test_the_demonstration_fails_when_something_is_wrong(times: list[int], state: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        demo.check_every_nominal_time(instances(times, state))
    assert exit_.value.code == 1


SECRETS = ("whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8)
BODY = b'{"type": "instance.failed", "data": {"name": "x"}}'
NOW_S = 1_750_000_000


@pytest.mark.parametrize("secrets", [SECRETS, SECRETS[:1], SECRETS[1:]])
def test_the_receiver_takes_what_noonday_signs(secrets: tuple[str, ...]) -> None:
    headers = signed("a" * 32, NOW_S, BODY, secrets)
    assert receiver.verified(headers, BODY, SECRETS, NOW_S + 299)["type"] == "instance.failed"


@pytest.mark.parametrize(
    ("changes", "body", "now_s"),
    [
        ({}, BODY + b" ", NOW_S),
        ({}, BODY, NOW_S + 301),
        ({}, BODY, NOW_S - 301),
        ({"webhook-id": "b" * 32}, BODY, NOW_S),
        ({"webhook-timestamp": str(NOW_S + 1)}, BODY, NOW_S),
        ({"webhook-timestamp": "soon"}, BODY, NOW_S),
        ({"webhook-signature": "v1,bm9uZQ=="}, BODY, NOW_S),
        ({"webhook-signature": ""}, BODY, NOW_S),
    ],
)
def test_the_receiver_refuses_what_noonday_did_not_sign(
    changes: dict[str, str], body: bytes, now_s: int
) -> None:
    headers = {**signed("a" * 32, NOW_S, BODY, SECRETS), **changes}
    with pytest.raises(receiver.NotOurs):
        receiver.verified(headers, body, SECRETS, now_s)


def test_the_receiver_refuses_another_secret() -> None:
    headers = signed("a" * 32, NOW_S, BODY, SECRETS[:1])
    with pytest.raises(receiver.NotOurs):
        receiver.verified(headers, BODY, SECRETS[1:], NOW_S)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of the receiver, at the time of the signatures."""
    monkeypatch.setenv("SECRETS", " ".join(SECRETS))
    monkeypatch.setattr(receiver, "time", SimpleNamespace(time=lambda: NOW_S))
    monkeypatch.setattr(receiver, "seen", set())
    with ThreadingHTTPServer(("127.0.0.1", 0), receiver.Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # one is part of the test
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def posted(port: int, identity: str, body: bytes = BODY, sent_s: int = NOW_S) -> int | None:
    """The status; None when there was no answer at all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", body, signed(identity, sent_s, BODY, SECRETS))
        return connection.getresponse().status
    except http.client.HTTPException:
        return None
    finally:
        connection.close()


def test_the_receiver_takes_each_notification_once(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[str] = []
    monkeypatch.setattr(receiver, "handle", lambda document: handled.append(document["type"]))
    assert [posted(port, "a" * 32) for _ in range(3)] == [204] * 3
    assert posted(port, "b" * 32) == 204
    assert handled == ["instance.failed"] * 2
    assert posted(port, "c" * 32, BODY + b" ") == 401
    assert posted(port, "c" * 32, sent_s=NOW_S - 301) == 401
    assert len(handled) == 2


def test_what_the_receiver_could_not_handle_comes_again(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(receiver, "handle", broken)
        assert posted(port, "a" * 32) is None
    assert posted(port, "a" * 32) == 204
    assert capsys.readouterr().out == "instance.failed: x \n"
