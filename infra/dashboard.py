"""One page of CloudWatch for the stage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.notifications.metrics import METRICS, MILLISECONDS, NAMESPACE, STAGE
from infra.functions import Function, lanes
from infra.intrinsics import sub
from infra.stage import Stage

WIDTH, HEIGHT = 8, 6
WHOLE = 3 * WIDTH
HEAD = 2

ABOUT = """## {name}
Is it on time: the first row. Do runs fail: the second. Below: queues, functions, requests, the database. \
What each alarm means: `docs/operating-on-aws.md`; metrics and the log: `docs/observability.md`."""

ERRORS = """fields @timestamp, fact, job, instance_id, function, error
| filter level = "error"
| sort @timestamp desc
| limit 50"""


def dashboard(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    widgets = [_about(stage)]
    drawn = list(_widgets(functions, stage))
    for number, properties in enumerate(drawn):
        left, row = (number % 3) * WIDTH, number // 3
        whole = {"region": "${AWS::Region}", "period": 60, "view": "timeSeries", **properties}
        widgets.append(_placed("metric", whole, left, HEAD + row * HEIGHT, WIDTH))
    below = HEAD + -(-len(drawn) // 3) * HEIGHT
    widgets.append(_placed("log", _errors(functions, stage), 0, below, WHOLE))
    body = sub(json.dumps({"widgets": widgets}, separators=(",", ":")))
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": stage.prefix, "DashboardBody": body},
    }


def _placed(
    kind: str, properties: dict[str, Any], x: int, y: int, width: int, height: int = HEIGHT
) -> dict[str, Any]:
    return {
        "type": kind,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "properties": properties,
    }


def _about(stage: Stage) -> dict[str, Any]:
    return _placed("text", {"markdown": ABOUT.format(name=stage.prefix)}, 0, 0, WHOLE, HEAD)


def _errors(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    groups = " | ".join(f"SOURCE '/aws/lambda/{stage.prefix}-{one.name}'" for one in functions)
    return {
        "region": "${AWS::Region}",
        "title": "Errors, the latest first",
        "view": "table",
        "query": f"{groups} | {ERRORS}",
    }


def _widgets(functions: Sequence[Function], stage: Stage) -> Iterator[dict[str, Any]]:
    yield from _of_the_engine(stage)
    yield from _of_queues(functions, stage)
    yield from _of_functions(functions, stage)
    yield from _of_the_database(stage)


def _of_the_engine(stage: Stage) -> Iterator[dict[str, Any]]:
    yield _drawn(
        "How late",
        "ms",
        [
            _ours("Lateness", stage, "Maximum", "sweeps, the latest of what was due"),
            _ours("LaunchLateness", stage, "p99", "launches, 99 of 100"),
            _ours("LaunchLateness", stage, "p50", "launches, half"),
        ],
    )
    yield _drawn(
        "Launches and ends",
        "a minute",
        [_ours(name, stage, "Sum", name) for name in ("Launches", "Ends", "Retries", "Refusals")],
    )
    yield _drawn("Sweeps, and how long they take", "a minute", [
        *[_ours("Sweeps", stage, "Sum", f"{hand} hand", Hand=hand) for hand in ("minute", "second")],
        _right(_ours("SweepDuration", stage, "Maximum", "the longest (ms)")),
    ], right="ms")  # fmt: skip
    yield _searched("Failures by reason", "Failures", stage)
    yield _searched("Skips by reason", "Skips", stage)
    yield _drawn("What must not be", "in 5 minutes", [
        _ours("Defects", stage, "Sum", "errors that nobody foresaw"),
        _ours("SetAside", stage, "Sum", "jobs set aside"),
        _ours("NotificationsFailed", stage, "Sum", "tries to notify that failed"),
    ], period=300)  # fmt: skip


def _of_queues(functions: Sequence[Function], stage: Stage) -> Iterator[dict[str, Any]]:
    names = [str(one.lane) for one in lanes(functions)]
    queues = {name: f"{stage.prefix}-{name}" for name in names}
    yield _drawn(
        "Time in the queue, 99 of 100",
        "ms",
        [_ours("QueueDelay", stage, "p99", name, Lane=name) for name in names],
    )
    yield _drawn(
        "Age of the oldest message",
        "s",
        [
            _theirs("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", name, QueueName=queue)
            for name, queue in queues.items()
        ],
    )
    yield _drawn("Dead letters", "messages", [
        _theirs(
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", name, QueueName=f"{queue}-dead"
        )
        for name, queue in queues.items()
    ])  # fmt: skip


def _of_functions(functions: Sequence[Function], stage: Stage) -> Iterator[dict[str, Any]]:
    names = {one.name: f"{stage.prefix}-{one.name}" for one in functions}
    yield _drawn("Errors of functions", "in 5 minutes", [
        _theirs("AWS/Lambda", "Errors", "Sum", name, FunctionName=one) for name, one in names.items()
    ], period=300)  # fmt: skip
    yield _drawn(
        "Duration of functions, 95 of 100",
        "ms",
        [
            _theirs("AWS/Lambda", "Duration", "p95", name, FunctionName=one)
            for name, one in names.items()
        ],
    )
    yield _drawn("Requests", "a minute", [
        *[
            _theirs("AWS/ApiGateway", metric, "Sum", label, ApiName=stage.prefix)
            for metric, label in (("Count", "all"), ("4XXError", "refused"), ("5XXError", "failed"))
        ],
        _right(_theirs("AWS/ApiGateway", "Latency", "p95", "95 of 100 (ms)", ApiName=stage.prefix)),
    ], right="ms")  # fmt: skip


def _of_the_database(stage: Stage) -> Iterator[dict[str, Any]]:
    def rds(metric: str, statistic: str, label: str) -> list[Any]:
        return _theirs("AWS/RDS", metric, statistic, label, DBInstanceIdentifier=stage.prefix)

    yield _drawn(
        "Database: connections", "open", [rds("DatabaseConnections", "Maximum", "connections")]
    )
    yield _drawn(
        "Database: CPU",
        "%",
        [
            rds("CPUUtilization", "Average", "average"),
            rds("CPUUtilization", "Maximum", "maximum"),
        ],
    )
    yield _drawn("Database: free", "bytes of storage", [
        rds("FreeStorageSpace", "Minimum", "storage"),
        _right(rds("FreeableMemory", "Minimum", "memory")),
    ], right="bytes of memory")  # fmt: skip


def _ours(name: str, stage: Stage, statistic: str, label: str, **by: str) -> list[Any]:
    metric = METRICS[name]
    if any(one != metric.by for one in by):
        raise ValueError(f"{name} is not kept by {', '.join(by)}")
    return _theirs(NAMESPACE, metric.name, statistic, label, **{STAGE: stage.name, **by})


def _theirs(namespace: str, name: str, statistic: str, label: str, **dimensions: str) -> list[Any]:
    flat = [part for pair in dimensions.items() for part in pair]
    return [namespace, name, *flat, {"stat": statistic, "label": label}]


def _right(metric: list[Any]) -> list[Any]:
    return [*metric[:-1], {**metric[-1], "yAxis": "right"}]


def _drawn(
    title: str,
    unit: str,
    metrics: Sequence[list[Any]],
    *,
    right: str | None = None,
    period: int = 60,
) -> dict[str, Any]:
    """``unit``: what the numbers of the left axis are; nothing is negative."""
    axes = {"left": {"min": 0, "label": unit, "showUnits": False}}
    if right is not None:
        axes["right"] = {"min": 0, "label": right, "showUnits": False}
    return {"title": title, "yAxis": axes, "period": period, "metrics": list(metrics)}


def _searched(title: str, name: str, stage: Stage) -> dict[str, Any]:
    """One line for each value of the metric's own dimension, whatever those turn out to be."""
    metric = METRICS[name]
    statistic, unit = ("p99", "ms") if metric.unit == MILLISECONDS else ("Sum", "a minute")
    schema = f"{{{NAMESPACE},{STAGE},{metric.by}}}"
    wanted = f'{schema} {STAGE}="{stage.name}" MetricName="{name}"'
    found = f"SEARCH('{wanted}', '{statistic}', 60)"
    label = f"${{!PROP('Dim.{metric.by}')}}"  # the exclamation mark: it is not CloudFormation's
    return _drawn(title, unit, [[{"expression": found, "id": "found", "label": label}]])
