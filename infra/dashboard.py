"""One page of CloudWatch for the stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.notifications.metrics import METRICS, NAMESPACE, STAGE
from infra.functions import Function, lanes
from infra.intrinsics import sub
from infra.stage import Stage

WIDTH, HEIGHT = 8, 6


def dashboard(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    widgets = [
        {
            "type": "metric",
            "x": (number % 3) * WIDTH,
            "y": (number // 3) * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {"region": "${AWS::Region}", "period": 60, **one},
        }
        for number, one in enumerate(_widgets(functions, stage))
    ]
    body = sub(json.dumps({"widgets": widgets}, separators=(",", ":")))
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": stage.prefix, "DashboardBody": body},
    }


def _widgets(functions: Sequence[Function], stage: Stage) -> list[dict[str, Any]]:
    queues = [f"{stage.prefix}-{one.lane}" for one in lanes(functions)]
    names = [f"{stage.prefix}-{one.name}" for one in functions]
    rds = ("AWS/RDS", "DBInstanceIdentifier", stage.prefix)
    return [
        _drawn("Lateness (ms)", "Maximum", [_ours("Lateness", stage), _ours("LaunchLateness", stage)]),
        _drawn("Launches and ends", "Sum", [_ours(name, stage) for name in ("Launches", "Ends")]),
        _searched("Failures by reason", "Failures", stage),
        _drawn("Sweeps, and how long (ms)", "Maximum", [
            [*_ours("Sweeps", stage), {"stat": "Sum", "yAxis": "right"}],
            _ours("SweepDuration", stage),
        ]),
        _drawn("Age of the oldest message (s)", "Maximum", [
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name] for name in queues
        ]),
        _drawn("Dead letters", "Maximum", [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", f"{name}-dead"]
            for name in queues
        ]),
        _drawn("Errors of functions", "Sum", [
            ["AWS/Lambda", "Errors", "FunctionName", name] for name in names
        ]),
        _drawn("Duration of functions (ms)", "p95", [
            ["AWS/Lambda", "Duration", "FunctionName", name] for name in names
        ]),
        _drawn("Requests, and errors of the API", "Sum", [
            ["AWS/ApiGateway", name, "ApiName", stage.prefix] for name in ("Count", "4XXError", "5XXError")
        ]),
        _drawn("Connections", "Maximum", [[rds[0], "DatabaseConnections", *rds[1:]]]),
        _drawn("Database: CPU (%)", "Maximum", [[rds[0], "CPUUtilization", *rds[1:]]]),
        _drawn("Database: space and memory (bytes)", "Minimum", [
            [rds[0], "FreeStorageSpace", *rds[1:]],
            [rds[0], "FreeableMemory", *rds[1:]],
        ]),
    ]  # fmt: skip


def _ours(name: str, stage: Stage, **by: str) -> list[str]:
    dimensions = {STAGE: stage.name, **by}
    flat = [part for pair in dimensions.items() for part in pair]
    return [NAMESPACE, METRICS[name].name, *flat]


def _drawn(title: str, statistic: str, metrics: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {"title": title, "stat": statistic, "metrics": list(metrics)}


def _searched(title: str, name: str, stage: Stage) -> dict[str, Any]:
    """One line for each value of the metric's own dimension, whatever those turn out to be."""
    metric = METRICS[name]
    schema = f"{{{NAMESPACE},{STAGE},{metric.by}}}"
    found = f"SEARCH('{schema} {STAGE}=\"{stage.name}\" MetricName=\"{name}\"', 'Sum')"
    return {"title": title, "stat": "Sum", "metrics": [[{"expression": found, "id": "found"}]]}
