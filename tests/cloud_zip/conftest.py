"""Deployed once for the process; for each test the account and its database are empty again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from chalicelib.store import open_store
from tests.cloud import amazon as amazons
from tests.cloud.amazon import KEYS, REGION, Amazon
from tests.cloud_zip import deploying, runtime
from tests.cloud_zip.account import Account, secret_of
from tests.cloud_zip.deploying import LANES, PREFIX, STAGE, Deployed
from tests.cloud_zip.front import Front
from tests.cloud_zip.runtime import Code, Function
from tests.databases import Server

SCHEMA = "noonday_zip"
PASSWORD = "no word of the tests"
SECRET = "noonday-database"


@pytest.fixture(scope="session")
def amazon() -> Iterator[Amazon]:
    with amazons.serving() as amazon:
        yield amazon


@pytest.fixture(scope="session")
def database(mariadb: Server) -> Server:
    """As RDS is set up: a user of the application's own, which must come over TLS."""
    url = mariadb.create(SCHEMA)
    with closing(open_store(url)) as store:
        store.migrate(0)
    mariadb.execute("DROP USER IF EXISTS noonday")
    mariadb.execute(f"CREATE USER noonday IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
    mariadb.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.* TO noonday")
    return mariadb


@pytest.fixture(scope="session")
def environment(database: Server) -> Mapping[str, str]:
    """What the stage is deployed with."""
    url = f"mysql://noonday@{database.host}:{database.port}/{SCHEMA}"
    return {
        "NOONDAY_AUTH": "iam",
        "NOONDAY_ADMINS": "role:noonday-admin",
        "NOONDAY_STAGE": STAGE,
        "NOONDAY_DATABASE": url,
        "NOONDAY_DATABASE_SECRET": SECRET,
        "NOONDAY_DATABASE_CA": str(database.ca_file),
        "NOONDAY_QUEUES": PREFIX,
        "NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "*", "resource": "*"}]',
        "NOONDAY_CONNECTION_WAREHOUSE": url,
        "NOONDAY_CONNECTION_WAREHOUSE_PASSWORD": PASSWORD,
        "NOONDAY_HTTP_ALLOW": "127.0.0.1",
    }


@pytest.fixture(scope="session")
def deployed(
    amazon: Amazon, environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    amazons.fresh(amazon)
    shared = tmp_path_factory.getbasetemp()
    if "popen-" in shared.name:  # one of several processes of the same run
        shared = shared.parent
    project = tmp_path_factory.mktemp("project") / "noonday"
    return deploying.deploy(amazon, project, shared / "packages", environment)


@pytest.fixture(scope="session")
def code(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Code:
    folder = tmp_path_factory.mktemp("lambda")
    return Code(
        deploying.unpack(deployed.zip_file, folder / "task"),
        runtime.lay_out_runtime(folder / "runtime"),
    )


@pytest.fixture(scope="session")
def machine(amazon: Amazon) -> Mapping[str, str]:
    return {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": amazon.url}


@pytest.fixture(scope="session")
def functions(
    deployed: Deployed,
    code: Code,
    machine: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Function]]:
    scratch = tmp_path_factory.mktemp("functions")
    made = {
        name: Function(code, deployed.configuration(name), machine, scratch)
        for name in deployed.functions
    }
    yield made
    for function in made.values():
        function.end()


@pytest.fixture
def account(
    amazon: Amazon,
    database: Server,
    deployed: Deployed,
    functions: Mapping[str, Function],
    machine: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    amazons.fresh(amazon)
    database.delete_rows(SCHEMA)
    for lane in LANES:
        amazon.client("sqs").create_queue(QueueName=f"noonday-{STAGE}-{lane}")
    secret_of(amazon, SECRET, PASSWORD)
    front = Front(deployed.paths, functions["api"].invoke)
    return Account(amazon, database, SCHEMA, deployed, functions, machine, front)
