"""What whoever deploys a stage may do: a policy of IAM, printed for the stage (``make deployer-policy``).

Everything is limited to what carries the names of the stage, where AWS can limit it. Networks and user pools
have no names that IAM knows: those actions are on anything, in the stage's region alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from infra.problems import Stuck
from infra.stage import Stage, read_stage, the_stage

MOST_CHARACTERS = 6_144
"""Of a managed policy, white space left out."""
ACCOUNT, REGION = "ACCOUNT", "REGION"

LOOKS = (
    "cloudwatch:DescribeAlarms",
    "ec2:Describe*",
    "lambda:GetAccountSettings",
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",
    "rds:Describe*",
    "rds:ListTagsForResource",
    "servicequotas:GetServiceQuota",
    "secretsmanager:GetRandomPassword",
    "sts:GetCallerIdentity",
)
NETWORK = (
    *("ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute"),
    *("ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"),
    *("ec2:CreateRouteTable", "ec2:DeleteRouteTable"),
    *("ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"),
    *("ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"),
    *("ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"),
    *("ec2:AttachInternetGateway", "ec2:DetachInternetGateway"),
    *("ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:DisassociateAddress"),
    *("ec2:CreateNatGateway", "ec2:DeleteNatGateway"),
)
AROUND = (
    *("ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup"),
    *("ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
    *("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"),
    *("ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"),
    *("ec2:CreateTags", "ec2:DeleteTags"),
)
ROLES = (
    *("iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:UpdateRole", "iam:TagRole"),
    *("iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    *("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListAttachedRolePolicies"),
)
MAPPINGS = (
    *("lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping"),
    *("lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping"),
    *("lambda:TagResource", "lambda:ListTags"),
)
KEYS = ("kms:DescribeKey", "kms:CreateGrant", "kms:GenerateDataKey", "kms:Decrypt")


def policy(stage: Stage) -> dict[str, Any]:
    """The document; ACCOUNT and REGION stand for what the stage's file does not say.

    Raises:
        Stuck: it is longer than AWS takes.
    """
    document = {"Version": "2012-10-17", "Statement": list(_statements(stage))}
    size = len("".join(json.dumps(document, separators=(",", ":")).split()))
    if size > MOST_CHARACTERS:
        raise Stuck(f"the policy has {size} characters, and IAM takes {MOST_CHARACTERS}")
    return document


def _statements(stage: Stage) -> Iterator[dict[str, Any]]:
    region = stage.region or REGION
    here = f"{region}:{ACCOUNT}"
    name = stage.prefix
    yield _allow("Look", LOOKS, ["*"])
    yield _allow(
        "Stack",
        ["cloudformation:*"],
        [
            f"arn:aws:cloudformation:{here}:stack/{name}/*",
            f"arn:aws:cloudformation:{region}:aws:transform/Serverless-2016-10-31",
        ],
    )
    bucket = f"arn:aws:s3:::noonday-{ACCOUNT}-{region}"
    yield _allow("Bucket", ["s3:*"], [bucket, f"{bucket}/*"])
    yield _allow("Roles", ROLES, [f"arn:aws:iam::{ACCOUNT}:role/{name}-*"])
    yield {
        **_allow("PassThem", ["iam:PassRole"], [f"arn:aws:iam::{ACCOUNT}:role/{name}-*"]),
        "Condition": {
            "StringEquals": {
                "iam:PassedToService": ["lambda.amazonaws.com", "rds.amazonaws.com"],
            }
        },
    }
    yield {
        **_allow(
            "OnceForTheAccount",
            ["iam:CreateServiceLinkedRole"],
            [f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/*"],
        ),
        "Condition": {
            "StringEquals": {
                "iam:AWSServiceName": ["rds.amazonaws.com", "ops.apigateway.amazonaws.com"]
            }
        },
    }
    yield _allow(
        "WhatHasItsName",
        ["lambda:*", "events:*", "sqs:*", "sns:*", "cloudwatch:*", "logs:*", "secretsmanager:*"],
        [
            f"arn:aws:lambda:{here}:function:{name}-*",
            f"arn:aws:events:{here}:rule/{name}-*",
            f"arn:aws:sqs:{here}:{name}-*",
            f"arn:aws:sns:{here}:{name}-*",
            f"arn:aws:cloudwatch:{here}:alarm:{name}-*",
            f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}",
            f"arn:aws:logs:{here}:log-group:/aws/lambda/{name}-*",
            f"arn:aws:secretsmanager:{here}:secret:{name}/*",
            # The master's password, which RDS makes with the permissions of whoever asks for it.
            f"arn:aws:secretsmanager:{here}:secret:rds!*",
        ],
    )
    yield _allow("Mappings", MAPPINGS, [f"arn:aws:lambda:{here}:event-source-mapping:*"])
    yield {
        **_allow("MapThem", MAPPINGS[:4], ["*"]),
        "Condition": {
            "ArnLike": {"lambda:FunctionArn": f"arn:aws:lambda:{here}:function:{name}-*"}
        },
    }
    yield _allow(
        "Api",
        ["apigateway:*"],
        [f"arn:aws:apigateway:{region}::/restapis*", f"arn:aws:apigateway:{region}::/tags/*"],
    )
    yield _allow(
        "Database",
        ["rds:*"],
        [
            f"arn:aws:rds:{here}:{kind}:{name}*"
            for kind in ("db", "pg", "subgrp", "snapshot", "target-group")
        ]
        + [f"arn:aws:rds:{here}:{kind}:*" for kind in ("db-proxy", "auto-backup")],
    )
    yield {
        **_allow("KeysOfAws", KEYS, ["*"]),
        "Condition": {
            "StringEquals": {
                "kms:ViaService": [
                    f"{one}.{region}.amazonaws.com" for one in ("rds", "secretsmanager")
                ]
            }
        },
    }
    yield {
        **_allow("Network", [*(() if stage.network else NETWORK), *AROUND], ["*"]),
        "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
    }
    if stage.auth == "cognito" and stage.cognito_pool is None:
        yield _allow("UserPool", ["cognito-idp:*"], [f"arn:aws:cognito-idp:{here}:userpool/*"])
        yield _allow("MakeUserPool", ["cognito-idp:CreateUserPool"], ["*"])


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": [*actions], "Resource": [*resources]}


def main(arguments: Sequence[str]) -> int:
    try:
        document = policy(read_stage(the_stage(arguments)))
    except Stuck as stuck:
        print(stuck, file=sys.stderr)
        return 1
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
