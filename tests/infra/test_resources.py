"""Whatever pattern covers a resource in targets_allow, its ARNs cover it in IAM too."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.functions import declared
from infra.permitted import covers
from infra.policies import policy
from infra.problems import Stuck
from infra.resources import parts
from infra.stage import Stage
from tests.infra.iam import ACCOUNT, HERE, REGION, permits

FUNCTIONS = {one.name: one for one in declared()}
LAUNCH, WORK, CHECK = (FUNCTIONS[name] for name in ("launch", "work", "check"))
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:redshift-a1b2c3"

RESOURCES: list[tuple[Any, str, str, list[tuple[str, str]]]] = [
    (
        *(LAUNCH, "step_functions", f"arn:aws:states:{HERE}:stateMachine:nightly"),
        [
            ("states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:nightly"),
            ("states:StopExecution", f"arn:aws:states:{HERE}:execution:nightly:token"),
        ],
    ),
    (
        *(LAUNCH, "ecs", "reports/nightly:3"),
        [
            ("ecs:RunTask", f"arn:aws:ecs:{HERE}:task-definition/nightly:3"),
            ("ecs:StopTask", f"arn:aws:ecs:{HERE}:task/reports/0a1b"),
        ],
    ),
    (
        *(LAUNCH, "batch", "nightly/report"),
        [
            ("batch:SubmitJob", f"arn:aws:batch:{HERE}:job-queue/nightly"),
            ("batch:SubmitJob", f"arn:aws:batch:{HERE}:job-definition/report:1"),
        ],
    ),
    (LAUNCH, "glue", "load-orders", [("glue:StartJobRun", f"arn:aws:glue:{HERE}:job/load-orders")]),
    (
        *(LAUNCH, "athena", "finance"),
        [("athena:StartQueryExecution", f"arn:aws:athena:{HERE}:workgroup/finance")],
    ),
    (
        *(LAUNCH, "redshift_data", "cluster/analytics/ann"),
        [
            ("redshift-data:ExecuteStatement", f"arn:aws:redshift:{HERE}:cluster:cluster"),
            ("redshift:GetClusterCredentials", f"arn:aws:redshift:{HERE}:dbuser:cluster/ann"),
            ("redshift:GetClusterCredentials", f"arn:aws:redshift:{HERE}:dbname:cluster/analytics"),
        ],
    ),
    (
        *(LAUNCH, "redshift_data", "cluster/analytics/iam"),
        [
            (
                "redshift:GetClusterCredentialsWithIAM",
                f"arn:aws:redshift:{HERE}:dbname:cluster/analytics",
            )
        ],
    ),
    (
        *(LAUNCH, "codebuild", "tests"),
        [("codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/tests")],
    ),
    (
        *(LAUNCH, "lambda", "report:live"),
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:report:live")],
    ),
    (
        *(LAUNCH, "lambda", f"arn:aws:lambda:{HERE}:function:report"),
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:report")],
    ),
    (
        *(LAUNCH, "sqs", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"),
        [("sqs:SendMessage", f"arn:aws:sqs:{HERE}:orders")],
    ),
    (LAUNCH, "sns", f"arn:aws:sns:{HERE}:orders", [("sns:Publish", f"arn:aws:sns:{HERE}:orders")]),
    (
        *(LAUNCH, "events", "default/com.example"),
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default")],
    ),
    (
        *(LAUNCH, "events", f"arn:aws:events:{HERE}:event-bus/jobs/com.example"),
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/jobs")],
    ),
    (WORK, "s3_results", "reports/a/b.csv", [("s3:PutObject", "arn:aws:s3:::reports/a/b.csv")]),
    (CHECK, "s3", "incoming", [("s3:GetObject", "arn:aws:s3:::incoming/a")]),
    (
        *(CHECK, "glue_data", "sales/orders"),
        [
            ("glue:GetTable", f"arn:aws:glue:{HERE}:database/sales"),
            ("glue:GetPartitions", f"arn:aws:glue:{HERE}:table/sales/orders"),
        ],
    ),
]


@pytest.mark.parametrize("case", RESOURCES, ids=lambda case: f"{case[1]}-{case[2]}")
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_pattern_that_covers_a_resource_permits_its_calls(case: Any, data: st.DataObject) -> None:
    function, kind, resource, wanted = case
    pattern = resource
    for _ in range(data.draw(st.integers(1, 2))):
        begin = data.draw(st.integers(0, len(pattern)))
        end = data.draw(st.integers(begin, len(pattern)))
        pattern = f"{pattern[:begin]}*{pattern[end:]}"
    assert covers(pattern, resource)
    begins = re.match(r"arn:aws:\w+:", resource)
    if begins and not pattern.startswith(begins[0]):
        return  # it covers names too, and is read as one
    entry = {"owner": "*", "kind": kind, "resource": pattern}
    try:
        document = policy(function, Stage(name="dev", targets_allow=[entry]))
    except Stuck as stuck:
        assert "does not say which piece" in str(stuck)  # noqa: PT017
        return
    for action, place in wanted:
        assert permits(document, action, place), (pattern, action, place)


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.sampled_from("*/:.-a0 arn:aws:sns:[]{}$"), min_size=1, max_size=40))
def test_no_text_is_a_defect(text: str) -> None:
    for kind in {case[1] for case in RESOURCES}:
        try:
            assert list(parts(kind, text, {"a": "b"}))
        except Stuck as stuck:
            assert text in str(stuck)  # noqa: PT017


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("sqs", "https://sqs.*/orders"),
        ("ecs", "*-nightly"),
        ("redshift_data", "*/iam"),
        ("sns", "arn:aws:sns:*orders"),
        ("step_functions", f"arn:aws:states:{HERE}:*nightly"),
        ("lambda", "arn:aws:lambda:*:function:report:live"),
    ],
)
def test_a_star_that_is_several_pieces_at_once_is_refused(kind: str, resource: str) -> None:
    entry = {"owner": "*", "kind": kind, "resource": resource}
    stage = Stage(name="dev", targets_allow=[entry])
    with pytest.raises(Stuck, match="does not say which piece"):
        policy(LAUNCH, stage)
    role = "arn:aws:iam::123456789012:role/a"
    stage = Stage(name="dev", targets_allow=[{**entry, "role": role}])
    assert permits(policy(LAUNCH, stage), "sts:AssumeRole", role)
