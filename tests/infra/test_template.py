"""The stack, for every kind of stage: what cfn-lint says of it, and what must hold in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from infra.alarms import wanted
from infra.capacity import RESERVE, connections_allowed, max_connections
from infra.functions import SIZES, Source, connections, declared, lanes
from infra.package import Package
from infra.problems import Stuck
from infra.stage import Database, Network, Stage
from infra.template import environment
from tests.infra.building import assembled

STATES = "arn:aws:states:eu-central-1:123456789012"
ENTRIES = [
    {"owner": "*", "kind": "step_functions", "resource": f"{STATES}:stateMachine:a"},
    {"owner": "*", "kind": "ecs", "resource": "reports/nightly-*"},
    {"owner": "*", "kind": "s3", "resource": "incoming"},
    {"owner": "f", "kind": "athena", "resource": "f", "role": "arn:aws:iam::123456789012:role/f"},
]  # fmt: skip
NETWORK = Network(
    vpc="vpc-0123456789abcdef0",
    subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    route_tables=["rtb-0123456789abcdef0"],
)
STAGES = {
    "endpoints": Stage(name="a", egress="endpoints", targets_allow=ENTRIES, auth="cognito"),
    "existing": Stage(
        name="b", egress="existing", network=NETWORK, database=Database(proxy=True, standby=True)
    ),
    "all": Stage(
        name="c",
        network=NETWORK,
        egress="endpoints",
        targets_allow=ENTRIES,
        pass_roles=["arn:aws:iam::123456789012:role/task"],
        webhook_secret="noonday/webhooks",
        alarms_to="operators@example.com",
        architecture="arm64",
        auth="cognito",
        cognito_pool="arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a",
    ),
}


def complaints(document: dict[str, Any]) -> list[str]:
    found = lint(json.dumps(document), config=ManualArgs(regions=["eu-central-1"]))
    return [f"{one.rule.id} {one.message} {getattr(one, 'path', '')}" for one in found]


def test_cfn_lint_has_no_complaint(package: Package) -> None:
    assert complaints(package.document()) == []


@pytest.mark.parametrize("kind", STAGES)
def test_cfn_lint_has_no_complaint_about_other_stages(kind: str, tmp_path: Path) -> None:
    assert complaints(assembled(tmp_path / "made", STAGES[kind])) == []


@pytest.fixture(scope="module")
def resources(package: Package) -> dict[str, Any]:
    found: dict[str, Any] = package.document()["Resources"]
    return found


def test_every_function_of_app_py_is_in_it_by_its_name(resources: dict[str, Any]) -> None:
    for one in declared():
        properties = resources[one.logical_id]["Properties"]
        assert properties["FunctionName"] == f"noonday-dev-{one.name}"
        assert properties["Timeout"] == one.size.timeout_s
        assert properties["VpcConfig"]["SubnetIds"]
        assert properties["Role"]["Fn::GetAtt"][0] == one.role_id
    made = [one for one in resources.values() if one["Type"] == "AWS::Serverless::Function"]
    assert len(made) == len(declared())


def test_every_alarm_is_in_it(package: Package, resources: dict[str, Any]) -> None:
    """Two of the same name would be one: the first would never ring."""
    every = list(wanted(declared(), package.stage, 100))
    names = [one.name for one in every]
    assert sorted(names) == sorted(set(names))
    made = [one for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(made) == len(names)


def test_no_function_is_without_a_size(resources: dict[str, Any]) -> None:
    del resources
    assert {one.name for one in declared()} <= set(SIZES)


@pytest.mark.parametrize("function", lanes(declared()), ids=lambda one: one.name)
def test_a_queue_gives_its_function_time_and_dead_letters(
    function: Any, resources: dict[str, Any]
) -> None:
    lane = str(function.lane).capitalize()
    queue = resources[f"{lane}Queue"]["Properties"]
    assert queue["QueueName"] == f"noonday-dev-{function.lane}"
    assert queue["VisibilityTimeout"] >= 6 * function.size.timeout_s
    assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] == f"{lane}DeadLetters"
    properties = resources[function.logical_id]["Properties"]
    [event] = properties["Events"].values()
    mapping = event["Properties"]
    assert mapping["Queue"] == {"Fn::Sub": f"${{{lane}Queue.Arn}}"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": function.size.concurrency}
    assert function.size.concurrency >= 2  # the least that SQS takes
    # Reserved, it would send healthy messages to the dead letters.
    assert "ReservedConcurrentExecutions" not in properties


def test_a_minute_that_was_missed_is_not_repeated(resources: dict[str, Any]) -> None:
    properties = resources["Minute"]["Properties"]
    [event] = properties["Events"].values()
    never = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert event["Properties"]["RetryPolicy"] == never
    assert properties["EventInvokeConfig"] == never


def test_the_database_is_kept(resources: dict[str, Any]) -> None:
    database = resources["Database"]
    assert database["DeletionPolicy"] == database["UpdateReplacePolicy"] == "Snapshot"
    properties = database["Properties"]
    assert properties["StorageEncrypted"] is True
    assert properties["DeletionProtection"] is True
    assert properties["PubliclyAccessible"] is False
    assert properties["BackupRetentionPeriod"] > 0
    assert properties["EngineVersion"].startswith("8.4")
    parameters = resources["DatabaseParameters"]["Properties"]["Parameters"]
    assert parameters["require_secure_transport"] == "1"


def test_all_connections_together_are_fewer_than_the_database_takes(
    resources: dict[str, Any],
) -> None:
    """What may be at work at once, times the pool of each process, as the template itself says."""
    open_at_most = 0
    for one in declared():
        properties = resources[one.logical_id]["Properties"]
        pool = int(properties["Environment"]["Variables"]["NOONDAY_DATABASE_POOL"])
        assert pool == one.size.connections
        open_at_most += pool * processes(one, properties)
    allowed = int(resources["DatabaseParameters"]["Properties"]["Parameters"]["max_connections"])
    assert open_at_most == connections(declared())
    assert open_at_most + RESERVE <= allowed <= max_connections("db.t4g.small")


def processes(function: Any, properties: dict[str, Any]) -> int:
    match function.source:
        case Source.QUEUE:
            [event] = properties["Events"].values()
            return int(event["Properties"]["ScalingConfig"]["MaximumConcurrency"])
        case Source.API | Source.EVENTS:
            return int(properties["ReservedConcurrentExecutions"])
    # A rule calls once a minute at most, and a time-out below the period leaves one doubled call.
    return int(function.size.concurrency)


def test_a_class_that_is_too_small_is_refused() -> None:
    with pytest.raises(Stuck, match="choose a larger class"):
        connections_allowed("db.t4g.micro", connections(declared()) + 1)
    with pytest.raises(Stuck, match="one line in infra/capacity"):
        connections_allowed("db.z9.huge", 1)


def test_a_stage_may_have_more_at_once_as_far_as_its_database_goes(tmp_path: Path) -> None:
    more = {"launch": 60, "completion": 16}
    large = Stage(name="e", concurrency=more, database=Database(instance="db.m7g.large"))
    made = assembled(tmp_path / "large", large)["Resources"]
    [event] = made["Launch"]["Properties"]["Events"].values()
    assert event["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 60}
    assert made["Completion"]["Properties"]["ReservedConcurrentExecutions"] == 16
    with pytest.raises(Stuck, match="choose a larger class"):
        assembled(tmp_path / "small", Stage(name="e", concurrency=more))
    with pytest.raises(Stuck, match="concurrency: minute is none of api"):
        assembled(tmp_path / "strange", Stage(name="e", concurrency={"minute": 3}))


def test_endpoints_need_to_know_the_services(tmp_path: Path) -> None:
    anything = [{"owner": "*", "kind": "*", "resource": "*"}]
    with pytest.raises(Stuck, match="may call any"):
        assembled(tmp_path, Stage(name="d", egress="endpoints", targets_allow=anything))


def test_only_migrate_is_told_of_the_master() -> None:
    stage = STAGES["existing"]
    for one in declared():
        told = environment(one, stage)
        assert ("NOONDAY_MASTER_SECRET" in told) == (one.name == "migrate")
        direct = "DatabaseProxy" not in json.dumps(told["NOONDAY_DATABASE"])
        assert direct == (one.name == "migrate")


def test_the_entries_travel_in_the_zip(tmp_path: Path) -> None:
    """Lambda's variables hold 4 KB; a list of entries may not fit."""
    made = assembled(tmp_path / "made", STAGES["endpoints"])
    variables = made["Resources"]["Launch"]["Properties"]["Environment"]["Variables"]
    assert variables["NOONDAY_TARGETS_ALLOW"] == "targets-allow.json"
    file = tmp_path / "made" / "project" / "vendor" / "targets-allow.json"
    assert json.loads(file.read_text("utf-8")) == ENTRIES


def test_a_pool_of_the_stack_is_the_authorizer(tmp_path: Path) -> None:
    made = assembled(tmp_path / "made", STAGES["endpoints"])["Resources"]
    security = made["RestAPI"]["Properties"]["DefinitionBody"]["securityDefinitions"]["noonday"]
    assert security["x-amazon-apigateway-authorizer"]["providerARNs"] == [
        {"Fn::GetAtt": ["UserPool", "Arn"]}
    ]
    assert "made_later" not in json.dumps(made)
