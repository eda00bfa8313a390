"""What each role may do, and above all what it may not: read from the policies as they are deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.settings import AWS_KINDS
from infra.functions import Function, declared
from infra.permitted import NEEDS
from infra.policies import INTERFACES, policy
from infra.problems import Stuck
from infra.resources import parts
from infra.stage import Stage
from tests.infra import iam
from tests.infra.iam import ACCOUNT, HERE, listed, permits, resolved

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
        an_entry("events", "told/noonday"),
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


def statements(function: Function, stage: Stage = STAGE) -> Iterator[Mapping[str, Any]]:
    yield from policy(function, stage)["Statement"]


def may(name: str, action: str, resource: str, stage: Stage = STAGE) -> bool:
    """Conditions narrow further; here they are taken to hold."""
    return permits(policy(FUNCTIONS[name], stage), action, resource)


def actions(name: str, stage: Stage = STAGE) -> set[str]:
    return iam.actions(policy(FUNCTIONS[name], stage))


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
    document = policy(FUNCTIONS[name], STAGE)
    code = f"arn:aws:lambda:{HERE}:function:noonday-dev-{name}"
    for action in INTERFACES:
        assert permits(document, action, "*", {"lambda:SourceFunctionArn": ""})
        assert not permits(document, action, "*", {"lambda:SourceFunctionArn": code})


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
        "StringLike": {"events:source": "noonday"}
    }
    cluster = by_action["ecs:RunTask"]["Condition"]["ArnLike"]["ecs:cluster"]
    assert resolved(cluster) == f"arn:aws:ecs:{HERE}:cluster/reports"


def test_deliver_tells_topics_and_buses_and_launches_nothing() -> None:
    assert may("deliver", "sns:Publish", TOPIC)
    assert may("deliver", "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/told")
    assert not may("deliver", "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default")
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
    assert list(parts(kind, "*", {}))
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
    assert may("work", "s3:AbortMultipartUpload", written)
    assert not may("work", "s3:AbortMultipartUpload", "arn:aws:s3:::reports/other.csv")


def only(kind: str, resource: str, **more: Any) -> dict[str, Any]:
    """What launch may do where that is the only entry."""
    stage = Stage(name="dev", targets_allow=[an_entry(kind, resource)], **more)
    return policy(FUNCTIONS["launch"], stage)


FAR = "us-west-2:999999999999"
HERE_LAMBDA, FAR_LAMBDA = f"arn:aws:lambda:{HERE}:function", f"arn:aws:lambda:{FAR}:function"


@pytest.mark.parametrize(
    ("kind", "entry", "action", "permitted", "refused"),
    [
        (
            *("sqs", "https://sqs.us-west-2.amazonaws.com/999999999999/orders"),
            *("sqs:SendMessage", f"arn:aws:sqs:{FAR}:orders", f"arn:aws:sqs:{HERE}:orders"),
        ),
        (
            *("sns", f"arn:aws:sns:{FAR}:orders", "sns:Publish"),
            *(f"arn:aws:sns:{FAR}:orders", f"arn:aws:sns:{HERE}:orders"),
        ),
        (
            *("events", f"arn:aws:events:{FAR}:event-bus/x/com.example", "events:PutEvents"),
            *(f"arn:aws:events:{FAR}:event-bus/x", f"arn:aws:events:{HERE}:event-bus/x"),
        ),
        (
            *("step_functions", f"arn:aws:states:{FAR}:stateMachine:a:live"),
            *("states:StartExecution", f"arn:aws:states:{FAR}:stateMachine:a"),
            f"arn:aws:states:{FAR}:stateMachine:b",
        ),
        (
            *("step_functions", f"arn:aws:states:{FAR}:stateMachine:a:live"),
            *("states:StopExecution", f"arn:aws:states:{FAR}:execution:a:token"),
            f"arn:aws:states:{FAR}:execution:live:token",
        ),
        ("lambda", "a", "lambda:InvokeFunction", f"{HERE_LAMBDA}:a", f"{HERE_LAMBDA}:a:live"),
        ("lambda", "a:live", "lambda:InvokeFunction", f"{HERE_LAMBDA}:a:live", f"{HERE_LAMBDA}:a"),
        (
            *("lambda", "999999999999:function:a", "lambda:InvokeFunction"),
            *("arn:aws:lambda:eu-central-1:999999999999:function:a", f"{HERE_LAMBDA}:a"),
        ),
        (
            *("lambda", f"{FAR_LAMBDA}:a*", "lambda:InvokeFunction"),
            *(f"{FAR_LAMBDA}:ab:live", f"{HERE_LAMBDA}:ab"),
        ),
        (
            *("batch", "nightly/report", "batch:SubmitJob"),
            *(f"arn:aws:batch:{HERE}:job-definition/report:7",),
            f"arn:aws:batch:{HERE}:job-definition/report-2:7",
        ),
        (
            *("batch", f"arn:aws:batch:{HERE}:job-queue/q/arn:aws:batch:{HERE}:job-definition/d"),
            *("batch:SubmitJob", f"arn:aws:batch:{HERE}:job-definition/d:2"),
            f"arn:aws:batch:{HERE}:job-definition/e:2",
        ),
        (
            *("batch", "nightly-*", "batch:SubmitJob"),
            *(f"arn:aws:batch:{HERE}:job-queue/nightly-a", f"arn:aws:batch:{HERE}:job-queue/b"),
        ),
        (
            *("ecs", f"arn:aws:ecs:{FAR}:cluster/c/report:3", "ecs:RunTask"),
            *(f"arn:aws:ecs:{FAR}:task-definition/report:3",),
            f"arn:aws:ecs:{FAR}:task-definition/report:4",
        ),
        (
            *("ecs", "c/report", "ecs:StopTask", f"arn:aws:ecs:{HERE}:task/c/0a1b"),
            f"arn:aws:ecs:{HERE}:task/d/0a1b",
        ),
        (
            *("redshift_data", "c/db/ann", "redshift:GetClusterCredentials"),
            *(f"arn:aws:redshift:{HERE}:dbuser:c/ann", f"arn:aws:redshift:{HERE}:dbuser:c/bob"),
        ),
        (
            *("redshift_data", "c/db/iam", "redshift:GetClusterCredentialsWithIAM"),
            *(f"arn:aws:redshift:{HERE}:dbname:c/db", f"arn:aws:redshift:{HERE}:dbname:c/other"),
        ),
    ],
)
def test_an_entry_names_its_resource_where_it_is(
    kind: str, entry: str, action: str, permitted: str, refused: str
) -> None:
    document = only(kind, entry)
    assert permits(document, action, permitted)
    assert not permits(document, action, refused)


def test_a_workgroup_of_redshift_is_known_by_its_id() -> None:
    """Its ARN does not have its name, so that a pattern would be all of them."""
    number = "0a1b2c3d-0000-4000-8000-000000000000"
    arn = f"arn:aws:redshift-serverless:{HERE}:workgroup/{number}"
    document = only(
        "redshift_data", "reports/analytics/iam", redshift_workgroups={"reports": number}
    )
    for action in ("redshift-data:ExecuteStatement", "redshift-serverless:GetCredentials"):
        assert permits(document, action, arn)
        assert not permits(document, action, arn.replace("0a1b", "ffff"))
    assert not {one for one in iam.actions(document) if one.startswith("redshift:")}
    cluster = only("redshift_data", "reports/analytics/iam")
    assert "redshift-serverless:GetCredentials" not in iam.actions(cluster)


def test_statements_of_others_on_redshift_are_not_looked_at() -> None:
    document = only("redshift_data", "c/db/iam")
    for name in ("CancelStatement", "DescribeStatement", "ListStatements"):
        own = {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}
        assert permits(document, f"redshift-data:{name}", "*", own)
        assert not permits(document, f"redshift-data:{name}", "*", {})


def test_a_pattern_of_identities_opens_no_secret() -> None:
    assert "secretsmanager:GetSecretValue" not in {
        action
        for statement in only("redshift_data", "*")["Statement"]
        for action in statement["Action"]
        if statement["Sid"] != "DatabasePassword"
    }
    secret = f"arn:aws:secretsmanager:{HERE}:secret:redshift-a1b2c3"
    named = only("redshift_data", f"c/db/{secret}")
    assert permits(named, "secretsmanager:GetSecretValue", secret)
    assert "redshift:GetClusterCredentials" not in iam.actions(named)


def test_two_clusters_do_not_share_their_tasks() -> None:
    stage = Stage(name="dev", targets_allow=[an_entry("ecs", "a/x"), an_entry("ecs", "b/y")])
    document = policy(FUNCTIONS["launch"], stage)
    for cluster, task, good in (("a", "x", True), ("b", "y", True), ("a", "y", False)):
        context = {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/{cluster}"}
        definition = f"arn:aws:ecs:{HERE}:task-definition/{task}:1"
        assert permits(document, "ecs:RunTask", definition, context) is good


def test_an_alias_of_a_machine_is_a_condition() -> None:
    machine = f"arn:aws:states:{HERE}:stateMachine:a"
    document = only("step_functions", f"{machine}:live")
    qualifier = "states:StateMachineQualifier"
    assert permits(document, "states:StartExecution", machine, {qualifier: "live"})
    assert not permits(document, "states:StartExecution", machine, {qualifier: "dev"})
    assert not permits(document, "states:StartExecution", machine, {})


def test_what_athena_reads_and_writes_is_declared() -> None:
    declared = {"tables": ["sales/*"], "data": ["lake/sales/*"], "results": ["out/athena/*"]}
    document = only("athena", "finance", athena=declared)
    assert permits(document, "glue:GetPartitions", f"arn:aws:glue:{HERE}:table/sales/orders")
    assert permits(document, "glue:GetTable", f"arn:aws:glue:{HERE}:catalog")
    assert not permits(document, "glue:GetTable", f"arn:aws:glue:{HERE}:table/hr/salaries")
    assert permits(document, "s3:GetObject", "arn:aws:s3:::lake/sales/1.parquet")
    assert not permits(document, "s3:PutObject", "arn:aws:s3:::lake/sales/1.parquet")
    assert permits(document, "s3:PutObject", "arn:aws:s3:::out/athena/q.csv")
    assert permits(document, "s3:GetBucketLocation", "arn:aws:s3:::out")
    assert "lakeformation:GetDataAccess" not in iam.actions(document)
    everything = {**declared, "catalogs": ["other"], "lake_formation": True}
    of_athena = {need.action for need in NEEDS["athena"]}
    found = iam.actions(only("athena", "finance", athena=everything))
    assert of_athena <= found
    assert of_athena == found - iam.actions(policy(FUNCTIONS["launch"], Stage(name="dev")))


def test_an_operation_is_permitted_as_iam_calls_it() -> None:
    assert "states:StartExecution" in iam.actions(only("aws", "stepfunctions:StartExecution"))
    assert "elasticmapreduce:RunJobFlow" in iam.actions(only("aws", "emr:RunJobFlow"))
    assert "lambda:InvokeFunction" in iam.actions(only("aws", "lambda:Invoke"))
    with pytest.raises(Stuck, match="did you mean StartJobRun"):
        only("aws", "emr-serverless:StartJobRuns")
    with pytest.raises(Stuck, match="did you mean emr-serverless"):
        only("aws", "emr-serverles:StartJobRun")


def test_a_policy_that_iam_would_not_take_is_refused() -> None:
    many = [an_entry("glue", f"a-job-with-a-long-name-{number}") for number in range(400)]
    with pytest.raises(Stuck, match="10,240"):
        policy(FUNCTIONS["launch"], Stage(name="dev", targets_allow=many))


KEY = f"arn:aws:kms:{HERE}:key/0a1b2c3d-0000-4000-8000-000000000000"


def test_customer_keys_are_used_through_the_services_that_need_them() -> None:
    stage = STAGE.model_copy(update={"keys": [KEY], "connections": {}})
    via = {
        name: {
            action.partition(":")[2]: {resolved(one) for one in found}
            for statement in statements(FUNCTIONS[name], stage)
            for action in statement["Action"]
            if action.startswith("kms:")
            for found in [statement["Condition"]["StringEquals"]["kms:ViaService"]]
        }
        for name in FUNCTIONS
    }
    at = "eu-central-1.amazonaws.com"
    assert {name for name, found in via.items() if found} == {"launch", "work", "deliver"}
    assert via["work"] == {"Decrypt": {f"s3.{at}"}, "GenerateDataKey": {f"s3.{at}"}}
    assert via["deliver"]["GenerateDataKey"] == {f"sns.{at}"}
    written = {f"sns.{at}", f"sqs.{at}", f"states.{at}"}
    assert via["launch"]["GenerateDataKey"] == written
    assert may("work", "kms:Decrypt", KEY, stage)
    assert not may("work", "kms:Decrypt", KEY.replace("0a1b", "ffff"), stage)
    assert not may("work", "kms:Decrypt", KEY)
