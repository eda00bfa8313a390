"""CloudFormation's part in a change set: templates of SAM become plain ones, by AWS's own transform."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import boto3
from moto.cloudformation.models import cloudformation_backends

from tests.cloud.amazon import ACCOUNT, REGION, Amazon, Answer, Environ, Gate
from tests.cloud_zip import unmade


def transform(template: dict[str, Any]) -> dict[str, Any]:
    """What AWS::Serverless-2016-10-31 makes of it."""
    # Takes a second to load, once for a whole run of tests.
    from samtranslator.parser.parser import Parser  # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # noqa: PLC0415

    session = boto3.Session(region_name=REGION)
    made: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, {})
    return made


class Transforming:
    """Stands for what moto's change sets lack: the transform, and outputs once they are executed."""

    def __init__(self, amazon: Amazon) -> None:
        self._amazon = amazon
        amazon.fail("CreateChangeSet", self._create)
        amazon.fail("ExecuteChangeSet", self._execute)
        unmade.provide()

    def _create(self, gate: Gate, environ: Environ, body: bytes) -> Answer:
        """The template at the URL is transformed, and moto gets the plain one in its place."""
        asked = dict(parse_qsl(body.decode()))
        bucket, key = _place(asked["TemplateURL"])
        with gate.aside():
            found = self._amazon.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        plain = json.dumps(transform(json.loads(found)), sort_keys=True).encode()
        with gate.aside():
            self._amazon.client("s3").put_object(Bucket=bucket, Key=f"plain/{key}", Body=plain)
        asked["TemplateURL"] = asked["TemplateURL"].replace(key, f"plain/{key}")
        body = urlencode(asked).encode()
        environ["CONTENT_LENGTH"] = str(len(body))
        return gate.carry_out(environ, body)

    def _execute(self, gate: Gate, environ: Environ, body: bytes) -> Answer:
        answer = gate.carry_out(environ, body)
        for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values():
            stack._parse_template()
            stack.output_map = stack._create_output_map()
        return answer


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc.partition(".")[0], parts.path.lstrip("/")
