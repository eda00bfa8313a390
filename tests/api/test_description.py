"""The API's description: sound, complete, and what serves is what it describes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

from openapi_spec_validator import validate

from app import app
from chalicelib.api import operations
from tests.api.described import DescribedApi
from tests.local.server import ROOT


def test_it_is_openapi(api: DescribedApi) -> None:
    assert api.description["openapi"].startswith("3.1")
    validate(api.description)


def test_every_route_is_described_and_every_description_is_a_route(api: DescribedApi) -> None:
    served = {(path, method) for path, methods in app.routes.items() for method in methods}
    described = {
        (path, method.upper()) for path, item in api.description["paths"].items() for method in item
    }
    assert served == described == {(one.path, one.method) for one in operations()}


def test_every_route_says_what_it_does(api: DescribedApi) -> None:
    for path, item in api.description["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], f"{method} {path}"
            assert operation["tags"], f"{method} {path}"
    names = [one.name for one in operations()]
    assert len(set(names)) == len(names)


def test_a_definitions_target_is_one_of_the_kinds(api: DescribedApi) -> None:
    schemas: dict[str, Any] = dict(api.description["components"]["schemas"])
    assert schemas["Definition"]["properties"]["target"]["$ref"].endswith("/Target")
    target = schemas["Target"]
    assert set(target["discriminator"]["mapping"]) >= {"sql", "http", "process"}
    assert len(target["oneOf"]) == len(target["discriminator"]["mapping"])


def test_variables_of_one_level_have_one_name() -> None:
    """API Gateway refuses siblings that name the same place differently."""
    names: dict[tuple[str, ...], set[str]] = {}
    for path in app.routes:
        parts = path.split("/")
        for place, part in enumerate(parts):
            if part.startswith("{"):
                names.setdefault(tuple(parts[:place]), set()).add(part)
    assert all(len(variables) == 1 for variables in names.values())


def test_it_names_the_version_of_the_package(api: DescribedApi) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert api.description["info"]["version"] == project["version"]


def test_importing_the_app_reaches_for_nothing_of_amazons() -> None:
    """Every Lambda function pays for what app.py imports; boto3 and its like are paid by who uses them."""
    script = "import app, sys; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    unwanted = {"boto3", "botocore", "pymysql", "click", "yaml", "rich", "requests", "http.server"}
    assert unwanted.isdisjoint(loaded.split())


def test_head_is_get_without_its_body(api: DescribedApi) -> None:
    answer = api.server.call("HEAD", "/health", token="")
    assert (answer.status, answer.body) == (200, "")
    assert int(answer.headers["content-length"]) > 0
