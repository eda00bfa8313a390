"""Chalice deploys to moto's server; what it made there is read back."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloud.amazon import ACCOUNT, KEYS, REGION, Amazon, Answer, Environ, Gate
from tests.cloud_zip.runtime import Configuration

ROOT = Path(__file__).resolve().parents[2]
STAGE = "test"
LANES = ("wake", "launch", "work", "check", "deliver")
PREFIX = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/noonday-{STAGE}-"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands in the account after the deployment. Functions are by the names of ``app.py``."""

    functions: Mapping[str, Mapping[str, Any]]
    policies: Mapping[str, Mapping[str, Any]]
    zip_file: Path
    rules: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Mapping[str, Any]]
    paths: frozenset[str]

    def configuration(self, function: str) -> Configuration:
        found = self.functions[function]
        return Configuration(
            name=found["FunctionName"],
            handler=found["Handler"],
            timeout_s=found["Timeout"],
            memory_mb=found["MemorySize"],
            environment=found["Environment"]["Variables"],
        )


def deploy(amazon: Amazon, project: Path, shared: Path, environment: Mapping[str, str]) -> Deployed:
    """``project``: a new folder; ``shared``: where processes of the same test run share what pip brought."""
    make_project(project, environment)
    for lane in LANES:
        amazon.client("sqs").create_queue(QueueName=f"noonday-{STAGE}-{lane}")
    packages = project / ".chalice" / "deployments"
    with _alone(shared):
        if (shared / "deployments").exists():
            shutil.copytree(shared / "deployments", packages)
        _chalice_deploys(amazon, project)
        if not (shared / "deployments").exists():
            shutil.copytree(packages, shared / "deployments")
    [package] = packages.glob("*.zip")
    return _read_back(amazon, package)


def make_project(folder: Path, environment: Mapping[str, str]) -> None:
    """What is deployed, and nothing else of the repository."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=left_out)
    shutil.copytree(ROOT / ".chalice", folder / ".chalice")
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    path = folder / ".chalice" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["stages"] = {
        STAGE: {
            "api_gateway_stage": "api",
            "iam_policy_file": "policy.json",
            "environment_variables": dict(environment),
        }
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}],
    }
    (folder / ".chalice" / "policy.json").write_text(json.dumps(policy), encoding="utf-8")


@contextmanager
def _alone(shared: Path) -> Iterator[None]:
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _chalice_deploys(amazon: Amazon, project: Path) -> None:
    amazon.gate.faults["restapis"] = [_without_the_gaps] * 2
    told = subprocess.run(
        [
            *(sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"),
            *("deploy", "--stage", STAGE, "--no-autogen-policy"),
        ],
        cwd=project,
        env={
            **{name: value for name, value in os.environ.items() if "NOONDAY" not in name},
            **KEYS,
            "AWS_ENDPOINT_URL": amazon.url,
            "AWS_DEFAULT_REGION": REGION,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


def _without_the_gaps(gate: Gate, environ: Environ, body: bytes) -> Answer:
    """moto reads OpenAPI 3 with a description only, and Chalice writes Swagger 2 with none."""
    if environ["REQUEST_METHOD"] == "POST":
        document = json.loads(body)
        del document["swagger"]
        document["openapi"] = "3.0.1"
        document["info"].setdefault("description", "")
        body = json.dumps(document).encode()
        environ["CONTENT_LENGTH"] = str(len(body))
    return gate.carry_out(environ, body)


def _read_back(amazon: Amazon, package: Path) -> Deployed:
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
        zip_file=package,
        rules=_rules(amazon),
        mappings={
            _short(one["FunctionArn"]): one
            for one in functions.list_event_source_mappings()["EventSourceMappings"]
        },
        paths=_paths(amazon),
    )


def _short(name: str) -> str:
    """``minute`` of noonday-test-minute, ``api`` of noonday-test."""
    name = name.rpartition(":")[2]
    return name.removeprefix(f"noonday-{STAGE}").removeprefix("-") or "api"


def _policy(functions: Any, one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who may invoke it; nobody where nothing is said."""
    try:
        text = functions.get_policy(FunctionName=one["FunctionName"])["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return {"Statement": []}
    document: Mapping[str, Any] = json.loads(text)
    return document


def _rules(amazon: Amazon) -> Mapping[str, Mapping[str, Any]]:
    events = amazon.client("events")
    return {
        rule["Name"]: {**rule, "Targets": events.list_targets_by_rule(Rule=rule["Name"])["Targets"]}
        for rule in events.list_rules()["Rules"]
    }


def _paths(amazon: Amazon) -> frozenset[str]:
    gateway = amazon.client("apigateway")
    [api] = gateway.get_rest_apis()["items"]
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api["id"])
    return frozenset(
        one["path"] for page in pages for one in page["items"] if one.get("resourceMethods")
    )


def unpack(package: Path, folder: Path) -> Path:
    """As Lambda does."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder
