"""IAM, before everything that functions ask of AWS: each signs with a key of its own role, and may do what
the policy of that role permits, as it was deployed.

moto would look at actions alone, and for one key of all. Here each call is held against actions, resources
and conditions; what a call is on is a table (tests/cloud/test_permitted_calls.py), after AWS's own reference.
A call that the table does not know is refused too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from moto.secretsmanager.models import secretsmanager_backends

from infra.actions import NAMED_OTHERWISE
from tests.cloud.amazon import ACCOUNT, REGION, Answer, Environ, answered, operation
from tests.cloud.test_permitted_calls import LOOKED_AT, On, on
from tests.infra.iam import listed, permits

SIGNED = re.compile(r"Credential=(?P<key>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
ROLE = "role-"
"""What keys of functions begin with; other keys are those of tests, which may do everything."""
OBJECTS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A call: of whom, what, on what."""

    function: str
    action: str
    on: On


@dataclass
class Guard:
    """``roles``: the documents, by the names of functions. ``expected``: denials that a test provokes."""

    prefix: str
    roles: dict[str, Any]
    asked: list[Asked] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    expected: bool = False

    def __call__(self, environ: Environ, body: bytes) -> Answer | None:
        """The refusal; None when it is permitted."""
        signed = SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed is None or not signed["key"].startswith(ROLE):
            return None
        function = signed["key"].removeprefix(ROLE).removeprefix(self.prefix)
        action, on_what = _looked_at(signed["service"], environ, body)
        self.asked.append(Asked(function, action, on_what))
        if on_what and all(self._permits(function, action, *one) for one in on_what):
            return None
        self.denied.append(f"{function} is not permitted {action} on {on_what}")
        return answered(403, "AccessDeniedException", self.denied[-1])

    def _permits(self, function: str, action: str, place: str, context: Mapping[str, str]) -> bool:
        source = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.prefix}{function}"
        of_code = {**context, "lambda:SourceFunctionArn": source}
        return permits(self.roles[function], action, place, of_code)

    def renew(self) -> None:
        self.asked.clear()
        self.denied.clear()
        self.expected = False

    @contextmanager
    def without(self, function: str, action: str) -> Iterator[None]:
        """Meanwhile the role lacks an action, and somebody finds out."""
        document = self.roles[function]
        less = deepcopy(document)
        for statement in less["Statement"]:
            statement["Action"] = [one for one in listed(statement["Action"]) if one != action]
        assert less != document, f"{function} has no {action}"
        self.roles[function], self.expected = less, True
        try:
            yield
        finally:
            self.roles[function] = document


def _looked_at(service: str, environ: Environ, body: bytes) -> tuple[str, On]:
    """The action as IAM calls it, and what it is on; on nothing where that is not known."""
    name, asked = _read(service, environ, body)
    called = f"{service}:{name}"
    action = NAMED_OTHERWISE.get(called, called)
    if action == "secretsmanager:GetSecretValue":
        return action, on(_secret(asked["SecretId"]))
    if action == "sts:AssumeRole":
        return action, on(asked["RoleArn"])
    look = LOOKED_AT.get(action)
    return action, look(asked) if look else []


def _read(service: str, environ: Environ, body: bytes) -> tuple[str, Mapping[str, Any]]:
    """The operation and its parameters, as boto3 names them."""
    path = urlsplit(environ.get("RAW_URI") or environ["PATH_INFO"]).path
    if service == "s3":
        return _of_s3(environ, path)
    name = operation(environ, body)
    if service == "lambda":
        return name, {"FunctionName": unquote(path.split("/")[-2]).rpartition(":")[2]}
    if service == "batch":
        names = ("SubmitJob", "DescribeJobs", "ListJobs", "TerminateJob")
        return next(one for one in names if one.lower() == name.lower()), json.loads(body)
    if body[:1] == b"{":
        return name, json.loads(body)
    return name, dict(parse_qsl(body.decode()))


def _of_s3(environ: Environ, path: str) -> tuple[str, Mapping[str, Any]]:
    """The bucket is in the path, as with an address of its own it always is."""
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    method = str(environ["REQUEST_METHOD"])
    if method == "DELETE" and "uploadId" in environ.get("QUERY_STRING", ""):
        return "AbortMultipartUpload", {"Bucket": bucket, "Key": key}
    if not key:
        return "ListObjectsV2", {"Bucket": bucket}
    return OBJECTS.get(method, method), {"Bucket": bucket, "Key": key}


def _secret(name: str) -> str:
    """Its ARN has six letters more than its name, which only the service knows."""
    secrets = secretsmanager_backends[ACCOUNT][REGION].secrets
    return str(secrets[name].arn) if name in secrets else name
