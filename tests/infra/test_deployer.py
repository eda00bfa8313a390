"""The policy of whoever deploys: whole, for all that a stage may consist of, and no wider than it says."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from infra import deployer
from infra.deployer import MOST_CHARACTERS, policy
from infra.package import ROOT, Package
from infra.stage import Stage
from tests.infra.building import assembled
from tests.infra.test_template import STAGES

TYPES: Mapping[str, str] = {
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms"
    " cloudwatch:ListTagsForResource cloudwatch:TagResource",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard cloudwatch:GetDashboard"
    " cloudwatch:DeleteDashboards",
    "AWS::Cognito::UserPool": "cognito-idp:CreateUserPool cognito-idp:DescribeUserPool"
    " cognito-idp:SetUserPoolMfaConfig cognito-idp:GetUserPoolMfaConfig cognito-idp:UpdateUserPool",
    "AWS::Cognito::UserPoolClient": "cognito-idp:CreateUserPoolClient cognito-idp:DescribeUserPoolClient"
    " cognito-idp:UpdateUserPoolClient cognito-idp:DeleteUserPoolClient",
    "AWS::EC2::EIP": "ec2:AllocateAddress ec2:ReleaseAddress ec2:DescribeAddresses ec2:CreateTags",
    "AWS::EC2::InternetGateway": "ec2:CreateInternetGateway ec2:DeleteInternetGateway"
    " ec2:DescribeInternetGateways",
    "AWS::EC2::NatGateway": "ec2:CreateNatGateway ec2:DeleteNatGateway ec2:DescribeNatGateways",
    "AWS::EC2::Route": "ec2:CreateRoute ec2:DeleteRoute ec2:DescribeRouteTables ec2:ReplaceRoute",
    "AWS::EC2::RouteTable": "ec2:CreateRouteTable ec2:DeleteRouteTable",
    "AWS::EC2::SecurityGroup": "ec2:CreateSecurityGroup ec2:DeleteSecurityGroup"
    " ec2:DescribeSecurityGroups ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupEgress",
    "AWS::EC2::SecurityGroupEgress": "ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress": "ec2:AuthorizeSecurityGroupIngress"
    " ec2:RevokeSecurityGroupIngress",
    "AWS::EC2::Subnet": "ec2:CreateSubnet ec2:DeleteSubnet ec2:DescribeSubnets",
    "AWS::EC2::SubnetRouteTableAssociation": "ec2:AssociateRouteTable ec2:DisassociateRouteTable",
    "AWS::EC2::VPC": "ec2:CreateVpc ec2:DeleteVpc ec2:DescribeVpcs ec2:ModifyVpcAttribute",
    "AWS::EC2::VPCEndpoint": "ec2:CreateVpcEndpoint ec2:DeleteVpcEndpoints ec2:DescribeVpcEndpoints"
    " ec2:ModifyVpcEndpoint",
    "AWS::EC2::VPCGatewayAttachment": "ec2:AttachInternetGateway ec2:DetachInternetGateway",
    "AWS::IAM::Role": "iam:CreateRole iam:DeleteRole iam:GetRole iam:PutRolePolicy iam:DeleteRolePolicy"
    " iam:GetRolePolicy iam:PassRole iam:TagRole iam:UpdateAssumeRolePolicy iam:ListRolePolicies",
    "AWS::Lambda::Permission": "lambda:AddPermission lambda:RemovePermission lambda:GetPolicy",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy"
    " logs:DescribeLogGroups logs:TagResource logs:ListTagsForResource",
    "AWS::RDS::DBInstance": "rds:CreateDBInstance rds:ModifyDBInstance rds:DeleteDBInstance"
    " rds:DescribeDBInstances rds:AddTagsToResource rds:CreateDBSnapshot iam:CreateServiceLinkedRole"
    " secretsmanager:CreateSecret secretsmanager:TagResource kms:CreateGrant kms:DescribeKey",
    "AWS::RDS::DBParameterGroup": "rds:CreateDBParameterGroup rds:ModifyDBParameterGroup"
    " rds:DeleteDBParameterGroup rds:DescribeDBParameters",
    "AWS::RDS::DBProxy": "rds:CreateDBProxy rds:DeleteDBProxy rds:DescribeDBProxies iam:PassRole",
    "AWS::RDS::DBProxyTargetGroup": "rds:RegisterDBProxyTargets rds:ModifyDBProxyTargetGroup"
    " rds:DeregisterDBProxyTargets rds:DescribeDBProxyTargetGroups",
    "AWS::RDS::DBSubnetGroup": "rds:CreateDBSubnetGroup rds:DeleteDBSubnetGroup",
    "AWS::SNS::Topic": "sns:CreateTopic sns:DeleteTopic sns:GetTopicAttributes sns:Subscribe"
    " sns:TagResource sns:ListSubscriptionsByTopic",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
    "AWS::SQS::Queue": "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes"
    " sqs:SetQueueAttributes sqs:TagQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::SecretsManager::Secret": "secretsmanager:CreateSecret secretsmanager:DeleteSecret"
    " secretsmanager:DescribeSecret secretsmanager:GetRandomPassword secretsmanager:TagResource",
    "AWS::Serverless::Api": "apigateway:POST apigateway:PUT apigateway:PATCH apigateway:GET"
    " apigateway:DELETE",
    "AWS::Serverless::Function": "lambda:CreateFunction lambda:GetFunction lambda:DeleteFunction"
    " lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency"
    " lambda:DeleteFunctionConcurrency lambda:PutFunctionEventInvokeConfig"
    " lambda:DeleteFunctionEventInvokeConfig lambda:CreateEventSourceMapping"
    " lambda:GetEventSourceMapping lambda:UpdateEventSourceMapping lambda:DeleteEventSourceMapping"
    " lambda:AddPermission lambda:RemovePermission lambda:TagResource events:PutRule"
    " events:DescribeRule events:PutTargets events:RemoveTargets events:DeleteRule iam:PassRole"
    " s3:GetObject",
}
"""The actions that CloudFormation calls for a resource, with the permissions of whoever deploys."""
OF_CALLS = {
    "head_bucket": "s3:ListBucket",
    "put_bucket_versioning": "s3:PutBucketVersioning",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "invoke": "lambda:InvokeFunction",
    "describe_db_instances": "rds:DescribeDBInstances",
    "describe_orderable_db_instance_options": "rds:DescribeOrderableDBInstanceOptions",
    "get_service_quota": "servicequotas:GetServiceQuota",
}
"""Where IAM names an action otherwise than by its operation."""


def allowed(stage: Stage) -> list[str]:
    return [action for one in policy(stage)["Statement"] for action in one["Action"]]


def lacking(wanted: Iterator[str], stage: Stage) -> set[str]:
    patterns = allowed(stage)
    return {action for action in wanted if not any(fnmatchcase(action, one) for one in patterns)}


@pytest.fixture(scope="module")
def known() -> Mapping[str, Any]:
    """All actions of IAM, as cfn-lint lists them."""
    text = (files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json").read_text("utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def exists(action: str, known: Mapping[str, Any]) -> bool:
    service, _, name = action.lower().partition(":")
    return any(fnmatchcase(one, name) for one in known.get(service, {}).get("Actions", {}))


@pytest.mark.parametrize("kind", ["dev", *STAGES])
def test_everything_of_a_stage_can_be_made(kind: str, package: Package, tmp_path: Path) -> None:
    stage = STAGES.get(kind, package.stage)
    document = package.document() if kind == "dev" else assembled(tmp_path / "made", stage)
    types = {one["Type"] for one in document["Resources"].values()}
    assert types <= set(TYPES), "a new type: which actions does CloudFormation call for it?"
    assert lacking((action for one in types for action in TYPES[one].split()), stage) == set()


def test_everything_that_is_called_here_may_be_called() -> None:
    called = set(_called())
    assert {"lambda:InvokeFunction", "cloudformation:ExecuteChangeSet", "s3:PutObject"} <= called
    assert lacking(iter(called), Stage(name="dev")) == set()


def _called() -> Iterator[str]:
    """By the deployment itself: ``call``, and what passes its operation on to it."""
    for path in sorted((ROOT / "infra").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _calls(ast.unparse(node.func), node)


def _calls(function: str, node: ast.Call) -> Iterator[str]:
    texts = [
        one.value
        for one in node.args
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    if function.endswith(("account.call", "_asked")) and len(texts) >= 2:
        yield _action(texts[0], texts[1])
    elif function == "self._call":
        yield _action("cloudformation", texts[0])
    elif function == "_update":
        yield _action("lambda", texts[0])


def _action(service: str, operation: str) -> str:
    camel = "".join(part.capitalize() for part in operation.split("_"))
    return OF_CALLS.get(operation, f"{service}:{camel}")


def test_no_action_is_invented(known: Mapping[str, Any]) -> None:
    for stage in (Stage(name="dev"), STAGES["endpoints"]):
        assert [one for one in allowed(stage) if not exists(one, known)] == []
    named = {action for one in TYPES.values() for action in one.split()}
    assert sorted(one for one in named if not exists(one, known)) == []


def test_other_stages_and_other_things_are_out_of_reach() -> None:
    document = policy(Stage(name="dev", region="eu-central-1"))
    for one in document["Statement"]:
        if one["Resource"] == ["*"] and one["Sid"] != "Look":
            assert one["Condition"], one["Sid"]
        for resource in one["Resource"]:
            assert "REGION" not in resource
    text = json.dumps(document)
    assert "iam:AttachRolePolicy" not in text  # else it could make itself an administrator
    assert "noonday-dev-*" in text
    roles = [one for one in document["Statement"] if "iam:CreateRole" in one["Action"]]
    assert [one["Resource"] for one in roles] == [["arn:aws:iam::ACCOUNT:role/noonday-dev-*"]]


@pytest.mark.parametrize("kind", STAGES)
def test_it_fits_into_a_managed_policy(kind: str) -> None:
    size = len("".join(json.dumps(policy(STAGES[kind])).split()))
    assert size <= MOST_CHARACTERS


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert deployer.main(["dev"]) == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2012-10-17"
    assert deployer.main([]) == 1
    assert "STAGE=dev" in capsys.readouterr().err
