"""What each role may do, and above all what it may not: read from the policies as they are deployed."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.settings import AWS_KINDS
from infra.functions import Function, declared
from infra.permitted import NEEDS, parts
from infra.policies import INTERFACES, policy
from infra.problems import Stuck
from infra.stage import Stage

ACCOUNT = "123456789012"
HERE = f"eu-central-1:{ACCOUNT}"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:nightly-a"
TOPIC = f"arn:aws:sns:{HERE}:orders"
QUEUE = f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/orders"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/finance"
TASK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/task"
MASTER = "secret-of-Database.MasterUserSecret.SecretArn"


def an_entry(kind: str, resource: str, **more: str) -> dict[str, str]:
    return {"owner": "*", "kind": kind, "resource": resource, **more}


STAGE = Stage(
    name="dev",
    pass_roles=[TASK_ROLE],
    targets_allow=[
        an_entry("step_functions", f"arn:aws:states:{HERE}:stateMachine:nightly-*"),
        an_entry("ecs", "reports/nightly"),
        an_entry("batch", "nightly/report"),
        an_entry("glue", "load-*"),
        an_entry("athena", "finance", role=ROLE),
        an_entry("codebuild", "tests"),
        an_entry("lambda", "cache"),
        an_entry("lambda_sync", "report"),
        an_entry("sns", TOPIC),
        an_entry("sqs", QUEUE),
        an_entry("events", "default/com.example"),
        an_entry("s3", "incoming"),
        an_entry("s3_results", "reports/revenue/*"),
        an_entry("redshift_data", "cluster/analytics/iam"),
        an_entry("aws", "emr-serverless:StartJobRun"),
    ],
)
FUNCTIONS = {one.name: one for one in declared()}
NOTHING_FINER = {
    *INTERFACES,
    *("batch:DescribeJobs", "batch:ListJobs", "ecs:ListTasks"),
    *("redshift-data:CancelStatement", "redshift-data:DescribeStatement"),
    "redshift-data:ListStatements",
    "emr-serverless:StartJobRun",  # what an operation is on, only the definition of a job says
}


def resolved(value: Any) -> str:
    """As CloudFormation would, near enough to compare."""
    if isinstance(value, str):
        return value
    [(function, given)] = value.items()
    if function == "Fn::Sub":
        known = {"Partition": "aws", "Region": "eu-central-1", "AccountId": ACCOUNT}
        return re.sub(r"\${AWS::(\w+)}", lambda part: known[part[1]], given)
    if function == "Ref":
        return f"secret-of-{given}"
    name, attribute = given
    if attribute == "Arn":
        lane = name.removesuffix("Queue").lower()
        return f"arn:aws:sqs:{HERE}:noonday-dev-{lane}"
    return f"secret-of-{name}.{attribute}"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(function: Function, stage: Stage = STAGE) -> Iterator[Mapping[str, Any]]:
    yield from policy(function, stage)["Statement"]


def may(name: str, action: str, resource: str, stage: Stage = STAGE) -> bool:
    """Conditions narrow further; here they are taken to hold."""
    return any(
        action in statement["Action"]
        and any(fnmatch.fnmatchcase(resource, resolved(on)) for on in listed(statement["Resource"]))
        for statement in statements(FUNCTIONS[name], stage)
        if statement["Effect"] == "Allow"
    )


def actions(name: str, stage: Stage = STAGE) -> set[str]:
    return {
        action
        for statement in statements(FUNCTIONS[name], stage)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_role_has_a_wildcard_action_or_a_resource_wider_than_aws_needs(name: str) -> None:
    for statement in statements(FUNCTIONS[name]):
        for action in statement["Action"]:
            assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action)
        if "*" in listed(statement["Resource"]):
            assert set(statement["Action"]) <= NOTHING_FINER, statement


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_fits_where_policies_are_kept(name: str) -> None:
    """10,240 characters for all inline policies of a role; names of statements are unique."""
    document = policy(FUNCTIONS[name], STAGE)
    assert len(re.sub(r"\s", "", json.dumps(document))) < 10_240
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"launch", "work", "check", "deliver"}))
def test_who_launches_nothing_cannot(name: str) -> None:
    theirs = {need.action for needs in NEEDS.values() for need in needs}
    own = {"sqs:SendMessage", "secretsmanager:GetSecretValue"}
    assert not actions(name) & (theirs - own)
    assert "sts:AssumeRole" not in actions(name)
    assert "iam:PassRole" not in actions(name)
    assert not may(name, "sqs:SendMessage", f"arn:aws:sqs:{HERE}:orders")


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"migrate"}))
def test_only_migrate_reads_the_secret_of_the_master(name: str) -> None:
    assert may(name, "secretsmanager:GetSecretValue", "secret-of-DatabaseSecret")
    assert not may(name, "secretsmanager:GetSecretValue", MASTER)
    assert may("migrate", "secretsmanager:GetSecretValue", MASTER)


def test_the_api_sends_to_no_queue_but_the_alarm() -> None:
    assert may("api", "sqs:SendMessage", f"arn:aws:sqs:{HERE}:noonday-dev-wake")
    for lane in ("launch", "work", "check", "deliver"):
        assert not may("api", "sqs:SendMessage", f"arn:aws:sqs:{HERE}:noonday-dev-{lane}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nobody_takes_from_a_queue_but_its_function(name: str) -> None:
    for one in FUNCTIONS.values():
        if one.lane is not None:
            queue = f"arn:aws:sqs:{HERE}:noonday-dev-{one.lane}"
            assert may(name, "sqs:ReceiveMessage", queue) == (name == one.name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nobody_writes_into_the_log_of_another(name: str) -> None:
    for other in FUNCTIONS:
        group = f"arn:aws:logs:{HERE}:log-group:/aws/lambda/noonday-dev-{other}:log-stream:a"
        assert may(name, "logs:PutLogEvents", group) == (name == other)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_code_itself_makes_no_network_interfaces(name: str) -> None:
    [denied] = [one for one in statements(FUNCTIONS[name]) if one["Effect"] == "Deny"]
    assert set(denied["Action"]) == set(INTERFACES)
    assert list(denied["Condition"]) == ["ArnEquals"]


def test_launch_may_do_what_the_entries_say_and_no_more() -> None:
    assert may("launch", "states:StartExecution", MACHINE)
    assert not may("launch", "states:StartExecution", MACHINE.replace("nightly", "payroll"))
    assert may("launch", "states:StopExecution", f"arn:aws:states:{HERE}:execution:nightly-a:run")
    assert not may("launch", "states:StopExecution", f"arn:aws:states:{HERE}:execution:payroll:run")
    task = f"arn:aws:ecs:{HERE}:task-definition/nightly:3"
    assert may("launch", "ecs:RunTask", task)
    assert not may("launch", "ecs:RunTask", task.replace("nightly", "nightly-other"))
    assert may("launch", "glue:StartJobRun", f"arn:aws:glue:{HERE}:job/load-orders")
    assert not may("launch", "glue:StartJobRun", f"arn:aws:glue:{HERE}:job/orders")
    assert may("launch", "sns:Publish", TOPIC)
    assert may("launch", "sqs:SendMessage", f"arn:aws:sqs:{HERE}:orders")
    assert may("launch", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:cache")
    assert not may("launch", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:report")
    assert not may("launch", "s3:GetObject", "arn:aws:s3:::incoming/a")


def test_an_entry_with_a_role_gives_that_role_and_nothing_else() -> None:
    assert may("launch", "sts:AssumeRole", ROLE)
    assert not may("launch", "sts:AssumeRole", TASK_ROLE)
    assert "athena:StartQueryExecution" not in actions("launch")


def test_roles_are_passed_to_tasks_alone() -> None:
    [passed] = [one for one in statements(FUNCTIONS["launch"]) if "iam:PassRole" in one["Action"]]
    assert passed["Resource"] == [TASK_ROLE]
    assert passed["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }


def test_what_a_resource_does_not_say_a_condition_does() -> None:
    by_action = {action: one for one in statements(FUNCTIONS["launch"]) for action in one["Action"]}
    assert by_action["events:PutEvents"]["Condition"] == {
        "StringLike": {"events:source": ["com.example"]}
    }
    cluster = by_action["ecs:RunTask"]["Condition"]["ArnLike"]["ecs:cluster"]
    assert [resolved(one) for one in cluster] == [f"arn:aws:ecs:{HERE}:cluster/reports"]


def test_deliver_tells_topics_and_buses_and_launches_nothing() -> None:
    assert may("deliver", "sns:Publish", TOPIC)
    assert may("deliver", "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default")
    assert not may("deliver", "states:StartExecution", MACHINE)
    assert not may("deliver", "sqs:SendMessage", f"arn:aws:sqs:{HERE}:orders")


def test_inline_and_waiting_have_their_own() -> None:
    assert may("work", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:report")
    assert not may("work", "states:StartExecution", MACHINE)
    assert may("check", "s3:GetObject", "arn:aws:s3:::incoming/a")
    assert not may("check", "s3:GetObject", "arn:aws:s3:::other/a")
    assert "s3:PutObject" not in actions("check")


def test_without_entries_nothing_can_be_launched() -> None:
    bare = Stage(name="dev")
    for name in FUNCTIONS:
        services = {action.partition(":")[0] for action in actions(name, bare)}
        assert services <= {"logs", "ec2", "sqs", "secretsmanager"}, name


def test_a_pattern_of_operations_would_be_a_wildcard() -> None:
    stage = Stage(name="dev", targets_allow=[an_entry("aws", "emr-serverless:*")])
    with pytest.raises(Stuck, match="no wildcard"):
        policy(FUNCTIONS["launch"], stage)


@pytest.mark.parametrize("kind", sorted(set(AWS_KINDS) - {"aws"}))
def test_everything_of_a_kind_is_still_only_its_own_service(kind: str) -> None:
    stage = Stage(name="dev", targets_allow=[an_entry(kind, "*")])
    assert parts(kind, "*")
    for name in ("launch", "work", "check"):
        for statement in statements(FUNCTIONS[name], stage):
            if "*" in listed(statement["Resource"]):
                assert set(statement["Action"]) <= NOTHING_FINER, statement


def test_results_are_written_by_work_where_an_entry_says_so() -> None:
    written = "arn:aws:s3:::reports/revenue/2026-token.csv"
    assert may("work", "s3:PutObject", written)
    assert not may("work", "s3:PutObject", "arn:aws:s3:::reports/other.csv")
    assert not may("work", "s3:GetObject", written)
    assert not may("launch", "s3:PutObject", written)
