"""Events of AWS's services as EventBridge hands them on: as documented, with our run in them."""

from __future__ import annotations

from typing import Any

from tests.cloud.amazon import ACCOUNT, REGION

ARN = f"{REGION}:{ACCOUNT}"


def an_event(source: str, kind: str, resources: list[str], detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": "2026-11-24T06:00:17Z",
        "region": REGION,
        "resources": resources,
        "detail": detail,
    }


def ended(kind: str, token: str, external_id: str, state: str | None = None) -> dict[str, Any]:
    """The event of that kind of target when the run has ended, or is in that state."""
    return _EVENTS[kind](token, external_id, state)


def _execution(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    return an_event(
        "aws.states",
        "Step Functions Execution Status Change",
        [external_id],
        {
            "executionArn": external_id,
            "stateMachineArn": f"arn:aws:states:{ARN}:stateMachine:nightly",
            "name": token,
            "status": state or "SUCCEEDED",
            "startDate": 1551225146847,
            "stopDate": 1551225151881,
            "input": "{}",
            "inputDetails": {"included": True},
            "output": '"Hello World!"',
            "outputDetails": {"included": True},
        },
    )


def _task(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    return an_event(
        "aws.ecs",
        "ECS Task State Change",
        [external_id],
        {
            "clusterArn": f"arn:aws:ecs:{ARN}:cluster/default",
            "containers": [{"name": "main", "lastStatus": "STOPPED", "exitCode": 0}],
            "desiredStatus": "STOPPED",
            "group": "family:report",
            "lastStatus": state or "STOPPED",
            "launchType": "FARGATE",
            "overrides": {"containerOverrides": []},
            "startedBy": token,
            "stopCode": "EssentialContainerExited",
            "taskArn": external_id,
            "taskDefinitionArn": f"arn:aws:ecs:{ARN}:task-definition/report:1",
            "version": 4,
        },
    )


def _job(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    return an_event(
        "aws.batch",
        "Batch Job State Change",
        [f"arn:aws:batch:{ARN}:job/{external_id}"],
        {
            "jobName": token,
            "jobId": external_id,
            "jobQueue": f"arn:aws:batch:{ARN}:job-queue/nightly",
            "status": state or "SUCCEEDED",
            "attempts": [],
            "createdAt": 1641944200058,
            "jobDefinition": f"arn:aws:batch:{ARN}:job-definition/report:1",
            "tags": {},
        },
    )


def _glue(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    del token
    return an_event(
        "aws.glue",
        "Glue Job State Change",
        [],
        {
            "jobName": "load-orders",
            "severity": "INFO",
            "state": state or "SUCCEEDED",
            "jobRunId": external_id,
            "message": "Job run succeeded",
        },
    )


def _query(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    del token
    return an_event(
        "aws.athena",
        "Athena Query State Change",
        [],
        {
            "versionId": "0",
            "currentState": state or "SUCCEEDED",
            "previousState": "RUNNING",
            "statementType": "DML",
            "queryExecutionId": external_id,
            "workgroupName": "primary",
            "sequenceNumber": "3",
        },
    )


def _build(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    build = f"arn:aws:codebuild:{ARN}:build/{external_id}"
    variables = [
        {"name": "DAY", "type": "PLAINTEXT", "value": "2026-11-24"},
        {"name": "NOONDAY_TOKEN", "type": "PLAINTEXT", "value": token},
    ]
    return an_event(
        "aws.codebuild",
        "CodeBuild Build State Change",
        [build],
        {
            "build-status": state or "SUCCEEDED",
            "project-name": "nightly",
            "build-id": build,
            "additional-information": {
                "environment": {
                    "image": "aws/codebuild/standard:5.0",
                    "privileged-mode": False,
                    "compute-type": "BUILD_GENERAL1_SMALL",
                    "type": "LINUX_CONTAINER",
                    "environment-variables": variables,
                },
                "timeout-in-minutes": 60,
                "build-complete": True,
                "initiator": "noonday",
            },
            "current-phase": "COMPLETED",
            "version": "1",
        },
    )


def _statement(token: str, external_id: str, state: str | None) -> dict[str, Any]:
    return an_event(
        "aws.redshift-data",
        "Redshift Data Statement Status Change",
        [f"arn:aws:redshift:{ARN}:cluster:reports"],
        {
            "principal": f"arn:aws:iam::{ACCOUNT}:role/noonday",
            "statementName": token,
            "statementId": external_id,
            "redshiftQueryId": -1,
            "state": state or "FINISHED",
            "rows": 1,
            "expireAt": 1601673265,
        },
    )


_EVENTS = {
    "step_functions": _execution,
    "ecs": _task,
    "batch": _job,
    "glue": _glue,
    "athena": _query,
    "codebuild": _build,
    "redshift_data": _statement,
}
STEPS = {
    "step_functions": "RUNNING",
    "ecs": "RUNNING",
    "batch": "RUNNABLE",
    "glue": "RUNNING",
    "athena": "QUEUED",
    "codebuild": "IN_PROGRESS",
    "redshift_data": "STARTED",
}
"""A state on the way, of each kind."""
