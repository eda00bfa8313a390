"""The deployed functions once more, with settings that only stories need; processes start when used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.cloud_zip.account import Account
from tests.cloud_zip.conftest import SCHEMA, SECRET
from tests.cloud_zip.deploying import Deployed
from tests.cloud_zip.front import Front
from tests.cloud_zip.runtime import Code, Function
from tests.cloud_zip.stories.line import Line
from tests.cloud_zip.stories.receiver import Receiver, receiving
from tests.cloud_zip.stories.told import ADDRESS, SIGNING
from tests.databases import Server


@pytest.fixture(scope="session")
def line(database: Server) -> Iterator[Line]:
    """How the functions reach their database."""
    made = Line(database.port)
    yield made
    made.close()


@pytest.fixture(scope="session")
def own_functions(
    deployed: Deployed,
    code: Code,
    machine: Mapping[str, str],
    database: Server,
    line: Line,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Function]]:
    url = f"mysql://noonday@127.0.0.1:{line.port}/{SCHEMA}"
    more = {
        "NOONDAY_DATABASE": url,
        "NOONDAY_URL": ADDRESS,
        "NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "*", "resource": "*"}]',
        "NOONDAY_WEBHOOK_SECRETS": SIGNING,
        "NOONDAY_CONNECTION_WAREHOUSE": f"{url}?tls_ca={database.ca_file}",
        "NOONDAY_CONNECTION_WAREHOUSE_SECRET": SECRET,
        "NOONDAY_CONNECTION_VAULT": f"{url}?tls_ca={database.ca_file}",
        "NOONDAY_CONNECTION_VAULT_SECRET": SECRET,
    }
    scratch = tmp_path_factory.mktemp("stories")
    made = {}
    for name in deployed.functions:
        made[name] = Function(code, deployed.configuration(name), {**machine, **more}, scratch)
    yield made
    for function in made.values():
        function.end()


@pytest.fixture
def story(account: Account, own_functions: Mapping[str, Function]) -> Account:
    front = Front(account.deployed.paths, own_functions["api"].invoke)
    return replace(account, functions=own_functions, front=front)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver
