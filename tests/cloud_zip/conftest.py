"""Built once for a run, deployed once for a process; account and database are empty again for each test."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.package import Package
from tests.cloud import amazon as amazons
from tests.cloud.amazon import KEYS, REGION, Amazon
from tests.cloud_zip import deploying, runtime
from tests.cloud_zip.account import Account
from tests.cloud_zip.deploying import OF_TESTS, PASSWORD, SECRET, STACK, WAREHOUSE, Deployed
from tests.cloud_zip.front import Front
from tests.cloud_zip.guard import Guard
from tests.cloud_zip.remaining import Remaining
from tests.cloud_zip.runtime import Code, Configuration, Function
from tests.databases import Server
from tests.infra.building import built_once

__all__ = ["PASSWORD", "SECRET"]
SCHEMA = "noonday"
MASTER = "noonday_master"


@pytest.fixture(scope="session")
def amazon() -> Iterator[Amazon]:
    with amazons.serving() as amazon:
        yield amazon


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cloud-zip"


@pytest.fixture(scope="session")
def package(shared: Path) -> Package:
    return built_once(shared, OF_TESTS)


@pytest.fixture(scope="session")
def code(package: Package, shared: Path) -> Code:
    """The zip, unpacked once: nobody may write there."""
    with deploying.alone(shared):
        if not (shared / "whole").exists():
            deploying.unpack(package.zip, shared / "task")
            runtime.lay_out_runtime(shared / "runtime")
            (shared / "whole").touch()
    return Code(shared / "task", shared / "runtime")


@pytest.fixture(scope="session")
def machine(amazon: Amazon, mariadb: Server) -> Mapping[str, str]:
    """What is different here: where AWS is, where the database is, and whose certificate that has."""
    url = f"mysql://noonday@{mariadb.host}:{mariadb.port}/{SCHEMA}"
    return {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": amazon.url,
        "NOONDAY_DATABASE": url,
        "NOONDAY_DATABASE_CA": str(mariadb.ca_file),
        WAREHOUSE: url,
    }


@pytest.fixture(scope="session")
def _made() -> Iterator[dict[str, Function]]:
    """Functions that run, by the names that AWS knows them by."""
    made: dict[str, Function] = {}
    yield made
    for function in made.values():
        function.end()


@pytest.fixture(scope="session")
def deployed(
    amazon: Amazon,
    package: Package,
    code: Code,
    machine: Mapping[str, str],
    mariadb: Server,
    _made: dict[str, Function],
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """The database is as RDS makes it: empty, with a master whose password is in a secret."""
    amazons.fresh(amazon)
    mariadb.execute("DROP USER IF EXISTS noonday")
    mariadb.execute(f"DROP DATABASE IF EXISTS {SCHEMA}")
    scratch = tmp_path_factory.mktemp("functions")

    def invoke(of: Configuration, event: Mapping[str, Any]) -> Any:
        if of.name not in _made:
            _made[of.name] = Function(code, of, machine, scratch)
        if of.name.endswith("-migrate"):
            _master(amazon, mariadb, of.environment["NOONDAY_MASTER_SECRET"])
        return _made[of.name].invoke(event)

    def get(path: str) -> Mapping[str, Any]:
        found = amazon.client("lambda").get_function_configuration(FunctionName="noonday-test-api")
        of = deploying.configured(found)
        answer = Front(frozenset({path}), lambda event: invoke(of, event)).call(
            "GET", path, caller=None
        )
        told: Mapping[str, Any] = answer.body
        return told

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": amazon.url, "AWS_REGION": REGION}.items():
            patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        made = deploying.deploy(amazon, package, invoke, get)
    for name in made.functions:
        of = made.configuration(name)
        _made.setdefault(of.name, Function(code, of, machine, scratch))
    return made


def _master(amazon: Amazon, mariadb: Server, secret: str) -> None:
    """Whom RDS makes with the database; moto names another in the secret than in the database."""
    secrets = amazon.client("secretsmanager")
    password = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])["password"]
    login = json.dumps({"username": MASTER, "password": password})
    secrets.put_secret_value(SecretId=secret, SecretString=login)
    mariadb.execute(f"DROP USER IF EXISTS {MASTER}")
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {MASTER} IDENTIFIED BY %s REQUIRE SSL", (password,))
    mariadb.execute(f"GRANT ALL ON *.* TO {MASTER} WITH GRANT OPTION")


@pytest.fixture(scope="session")
def database(mariadb: Server, deployed: Deployed) -> Server:
    """As the deployment left it."""
    del deployed
    return mariadb


@pytest.fixture(scope="session")
def remaining(deployed: Deployed) -> Remaining:
    del deployed
    return Remaining()


@pytest.fixture(scope="session")
def functions(deployed: Deployed, _made: Mapping[str, Function]) -> Mapping[str, Function]:
    return {name: _made[one["FunctionName"]] for name, one in deployed.functions.items()}


@pytest.fixture(scope="session")
def guard(amazon: Amazon, deployed: Deployed) -> Guard:
    amazon.gate.guard = made = Guard(f"{STACK}-", dict(deployed.roles))
    return made


@pytest.fixture
def emptied(amazon: Amazon, database: Server, remaining: Remaining, guard: Guard) -> Amazon:
    """The account as the deployment left it, and nothing in its database."""
    amazons.fresh(amazon)
    database.delete_rows(SCHEMA)
    remaining.restore()
    guard.renew()
    return amazon


@pytest.fixture
def account(
    emptied: Amazon,
    database: Server,
    deployed: Deployed,
    functions: Mapping[str, Function],
    machine: Mapping[str, str],
    guard: Guard,
) -> Iterator[Account]:
    """Whatever a test does, no function asks for what its role does not permit."""
    front = Front(deployed.paths, functions["api"].invoke)
    yield Account(emptied, database, SCHEMA, deployed, functions, machine, front, guard)
    assert guard.expected or guard.denied == []
