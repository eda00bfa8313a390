"""What the deployment made in the account, read back through its interfaces."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from typing import Any

from app import app
from chalicelib.events.rules import ARRIVALS, ENDS
from infra.functions import SIZES, declared
from infra.package import runtime
from tests.cloud.amazon import ACCOUNT, REGION
from tests.cloud_zip.deploying import LANES, PASSWORD, PREFIX, ROOT, STAGE, Deployed
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
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:noonday-{STAGE}-{function}"


def test_every_handler_is_a_function(deployed: Deployed) -> None:
    views = {view.view_name for methods in app.routes.values() for view in methods.values()}
    handlers = {name: f"app.{name}" for name in app.handler_map if name not in views}
    found = {name: one["Handler"] for name, one in deployed.functions.items()}
    assert found == {"api": "app.app", **handlers}


def test_every_function_has_the_same_code(deployed: Deployed) -> None:
    digest = base64.b64encode(hashlib.sha256(deployed.zip_file.read_bytes()).digest()).decode()
    assert {one["CodeSha256"] for one in deployed.functions.values()} == {digest}


def test_the_deployment_says_what_it_does(deployed: Deployed) -> None:
    said = "\n".join(deployed.said)
    assert f"Deploying noonday-{STAGE} to account {ACCOUNT}, {REGION}" in said
    assert "add Launch (AWS::Lambda::Function)" in said
    assert "created the database noonday" in said
    assert "user noonday authenticates with the password of its secret" in said
    assert "It answers: https://" in said
    assert PASSWORD not in said


def test_every_function_has_a_role_of_its_own(deployed: Deployed) -> None:
    roles = {one["Role"] for one in deployed.functions.values()}
    assert len(roles) == len(deployed.functions)
    for name, role in deployed.roles.items():
        [trust] = role["Trust"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}, name
        for statement in role["Statement"]:
            assert not any("*" in action for action in statement["Action"]), name


def test_roles_name_what_the_stack_made(deployed: Deployed) -> None:
    """References are resolved: to the queues and to the secret that are there."""
    secret = deployed.functions["api"]["Environment"]["Variables"]["NOONDAY_DATABASE_SECRET"]
    assert secret.startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:noonday-{STAGE}/")
    of_api = {one["Sid"]: one for one in deployed.roles["api"]["Statement"]}
    assert of_api["DatabasePassword"]["Resource"] == secret
    assert of_api["Send"]["Resource"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:noonday-{STAGE}-wake"


def test_functions_are_as_large_as_they_were_declared(deployed: Deployed) -> None:
    for name, one in deployed.functions.items():
        size = SIZES[name]
        assert (one["MemorySize"], one["Timeout"]) == (size.memory_mb, size.timeout_s), name
        assert one["Runtime"] == runtime()
        assert one["Architectures"] == ["x86_64"]
        assert len(one["VpcConfig"]["SubnetIds"]) == 2
        assert len(one["VpcConfig"]["SecurityGroupIds"]) == 1
    limited = {one.name: one.size.concurrency for one in declared() if one.limits_by_reserve}
    assert deployed.reserved == limited


def test_a_minute_that_was_missed_does_not_come_again(deployed: Deployed) -> None:
    """Neither from the rule nor from the queue of asynchronous events; whole hours for the rest."""
    invoked = {name: one for name, one in deployed.invoked.items() if one}
    assert invoked.pop("minute") == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    again = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    assert invoked == dict.fromkeys(("completion", "data_arrival", "housekeeping"), again)
    for rule in deployed.rules.values():
        [target] = rule["Targets"]
        name = target["Arn"].rpartition("-")[2]
        assert target["RetryPolicy"] == deployed.invoked[name]


def test_every_method_wants_a_signature_but_those_for_everybody(deployed: Deployed) -> None:
    """A run's target reports with the credential of its run, which the function looks at itself."""
    open_to_all = {
        (path, method)
        for (path, method), one in deployed.methods.items()
        if one["authorizationType"] == "NONE"
    }
    kinds = {one["authorizationType"] for one in deployed.methods.values()}
    assert kinds == {"NONE", "AWS_IAM"}
    assert open_to_all == {
        ("/health", "GET"),
        ("/openapi.json", "GET"),
        ("/runs/{token}/callback", "POST"),
    }
    api = arn("api")
    for one in deployed.methods.values():
        assert f"{api}/invocations" in one["methodIntegration"]["uri"]
        assert one["methodIntegration"]["type"] == "AWS_PROXY".lower()


def test_bursts_are_cut_off_before_the_functions(deployed: Deployed) -> None:
    stage = deployed.kept["RestAPIapiStage"]
    [throttled] = stage["MethodSettings"]
    assert (stage["StageName"], throttled["ThrottlingRateLimit"]) == ("api", 50)


def test_queues_are_written_over_tls_alone(deployed: Deployed) -> None:
    policy = deployed.kept["QueuesOverTls"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert {url.rpartition("-")[2] for url in policy["Queues"]} == set(LANES)
    assert {on.rpartition("-")[2] for on in statement["Resource"]} == set(LANES)


def test_the_alarm_that_the_clock_has_stopped_is_there(deployed: Deployed) -> None:
    alarm = deployed.kept["ClockStoppedAlarm"]
    assert alarm["AlarmActions"] == [f"arn:aws:sns:{REGION}:{ACCOUNT}:noonday-{STAGE}-alarms"]
    assert alarm["TreatMissingData"] == "breaching"


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
    for name, one in deployed.mappings.items():
        assert one["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert one["ScalingConfig"] == {"MaximumConcurrency": SIZES[name].concurrency}, name


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
    brought: dict[str, list[Any]] = {}
    for rule in deployed.rules.values():
        if "EventPattern" in rule:
            [target] = rule["Targets"]
            brought.setdefault(target["Arn"], []).append(json.loads(rule["EventPattern"]))
    ends = sorted(brought[arn("completion")], key=lambda one: list(ENDS).index(one["source"][0]))
    assert ends == list(ENDS.values())
    assert brought == {
        arn("completion"): brought[arn("completion")],
        arn("data_arrival"): [ARRIVALS],
    }


def test_only_who_is_named_may_invoke(deployed: Deployed) -> None:
    """Rules may invoke their own function, API Gateway the API's; queues are polled, which needs no leave."""
    found = {
        name: [_leave(one) for one in policy["Statement"]]
        for name, policy in deployed.policies.items()
    }
    [(who, source)] = found.pop("api")
    assert who == "apigateway.amazonaws.com"
    assert source.startswith(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:")
    for rule in deployed.rules.values():
        [target] = rule["Targets"]
        leaves = found[target["Arn"].rpartition("-")[2]]
        leaves.remove(("events.amazonaws.com", rule["Arn"]))
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
        path.relative_to(ROOT)
        .with_suffix(".pyc" if path.suffix == ".py" else path.suffix)
        .as_posix()
        for path in (ROOT / "chalicelib").rglob("*")
        if path.is_file() and path.suffix in (".py", ".sql", ".pem") and "local" not in path.parts
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
    """Passwords and stages come from the environment; Chalice's own configuration is no part of the code.
    What jobs may launch is: variables hold too little."""
    with zipfile.ZipFile(deployed.zip_file) as archive:
        names = archive.namelist()
        assert not any(name.startswith(".chalice") or name.endswith(".env") for name in names)
        assert PASSWORD.encode() not in b"".join(map(archive.read, names))
