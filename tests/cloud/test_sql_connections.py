"""Named databases whose passwords AWS keeps: rotated secrets, and tokens of IAM over verified TLS."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

from chalicelib import wiring
from chalicelib.aws.authorities import RDS_ROOTS
from chalicelib.aws.credentials import KeptPassword
from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.settings import BadSetting, read_settings
from chalicelib.targets import Connection, TargetRegistry, TargetSettings, sql_mysql
from tests.cloud.amazon import REGION, Amazon, refuse
from tests.databases import Server
from tests.targets.hands import FixedClock, Hand, a_request

RDS = "shop.abc.eu-central-1.rds.amazonaws.com"


def run(tmp_path: Path, connection: Connection) -> Outcome:
    settings = TargetSettings(tmp_path / "files", tmp_path / "runs", {"shop": connection})
    spec = {"connection": "shop", "query": "SELECT 1"}
    return TargetRegistry(settings, FixedClock()).run(a_request("sql", spec), Hand())


def connections(**environ: str) -> dict[str, Connection]:
    settings = read_settings({"NOONDAY_AUTH": "local", "NOONDAY_AWS_REGION": REGION, **environ})
    return dict(wiring._target_settings(settings).connections)


def test_a_secret_that_was_rotated_is_asked_for_again(
    amazon: Amazon, mariadb: Server, tmp_path: Path
) -> None:
    secrets = amazon.client("secretsmanager")
    secrets.create_secret(Name="shop", SecretString=json.dumps({"password": "first"}))
    mariadb.execute("CREATE OR REPLACE USER 'shopper'@'127.0.0.1' IDENTIFIED BY 'first'")
    url = mariadb.url("").replace("mysql://root@", "mysql://shopper@")
    named = connections(
        NOONDAY_CONNECTION_SHOP=f"{url}mysql?tls=off", NOONDAY_CONNECTION_SHOP_SECRET="shop"
    )
    mariadb.execute("GRANT ALL ON mysql.* TO 'shopper'@'127.0.0.1'")
    try:
        assert isinstance(run(tmp_path, named["shop"]), Succeeded)
        assert isinstance(run(tmp_path, named["shop"]), Succeeded)
        assert amazon.gate.calls["GetSecretValue"] == 1
        secrets.put_secret_value(SecretId="shop", SecretString=json.dumps({"password": "second"}))
        mariadb.execute("ALTER USER 'shopper'@'127.0.0.1' IDENTIFIED BY 'second'")
        assert isinstance(run(tmp_path, named["shop"]), Succeeded)
        assert amazon.gate.calls["GetSecretValue"] == 2
    finally:
        mariadb.execute("DROP USER 'shopper'@'127.0.0.1'")


def test_a_secret_that_cannot_be_read_fails_the_run_for_a_retry(
    amazon: Amazon, tmp_path: Path
) -> None:
    amazon.fail("GetSecretValue", refuse(400, "AccessDeniedException"))
    named = connections(
        NOONDAY_CONNECTION_SHOP="mysql://shopper@127.0.0.1:1/shop",
        NOONDAY_CONNECTION_SHOP_SECRET="shop",
    )
    outcome = run(tmp_path, named["shop"])
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert "AccessDenied" in (outcome.error or "")


def test_a_token_of_iam_is_the_password_and_travels_over_verified_tls(
    amazon: Amazon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def connect(**more: Any) -> Any:
        asked.append(more)
        raise pymysql.err.OperationalError(1045, "Access denied for user 'shopper'")

    monkeypatch.setattr(pymysql, "connect", connect)
    named = connections(
        NOONDAY_CONNECTION_SHOP=f"mysql://shopper@{RDS}/shop", NOONDAY_CONNECTION_SHOP_IAM="on"
    )
    outcome = run(tmp_path, named["shop"])
    assert isinstance(outcome, Failed)
    assert "Action=connect" not in (outcome.error or "")
    first, second = asked  # refused once, it is signed anew
    assert first["password"].startswith(f"{RDS}:3306/?Action=connect&DBUser=shopper")
    context = first["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    roots = ssl.create_default_context(cafile=RDS_ROOTS).get_ca_certs()
    assert context.get_ca_certs() == roots
    assert second["ssl"] is context
    assert not amazon.gate.calls


def test_a_token_never_travels_without_tls(tmp_path: Path) -> None:
    keeper = KeptPassword(lambda: "token", lambda: 0)
    for place in (f"{RDS}/shop?tls=off", "127.0.0.1/shop?socket=/tmp/x"):
        outcome = run(tmp_path, Connection("shop", f"mysql://u@{place}", keeper=keeper, iam=True))
        assert isinstance(outcome, Failed)
        assert "TLS only" in (outcome.error or "")
    options = sql_mysql._tls("127.0.0.1", {}, always=True)
    assert options["ssl"].verify_mode is ssl.CERT_REQUIRED


def test_another_error_does_not_ask_for_another_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def connect(**_: Any) -> Any:
        raise pymysql.err.OperationalError(2003, "Can't connect")

    def ask() -> str:
        asked.append("asked")
        return "secret"

    monkeypatch.setattr(pymysql, "connect", connect)
    keeper = KeptPassword(ask, lambda: 0)
    assert isinstance(run(tmp_path, Connection("shop", "mysql://u@x/y", keeper=keeper)), Failed)
    assert asked == ["asked"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"IAM": "yes"}, "on or off"),
        ({"IAM": "on", "SECRET": "x"}, "several of"),
        ({"PASSWORD": "p", "SECRET": "x"}, "several of"),
        ({"PASSWORD": "p", "IAM": "on"}, "several of"),
    ],
)
def test_settings_that_contradict_each_other(more: dict[str, str], words: str) -> None:
    environ = {f"NOONDAY_CONNECTION_SHOP_{name}": value for name, value in more.items()}
    with pytest.raises(BadSetting, match=words):
        connections(NOONDAY_CONNECTION_SHOP="mysql://u@x/y", **environ)


def test_a_connection_may_still_be_called_secret() -> None:
    named = connections(NOONDAY_CONNECTION_TOP_SECRET="mysql://u@x/y")
    assert list(named) == ["top_secret"]
    assert urlsplit(named["top_secret"].url).hostname == "x"
