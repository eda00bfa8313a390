"""What is in another region, or another account, is reached where it is: its ARN or URL says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.aws import Aws, region_of
from chalicelib.aws.credentials import secret_password
from chalicelib.channels import AWS_CHANNELS, ChannelRegistry
from chalicelib.engine.outcomes import HandedOver, Launched, Outcome, Succeeded
from chalicelib.targets import Allowance, Permission
from tests.cloud.amazon import ACCOUNT, REGION, Amazon
from tests.cloud.test_channels import to
from tests.cloud.test_started_kinds import registry_for
from tests.store.builders import a_notification
from tests.targets.hands import a_request

FAR = "us-west-2"
OTHER = "999999999999"


@pytest.fixture
def far(amazon: Amazon) -> Any:
    """Clients of the same account, in another region."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=amazon.url,
            region_name=FAR,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    return client


def launched(tmp_path: Path, kind: str, spec: dict[str, Any]) -> Outcome:
    registry = registry_for(tmp_path, Permission("team", "*", "*"))
    [outcome] = registry.launch([a_request(kind, spec)])
    return outcome


def queue_for(far: Any, name: str) -> str:
    return str(far("sqs").create_queue(QueueName=name)["QueueUrl"])


def messages(far: Any, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = far("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return found


def test_a_queue_elsewhere(far: Any, tmp_path: Path) -> None:
    url = queue_for(far, "orders")
    place = f"https://sqs.{FAR}.amazonaws.com/{ACCOUNT}/orders"
    outcome = launched(tmp_path, "sqs", {"queue": place})
    assert isinstance(outcome, Succeeded), outcome
    assert len(messages(far, url)) == 1
    assert (outcome.external_url or "").startswith(f"https://{FAR}.console")


def test_a_topic_elsewhere_as_target_and_as_channel(far: Any, tmp_path: Path) -> None:
    url, topic = queue_for(far, "hears"), far("sns").create_topic(Name="orders")["TopicArn"]
    assert region_of(topic) == FAR
    arn = f"arn:aws:sqs:{FAR}:{ACCOUNT}:hears"
    far("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert isinstance(launched(tmp_path, "sns", {"topic": topic}), Succeeded)
    assert len(messages(far, url)) == 1
    allow = Allowance([Permission(a_notification().owner, "sns", "*")])
    channels = ChannelRegistry(*(one(Aws(REGION, lambda: 0), allow, None) for one in AWS_CHANNELS))
    assert channels.deliver(to("sns", topic=topic)).delivered
    assert len(messages(far, url)) == 1


def test_a_bus_elsewhere(far: Any, tmp_path: Path) -> None:
    bus = far("events").create_event_bus(Name="orders")["EventBusArn"]
    url = queue_for(far, "hears")
    far("events").put_rule(
        Name="all", EventBusName="orders", EventPattern='{"source": ["com.example"]}'
    )
    target = {"Id": "1", "Arn": f"arn:aws:sqs:{FAR}:{ACCOUNT}:hears"}
    far("events").put_targets(Rule="all", EventBusName="orders", Targets=[target])
    spec = {"bus": bus, "source": "com.example", "detail_type": "due", "completion": "callback"}
    assert isinstance(launched(tmp_path, "events", spec), HandedOver)
    assert len(messages(far, url)) == 1


def test_a_state_machine_elsewhere(far: Any, tmp_path: Path) -> None:
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    machine = far("stepfunctions").create_state_machine(
        name="nightly", definition=json.dumps(wait), roleArn=f"arn:aws:iam::{ACCOUNT}:role/run"
    )["stateMachineArn"]
    outcome = launched(tmp_path, "step_functions", {"state_machine": machine})
    assert isinstance(outcome, Launched), outcome
    assert len(far("stepfunctions").list_executions(stateMachineArn=machine)["executions"]) == 1


def test_a_secret_elsewhere(amazon: Amazon, far: Any) -> None:
    del amazon
    secret = far("secretsmanager").create_secret(Name="db", SecretString='{"password": "p"}')
    keeper = secret_password(Aws(REGION, lambda: 0), secret["ARN"], lambda: 0)
    assert keeper.current() == "p"


def test_a_token_is_signed_for_the_region_of_its_database(amazon: Amazon) -> None:
    del amazon
    aws = Aws(REGION, lambda: 0)
    far = aws.database_token(f"shop.abc.{FAR}.rds.amazonaws.com", 3306, "shopper")
    near = aws.database_token("shop.example.com", 3306, "shopper")
    assert f"%2F{FAR}%2Frds-db%2F" in far
    assert f"%2F{REGION}%2Frds-db%2F" in near


@pytest.mark.parametrize(
    ("place", "region"),
    [
        (f"arn:aws:sns:{FAR}:{OTHER}:orders", FAR),
        ("arn:aws-us-gov:lambda:us-gov-west-1:1:function:x:live", "us-gov-west-1"),
        ("arn:aws:events:ap-southeast-2:1:event-bus/x/com.example", "ap-southeast-2"),
        (f"https://sqs.cn-north-1.amazonaws.com.cn/{OTHER}/x", "cn-north-1"),
        ("proxy.proxy-abc.eu-west-3.rds.amazonaws.com", "eu-west-3"),
        ("Shop.abc.CN-north-1.rds.amazonaws.com.cn", "cn-north-1"),
        ("arn:aws:s3:::bucket", None),
        ("nightly/report", None),
        ("default", None),
        ("https://example.com/us-west-2", None),
        ("", None),
    ],
)
def test_the_region_that_a_place_names(place: str, region: str | None) -> None:
    assert region_of(place) == region
