"""What Chalice made in the account, read back through its interfaces."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from typing import Any

from app import app
from chalicelib.events.rules import ARRIVALS, ENDS
from tests.cloud.amazon import ACCOUNT, REGION
from tests.cloud_zip.deploying import PREFIX, ROOT, STAGE, Deployed
from tests.cloud_zip.runtime import Code

FED = {
    "second": ("wake", 10),
    "launch": ("launch", 5),
    "work": ("work", 1),
    "check": ("check", 1),
    "deliver": ("deliver", 1),
}
"""Functions with a queue: its lane, and how many messages come at once."""


def arn(function: str) -> str:
    name = f"noonday-{STAGE}" + (f"-{function}" if function != "api" else "")
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def test_every_handler_is_a_function(deployed: Deployed) -> None:
    views = {view.view_name for methods in app.routes.values() for view in methods.values()}
    handlers = {name: f"app.{name}" for name in app.handler_map if name not in views}
    found = {name: one["Handler"] for name, one in deployed.functions.items()}
    assert found == {"api": "app.app", **handlers}


def test_every_function_has_the_same_code(deployed: Deployed) -> None:
    digest = base64.b64encode(hashlib.sha256(deployed.zip_file.read_bytes()).digest()).decode()
    assert {one["CodeSha256"] for one in deployed.functions.values()} == {digest}


def test_every_function_has_a_role_of_its_own(deployed: Deployed) -> None:
    roles = {one["Role"] for one in deployed.functions.values()}
    assert len(roles) == len(deployed.functions)


def test_every_function_has_the_settings_of_its_stage(deployed: Deployed) -> None:
    for name, one in deployed.functions.items():
        assert one["Environment"]["Variables"]["NOONDAY_QUEUES"] == PREFIX, name
        assert one["Environment"]["Variables"]["NOONDAY_AUTH"] == "iam", name


def test_queues_feed_their_functions(deployed: Deployed) -> None:
    found = {
        name: (one["EventSourceArn"].rpartition("-")[2], one["BatchSize"], one["State"])
        for name, one in deployed.mappings.items()
    }
    assert found == {name: (lane, size, "Enabled") for name, (lane, size) in FED.items()}


def test_the_clock_rings(deployed: Deployed) -> None:
    rung = {
        target["Arn"]: rule["ScheduleExpression"]
        for rule in deployed.rules.values()
        if "ScheduleExpression" in rule
        for target in rule["Targets"]
    }
    assert rung == {arn("minute"): "rate(1 minute)", arn("housekeeping"): "cron(10 2 * * ? *)"}
    assert all(rule["State"] == "ENABLED" for rule in deployed.rules.values())


def test_events_reach_their_functions(deployed: Deployed) -> None:
    brought = {
        target["Arn"]: json.loads(rule["EventPattern"])
        for rule in deployed.rules.values()
        if "EventPattern" in rule
        for target in rule["Targets"]
    }
    assert brought == {arn("completion"): ENDS, arn("data_arrival"): ARRIVALS}


def test_only_who_is_named_may_invoke(deployed: Deployed) -> None:
    """A rule may invoke its own function, API Gateway the API's; queues are polled, which needs no leave."""
    found = {
        name: [_leave(one) for one in policy["Statement"]]
        for name, policy in deployed.policies.items()
    }
    [(who, source)] = found.pop("api")
    assert who == "apigateway.amazonaws.com"
    assert source.startswith(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:")
    for name in ("minute", "housekeeping", "completion", "data_arrival"):
        [(who, source)] = found.pop(name)
        assert who == "events.amazonaws.com"
        assert source.startswith(f"arn:aws:events:{REGION}:{ACCOUNT}:rule/noonday-{STAGE}-{name}")
    assert not any(found.values()), found


def _leave(statement: Any) -> tuple[str, str]:
    assert statement["Action"] == "lambda:InvokeFunction"
    return statement["Principal"]["Service"], statement["Condition"]["ArnLike"]["AWS:SourceArn"]


def test_every_route_of_the_app_is_deployed(deployed: Deployed) -> None:
    assert deployed.paths == frozenset(app.routes)


def test_what_ships_is_what_runs_and_no_more(deployed: Deployed, code: Code) -> None:
    with zipfile.ZipFile(deployed.zip_file) as archive:
        names = archive.namelist()
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "chalicelib").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert ours <= set(names)
    tops = {name.partition("/")[0] for name in names}
    strange = tops & {
        "boto3",
        "botocore",
        "moto",
        "pytest",
        "click",
        "tests",
        "cli",
        "docs",
        ".git",
    }
    assert not strange
    assert deployed.zip_file.stat().st_size < 4_000_000
    assert (code.root / "chalicelib" / "aws" / "rds-roots.pem").exists()


def test_the_zip_holds_no_settings(deployed: Deployed) -> None:
    """Passwords and stages come from the environment; Chalice's own configuration is no part of the code."""
    with zipfile.ZipFile(deployed.zip_file) as archive:
        names = archive.namelist()
        assert not any(name.startswith(".chalice") or name.endswith(".env") for name in names)
        assert json.dumps("no word of the tests").encode() not in archive.read("app.py")
