"""Partitions of Glue's catalogue as data that a job waits for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.engine.conditions import Condition, Found, arrival_keys, data_key, wait_key
from chalicelib.events.arriving import data_arrival
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.targets import Allowance, GlueProbe, Permission, TargetSettings
from tests.cloud.amazon import KEYS, REGION, Amazon, answered, lose, refuse
from tests.cloud.composed import call, deliver
from tests.cloud.service_events import an_event
from tests.local.server import serving
from tests.targets.hands import FixedClock

TABLE = "glue://sales/orders"


def partition(amazon: Amazon, *values: str) -> None:
    where = {"DatabaseName": "sales", "TableName": "orders"}
    descriptor = {"Location": f"s3://orders/{'/'.join(values)}"}
    amazon.client("glue").create_partition(
        **where, PartitionInput={"Values": list(values), "StorageDescriptor": descriptor}
    )


def table(amazon: Amazon) -> None:
    glue = amazon.client("glue")
    glue.create_database(DatabaseInput={"Name": "sales"})
    keys = [{"Name": "dt", "Type": "string"}, {"Name": "region", "Type": "string"}]
    made: dict[str, Any] = {"Name": "orders", "PartitionKeys": keys}
    glue.create_table(DatabaseName="sales", TableInput=made)


@pytest.fixture
def probe(amazon: Amazon, tmp_path: Path) -> GlueProbe:
    table(amazon)
    allow = Allowance([Permission("team", "glue_data", "sales/*")])
    settings = TargetSettings(tmp_path, tmp_path, allow=allow, aws_region=REGION)
    return GlueProbe(settings, FixedClock())


def look(probe: GlueProbe, url: str, owner: str = "team") -> Found:
    return probe.check(Condition(kind="data", what=url, owner=owner, words=url), 8.0)


@pytest.mark.parametrize(
    ("path", "met", "words"),
    [
        ("/dt=2026-11-24/region=eu", True, "at s3://orders/2026-11-24/eu"),
        ("/region=eu/dt=2026-11-24/", True, "the partition is there"),
        ("/dt=2026-11-24", True, "the partition is there"),
        ("/dt=2026-11-25", False, "no such partition"),
        ("/dt=2026-11-24/region=us", False, "no such partition"),
        ("", True, "the table is there"),
        ("s", False, "there is no table sales/orderss"),
        ("s/dt=1", False, "there is no table sales/orderss"),
    ],
)
def test_what_is_there(probe: GlueProbe, amazon: Amazon, path: str, met: bool, words: str) -> None:
    partition(amazon, "2026-11-24", "eu")
    before = amazon.gate.calls.total()
    found = look(probe, TABLE + path)
    assert (found.met, words in found.what) == (met, True), found.what
    assert amazon.gate.calls.total() - before == 1


def test_a_value_cannot_leave_its_quotes(probe: GlueProbe, amazon: Amazon) -> None:
    asked: list[Any] = []

    def keep(gate: Any, environ: Any, body: bytes) -> Any:
        del gate, environ
        asked.append(json.loads(body)["Expression"])
        return answered(400, "InvalidInputException", "no")

    amazon.fail("GetPartitions", keep)
    assert "InvalidInput" in look(probe, f"{TABLE}/dt=' OR '1'='1/region=a%2Fb").what
    assert asked == ["dt = ''' OR ''1''=''1' AND region = 'a/b'"]


def test_a_page_without_any_is_not_the_end(probe: GlueProbe, amazon: Amazon) -> None:
    partition(amazon, "2026-11-24", "eu")

    def empty(gate: Any, environ: Any, body: bytes) -> Any:
        del gate, environ, body
        head = [("Content-Type", "application/x-amz-json-1.1")]
        return "200 OK", head, json.dumps({"Partitions": [], "NextToken": "more"}).encode()

    amazon.fail("GetPartitions", empty)
    assert look(probe, f"{TABLE}/dt=2026-11-24").met


def test_refusals_are_found_and_a_lost_answer_is_late(probe: GlueProbe, amazon: Amazon) -> None:
    amazon.fail("GetPartitions", refuse(400, "AccessDeniedException"))
    assert "glue:GetPartitions" in look(probe, f"{TABLE}/dt=1").what
    amazon.fail("GetPartitions", refuse(400, "ThrottlingException"))
    assert "does not answer now" in look(probe, f"{TABLE}/dt=1").what
    amazon.fail("GetPartitions", lose)
    with pytest.raises(TimeoutError):
        look(probe, f"{TABLE}/dt=1")


def test_another_owner_makes_no_call(probe: GlueProbe, amazon: Amazon) -> None:
    before = amazon.gate.calls.total()
    assert "nothing permits others" in look(probe, f"{TABLE}/dt=1", "others").what
    assert amazon.gate.calls.total() == before


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("glue://sales", "names no table"),
        ("glue://", "names no table"),
        ("glue://sales/orders/dt", "no key of a partition"),
        ("glue://sales/orders//dt=1", "no key of a partition"),
        ("glue://sales/orders/dt=", "no key of a partition"),
        ("glue://sales/or*ders/dt=1", "names no table"),
        ("glue://theirs/orders/dt=1", "NOONDAY_TARGETS_ALLOW"),
        ("glue://sales/orders" + "/a=1" * 21, "more than 20"),
    ],
)
def test_places_that_cannot_be_are_refused(probe: GlueProbe, url: str, words: str) -> None:
    [problem] = probe.problems(Prerequisite(data=url), (), "team")
    assert (problem.field, problem.value) == ("data", url)
    assert words in problem.message


@pytest.mark.parametrize(
    "url",
    [
        f"{TABLE}/dt=${{nominal_time:%Y-%m-%d}}",
        f"{TABLE}/dt=${{nominal_time:%Y/%m/%d}}/region=${{region}}",
        "glue://sales/${run}/dt=1",
    ],
)
def test_placeholders_may_stand_for_values(probe: GlueProbe, url: str) -> None:
    assert not list(probe.problems(Prerequisite(data=url), (), "team"))


def test_a_change_of_the_table_finds_who_waits_for_its_partitions() -> None:
    waits = Condition(kind="data", what=f"{TABLE}/dt=1", owner="team", words="")
    for arrived in (TABLE, f"{TABLE}/", f"{TABLE}/dt=2"):
        assert list(arrival_keys(arrived)) == [wait_key(waits)]
    assert wait_key(waits) != data_key("glue://sales/other")


@pytest.mark.parametrize(
    ("kind", "detail", "woken"),
    [
        ("Table", {"databaseName": "sales", "tableName": "orders"}, 1),
        ("Table", {"databaseName": "sales", "tableName": "refunds"}, 0),
        ("Table", {"databaseName": "sales", "tableName": None}, 0),
        ("Database", {"databaseName": "sales", "changedTables": ["x", "orders"]}, 1),
        ("Database", {"databaseName": "sales"}, 0),
        ("Table", {}, 0),
    ],
)
def test_the_catalogues_events_find_who_waits(
    noonday: wiring.Noonday, amazon: Amazon, kind: str, detail: dict[str, Any], woken: int
) -> None:
    table(amazon)
    job = {
        "name": "report",
        "schedule": {"cron": "0 0 3 * * ?"},
        "prerequisites": [{"data": f"{TABLE}/dt=2026-11-24"}],
        "target": {"kind": "sqs", "queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/x"},
    }
    call("POST", "/jobs", job)
    call("POST", "/jobs/{job_id}/trigger", {}, pathParameters={"job_id": "report"})
    deliver(amazon, "wake", "second")
    assert deliver(amazon, "check", "check") == 1
    assert noonday.settings.targets_allow
    event = an_event("aws.glue", f"Glue Data Catalog {kind} State Change", [], detail)
    assert data_arrival(event) == woken


def test_a_job_waits_for_its_partition(amazon: Amazon, tmp_path: Path) -> None:
    table(amazon)
    allow = [{"owner": "*", "kind": "glue_data", "resource": "sales/orders"}]
    environ = {
        **KEYS,
        "AWS_ENDPOINT_URL": amazon.url,
        "NOONDAY_AWS_REGION": REGION,
        "NOONDAY_TARGETS_ALLOW": json.dumps(allow),
    }
    body = {
        "schedule": {"at": "2026-11-24T06:00:00Z"},
        "prerequisites": [{"data": f"{TABLE}/dt=${{nominal_time:%Y-%m-%d}}"}],
        "target": {"kind": "process", "command": ["true"]},
    }
    with serving(tmp_path, "--clock", "2026-11-24T06:00:00Z", environ=environ) as server:
        made = server.call("POST", "/jobs?schedule=true", {**body, "name": "report"})
        assert made.status == 201, made.body
        server.call("POST", "/clock", {"advance": "PT1S"})
        [one] = server.call("GET", "/instances").body["items"]
        found = ""
        for _ in range(10):  # the first look loads boto3, which a busy machine takes its time for
            found = server.call("GET", f"/instances/{one['id']}/why").body["findings"][0]["found"]
            if found == "there is no such partition":
                break
            server.call("POST", "/clock", {"advance": "PT2M"})
        assert found == "there is no such partition"
        assert (
            server.call("GET", "/instances")
            .body["items"][0]["waiting_on"]
            .startswith(f"{TABLE}/dt=2026-11-24, checked ")
        )
        partition(amazon, "2026-11-24", "eu")
        assert server.call("POST", "/events/data", {"path": TABLE}).body == {"woken": 1}
        server.call("POST", "/clock", {"advance": "PT1S"})
        shown = server.call("GET", f"/instances/{one['id']}").body
        assert shown["state"] == "SUCCEEDED", shown
