"""The ways out of private subnets: what has to be reached, and the endpoints that reach it without NAT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.intrinsics import Value, attribute, sub
from infra.problems import Stuck
from infra.stage import Stage

ALWAYS = ("secretsmanager", "sqs")
OF_KINDS: Mapping[str, Sequence[str]] = {
    "athena": ("athena",),
    "batch": ("batch",),
    "codebuild": ("codebuild",),
    "ecs": ("ecs",),
    "events": ("events",),
    "glue": ("glue",),
    "glue_data": ("glue",),
    "lambda": ("lambda",),
    "lambda_sync": ("lambda",),
    "redshift_data": ("redshift-data",),
    "s3": (),
    "s3_results": (),
    "sns": ("sns",),
    "sqs": (),
    "step_functions": ("states",),
}


def services(stage: Stage) -> Sequence[str]:
    """Those that the stage's entries need, besides what Noonday itself does."""
    kinds = {one.kind for one in stage.allowed}
    if kinds & {"*", "aws"}:
        raise Stuck(
            "egress: endpoints needs to know the services: targets_allow has an entry of the kind "
            f"{'aws' if 'aws' in kinds else '*'}, which may call any; name the kinds, or use egress: nat"
        )
    needed = {service for kind in kinds for service in OF_KINDS[kind]}
    roles = {"sts"} if any(one.role for one in stage.allowed) else set()
    return sorted({*ALWAYS, *needed, *roles})


def endpoints(stage: Stage, vpc: Value, subnets: Value, route_tables: Value) -> dict[str, Any]:
    """An interface in every subnet for each service; S3 by its gateway, which costs nothing."""
    group: dict[str, Any] = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "GroupDescription": "Endpoints of AWS for Noonday",
            "VpcId": vpc,
            "SecurityGroupIngress": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "SourceSecurityGroupId": attribute("FunctionsSecurityGroup", "GroupId"),
                }
            ],
        },
    }
    made = {"EndpointsSecurityGroup": group}
    for service in services(stage):
        made[f"{_camel(service)}Endpoint"] = {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "VpcEndpointType": "Interface",
                "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                "VpcId": vpc,
                "SubnetIds": subnets,
                "SecurityGroupIds": [attribute("EndpointsSecurityGroup", "GroupId")],
                "PrivateDnsEnabled": True,
            },
        }
    return {**made, **(s3_gateway(vpc, route_tables) if route_tables else {})}


def s3_gateway(vpc: Value, route_tables: Value) -> dict[str, Any]:
    return {
        "S3Endpoint": {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "VpcEndpointType": "Gateway",
                "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
                "VpcId": vpc,
                "RouteTableIds": route_tables,
            },
        }
    }


def _camel(service: str) -> str:
    return "".join(part.capitalize() for part in service.split("-"))
