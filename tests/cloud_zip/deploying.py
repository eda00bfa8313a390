"""``make deploy`` deploys to moto's server, migration and smoke test included; what it made is read back."""

from __future__ import annotations

import fcntl
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import deploy as deploying
from infra.account import reached
from infra.connections import Connection
from infra.package import ROOT, Package
from infra.stack import Stack
from infra.stage import Stage
from tests.cloud.amazon import ACCOUNT, JSON, REGION, Amazon, Answer, Environ, Gate
from tests.cloud.offers import OFFERS
from tests.cloud.test_permitted_calls import WORKGROUP
from tests.cloud_zip.runtime import Configuration, Raised
from tests.cloud_zip.transforming import Transforming
from tests.cloud_zip.unmade import KEPT, PASSWORD

__all__ = ["LANES", "PASSWORD", "PREFIX", "ROOT", "SECRET", "STAGE", "Deployed", "deploy", "unpack"]

STAGE = "test"
STACK = f"noonday-{STAGE}"
LANES = ("wake", "launch", "work", "check", "deliver")
PREFIX = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{STACK}-"
SECRET = f"{STACK}/database"
"""The name of the secret that the stack makes."""
WAREHOUSE = "NOONDAY_CONNECTION_WAREHOUSE"
ALLOWED = [
    ("step_functions", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nightly"),
    *((offer.kind, offer.allow) for offer in OFFERS if offer.allow != "*"),
    *((kind, "*") for kind in ("sqs", "sns", "events", "lambda", "lambda_sync")),
    *((kind, "*") for kind in ("s3", "s3_results", "glue_data")),
]
"""Kind and resource of what jobs may launch, and so of what roles permit."""
OF_TESTS = Stage(
    name=STAGE,
    region=REGION,
    admins=["role:noonday-admin"],
    targets_allow=[{"owner": "*", "kind": kind, "resource": on} for kind, on in ALLOWED],
    redshift_workgroups={"reports": WORKGROUP},
    connections={
        "warehouse": Connection(
            url="mysql://noonday@warehouse.example.com:3306/noonday", secret=SECRET
        )
    },
    settings={"NOONDAY_HTTP_ALLOW": "127.0.0.1"},
)
"""What an operator would write into a file for it."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands in the account after the deployment. Functions are by the names of ``app.py``.

    ``policies``: who may invoke a function; ``roles``: what it may do itself. ``kept``: resources that moto
    has no place for, by logical id. ``said``: by the deployment.
    """

    functions: Mapping[str, Mapping[str, Any]]
    policies: Mapping[str, Mapping[str, Any]]
    roles: Mapping[str, Mapping[str, Any]]
    invoked: Mapping[str, Mapping[str, Any]]
    reserved: Mapping[str, int]
    zip_file: Path
    rules: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Mapping[str, Any]]
    methods: Mapping[tuple[str, str], Mapping[str, Any]]
    kept: Mapping[str, Mapping[str, Any]]
    said: tuple[str, ...]

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(path for path, _ in self.methods)

    def configuration(self, function: str) -> Configuration:
        return configured(self.functions[function])


def configured(found: Mapping[str, Any]) -> Configuration:
    return Configuration(
        name=found["FunctionName"],
        handler=found["Handler"],
        timeout_s=found["Timeout"],
        memory_mb=found["MemorySize"],
        environment=found["Environment"]["Variables"],
        role=found["Role"],
    )


Invoke = Callable[[Configuration, Mapping[str, Any]], Any]
"""An event, to a function of that configuration; its answer."""


def deploy(
    amazon: Amazon, package: Package, invoke: Invoke, get: Callable[[str], Mapping[str, Any]]
) -> Deployed:
    """``get``: what the deployed API answers at a path."""
    Transforming(amazon)
    amazon.fail("Invoke", _invoked(amazon, invoke))
    said: list[str] = []
    stack = Stack(reached(package.stage), STACK, poll_s=0)

    def ask(url: str) -> Mapping[str, Any]:
        return get(url.removeprefix(stack.outputs()["EndpointURL"].rstrip("/")))

    deploying.deploy(package, stack, said.append, ask)
    return _read_back(amazon, package.zip, tuple(said))


def _invoked(amazon: Amazon, invoke: Invoke) -> Callable[[Gate, Environ, bytes], Answer]:
    """moto runs no function; ours do."""

    def answer(gate: Gate, environ: Environ, body: bytes) -> Answer:
        with gate.aside():
            found = amazon.client("lambda").get_function_configuration(
                FunctionName=environ["PATH_INFO"].split("/")[-2]
            )
            try:
                told, headers = invoke(configured(found), json.loads(body)), [JSON]
            except Raised as error:
                told = {"errorMessage": str(error)}
                headers = [JSON, ("X-Amz-Function-Error", "Unhandled")]
        return "200 OK", headers, json.dumps(told).encode()

    return answer


def _read_back(amazon: Amazon, package: Path, said: tuple[str, ...]) -> Deployed:
    functions = amazon.client("lambda")
    listed = functions.get_paginator("list_functions").paginate()
    found = {
        _short(one["FunctionName"]): functions.get_function_configuration(
            FunctionName=one["FunctionName"]
        )
        for page in listed
        for one in page["Functions"]
    }
    return Deployed(
        functions=found,
        policies={name: _policy(functions, one) for name, one in found.items()},
        roles={name: _role(amazon, one["Role"]) for name, one in found.items()},
        invoked={name: dict(_invoke_config(functions, one)) for name, one in found.items()},
        reserved=dict(_reserved(functions, found)),
        zip_file=package,
        rules=_rules(amazon),
        mappings={
            _short(one["FunctionArn"]): one
            for one in functions.list_event_source_mappings()["EventSourceMappings"]
        },
        methods=dict(_methods(amazon)),
        kept=dict(KEPT),
        said=said,
    )


def _short(name: str) -> str:
    """``minute`` of noonday-test-minute."""
    return name.rpartition(":")[2].removeprefix(f"{STACK}-")


def _policy(functions: Any, one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who may invoke it; nobody where nothing is said."""
    try:
        text = functions.get_policy(FunctionName=one["FunctionName"])["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return {"Statement": []}
    document: Mapping[str, Any] = json.loads(text)
    return document


def _role(amazon: Amazon, arn: str) -> Mapping[str, Any]:
    """Its one policy, and who may take it on."""
    roles, name = amazon.client("iam"), arn.rpartition("/")[2]
    [policy] = roles.list_role_policies(RoleName=name)["PolicyNames"]
    assert not roles.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    document: Mapping[str, Any] = roles.get_role_policy(RoleName=name, PolicyName=policy)
    trust = roles.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    return {**document["PolicyDocument"], "Trust": trust}


def _invoke_config(functions: Any, one: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    try:
        found = functions.get_function_event_invoke_config(FunctionName=one["FunctionName"])
    except functions.exceptions.ResourceNotFoundException:
        return
    yield from ((name, value) for name, value in found.items() if name.startswith("Maximum"))


def _reserved(functions: Any, found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for name, one in found.items():
        told = functions.get_function_concurrency(FunctionName=one["FunctionName"])
        if "ReservedConcurrentExecutions" in told:
            yield name, told["ReservedConcurrentExecutions"]


def _rules(amazon: Amazon) -> Mapping[str, Mapping[str, Any]]:
    events = amazon.client("events")
    return {
        rule["Name"]: {**rule, "Targets": events.list_targets_by_rule(Rule=rule["Name"])["Targets"]}
        for rule in events.list_rules()["Rules"]
    }


def _methods(amazon: Amazon) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    gateway = amazon.client("apigateway")
    [api] = gateway.get_rest_apis()["items"]
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api["id"])
    for page in pages:
        for one in page["items"]:
            for method, told in one.get("resourceMethods", {}).items():
                yield (one["path"], method), told


@contextmanager
def alone(shared: Path) -> Iterator[None]:
    """Of all processes of a test run, one at a time."""
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpack(package: Path, folder: Path) -> Path:
    """As Lambda does."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder
