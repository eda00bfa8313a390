"""Databases that jobs name: one declaration gives settings, permissions, and the way out of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.settings import read_settings
from infra.connections import CONNECTING, READERS
from infra.functions import connections as connections_of
from infra.functions import declared
from infra.policies import policy
from infra.problems import Stuck
from infra.stage import Stage, read_stage
from infra.template import environment, merged
from tests.infra import iam
from tests.infra.building import assembled
from tests.infra.iam import ACCOUNT, HERE, permits
from tests.infra.test_template import complaints

SECRET = f"arn:aws:secretsmanager:{HERE}:secret:crm-a1b2c3"
CONNECTIONS: dict[str, Any] = {
    "warehouse": {
        "url": "mysql://reports@shop.abc.eu-central-1.rds.amazonaws.com/shop",
        "iam": "db-ABCDEFGHIJKL01234567",
        "network": "sg-0123456789abcdef0",
    },
    "far": {
        "url": "mysql://reports@shop.cluster-abc.us-west-2.rds.amazonaws.com:3307/shop",
        "iam": "cluster-ABCDEFGHIJKL01234567",
    },
    "crm": {"url": "mysql://noonday@crm.example.com/crm", "secret": SECRET},
    "old": {"url": "mysql://noonday@10.1.2.3/old", "secret": "old/db", "network": "10.1.0.0/16"},
}
STAGE = Stage(name="dev", connections=CONNECTIONS)
FUNCTIONS = {one.name: one for one in declared()}
USERS = f"arn:aws:rds-db:{HERE}:dbuser"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_who_connects_may_connect(name: str) -> None:
    document = policy(FUNCTIONS[name], STAGE)
    mine = f"{USERS}:db-ABCDEFGHIJKL01234567/reports"
    old = f"arn:aws:secretsmanager:{HERE}:secret:old/db-x9y8z7"
    connects = name in CONNECTING
    assert permits(document, "rds-db:connect", mine) is connects
    assert permits(document, "secretsmanager:GetSecretValue", SECRET) is connects
    assert permits(document, "secretsmanager:GetSecretValue", old) is connects


def test_as_the_named_users_and_nobody_else() -> None:
    document = policy(FUNCTIONS["work"], STAGE)
    far = f"arn:aws:rds-db:us-west-2:{ACCOUNT}:dbuser:cluster-ABCDEFGHIJKL01234567/reports"
    assert permits(document, "rds-db:connect", far)
    for other in ("db-ABCDEFGHIJKL01234567/admin", "db-OTHER/reports"):
        assert not permits(document, "rds-db:connect", f"{USERS}:{other}")
    for other in ("old/db-extra-x9y8z7", "crm-a1b2c4", "old/db"):
        place = f"arn:aws:secretsmanager:{HERE}:secret:{other}"
        assert not permits(document, "secretsmanager:GetSecretValue", place)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_who_knows_them_reads_them_as_settings(name: str) -> None:
    told = environment(FUNCTIONS[name], STAGE)
    known = read_settings(
        {"NOONDAY_AUTH": "iam"}
        | {key: value for key, value in told.items() if key.startswith("NOONDAY_CONNECTION_")}
    ).connections
    assert set(known) == (set(CONNECTIONS) if name in READERS else set())
    if known:
        assert known["warehouse"].iam
        assert known["crm"].secret == SECRET
        assert known["old"].secret == "old/db"


def test_there_is_a_way_to_each_and_no_rule_twice() -> None:
    twice = {**CONNECTIONS, "again": {"url": "mysql://a@b.example.com/c", "secret": "again"}}
    resources = merged(declared(), Stage(name="dev", connections=twice))["Resources"]
    rules = [
        (found["FromPort"], found.get("CidrIp") or found["DestinationSecurityGroupId"])
        for name, one in resources.items()
        if name.startswith("EgressTo")
        for found in [one["Properties"]]
    ]
    assert sorted(rules, key=str) == [
        (3306, "0.0.0.0/0"),
        (3306, "10.1.0.0/16"),
        (3306, "sg-0123456789abcdef0"),
        (3307, "0.0.0.0/0"),
    ]


def test_cfn_lint_has_no_complaint(tmp_path: Path) -> None:
    stage = Stage(
        name="dev",
        connections=CONNECTIONS,
        database={"iam": True},
        keys=[f"arn:aws:kms:{HERE}:key/0a1b2c3d-0000-4000-8000-000000000000"],
        athena={"tables": ["a/*"], "data": ["lake/*"], "results": ["out/*"]},
        targets_allow=[{"owner": "*", "kind": "*", "resource": "*"}],
    )
    assert complaints(assembled(tmp_path / "made", stage)) == []


GOOD = "mysql://a@b.example.com/c"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"Shop": {"url": GOOD, "secret": "s"}}, "'Shop' is no name of a connection"),
        ({"top_secret": {"url": GOOD, "secret": "s"}}, "'top_secret' is no name"),
        ({"a": {"url": GOOD}}, "connections.a: .*give one of secret .* and iam"),
        ({"a": {"url": GOOD, "secret": "s", "iam": "db-ABCDEFGH12"}}, "give one of secret"),
        ({"a": {"url": GOOD, "secret": "s", "password": "p"}}, "connections.a.password"),
        (
            {"a": {"url": "mysql://u:hunter2@b/c", "secret": "s"}},
            "connections.a.url: .*Secrets Manager",
        ),
        ({"a": {"url": "postgres://u@b/c", "secret": "s"}}, "write mysql://USER@HOST"),
        ({"a": {"url": "mysql://b/c", "secret": "s"}}, "names no user"),
        ({"a": {"url": "mysql://u@b:x/c", "secret": "s"}}, "is no URL"),
        ({"a": {"url": GOOD, "iam": "shop"}}, "'shop' is no resource id"),
        ({"a": {"url": GOOD, "iam": True}}, "True is no resource id"),
        ({"a": {"url": f"{GOOD}?tls=off", "iam": "db-ABCDEFGH12"}}, "tls=off"),
        ({"a": {"url": GOOD, "secret": SECRET[:-7]}}, "six characters"),
        ({"a": {"url": GOOD, "secret": "s", "network": "10.0.0.0"}}, None),
        ({"a": {"url": GOOD, "secret": "s", "network": "10.0.0.1/8"}}, "neither a range"),
        ({"a": {"url": GOOD, "secret": "s", "network": "vpc"}}, "neither a range"),
        ({f"a{n}": {"url": GOOD, "secret": "s"} for n in range(40)}, "room for 2000"),
    ],
)
def test_a_bad_declaration_says_what_would_be_right(
    document: dict[str, Any], words: str | None, tmp_path: Path
) -> None:
    (tmp_path / "dev.yaml").write_text(yaml.safe_dump({"connections": document}))
    if words is None:
        read_stage("dev", tmp_path)
        return
    with pytest.raises(Stuck, match=words) as stuck:
        read_stage("dev", tmp_path)
    assert "hunter2" not in str(stuck.value)


def test_settings_alone_would_be_of_no_use() -> None:
    with pytest.raises(ValueError, match="declare it under connections"):
        Stage(name="dev", settings={"NOONDAY_CONNECTION_SHOP": GOOD})


IAM = Stage(name="dev", database={"iam": True})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_a_password_each_function_signs_tokens_for_one_user(name: str) -> None:
    document, told = policy(FUNCTIONS[name], IAM), environment(FUNCTIONS[name], IAM)
    assert permits(document, "rds-db:connect", f"{USERS}:db-NOONDAY/noonday")
    assert not permits(document, "rds-db:connect", f"{USERS}:db-NOONDAY/noonday_master")
    assert told["NOONDAY_DATABASE_IAM"] == "on"
    assert "NOONDAY_DATABASE_SECRET" not in told
    reads = "secretsmanager:GetSecretValue" in iam.actions(document)
    assert reads == (name == "migrate")  # the master's


def test_without_a_password_there_is_no_secret_of_it() -> None:
    assert "DatabaseSecret" not in merged(declared(), IAM)["Resources"]
    assert "DatabaseSecret" in merged(declared(), STAGE)["Resources"]
    assert connections_of(declared()) > 0


def test_a_proxy_needs_the_password() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        Stage(name="dev", database={"iam": True, "proxy": True})
