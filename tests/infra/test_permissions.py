"""``make permissions``: the documents that owners of roles give them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import permissions, stage
from infra.permissions import main
from tests.infra.iam import permits

ROLE = "arn:aws:iam::999999999999:role/finance"
CHINA = "arn:aws-cn:iam::999999999999:role/finance"
ENTRIES = [
    {"owner": "finance", "kind": "glue", "resource": "load-*", "role": ROLE},
    {"owner": "fin-*", "kind": "s3", "resource": "incoming", "role": ROLE},
    {"owner": "*", "kind": "glue", "resource": "others"},
]


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(permissions, "read_stage", lambda name: stage.read_stage(name, tmp_path))
    return tmp_path


def written(folder: Path, **fields: Any) -> None:
    (folder / "dev.yaml").write_text(yaml.safe_dump(fields))


def printed(capsys: pytest.CaptureFixture[str], *more: str, **environment: str) -> Any:
    assert main(["dev", *more], {"AWS_REGION": "eu-central-1", **environment}) == 0
    return json.loads(capsys.readouterr().out)


def test_a_role_gets_what_its_entries_need_where_it_is(
    stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(stages, targets_allow=ENTRIES)
    document = printed(capsys)[ROLE]["permissions"]
    here = "arn:aws:glue:eu-central-1:999999999999:job"
    assert permits(document, "glue:StartJobRun", f"{here}/load-orders")
    assert not permits(document, "glue:StartJobRun", f"{here}/others")
    assert permits(document, "s3:GetObject", "arn:aws:s3:::incoming/a")
    assert "Fn::" not in json.dumps(document)


def test_only_the_functions_that_call_may_assume_it_for_their_owners(
    stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(stages, targets_allow=ENTRIES)
    [statement] = printed(capsys, ACCOUNT="123456789012")[ROLE]["trust"]["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert statement["Condition"] == {
        "ArnLike": {
            "aws:PrincipalArn": [
                "arn:aws:iam::123456789012:role/noonday-dev-LaunchRole-*",
                "arn:aws:iam::123456789012:role/noonday-dev-CheckRole-*",
            ]
        },
        "StringLike": {"sts:RoleSessionName": ["noonday-fin-*", "noonday-finance"]},
    }


def test_keys_of_the_stage_are_used_through_its_services(
    stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "arn:aws:kms:eu-central-1:999999999999:key/0a1b2c3d-0000-4000-8000-000000000000"
    entry = {"owner": "*", "kind": "s3_results", "resource": "out/*", "role": ROLE}
    written(stages, targets_allow=[entry], keys=[key])
    document = printed(capsys)[ROLE]["permissions"]
    for service, good in (("s3", True), ("sqs", False)):
        context = {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com"}
        assert permits(document, "kms:GenerateDataKey", key, context) is good


def test_in_another_partition(stages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"owner": "*", "kind": "sns", "resource": "*", "role": CHINA}
    written(stages, targets_allow=[entry], region="cn-north-1")
    document = printed(capsys)[CHINA]["permissions"]
    assert permits(document, "sns:Publish", "arn:aws-cn:sns:cn-north-1:999999999999:a")


def test_a_function_by_name(stages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(stages, targets_allow=ENTRIES)
    document = printed(capsys, "launch")
    assert {"Sid": "ActForOwners", "Effect": "Allow", "Action": ["sts:AssumeRole"]}.items() <= next(
        one for one in document["Statement"] if one["Sid"] == "ActForOwners"
    ).items()


def test_without_roles_there_is_nothing_to_print(
    stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(stages)
    assert main(["dev"], {"AWS_REGION": "eu-central-1"}) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {}
    assert "FUNCTION=launch" in told.err


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["dev", "lunch"], {"AWS_REGION": "eu-central-1"}, "there are api, "),
        (["dev"], {}, "AWS_REGION=eu-central-1"),
        (["dev"], {"AWS_REGION": "eu-central-1", "ACCOUNT": "12"}, "12 digits"),
        (["prod"], {}, "does not exist"),
    ],
)
def test_what_cannot_be_is_said(
    stages: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    words: str,
) -> None:
    written(stages)
    assert main(arguments, environment) == 1
    assert words in capsys.readouterr().err
