"""What moto's CloudFormation does not make, or makes less of than the template says, in one place.

Whole by moto itself: the network, queues, topics, log groups, rules, permissions, mappings. The rest is here:
made in moto's own services where they have it, and else kept as they were resolved (``KEPT``), to be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.awslambda.utils import get_backend as lambda_backend
from moto.cloudformation import models, parsing
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.iam.models import Role
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.cloud.amazon import ACCOUNT, REGION

PASSWORD = "ThirtyTwoLettersWithoutAnyMarks1"
"""What Secrets Manager makes up for the database's user; elsewhere nobody would know it."""
KEPT: dict[str, dict[str, Any]] = {}
"""By logical id: the properties of what moto has no place for."""

Properties = Mapping[str, Any]


@dataclass
class Made:
    """A resource as others refer to it: by its id, and by its attributes."""

    physical_resource_id: str
    attributes: Mapping[str, str]
    cf_resource_type: str = ""
    logical_resource_id: str = ""

    def get_cfn_attribute(self, name: str) -> str:
        return self.attributes[name]

    def is_created(self) -> bool:
        return True


Make = Callable[[str, Properties], Any]


def _makes(
    kind: str, named_by: str = "", attributes: tuple[str, ...] = ()
) -> Callable[[Make], Make]:
    """Registers how a kind is made of its name and its properties; moto finds classes, not functions."""

    def register(make: Make) -> Make:
        def create(*given: Any, **more: Any) -> Any:
            _, name, resource, _, _ = given
            properties = {"LogicalId": more["LogicalId"], **resource.get("Properties", {})}
            return make(name, properties)

        def update(
            cls: Any, original: Any, name: str, resource: Any, account: str, region: str
        ) -> Any:
            more = {"LogicalId": original.logical_resource_id}
            return create(cls, name, resource, account, region, **more)

        def has(cls: Any, attribute: str) -> bool:
            del cls
            return attribute in attributes

        def delete(cls: Any, name: str, resource: Any, account: str, region: str) -> None:
            """An account of the tests is thrown away as a whole."""

        body: dict[str, Any] = {
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: named_by),
            "create_from_cloudformation_json": classmethod(create),
            "update_from_cloudformation_json": classmethod(update),
            "delete_from_cloudformation_json": classmethod(delete),
            "has_cfn_attr": classmethod(has),
        }
        _MODELS.append(type(kind.replace("::", ""), (CloudFormationModel,), body))
        return make

    return register


_MODELS: list[type] = []


class _Json:
    """In the place of PyYAML."""

    Loader = None

    @staticmethod
    def add_multi_constructor(*ignored: object) -> None:
        """There are no tags in JSON."""

    @staticmethod
    def load(text: str, **ignored: object) -> Any:
        del ignored
        return json.loads(text) if isinstance(text, str | bytes) else text


def provide() -> None:
    """moto looks for kinds once, and takes the last of each name."""
    for looked_up in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        looked_up.cache_clear()
    # Templates are JSON; read as YAML, as moto does again and again, they take seconds.
    setattr(models, "yaml", _Json)  # noqa: B010 - not typed


@_makes("AWS::IAM::Role", "RoleName", ("Arn",))
def _role(name: str, properties: Properties) -> Any:
    """moto keeps documents as Python shows them."""
    policies = [
        {**one, "PolicyDocument": json.dumps(one["PolicyDocument"])}
        for one in properties["Policies"]
    ]
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    documents = {"AssumeRolePolicyDocument": trust, "Policies": policies}
    given = {"Properties": {**properties, **documents}}
    return Role.create_from_cloudformation_json(name, given, ACCOUNT, REGION)


@_makes("AWS::Lambda::Function", "FunctionName", ("Arn",))
def _function(name: str, properties: Properties) -> Any:
    """moto reads only some of what a template says of a function."""
    tags = {one["Key"]: one["Value"] for one in properties.get("Tags", ())}
    made = lambda_backend(ACCOUNT, REGION).create_function(
        {**properties, "FunctionName": name, "Tags": tags}
    )
    made.logs_group_name = properties["LoggingConfig"]["LogGroup"]
    return made


@_makes("AWS::Lambda::EventInvokeConfig")
def _event_invoke_config(name: str, properties: Properties) -> Any:
    del name
    function = properties["FunctionName"]
    given = {key: value for key, value in properties.items() if key.startswith("Maximum")}
    lambda_backend(ACCOUNT, REGION).put_function_event_invoke_config(function, given)
    return Made(f"{function}|$LATEST", {})


@_makes("AWS::ApiGateway::RestApi", "Name", ("RootResourceId",))
def _rest_api(name: str, properties: Properties) -> Any:
    """moto leaves the body out; and it reads OpenAPI 3 only, where Chalice writes Swagger 2."""
    backend = apigateway_backends[ACCOUNT][REGION]
    made = backend.create_rest_api(
        name=name, description="", endpoint_configuration=properties["EndpointConfiguration"]
    )
    body = {**properties["Body"], "openapi": "3.0.1"}
    del body["swagger"]
    backend.put_rest_api(made.id, body, fail_on_warnings=False)
    _authorize(made, body)
    return made


def _authorize(api: Any, body: Any) -> None:
    """moto reads no security; API Gateway asks for a signature where the body names ``sigv4``."""
    kinds = {
        name: "AWS_IAM" if one.get("x-amazon-apigateway-authtype") == "awsSigv4" else "CUSTOM"
        for name, one in body["securityDefinitions"].items()
    }
    for resource in api.resources.values():
        for method, made in resource.resource_methods.items():
            wanted = body["paths"][resource.get_path()][method.lower()].get("security", [])
            made.authorization_type = next((kinds[name] for one in wanted for name in one), "NONE")


@_makes("AWS::ApiGateway::Stage", "StageName")
def _stage(name: str, properties: Properties) -> Any:
    backend = apigateway_backends[ACCOUNT][REGION]
    backend.create_stage(
        properties["RestApiId"], name, properties["DeploymentId"], variables={}, description="",
        cacheClusterEnabled=False, cacheClusterSize=None, tags={}, tracing_enabled=False,
    )  # fmt: skip
    return _kept(name, properties)


@_makes("AWS::SecretsManager::Secret", "Name", ("Id",))
def _secret(name: str, properties: Properties) -> Any:
    """Secrets Manager makes the password up."""
    made_up = properties["GenerateSecretString"]
    content = {
        **json.loads(made_up["SecretStringTemplate"]),
        made_up["GenerateStringKey"]: PASSWORD[: made_up["PasswordLength"]],
    }
    told = secretsmanager_backends[ACCOUNT][REGION].create_secret(
        name=name, secret_string=json.dumps(content), secret_binary=None, tags=None, kms_key_id=None,
        description=properties.get("Description"), client_request_token=None, replica_regions=[],
        force_overwrite=False,
    )  # fmt: skip
    arn = json.loads(told)["ARN"]
    return Made(arn, {"Id": arn})


@_makes("AWS::RDS::DBInstance", "DBInstanceIdentifier", ("Endpoint.Address", "Endpoint.Port"))
def _database(name: str, properties: Properties) -> Any:
    """moto's own trips over the names of its groups, and does not know the master's secret."""
    made = rds_backends[ACCOUNT][REGION].create_db_instance(
        {
            "db_instance_identifier": name,
            "allocated_storage": int(properties["AllocatedStorage"]),
            "backup_retention_period": properties["BackupRetentionPeriod"],
            "db_instance_class": properties["DBInstanceClass"],
            "db_name": properties["DBName"],
            "db_parameter_group_name": properties["DBParameterGroupName"].name,
            "db_subnet_group_name": properties["DBSubnetGroupName"].name,
            "deletion_protection": properties["DeletionProtection"],
            "engine": properties["Engine"],
            "engine_version": properties["EngineVersion"],
            "manage_master_user_password": properties["ManageMasterUserPassword"],
            "master_username": properties["MasterUsername"],
            "multi_az": properties["MultiAZ"],
            "publicly_accessible": properties["PubliclyAccessible"],
            "storage_encrypted": properties["StorageEncrypted"],
            "storage_type": properties["StorageType"],
            "vpc_security_group_ids": properties["VPCSecurityGroups"],
        }
    )
    return Made(
        name,
        {
            "Endpoint.Address": made.address,
            "Endpoint": made.address,  # as moto reads it in Fn::Sub
            "Endpoint.Port": "3306",
            "MasterUserSecret.SecretArn": made.master_user_secret.secret_arn,
        },
    )


@_makes("AWS::CloudWatch::Alarm", "AlarmName", ("Arn",))
def _alarm(name: str, properties: Properties) -> Any:
    made = cloudwatch_backends[ACCOUNT][REGION].put_metric_alarm(
        name=name,
        namespace=properties.get("Namespace", ""),
        metric_name=properties.get("MetricName", ""),
        metric_data_queries=None,
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=properties["EvaluationPeriods"],
        datapoints_to_alarm=properties.get("DatapointsToAlarm"),
        period=properties.get("Period", 60),
        threshold=properties["Threshold"],
        statistic=properties.get("Statistic", ""),
        extended_statistic=properties.get("ExtendedStatistic", ""),
        description=properties.get("AlarmDescription", ""),
        dimensions=[],
        alarm_actions=properties.get("AlarmActions", []),
        ok_actions=properties.get("OKActions"),
    )
    _kept(name, properties)
    return Made(name, {"Arn": made.alarm_arn})


def _kept(name: str, properties: Properties) -> Any:
    KEPT[properties["LogicalId"]] = dict(properties)
    return Made(name, {})


for _kind in ("AWS::EC2::SecurityGroupEgress", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"):
    _makes(_kind)(_kept)
