"""All that is merged into Chalice's template: what is around the functions, and what each of them gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.events.rules import ENDS
from infra import connections as named
from infra import egress, yaml_templates
from infra.alarms import alarms
from infra.capacity import connections_allowed
from infra.dashboard import dashboard
from infra.functions import Function, Source, connections
from infra.intrinsics import Value, attribute, ref, sub
from infra.queues import queues
from infra.stage import Stage

ALLOW_FILE = "targets-allow.json"
"""In the zip: Lambda's variables hold 4 KB in all, and a list of entries may be longer."""
HOUR_S = 3600
ADDRESS = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"
"""Where the stack is reached, unless the stage's settings name another place."""
FIRST_OF_ENDS = "aws.states"
"""Its rule is declared in app.py, where a function has one; those of the other services are added here."""
TELLS_ITS_ADDRESS = frozenset({"launch", "work", "deliver"})
"""What launches tells targets where to report, and what notifies where more is to be seen. The function of
the API cannot be told: its address is made after it."""


def merged(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    """The file for ``chalice package --merge-template``; where both say something, it wins."""
    values = _values(functions, stage)
    resources = {
        **_network(stage, values),
        **yaml_templates.load("security", values),
        **named.ways_out(stage.connections),
        **yaml_templates.load("database", values),
        **(yaml_templates.load("password", values) if not stage.database.iam else {}),
        **(yaml_templates.load("proxy", values) if stage.database.proxy else {}),
        **(yaml_templates.load("cognito", values) if _own_pool(stage) else {}),
        **queues(functions, stage),
        **_logs(functions, stage),
        **alarms(functions, stage, int(values["max_connections"])),
        "Dashboard": dashboard(functions, stage),
        "RestAPI": {"Properties": _api(stage)},
        **{one.logical_id: _function(one, stage, values) for one in functions},
    }
    return {
        "Description": f"Noonday, stage {stage.name}",
        "Resources": resources,
        "Outputs": _outputs(functions, stage),
    }


def _values(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    database, network = stage.database, stage.network
    own_subnets = [ref("PrivateSubnetA"), ref("PrivateSubnetB")]
    return {
        "prefix": stage.prefix,
        "vpc": network.vpc if network else ref("Vpc"),
        "subnets": network.subnets if network else own_subnets,
        "route_tables": network.route_tables if network else [ref("PrivateRoutes")],
        "max_connections": str(connections_allowed(database.instance, connections(functions))),
        "database_instance": database.instance,
        "database_storage": str(database.storage_gb),
        "database_storage_most": max(database.storage_gb * 5, 100),
        "database_standby": database.standby,
        "database_backup_days": database.backup_days,
        "database_protection": database.deletion_protection,
    }


def _network(stage: Stage, values: dict[str, Any]) -> dict[str, Any]:
    vpc, subnets, tables = values["vpc"], values["subnets"], values["route_tables"]
    made = {} if stage.network else yaml_templates.load("network", values)
    if stage.egress == "nat":
        made |= {**yaml_templates.load("nat", values), **egress.s3_gateway(vpc, tables)}
    elif stage.egress == "endpoints":
        made |= egress.endpoints(stage, vpc, subnets, tables)
    return made


def _own_pool(stage: Stage) -> bool:
    return stage.auth == "cognito" and stage.cognito_pool is None


def pool_arn(stage: Stage) -> Value:
    return attribute("UserPool", "Arn") if _own_pool(stage) else stage.cognito_pool


def _logs(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    return {
        one.logs_id: {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/lambda/{stage.prefix}-{one.name}",
                "RetentionInDays": stage.log_days,
            },
        }
        for one in functions
    }


def _api(stage: Stage) -> dict[str, Any]:
    """Bursts are cut off before they reach the functions; a pool of the stack is known by its reference."""
    throttled = {
        "HttpMethod": "*",
        "ResourcePath": "/*",
        "ThrottlingBurstLimit": 50,
        "ThrottlingRateLimit": 50,
    }
    properties: dict[str, Any] = {
        "Name": stage.prefix,
        "MethodSettings": [throttled],
        "TracingEnabled": False,
    }
    if _own_pool(stage):
        authorizer = {"x-amazon-apigateway-authorizer": {"providerARNs": [pool_arn(stage)]}}
        properties["DefinitionBody"] = {"securityDefinitions": {"noonday": authorizer}}
    return properties


def _function(function: Function, stage: Stage, values: dict[str, Any]) -> dict[str, Any]:
    size = function.size
    properties: dict[str, Any] = {
        "FunctionName": f"{stage.prefix}-{function.name}",
        "MemorySize": size.memory_mb,
        "Timeout": size.timeout_s,
        "LoggingConfig": {"LogGroup": ref(function.logs_id)},
        "Environment": {"Variables": environment(function, stage)},
        "VpcConfig": {
            "SecurityGroupIds": [attribute("FunctionsSecurityGroup", "GroupId")],
            "SubnetIds": values["subnets"],
        },
        **_event(function, stage),
    }
    if function.limits_by_reserve and stage.reserve_concurrency:
        properties["ReservedConcurrentExecutions"] = size.concurrency
    return {"Properties": properties}


def environment(function: Function, stage: Stage) -> dict[str, Value]:
    """Settings that the stack itself gives."""
    host = "Database.Endpoint.Address"
    if stage.database.proxy and function.name != "migrate":
        host = "DatabaseProxy.Endpoint"
    url = "https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/"
    given: dict[str, Value] = {
        "NOONDAY_DATABASE": sub(f"mysql://noonday@${{{host}}}:3306/noonday"),
        "NOONDAY_DATABASE_POOL": str(function.size.connections),
        # Else it looks for plugins in all that is installed, at each start.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "NOONDAY_QUEUES": sub(f"{url}{stage.prefix}-"),
        **_database_credential(stage),
        **(named.settings(stage.connections) if function.name in named.READERS else {}),
    }
    if stage.targets_allow:
        given["NOONDAY_TARGETS_ALLOW"] = ALLOW_FILE
    if function.name in TELLS_ITS_ADDRESS and "NOONDAY_URL" not in stage.settings:
        given["NOONDAY_URL"] = sub(ADDRESS)
    if stage.auth == "cognito":
        given["NOONDAY_COGNITO_POOL"] = pool_arn(stage)
    if function.name == "migrate":
        given["NOONDAY_MASTER_SECRET"] = attribute("Database", "MasterUserSecret.SecretArn")
    if function.name == "deliver" and stage.webhook_secret:
        secret = f"{{{{resolve:secretsmanager:{stage.webhook_secret}:SecretString}}}}"
        given["NOONDAY_WEBHOOK_SECRETS"] = secret
    return given


def _database_credential(stage: Stage) -> dict[str, Value]:
    if stage.database.iam:
        return {"NOONDAY_DATABASE_IAM": "on"}
    return {"NOONDAY_DATABASE_SECRET": ref("DatabaseSecret")}


def _event(function: Function, stage: Stage) -> dict[str, Any]:
    """How it is called: a minute that was missed is over, and a message that failed comes again alone."""
    if function.source is Source.SCHEDULE:
        # An hour for what is done nightly; the minute hand comes again by itself.
        age_s, tries = (60, 0) if function.name == "minute" else (HOUR_S, 2)
        again = {"MaximumRetryAttempts": tries, "MaximumEventAgeInSeconds": age_s}
        event = {"Name": f"{stage.prefix}-{function.name}", "RetryPolicy": again}
        return {"Events": {function.event_id: {"Properties": event}}, "EventInvokeConfig": again}
    if function.source is Source.EVENTS:
        again = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": HOUR_S}
        events = {function.event_id: _rule(again)}
        if function.name == "completion":
            events |= {
                f"{function.event_id}{_named(source)}": _rule(again, Pattern=pattern)
                for source, pattern in ENDS.items()
                if source != FIRST_OF_ENDS
            }
        return {"Events": events, "EventInvokeConfig": again}
    if function.source is Source.QUEUE:
        lane = str(function.lane).capitalize()
        event = {
            "Queue": {"Fn::Sub": f"${{{lane}Queue.Arn}}"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": function.size.concurrency},
        }
        return {"Events": {function.event_id: {"Properties": event}}}
    return {}


def _rule(again: dict[str, int], **properties: Any) -> dict[str, Any]:
    return {"Type": "EventBridgeRule", "Properties": {"RetryPolicy": again, **properties}}


def _named(source: str) -> str:
    """``RedshiftData`` of aws.redshift-data."""
    return source.removeprefix("aws.").title().replace("-", "")


def _outputs(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    told: dict[str, Value] = {
        "Stage": stage.name,
        "DatabaseAddress": attribute("Database", "Endpoint.Address"),
        "AlarmTopic": ref("AlarmTopic"),
        "FunctionsSecurityGroup": attribute("FunctionsSecurityGroup", "GroupId"),
        **{f"{one.logical_id}Function": ref(one.logical_id) for one in functions},
    }
    if _own_pool(stage):
        told |= {"UserPoolId": ref("UserPool"), "UserPoolClientId": ref("UserPoolClient")}
    return {name: {"Value": value} for name, value in told.items()}


def allow_file(stage: Stage) -> bytes:
    return json.dumps(stage.targets_allow, indent=1).encode() + b"\n"
