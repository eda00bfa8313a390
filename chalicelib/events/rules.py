"""The events of AWS that rules let through, and where they carry what Noonday looks for."""

from __future__ import annotations

from typing import Any

TOKENS = {
    ("aws.states", "Step Functions Execution Status Change"): "name",
    ("aws.ecs", "ECS Task State Change"): "startedBy",
    ("aws.batch", "Batch Job State Change"): "jobName",
    ("aws.redshift-data", "Redshift Data Statement Status Change"): "statementName",
}
"""Source and type of an event, and where it carries the token of the run; other work may carry nothing."""

NAMES = {
    ("aws.glue", "Glue Job State Change"): "jobRunId",
    ("aws.athena", "Athena Query State Change"): "queryExecutionId",
}
"""Those that say only what the service itself calls the run."""

BUILD = ("aws.codebuild", "CodeBuild Build State Change")
"""Carries the build's variables, and among them the token."""

_STATES = {
    "aws.states": ("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]),
    "aws.ecs": ("lastStatus", ["STOPPED"]),
    "aws.batch": ("status", ["SUCCEEDED", "FAILED"]),
    "aws.redshift-data": ("state", ["FINISHED", "FAILED", "ABORTED"]),
    "aws.glue": ("state", ["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"]),
    "aws.athena": ("currentState", ["SUCCEEDED", "FAILED", "CANCELLED"]),
    "aws.codebuild": ("build-status", ["SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"]),
}
"""By source: where an event carries the state, and the states that are ends."""


def _rule(source: str, kind: str) -> dict[str, Any]:
    field, states = _STATES[source]
    return {"source": [source], "detail-type": [kind], "detail": {field: states}}


ENDS = {source: _rule(source, kind) for source, kind in (*TOKENS, *NAMES, BUILD)}
"""By source, what its rule lets through: ends only. Steps on the way are left to the polls."""

ARRIVALS: dict[str, Any] = {
    "source": ["aws.s3", "aws.glue"],
    "detail-type": [
        "Object Created",
        "Glue Data Catalog Table State Change",
        "Glue Data Catalog Database State Change",
    ],
}
"""Of every bucket that sends its events to EventBridge: which ones do is the operator's to say, there."""
