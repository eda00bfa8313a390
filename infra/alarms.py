"""The alarms: what each watches, what it means, and what to do. The documentation reads this table too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib.notifications.metrics import METRICS, NAMESPACE, STAGE
from infra.functions import Function, lanes
from infra.intrinsics import ref
from infra.stage import Stage

LONGEST = 1024  # characters of a description
WHERE = ". More: docs/operating-on-aws.md#alarms, docs/observability.md"
MINUTE_S = 60
GB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """It rings when ``statistic`` of the metric is beyond ``limit`` for so many of the last periods.

    ``silence``: what it means when there is no data at all.
    """

    name: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: Literal["Sum", "Maximum", "Minimum", "Average"]
    limit: float
    below: bool = False
    period_s: int = MINUTE_S
    periods: int = 1
    of: int = 1
    silence: Literal["breaching", "notBreaching"] = "notBreaching"
    meaning: str = ""
    remedy: str = ""


def alarms(functions: Sequence[Function], stage: Stage, max_connections: int) -> dict[str, Any]:
    made: dict[str, Any] = {"AlarmTopic": _topic(stage), "AlarmTopicPolicy": _topic_policy()}
    for one in wanted(functions, stage, max_connections):
        made[f"{one.name}Alarm"] = _resource(one, stage)
    return made


def wanted(functions: Sequence[Function], stage: Stage, max_connections: int) -> Iterator[Alarm]:
    yield from _of_the_engine(stage)
    yield from _of_functions(functions, stage)
    yield from _of_queues(functions, stage)
    yield from _of_the_database(stage, max_connections)


def _of_the_engine(stage: Stage) -> Iterator[Alarm]:
    def ours(name: str, **by: str) -> dict[str, Any]:
        return {
            "namespace": NAMESPACE,
            "metric": METRICS[name].name,
            "dimensions": {STAGE: stage.name, **by},
        }

    yield Alarm(
        name="ClockStopped",
        **ours("Sweeps", Hand="minute"),  # requests wake the second hand without the clock
        statistic="Sum",
        limit=1,
        below=True,
        periods=3,
        of=3,
        silence="breaching",
        meaning="the alarm clock has stopped: no sweep for 3 minutes, so nothing is launched",
        remedy="look at the log of `minute`: does it run (its rule is enabled), does it reach the database, "
        "does it run into its time-out? Nothing is lost; what is due is caught up as its policy says",
    )
    yield Alarm(
        name="Late",
        **ours("Lateness"),
        statistic="Maximum",
        limit=120_000,
        periods=5,
        of=5,
        meaning="what is due waits for more than two minutes, for five minutes",
        remedy="look at the duration of sweeps and the CPU of the database: too small a class, or a "
        "backfill that is larger than it can take (`noonday backfill list`)",
    )
    yield Alarm(
        name="Defects",
        **ours("Defects"),
        statistic="Sum",
        limit=0,
        period_s=300,
        meaning="an error that nobody foresaw",
        remedy='search the logs for `"fact": "Unexpected"`: it has the trace; report it',
    )
    yield Alarm(
        name="SetAside",
        **ours("SetAside"),
        statistic="Sum",
        limit=0,
        period_s=300,
        meaning="a job raised an error in the sweep and is left for later; the others go on",
        remedy='search the logs for `"fact": "JobSetAside"`: it names the job; suspend it, report it',
    )
    yield Alarm(
        name="NotDelivered",
        **ours("NotificationsFailed"),
        statistic="Sum",
        limit=10,
        period_s=3600,
        meaning="notifications cannot be delivered",
        remedy="`noonday notification list` says which, to whom, and why",
    )


def _of_functions(functions: Sequence[Function], stage: Stage) -> Iterator[Alarm]:
    for one in functions:
        dimensions = {"FunctionName": f"{stage.prefix}-{one.name}"}
        camel = one.logs_id.removesuffix("Logs")
        yield Alarm(
            name=f"{camel}Errors",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions=dimensions,
            statistic="Sum",
            limit=0,
            period_s=300,
            periods=2,
            of=3,
            meaning=f"`{one.name}` raises errors or runs into its time-out, again and again",
            remedy=f"look at its log, /aws/lambda/{stage.prefix}-{one.name}",
        )
    yield Alarm(
        name="RequestsFail",
        namespace="AWS/ApiGateway",
        metric="5XXError",
        dimensions={"ApiName": stage.prefix},
        statistic="Sum",
        limit=5,
        period_s=300,
        meaning="requests fail that should not",
        remedy="503: the database cannot be reached, or connections run out; 500 is a defect, see above. "
        "Each is a line of the log with `fact` Request and its status",
    )
    yield Alarm(
        name="Throttles",
        namespace="AWS/Lambda",
        metric="Throttles",
        dimensions={"FunctionName": f"{stage.prefix}-api"},
        statistic="Sum",
        limit=10,
        period_s=300,
        meaning="more requests at once than `api` has processes",
        remedy="who asks so often? Else raise its concurrency in infra/functions.py, and see whether the "
        "database can take the connections: a test adds them up",
    )


def _of_queues(functions: Sequence[Function], stage: Stage) -> Iterator[Alarm]:
    for one in lanes(functions):
        lane = str(one.lane)
        queue = f"{stage.prefix}-{lane}"
        yield Alarm(
            name=f"{lane.capitalize()}DeadLetters",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": f"{queue}-dead"},
            statistic="Maximum",
            limit=0,
            period_s=300,
            meaning=f"messages that `{one.name}` could not work off, five times",
            remedy=f"look at its log, and at the message; purge {queue}-dead when it is understood: the "
            "store hands out again what they were about",
        )
        yield Alarm(
            name=f"{lane.capitalize()}Waiting",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queue},
            statistic="Maximum",
            limit=3600 if lane == "work" else 600,
            periods=5,
            of=5,
            meaning=f"more is handed to `{one.name}` than it gets done",
            remedy="raise its concurrency in infra/functions.py (a test adds up the connections), or spread "
            "the jobs: groups limit how many run at once",
        )


def _of_the_database(stage: Stage, max_connections: int) -> Iterator[Alarm]:
    def rds(metric: str) -> dict[str, Any]:
        return {
            "namespace": "AWS/RDS",
            "metric": metric,
            "dimensions": {"DBInstanceIdentifier": stage.prefix},
            "period_s": 300,
        }

    yield Alarm(
        name="DatabaseBusy",
        **rds("CPUUtilization"),
        statistic="Average",
        limit=80,
        periods=3,
        of=3,
        meaning="the database is at work all the time; a burstable class will run out of credits",
        remedy="a larger `database.instance`; the slow query log says what it does",
    )
    yield Alarm(
        name="DatabaseFull",
        **rds("FreeStorageSpace"),
        statistic="Minimum",
        limit=3 * GB,
        below=True,
        meaning="less than 3 GB are left, although storage grows by itself to five times its size",
        remedy="shorten retention (`NOONDAY_RETENTION_DAYS`, policies.retention of large jobs), or raise "
        "`database.storage_gb`",
    )
    yield Alarm(
        name="DatabaseMemory",
        **rds("FreeableMemory"),
        statistic="Minimum",
        limit=GB // 10,
        below=True,
        periods=3,
        of=3,
        meaning="the database has less than 100 MB of memory left",
        remedy="a larger `database.instance`",
    )
    yield Alarm(
        name="Connections",
        **rds("DatabaseConnections"),
        statistic="Maximum",
        limit=int(max_connections * 0.85),
        meaning="more than 85 % of the connections are open; the functions alone cannot open so many",
        remedy="who else is connected? `SHOW PROCESSLIST`",
    )


def _resource(alarm: Alarm, stage: Stage) -> dict[str, Any]:
    comparison = "LessThanThreshold" if alarm.below else "GreaterThanThreshold"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"{stage.prefix}-{alarm.name}",
            "AlarmDescription": _description(alarm),
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [
                {"Name": name, "Value": value} for name, value in alarm.dimensions.items()
            ],
            "Statistic": alarm.statistic,
            "Period": alarm.period_s,
            "EvaluationPeriods": alarm.of,
            "DatapointsToAlarm": alarm.periods,
            "Threshold": alarm.limit,
            "ComparisonOperator": comparison,
            "TreatMissingData": alarm.silence,
            "AlarmActions": [ref("AlarmTopic")],
            "OKActions": [ref("AlarmTopic")],
        },
    }


def _description(alarm: Alarm) -> str:
    """What stands in the mail of the alarm: it may be all that somebody has at night."""
    said = f"{alarm.meaning}. What to do: {alarm.remedy}"
    return f"{said[: LONGEST - len(WHERE)]}{WHERE}"


def _topic(stage: Stage) -> dict[str, Any]:
    mail = [{"Protocol": "email", "Endpoint": stage.alarms_to}] if stage.alarms_to else []
    properties: dict[str, Any] = {"TopicName": f"{stage.prefix}-alarms"}
    if mail:
        properties["Subscription"] = mail
    return {"Type": "AWS::SNS::Topic", "Properties": properties}


def _topic_policy() -> dict[str, Any]:
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {
            "Topics": [ref("AlarmTopic")],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudwatch.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": ref("AlarmTopic"),
                        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
                    }
                ],
            },
        },
    }
