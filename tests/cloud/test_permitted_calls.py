"""Every call that a kind makes is one that its role permits, on what it is made; and the role permits nothing
that no kind asks for. The calls are recorded, with all that they carry; what IAM makes of each is a table
here, after the Service Authorization Reference of AWS.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws import Aws
from chalicelib.channels import AWS_CHANNELS, ChannelRegistry
from chalicelib.engine.conditions import Condition
from chalicelib.targets import (
    Allowance,
    Connection,
    GlueProbe,
    Permission,
    S3Probe,
    TargetRegistry,
    TargetSettings,
)
from infra.actions import action_of
from infra.functions import declared
from infra.permissions import of_roles
from infra.permitted import NEEDS
from infra.policies import policy
from infra.stage import Stage
from tests.cloud.amazon import REGION, Amazon, lose
from tests.cloud.offers import OFFERS, Offer
from tests.cloud.test_accepting_kinds import a_function, a_queue, address
from tests.cloud.test_channels import to
from tests.cloud.test_started_kinds import a_run
from tests.infra.iam import ACCOUNT, HERE, actions, permits
from tests.store.builders import a_notification
from tests.targets.hands import FixedClock, Hand, a_request

Call = tuple[str, str, Mapping[str, Any]]
Asked = Mapping[str, Any]
On = Sequence[tuple[str, Mapping[str, str]]]
"""Resources, all of which IAM looks at, each with the context of its conditions."""

FUNCTIONS = {one.name: one for one in declared()}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team"
WORKGROUP = "0a1b2c3d-0000-4000-8000-000000000000"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:nightly"
OWN = {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}


def on(*places: str, **context: str) -> On:
    return [
        (place, {key.replace("__", ":"): one for key, one in context.items()}) for place in places
    ]


def a_project(asked: Asked) -> On:
    """A build's id begins with its project."""
    ids = asked.get("ids") or [asked.get("id") or asked["projectName"]]
    return on(*{f"arn:aws:codebuild:{HERE}:project/{one.partition(':')[0]}" for one in ids})


def a_task(asked: Asked) -> On:
    tasks = asked.get("tasks") or [asked["task"]]
    return on(*tasks, ecs__cluster=f"arn:aws:ecs:{HERE}:cluster/{asked['cluster']}")


def an_object(asked: Asked) -> On:
    return on(f"arn:aws:s3:::{asked['Bucket']}/{asked['Key']}")


def a_table(asked: Asked) -> On:
    name = asked.get("TableName") or asked.get("Name")
    glue, database = f"arn:aws:glue:{HERE}", asked["DatabaseName"]
    return on(f"{glue}:catalog", f"{glue}:database/{database}", f"{glue}:table/{database}/{name}")


def a_glue_job(asked: Asked) -> On:
    return on(f"arn:aws:glue:{HERE}:job/{asked['JobName']}")


def in_a_workgroup(asked: Asked) -> On:
    return on(f"arn:aws:athena:{HERE}:workgroup/{asked.get('WorkGroup', 'primary')}")


LOOKED_AT: Mapping[str, Callable[[Asked], On]] = {
    "athena:GetQueryExecution": in_a_workgroup,
    "athena:StartQueryExecution": in_a_workgroup,
    "athena:StopQueryExecution": in_a_workgroup,
    "batch:DescribeJobs": lambda _: on("*"),
    "batch:ListJobs": lambda _: on("*"),
    "batch:SubmitJob": lambda asked: on(
        f"arn:aws:batch:{HERE}:job-queue/{asked['jobQueue']}",
        f"arn:aws:batch:{HERE}:job-definition/{asked['jobDefinition']}:7",
    ),
    "batch:TerminateJob": lambda asked: on(f"arn:aws:batch:{HERE}:job/{asked['jobId']}"),
    "codebuild:BatchGetBuilds": a_project,
    "codebuild:ListBuildsForProject": a_project,
    "codebuild:StartBuild": a_project,
    "codebuild:StopBuild": a_project,
    "ecs:DescribeTasks": a_task,
    "ecs:ListTasks": lambda asked: on(
        "*", ecs__cluster=f"arn:aws:ecs:{HERE}:cluster/{asked['cluster']}"
    ),
    "ecs:RunTask": lambda asked: on(
        f"arn:aws:ecs:{HERE}:task-definition/{asked['taskDefinition']}",
        ecs__cluster=f"arn:aws:ecs:{HERE}:cluster/{asked['cluster']}",
    ),
    "ecs:StopTask": a_task,
    "events:PutEvents": lambda asked: on(
        f"arn:aws:events:{HERE}:event-bus/{asked['Entries'][0]['EventBusName']}",
        events__source=asked["Entries"][0]["Source"],
    ),
    "glue:BatchStopJobRun": a_glue_job,
    "glue:GetJobRun": a_glue_job,
    "glue:GetJobRuns": a_glue_job,
    "glue:GetPartitions": a_table,
    "glue:GetTable": a_table,
    "glue:StartJobRun": a_glue_job,
    "lambda:InvokeFunction": lambda asked: on(
        f"arn:aws:lambda:{HERE}:function:{asked['FunctionName']}"
    ),
    "redshift-data:CancelStatement": lambda _: [("*", OWN)],
    "redshift-data:DescribeStatement": lambda _: [("*", OWN)],
    "redshift-data:ExecuteStatement": lambda _: on(
        f"arn:aws:redshift-serverless:{HERE}:workgroup/{WORKGROUP}"
    ),
    "redshift-data:ListStatements": lambda _: [("*", OWN)],
    "s3:AbortMultipartUpload": an_object,
    "s3:GetObject": an_object,
    "s3:ListBucket": lambda asked: on(f"arn:aws:s3:::{asked['Bucket']}"),
    "s3:PutObject": an_object,
    "sns:Publish": lambda asked: on(asked["TopicArn"]),
    "sqs:SendMessage": lambda asked: on(
        f"arn:aws:sqs:{HERE}:{asked['QueueUrl'].rpartition('/')[2]}"
    ),
    "states:DescribeExecution": lambda asked: on(asked["executionArn"]),
    "states:StartExecution": lambda asked: on(asked["stateMachineArn"]),
    "states:StopExecution": lambda asked: on(asked["executionArn"]),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    made: list[Call] = []
    real = Aws._ask

    def ask(self: Aws, *asked: Any) -> Any:
        made.append((asked[0], asked[1], asked[2]))
        return real(self, *asked)

    monkeypatch.setattr(Aws, "_ask", ask)
    return made


def hold(calls: Sequence[Call], document: Mapping[str, Any], kind: str, stage: Stage) -> None:
    """Each is permitted; and what is permitted because of that entry is called, or AWS does it itself."""
    called = set()
    for service, operation, asked in calls:
        action = action_of(service, operation)
        called.add(action)
        for place, context in LOOKED_AT[action](asked):
            assert permits(document, action, place, context), f"{action} on {place} with {context}"
    itself = {need.action for need in NEEDS[kind] if need.on_behalf}
    bare = Stage(name=stage.name)
    granted = actions(document) - actions(policy(FUNCTIONS["launch"], bare))
    assert granted - {"iam:PassRole"} <= called | itself
    assert called <= {need.action for need in NEEDS[kind]}


def a_stage(kind: str, resource: str, role: str | None = None) -> Stage:
    entry = {"owner": "*", "kind": kind, "resource": resource}
    return Stage(
        name="dev",
        targets_allow=[{**entry, "role": role} if role else entry],
        redshift_workgroups={"reports": WORKGROUP},
    )


def a_registry(folder: Path, kind: str, resource: str, **more: Any) -> TargetRegistry:
    settings = TargetSettings(
        files=folder,
        runs=folder,
        allow=Allowance([Permission("*", kind, resource)]),
        aws_region=REGION,
        **more,
    )
    return TargetRegistry(settings, FixedClock())


@pytest.fixture(params=OFFERS, ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, amazon: Amazon) -> Offer:
    made: Offer = request.param(amazon)
    return made


def every_verb(registry: TargetRegistry, offer: Offer) -> None:
    """Launched, launched again, asked, stopped, stopped without its id; and one whose answer was lost."""
    [launched] = registry.launch([a_run(offer)])
    registry.launch([a_run(offer, repeated=True)])
    run = a_run(offer, external_id=getattr(launched, "external_id", None))
    registry.describe([run])
    registry.cancel([run])
    registry.cancel([a_run(offer)])
    offer.amazon.fail(offer.starts, lose)
    other = a_run(offer, token=run.token[:-1] + "99")
    registry.launch([other])
    registry.launch([replace(other, repeated=True)])


def test_a_kind_that_aws_executes(offer: Offer, calls: list[Call], tmp_path: Path) -> None:
    resource = MACHINE if offer.kind == "step_functions" else offer.allow
    every_verb(a_registry(tmp_path, offer.kind, resource), offer)
    stage = a_stage(offer.kind, resource)
    hold(calls, policy(FUNCTIONS["launch"], stage), offer.kind, stage)
    by_role = a_stage(offer.kind, resource, ROLE)
    hold(calls, of_roles(by_role, REGION, ACCOUNT)[ROLE]["permissions"], offer.kind, by_role)


def specs(amazon: Amazon) -> Iterator[tuple[str, str, dict[str, Any]]]:
    a_queue(amazon, "orders")
    a_function(amazon)
    topic = amazon.client("sns").create_topic(Name="orders")["TopicArn"]
    yield "sqs", address("orders"), {"queue": address("orders")}
    yield "sns", topic, {"topic": topic}
    yield "lambda", "report", {"function": "report"}
    event = {"source": "com.example", "detail_type": "due"}
    yield "events", "default/com.example", event


def test_kinds_that_accept(amazon: Amazon, calls: list[Call], tmp_path: Path) -> None:
    for kind, resource, spec in specs(amazon):
        calls.clear()
        registry = a_registry(tmp_path, kind, resource)
        registry.launch([a_request(kind, spec)])
        assert calls
        stage = a_stage(kind, resource)
        hold(calls, policy(FUNCTIONS["launch"], stage), kind, stage)


def test_a_function_and_its_answer(amazon: Amazon, calls: list[Call], tmp_path: Path) -> None:
    a_function(amazon)
    registry = a_registry(tmp_path, "lambda_sync", "report")
    registry.run(a_request("lambda_sync", {"function": "report"}), Hand())
    stage = a_stage("lambda_sync", "report")
    hold(calls, policy(FUNCTIONS["work"], stage), "lambda_sync", stage)


def test_results_small_large_and_given_up(
    amazon: Amazon, calls: list[Call], tmp_path: Path
) -> None:
    where = {"LocationConstraint": REGION}
    amazon.client("s3").create_bucket(Bucket="reports", CreateBucketConfiguration=where)
    sqlite3.connect(tmp_path / "shop.db").close()
    named = {"shop": Connection("shop", f"sqlite:///{tmp_path}/shop.db")}
    registry = a_registry(tmp_path, "s3_results", "reports/a/*", connections=named)
    numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
    large = f"{numbers} SELECT hex(zeroblob(10000)) FROM n"
    for query, more in (("SELECT 1", {}), (large, {}), (large, {"max_rows": 599})):
        spec = {"connection": "shop", "query": query, "result": "s3://reports/a/x.csv", **more}
        registry.run(a_request("sql", spec), Hand())
    assert {operation for _, operation, _ in calls} >= {"PutObject", "AbortMultipartUpload"}
    stage = a_stage("s3_results", "reports/a/*")
    hold(calls, policy(FUNCTIONS["work"], stage), "s3_results", stage)


def test_prerequisites(amazon: Amazon, calls: list[Call], tmp_path: Path) -> None:
    where = {"LocationConstraint": REGION}
    amazon.client("s3").create_bucket(Bucket="orders", CreateBucketConfiguration=where)
    allow = Allowance([Permission("*", "*", "*")])
    settings = TargetSettings(tmp_path, tmp_path, allow=allow, aws_region=REGION)
    s3, glue = S3Probe(settings, FixedClock()), GlueProbe(settings, FixedClock())
    for kind, resource, probe, urls in (
        ("s3", "orders", s3, ("s3://orders/a", "s3://orders/a/")),
        ("glue_data", "sales/orders", glue, ("glue://sales/orders", "glue://sales/orders/dt=1")),
    ):
        calls.clear()
        for url in urls:
            probe.check(Condition(kind="data", what=url, owner="team", words=url), 5)
        stage = a_stage(kind, resource)
        hold(calls, policy(FUNCTIONS["check"], stage), kind, stage)


def test_notifications(amazon: Amazon, calls: list[Call]) -> None:
    topic = amazon.client("sns").create_topic(Name="orders")["TopicArn"]
    amazon.client("events").create_event_bus(Name="jobs")
    owner = a_notification().owner
    for kind, resource, place in (
        ("sns", topic, {"topic": topic}),
        ("events", "jobs/noonday", {"bus": "jobs"}),
    ):
        calls.clear()
        allow = Allowance([Permission(owner, kind, resource)])
        channels = ChannelRegistry(
            *(one(Aws(REGION, lambda: 0), allow, None) for one in AWS_CHANNELS)
        )
        assert channels.deliver(to(kind, **place)).delivered
        stage = a_stage(kind, resource)
        hold(calls, policy(FUNCTIONS["deliver"], stage), kind, stage)


def test_a_role_is_assumed_and_its_documents_let_that_happen(
    amazon: Amazon, calls: list[Call], tmp_path: Path
) -> None:
    a_queue(amazon, "orders")
    allow = Allowance([Permission("*", "sqs", "*", ROLE)])
    settings = TargetSettings(tmp_path, tmp_path, allow=allow, aws_region=REGION)
    TargetRegistry(settings, FixedClock()).launch([a_request("sqs", {"queue": address("orders")})])
    [assumed] = [asked for _, operation, asked in calls if operation == "AssumeRole"]
    stage = a_stage("sqs", "*", ROLE)
    document = policy(FUNCTIONS["launch"], stage)
    assert permits(document, "sts:AssumeRole", assumed["RoleArn"], {})
    assert actions(document) - actions(policy(FUNCTIONS["launch"], Stage(name="dev"))) == {
        "sts:AssumeRole"
    }
    [trust] = of_roles(stage, REGION, ACCOUNT)[ROLE]["trust"]["Statement"]
    [pattern] = trust["Condition"]["StringLike"]["sts:RoleSessionName"]
    assert assumed["RoleSessionName"].startswith(pattern.removesuffix("*"))


def test_the_table_has_every_action_that_is_called_and_no_other() -> None:
    direct = {
        need.action
        for kind, needs in NEEDS.items()
        for need in needs
        if not need.on_behalf and kind != "aws"
    }
    assert set(LOOKED_AT) == direct
