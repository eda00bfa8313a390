"""What an operation of AWS is called in IAM."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache

import botocore.session
from botocore.model import ServiceModel

from infra.problems import Stuck

NAMED_OTHERWISE: Mapping[str, str] = {
    "bedrock:Converse": "bedrock:InvokeModel",
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:AbortMultipartUpload": "s3:AbortMultipartUpload",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPart": "s3:PutObject",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations whose action has another name; most have their own."""


def action_of(service: str, operation: str) -> str:
    """``service`` as boto3 names it, which is not always how IAM does: stepfunctions is states there.

    Raises:
        Stuck: there is no such service or operation.
    """
    model = _model(service)
    if operation not in model.operation_names:
        raise Stuck(_unknown(f"{service} has no operation", operation, model.operation_names))
    named = f"{model.signing_name}:{operation}"
    return NAMED_OTHERWISE.get(named, named)


@lru_cache(maxsize=64)
def _model(service: str) -> ServiceModel:
    session = botocore.session.get_session()
    services = session.get_available_services()
    if service not in services:
        raise Stuck(_unknown("boto3 has no service", service, services))
    return session.get_service_model(service)


def _unknown(what: str, name: str, there: list[str]) -> str:
    near = get_close_matches(name, there, n=1)
    return f"{what} {name!r}" + (f"; did you mean {near[0]}?" if near else "")
