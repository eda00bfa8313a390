"""Objects and prefixes of S3, on moto's server: what is there, and who may look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.engine.conditions import Condition, Found
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.targets import Allowance, Permission, S3Probe, TargetSettings
from tests.cloud.amazon import KEYS, REGION, Amazon
from tests.local.server import serving
from tests.targets.hands import FixedClock

ROLE = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture
def probe(amazon: Amazon, tmp_path: Path) -> S3Probe:
    s3 = amazon.client("s3")
    for bucket in ("orders", "theirs"):
        where = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    s3.put_object(Bucket="orders", Key="2026/11/23/_SUCCESS", Body=b"")
    s3.put_object(Bucket="orders", Key="2026/11/23/part-0", Body=b"12345")
    s3.put_object(Bucket="orders", Key="empty/", Body=b"")
    allow = Allowance([Permission("team", "s3", "orders"), Permission("team", "s3", "gone", ROLE)])
    return S3Probe(TargetSettings(tmp_path, tmp_path, allow=allow, aws_region=REGION), FixedClock())


def look(probe: S3Probe, url: str, owner: str = "team") -> Found:
    return probe.check(Condition(kind="data", what=url, owner=owner, words=url), 5)


@pytest.mark.parametrize(
    ("url", "met", "words"),
    [
        ("s3://orders/2026/11/23/_SUCCESS", True, "an object of 0 bytes"),
        ("s3://orders/2026/11/23/part-0", True, "an object of 5 bytes"),
        ("s3://orders/2026/11/24/_SUCCESS", False, "there is no such object"),
        ("s3://orders/2026/11/23/", True, "s3://orders/2026/11/23/_SUCCESS is there"),
        ("s3://orders/2026/11/24/", False, "nothing is below it"),
        ("s3://orders/empty/", False, "nothing is below it"),
        ("s3://orders/", True, "is there"),
        ("s3://gone/x/", False, "there is no bucket gone"),
        ("s3://gone/x", False, "there is no such object"),
        ("s3://theirs/x", False, "nothing permits team to look into the bucket theirs"),
    ],
)
def test_what_is_there(probe: S3Probe, url: str, met: bool, words: str) -> None:
    found = look(probe, url)
    assert (found.met, words in found.what) == (met, True), found


def test_one_call_a_look_and_another_owner_makes_none(probe: S3Probe, amazon: Amazon) -> None:
    before = amazon.gate.calls.total()
    look(probe, "s3://orders/2026/11/23/_SUCCESS")
    look(probe, "s3://orders/2026/11/23/")
    assert amazon.gate.calls.total() - before == 2
    assert "nothing permits others" in look(probe, "s3://orders/x", "others").what
    assert amazon.gate.calls.total() - before == 2


def test_places_that_cannot_be_are_refused(probe: S3Probe) -> None:
    for url, words in (
        ("s3://orders", "write s3://bucket/key"),
        ("s3://Orders/x", "write s3://bucket/key"),
        ("s3://orders/*.csv", "wildcard"),
        ("s3://theirs/x", "NOONDAY_TARGETS_ALLOW"),
    ):
        [problem] = probe.problems(Prerequisite(data=url), (), "team")
        assert (problem.field, problem.value) == ("data", url)
        assert words in problem.message
    assert not list(probe.problems(Prerequisite(data="s3://orders/${run}/"), (), "team"))


def test_a_job_waits_for_its_object_and_goes_on_when_it_is_said_to_be_there(
    amazon: Amazon, tmp_path: Path
) -> None:
    where = {"LocationConstraint": REGION}
    s3 = amazon.client("s3")
    s3.create_bucket(Bucket="orders", CreateBucketConfiguration=where)
    allow = [{"owner": "*", "kind": "s3", "resource": "orders"}]
    environ = {
        **KEYS,
        "AWS_ENDPOINT_URL": amazon.url,
        "NOONDAY_AWS_REGION": REGION,
        "NOONDAY_TARGETS_ALLOW": json.dumps(allow),
    }
    key = "2026/11/24/_SUCCESS"
    body = {
        "name": "report",
        "schedule": {"at": "2026-11-24T06:00:00Z"},
        "prerequisites": [{"data": "s3://orders/${nominal_time:%Y/%m/%d}/_SUCCESS"}],
        "target": {"kind": "process", "command": ["true"]},
    }
    with serving(tmp_path, "--clock", "2026-11-24T06:00:00Z", environ=environ) as server:
        assert server.call("POST", "/jobs?schedule=true", body).status == 201
        server.call("POST", "/clock", {"advance": "PT1M"})
        [one] = server.call("GET", "/instances").body["items"]
        assert one["waiting_on"].startswith(f"s3://orders/{key}, checked ")
        why = server.call("GET", f"/instances/{one['id']}/why").body
        assert why["findings"][0]["found"] == "there is no such object"
        s3.put_object(Bucket="orders", Key=key, Body=b"")
        said = server.call("POST", "/events/data", {"path": f"s3://orders/{key}"})
        assert said.body == {"woken": 1}
        server.call("POST", "/clock", {"advance": "PT1S"})
        assert server.call("GET", f"/instances/{one['id']}").body["state"] == "SUCCEEDED"
        theirs = {**body, "name": "x", "prerequisites": [{"data": "s3://theirs/x"}]}
        refused = server.call("POST", "/jobs", theirs)
        assert refused.body["problems"][0]["field"] == "prerequisites.0.data"
