"""Results of sql in S3: whole or not at all, one object a run, and nothing where nothing is permitted."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws import Aws, LostAnswer
from chalicelib.engine.outcomes import Failed, Outcome, Stopped, Succeeded
from chalicelib.model.errors import InvalidInput, NotFound
from chalicelib.targets import Allowance, Connection, Permission, TargetRegistry, TargetSettings
from chalicelib.targets.s3_results import keyed
from chalicelib.targets.s3_upload import PART, TRIES
from tests.cloud.amazon import REGION, Amazon, lose, refuse
from tests.databases import SERVERS, Server
from tests.targets.hands import TOKEN, FixedClock, Hand, a_request

KEY = f"revenue/2026-{TOKEN}.csv"
ROWS = 30_000


class Died(BaseException):
    """As a process that is killed at that moment."""


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with one table of numbers and texts."""
    if request.param == "sqlite":
        path = tmp_path / "shop.db"
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE n (i INTEGER, t TEXT)")
            db.executemany("INSERT INTO n VALUES (?, ?)", ((i, "ä,b") for i in range(ROWS)))
        db.close()
        return f"sqlite:///{path}"
    server: Server = request.getfixturevalue(request.param)
    server.create("noonday_results")
    server.execute("CREATE TABLE n (i INT, t VARCHAR(9)) ENGINE=InnoDB", "noonday_results")
    values = ",".join(f"({i},'ä,b')" for i in range(1000))
    for _ in range(ROWS // 1000):
        server.execute(f"INSERT INTO n VALUES {values}", "noonday_results")
    return server.url("noonday_results")


@pytest.fixture
def registry(amazon: Amazon, tmp_path: Path, url: str) -> TargetRegistry:
    where = {"LocationConstraint": REGION}
    amazon.client("s3").create_bucket(Bucket="reports", CreateBucketConfiguration=where)
    settings = TargetSettings(
        tmp_path / "files",
        tmp_path / "runs",
        {"shop": Connection("shop", url)},
        allow=Allowance([Permission("team", "s3_results", "reports/revenue/*")]),
        aws_region=REGION,
    )
    return TargetRegistry(settings, FixedClock())


def run(
    registry: TargetRegistry, result: str = "s3://reports/revenue/2026.csv", **more: Any
) -> Outcome:
    spec = {"connection": "shop", "query": "SELECT i, t FROM n", "result": result, **more}
    return registry.run(a_request("sql", spec), Hand())


def keys(amazon: Amazon) -> list[str]:
    found = amazon.client("s3").list_objects_v2(Bucket="reports").get("Contents", [])
    return [one["Key"] for one in found]


def content(amazon: Amazon, key: str) -> bytes:
    body: io.BytesIO = amazon.client("s3").get_object(Bucket="reports", Key=key)["Body"]
    return body.read()


def test_the_rows_are_an_object_with_a_header(registry: TargetRegistry, amazon: Amazon) -> None:
    outcome = run(registry)
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.result_path == f"s3://reports/{KEY}"
    assert "s3/object/reports?prefix=" in (outcome.external_url or "")
    lines = content(amazon, KEY).decode().splitlines()
    assert (lines[0], lines[1], len(lines)) == ("i,t", '0,"ä,b"', ROWS + 1)
    with pytest.raises(NotFound, match="aws s3 cp"):
        registry.read(outcome.result_path or "")


def test_json_lines_and_a_token_in_the_key(registry: TargetRegistry, amazon: Amazon) -> None:
    outcome = run(registry, f"s3://reports/revenue/{TOKEN}/2026.jsonl", query="SELECT 1 AS a")
    assert isinstance(outcome, Succeeded)
    assert content(amazon, f"revenue/{TOKEN}/2026.jsonl") == b'{"a":1}\n'


class Mortal:
    """Dies right before or right after the call to S3 of that number, and stays dead."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.left, self.after, self.dead = number, after, False

    def ask(self, real: Callable[..., Any], *asked: Any) -> Any:
        if asked[1] != "s3":
            return real(*asked)
        if self.dead or (self.left == 0 and not self.after):
            self.dead = True
            raise Died
        answer = real(*asked)
        self.dead = self.left == 0
        self.left -= 1
        if self.dead:
            raise Died
        return answer


LARGE = {
    "sqlite": "SELECT i, hex(zeroblob(400)) AS t FROM n",
    "mysql": "SELECT i, REPEAT('0', 800) AS t FROM n",
}
"""24 MB: three parts and a rest."""
OF_LARGE = ("CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload")


def large(registry: TargetRegistry, url: str, hand: Hand | None = None) -> Outcome:
    spec = {
        "connection": "shop",
        "query": LARGE[url.partition(":")[0]],
        "result": "s3://reports/revenue/2026.csv",
    }
    return registry.run(a_request("sql", spec), hand or Hand())


def lines(amazon: Amazon) -> int:
    return content(amazon, KEY).count(b"\n")


def unfinished(amazon: Amazon) -> int:
    listed = amazon.client("s3").list_multipart_uploads(Bucket="reports")
    return len(listed.get("Uploads", []))


def test_a_large_result_goes_up_in_parts_and_memory_holds_one(
    registry: TargetRegistry, amazon: Amazon, url: str, asked: list[str]
) -> None:
    assert isinstance(large(registry, url), Succeeded)
    assert tuple(asked) == OF_LARGE
    assert lines(amazon) == ROWS + 1
    assert unfinished(amazon) == 0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Operations of S3, and how many bytes a call carries at most."""
    names: list[str] = []
    real = Aws._ask

    def ask(self: Aws, *args: Any) -> Any:
        if args[0] == "s3":
            names.append(args[1])
            assert len(args[2].get("Body", b"")) < PART + 500 * 900
        return real(self, *args)

    monkeypatch.setattr(Aws, "_ask", ask)
    return names


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(len(OF_LARGE)))
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_run_that_dies_between_any_two_calls_leaves_nothing_half(
    registry: TargetRegistry,
    amazon: Amazon,
    url: str,
    number: int,
    after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, mortal = Aws._ask, Mortal(number, after=after)
    monkeypatch.setattr(Aws, "_ask", lambda *asked: mortal.ask(real, *asked))
    with pytest.raises(Died):
        large(registry, url)
    ended = after and number == len(OF_LARGE) - 1
    assert keys(amazon) == ([KEY] if ended else [])
    monkeypatch.setattr(Aws, "_ask", real)
    assert isinstance(large(registry, url), Succeeded)
    assert keys(amazon) == [KEY]
    assert lines(amazon) == ROWS + 1


@pytest.mark.parametrize("after", [False, True])
def test_a_small_result_is_one_call(
    registry: TargetRegistry, amazon: Amazon, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, mortal = Aws._ask, Mortal(0, after=after)
    monkeypatch.setattr(Aws, "_ask", lambda *asked: mortal.ask(real, *asked))
    with pytest.raises(Died):
        run(registry)
    assert keys(amazon) == ([KEY] if after else [])
    monkeypatch.setattr(Aws, "_ask", real)
    assert isinstance(run(registry), Succeeded)
    assert keys(amazon) == [KEY]


class Impatient(Hand):
    """Waits for nothing; is told to stop at the wait of that number, if any."""

    def __init__(self, stops_at: int | None = None) -> None:
        super().__init__()
        self.waits, self.stops_at = 0, stops_at

    def wait(self, seconds: float) -> bool:
        del seconds
        self.waits += 1
        if self.waits == self.stops_at:
            self.stop()
        return self.stopping


@pytest.mark.parametrize("stops_at", range(1, len(OF_LARGE) + 1))
def test_a_run_that_is_stopped_leaves_nothing(
    registry: TargetRegistry, amazon: Amazon, url: str, stops_at: int
) -> None:
    assert isinstance(large(registry, url, Impatient(stops_at)), Stopped)
    assert keys(amazon) == []
    assert unfinished(amazon) == 0


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", range(len(OF_LARGE)))
def test_an_answer_that_was_lost_is_asked_for_again(
    registry: TargetRegistry,
    amazon: Amazon,
    url: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, left = Aws._ask, [number]

    def ask(self: Aws, *args: Any) -> Any:
        answer = real(self, *args)
        left[0] -= args[0] == "s3"
        if left[0] == -1:
            left[0] -= 1
            raise LostAnswer("ReadTimeout", "no answer")
        return answer

    monkeypatch.setattr(Aws, "_ask", ask)
    assert isinstance(large(registry, url, Impatient()), Succeeded)
    assert lines(amazon) == ROWS + 1


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        (refuse(403, "AccessDenied"), False),
        (refuse(503, "SlowDown"), True),
        (lose, True),
    ],
)
def test_what_s3_does_not_take_fails_the_run(
    registry: TargetRegistry, amazon: Amazon, fault: Any, retry: bool
) -> None:
    amazon.fail(KEY.rpartition("/")[2], *[fault] * (TRIES if retry else 1))
    spec = {"connection": "shop", "query": "SELECT 1", "result": "s3://reports/revenue/2026.csv"}
    outcome = registry.run(a_request("sql", spec), Impatient())
    assert isinstance(outcome, Failed)
    assert outcome.retry is retry
    assert KEY in (outcome.error or "")
    assert isinstance(run(registry), Succeeded)
    assert keys(amazon) == [KEY]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_parts_that_s3_refuses_are_thrown_away(
    registry: TargetRegistry, amazon: Amazon, url: str
) -> None:
    ok = lambda gate, environ, body: gate.carry_out(environ, body)  # noqa: E731
    denied = refuse(403, "AccessDenied")
    amazon.fail(KEY.rpartition("/")[2], ok, ok, denied)
    outcome = large(registry, url)
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert keys(amazon) == []
    assert unfinished(amazon) == 0


def test_too_many_rows_write_nothing(registry: TargetRegistry, amazon: Amazon) -> None:
    outcome = run(registry, max_rows=10)
    assert isinstance(outcome, Failed)
    assert keys(amazon) == []


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("s3://reports/other/x.csv", "NOONDAY_TARGETS_ALLOW"),
        ("s3://theirs/revenue/x.csv", "NOONDAY_TARGETS_ALLOW"),
        ("s3://reports/", "no object of S3"),
        ("s3://reports", "no object of S3"),
        ("s3://R/x.csv", "no object of S3"),
        ("s3://reports/revenue/x", "format"),
        ("http://reports/x.csv", "local files"),
    ],
)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_places_that_cannot_be_are_refused(
    registry: TargetRegistry, result: str, words: str
) -> None:
    spec = {"kind": "sql", "connection": "shop", "query": "SELECT 1", "result": result}
    with pytest.raises(InvalidInput) as refused:
        registry.validate(spec, (), owner="team")
    assert words in refused.value.problems[0].message


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("s3://b/x.csv", "s3://b/x-T.csv"),
        ("s3://b/v1.2/x", "s3://b/v1.2/x-T"),
        ("s3://b/T/x.csv", "s3://b/T/x.csv"),
        ("s3://b/x.csv.gz", "s3://b/x.csv-T.gz"),
    ],
)
def test_the_key_carries_the_token(url: str, key: str) -> None:
    assert keyed(url, "T") == key
