"""Results of sql in S3: whole or not at all, one object a run, and nothing where nothing is permitted."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.model.errors import InvalidInput, NotFound
from chalicelib.targets import Allowance, Connection, Permission, TargetRegistry, TargetSettings
from chalicelib.targets.s3_results import keyed
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


def test_a_run_that_dies_before_or_after_the_upload_leaves_one_whole_object(
    registry: TargetRegistry, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.targets import s3_results  # noqa: PLC0415

    real: Callable[[Any], None] = s3_results.S3Draft.finish

    def before(_: Any) -> None:
        raise Died

    def after(draft: Any) -> None:
        real(draft)
        raise Died

    for dying, left in ((before, []), (after, [KEY])):
        monkeypatch.setattr(s3_results.S3Draft, "finish", dying)
        with pytest.raises(Died):
            run(registry)
        assert keys(amazon) == left
    monkeypatch.setattr(s3_results.S3Draft, "finish", real)
    assert isinstance(run(registry), Succeeded)
    assert keys(amazon) == [KEY]
    assert len(content(amazon, KEY).splitlines()) == ROWS + 1


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
    name = f"{KEY.rpartition('/')[2]}"
    amazon.fail(name, fault)
    outcome = run(registry)
    assert isinstance(outcome, Failed)
    assert outcome.retry is retry
    assert KEY in (outcome.error or "")
    assert isinstance(run(registry), Succeeded)
    assert keys(amazon) == [KEY]


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
