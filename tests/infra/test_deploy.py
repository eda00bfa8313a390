"""Deploying and destroying, against moto's server: each step, its repetition, and what stops it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra import bucket, deploy, destroy, package
from infra.account import reached
from infra.package import Package
from infra.problems import Stuck
from infra.stack import Stack
from infra.stage import Stage
from tests.cloud import amazon as amazons
from tests.cloud.amazon import ACCOUNT, KEYS, REGION, Amazon, Answer, Environ, Gate

# moto makes no functions of SAM and says so; what it skips is not looked at here.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")
HEALTH = {"status": "ok"}
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def _server() -> Iterator[Amazon]:
    with amazons.serving() as amazon:
        yield amazon


@pytest.fixture
def amazon(_server: Amazon, monkeypatch: pytest.MonkeyPatch) -> Amazon:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": _server.url, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return amazons.fresh(_server)


@pytest.fixture
def built(tmp_path: Path) -> Package:
    """As ``make package`` leaves it, with a stack that moto can make."""
    return a_package(tmp_path, "one")


def a_package(folder: Path, code: str, **more: Any) -> Package:
    url = {"Value": "https://api.example.com/api/"}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "noonday-dev-wake"}}
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "./deployment.zip"}}
    document = {
        "Resources": {"WakeQueue": queue, "Minute": function, **more},
        "Outputs": {"EndpointURL": url, "Code": {"Value": code}},
    }
    (folder / "template.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "deployment.zip").write_bytes(code.encode())
    return Package(Stage(name="dev"), folder, "python3.13", code)


def answers(document: object, error: str = "") -> Any:
    """What the function ``migrate`` would say: moto runs none."""

    def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        headers = [JSON, *([("X-Amz-Function-Error", error)] if error else [])]
        return "200 OK", headers, json.dumps(document).encode()

    return fault


class MotoStack(Stack):
    """moto gives no outputs to a stack that a change set made."""

    def outputs(self) -> Mapping[str, str]:
        template = self._call("get_template")["TemplateBody"]
        return {name: one["Value"] for name, one in template["Outputs"].items()}


class Run:
    """A deployment, and what it said."""

    def __init__(self, amazon: Amazon) -> None:
        self.amazon = amazon
        self.said: list[str] = []
        self.stack = MotoStack(reached(Stage(name="dev")), "noonday-dev", poll_s=0)

    def deploy(self, built: Package, health: Mapping[str, Any] = HEALTH) -> str:
        self.said.clear()
        deploy.deploy(built, self.stack, self.said.append, lambda url: self._health(url, health))
        return "\n".join(self.said)

    def _health(self, url: str, health: Mapping[str, Any]) -> Mapping[str, Any]:
        assert url == "https://api.example.com/api/health"
        return health


@pytest.fixture
def run(amazon: Amazon) -> Run:
    return Run(amazon)


def test_from_nothing_to_a_stack_that_answers(run: Run, built: Package) -> None:
    run.amazon.fail("Invoke", answers({"did": ["migrated to 31"], "warnings": ["nobody is admin"]}))
    said = run.deploy(built)
    assert f"noonday-dev to account {ACCOUNT}, {REGION}" in said
    assert "  add WakeQueue (AWS::SQS::Queue)" in said
    assert "migrated to 31" in said
    assert "warning: nobody is admin" in said
    assert "It answers: https://api.example.com/api" in said
    assert run.stack.state() == "CREATE_COMPLETE"
    s3 = run.amazon.client("s3")
    bucket = f"noonday-{ACCOUNT}-{REGION}"
    assert s3.get_object(Bucket=bucket, Key="dev/one.zip")["Body"].read() == b"one"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())


def test_the_template_names_the_uploaded_code(run: Run, built: Package) -> None:
    run.amazon.fail("Invoke", answers({}))
    run.deploy(built)
    template = run.amazon.client("cloudformation").get_template(StackName="noonday-dev")
    uri = template["TemplateBody"]["Resources"]["Minute"]["Properties"]["CodeUri"]
    assert uri == f"s3://noonday-{ACCOUNT}-{REGION}/dev/one.zip"


MORE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "noonday-dev-work"}}


@pytest.fixture
def deployed(run: Run, built: Package) -> Run:
    """There is a stack of version one, with the function that moto does not make of it."""
    run.amazon.fail("Invoke", answers({}))
    run.deploy(built)
    role = run.amazon.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")
    run.amazon.client("lambda").create_function(
        FunctionName="noonday-dev-migrate",
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="app.migrate",
        Code={"ZipFile": b"one"},
    )
    return run


def test_an_update_changes_the_same_stack(deployed: Run, tmp_path: Path) -> None:
    deployed.amazon.fail("Invoke", answers({}), answers({}), answers({}))
    said = deployed.deploy(a_package(tmp_path, "two", WorkQueue=MORE))
    assert "  add WorkQueue (AWS::SQS::Queue)" in said
    assert deployed.stack.state() == "UPDATE_COMPLETE"
    assert deployed.stack.outputs()["Code"] == "two"


def test_the_schema_goes_ahead_of_the_functions(deployed: Run, tmp_path: Path) -> None:
    """Whoever is at work while the stack changes finds a schema that it can do with."""
    done: list[str] = []

    def noted(step: str, then: Any) -> Any:
        def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
            done.append(f"{step} {body.decode()}".strip() if step == "invoke" else step)
            return then(gate, environ, body)  # type: ignore[no-any-return]

        return fault

    def carried_out(gate: Gate, environ: Environ, body: bytes) -> Answer:
        return gate.carry_out(environ, body)

    functions = deployed.amazon.client("lambda")
    deployed.amazon.fail(
        "Invoke", *(noted("invoke", answers({"did": ["migrated"]})) for _ in "123")
    )
    deployed.amazon.fail("code", noted("code", carried_out))
    deployed.amazon.fail("ExecuteChangeSet", noted("stack", carried_out))
    said = deployed.deploy(a_package(tmp_path, "two", WorkQueue=MORE))
    assert done == ['invoke {"action": "check"}', "code", "invoke {}", "stack", "invoke {}"]
    found = functions.get_function_configuration(FunctionName="noonday-dev-migrate")
    assert found["Runtime"] == "python3.13"
    assert "the functions of before go on" in said


def test_a_schema_that_cannot_go_ahead_stops_the_deployment(deployed: Run, tmp_path: Path) -> None:
    failed = {"errorMessage": "no space is left", "errorType": "Unavailable"}
    deployed.amazon.fail("Invoke", answers({}), answers(failed, "Unhandled"))
    with pytest.raises(Stuck, match=r"Nothing of the stack was changed.*no space is left"):
        deployed.deploy(a_package(tmp_path, "two", WorkQueue=MORE))
    assert deployed.stack.outputs()["Code"] == "one"


def test_a_database_that_does_not_work_is_mended_by_the_stack_first(
    deployed: Run, tmp_path: Path
) -> None:
    """Else a first deployment whose migration failed could never be repeated with what mends it."""
    failed = {"errorMessage": "the secret cannot be reached", "errorType": "Unavailable"}
    deployed.amazon.fail("Invoke", answers(failed, "Unhandled"), answers({}))
    said = deployed.deploy(a_package(tmp_path, "two", WorkQueue=MORE))
    assert "so the stack is changed first" in said
    assert deployed.stack.outputs()["Code"] == "two"


def test_the_same_code_with_another_stage_touches_the_schema_once(
    deployed: Run, tmp_path: Path
) -> None:
    deployed.amazon.fail("Invoke", answers({}))
    deployed.deploy(a_package(tmp_path, "one", WorkQueue=MORE))
    assert deployed.amazon.gate.calls["Invoke"] == 2


def test_an_interrupted_plan_is_made_anew(deployed: Run, tmp_path: Path) -> None:
    """Ctrl-C between the plan and its execution leaves a change set of that name."""
    built = a_package(tmp_path, "two", WorkQueue=MORE)
    url = bucket.upload(deployed.stack.account, bucket.name_of(deployed.stack.account), built)
    deployed.stack.plan("noonday-two", url)
    deployed.amazon.fail("CreateChangeSet", refuse_xml("AlreadyExistsException"))
    deployed.amazon.fail("Invoke", answers({}), answers({}), answers({}))
    deployed.deploy(built)
    assert deployed.amazon.gate.calls["DeleteChangeSet"] == 1
    assert deployed.stack.outputs()["Code"] == "two"


def test_a_migration_that_fails_is_told_and_can_be_repeated(run: Run, built: Package) -> None:
    failed = {"errorMessage": "the database's secret cannot be read", "errorType": "Unavailable"}
    run.amazon.fail("Invoke", answers(failed, "Unhandled"), answers({}))
    with pytest.raises(
        Stuck, match=r"not ready: the database's secret cannot be read.*noonday-dev-migrate"
    ):
        run.deploy(built)
    deploy.migrate(run.stack.account, "noonday-dev", run.said.append)


def test_a_stack_that_does_not_answer_is_told(run: Run, built: Package) -> None:
    run.amazon.fail("Invoke", answers({}))
    with pytest.raises(Stuck, match=r"says {'status': 'down'}"):
        run.deploy(built, {"status": "down"})

    def refuses(url: str) -> Mapping[str, Any]:
        raise ConnectionRefusedError(url)

    with pytest.raises(Stuck, match=r"does not answer.*/aws/lambda/noonday-dev-api"):
        deploy.check(run.stack, run.said.append, refuses)


def test_an_address_that_is_new_may_need_a_moment(deployed: Run) -> None:
    answered: Iterator[Any] = iter([OSError("502"), ValueError("no JSON"), HEALTH])

    def at_last(url: str) -> Mapping[str, Any]:
        del url
        one = next(answered)
        if isinstance(one, Exception):
            raise one
        return dict(one)

    deploy.check(deployed.stack, deployed.said.append, at_last)
    assert deployed.said[-2] == "It answers: https://api.example.com/api"


def described(status: str) -> Any:
    """A stack in a state that moto never reaches."""
    inner = (
        f"<StackName>noonday-dev</StackName><StackStatus>{status}</StackStatus>"
        "<CreationTime>2026-11-24T06:00:00Z</CreationTime>"
    )
    xml = (
        '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
        f"<DescribeStacksResult><Stacks><member>{inner}</member></Stacks></DescribeStacksResult>"
        "</DescribeStacksResponse>"
    )

    def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        return "200 OK", [("Content-Type", "text/xml")], xml.encode()

    return fault


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name noonday-dev"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_IN_PROGRESS", "wait until that is over"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_told_before_anything_is_done(
    status: str, said: str, run: Run, built: Package
) -> None:
    run.amazon.client("cloudformation").create_stack(
        StackName="noonday-dev", TemplateBody=built.template.read_text("utf-8")
    )
    run.amazon.fail("DescribeStacks", described(status))
    with pytest.raises(Stuck, match=said):
        run.deploy(built)
    assert run.amazon.client("s3").list_buckets()["Buckets"] == []


def test_without_credentials_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(Stuck, match="no credentials: log in"):
        reached(Stage(name="dev"))


def test_another_region_than_the_stages_is_told(amazon: Amazon) -> None:
    del amazon
    with pytest.raises(Stuck, match="set AWS_REGION=us-east-1"):
        reached(Stage(name="dev", region="us-east-1"))


def test_what_may_not_be_called_is_named(run: Run, built: Package) -> None:
    run.amazon.fail("CreateChangeSet", refuse_xml("AccessDenied"))
    with pytest.raises(
        Stuck, match="may not call cloudformation:create_change_set: docs/deploying"
    ):
        run.deploy(built)


def refuse_xml(code: str) -> Any:
    def fault(gate: Gate, environ: Environ, body: bytes) -> Answer:
        del gate, environ, body
        xml = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            "<Message>not authorized</Message></Error></ErrorResponse>"
        )
        return "403 Forbidden", [("Content-Type", "text/xml")], xml.encode()

    return fault


def test_destroy_asks_and_says_what_remains(run: Run, built: Package) -> None:
    run.amazon.fail("Invoke", answers({}))
    run.deploy(built)
    stage = built.stage
    with pytest.raises(Stuck, match="nothing was deleted"):
        destroy.destroy(stage, run.stack, run.said.append, lambda _: "yes")
    assert run.stack.state() is not None
    destroy.destroy(stage, run.stack, run.said.append, lambda _: "noonday-dev")
    assert run.stack.state() is None
    assert "snapshot" in "\n".join(run.said)
    run.said.clear()
    destroy.destroy(stage, run.stack, run.said.append, lambda _: "noonday-dev")
    assert run.said == [f"There is no noonday-dev in account {ACCOUNT}, {REGION}"]


def test_a_protected_database_stops_it_before_the_question(run: Run, built: Package) -> None:
    run.amazon.fail("Invoke", answers({}))
    run.deploy(built)
    run.amazon.client("rds").create_db_instance(
        DBInstanceIdentifier="noonday-dev",
        DBInstanceClass="db.t4g.small",
        Engine="mysql",
        DeletionProtection=True,
    )
    with pytest.raises(Stuck, match="deletion_protection: false"):
        destroy.destroy(built.stage, run.stack, run.said.append, lambda _: "noonday-dev")


def test_the_command_says_in_a_sentence_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deploy.main(["nowhere"]) == 1
    assert "infra/stages/nowhere.yaml does not exist" in capsys.readouterr().err
    monkeypatch.setattr(package, "OPEN", ())
    monkeypatch.setattr(deploy, "OPEN", ())
    assert deploy.main(["dev"]) == 1
    assert "Python 3.13" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert destroy.main(["nowhere"]) == 1
