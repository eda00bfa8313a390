"""Callbacks after the first deployment: targets are told the stack's own address, reach it without
credentials of AWS, and nothing in the template waits for itself because of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from infra.functions import declared
from infra.stage import Stage
from infra.template import environment
from tests.infra.building import assembled
from tests.infra.test_template import STAGES

OWN = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"
PUBLIC = {
    ("/runs/{token}/callback", "post"),
    ("/health", "get"),
    ("/openapi.json", "get"),
}
EVERY = {"dev": Stage(name="dev"), **STAGES}


@pytest.fixture(scope="module", params=EVERY)
def resources(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("made")
    made: dict[str, Any] = assembled(folder / "made", EVERY[request.param])["Resources"]
    return made


def named(value: Any) -> Iterator[str]:
    """Whatever a value refers to: parameters and pseudo parameters, too."""
    if isinstance(value, list):
        for one in value:
            yield from named(one)
    if not isinstance(value, dict):
        return
    for key, given in value.items():
        if key == "Ref":
            yield given
        elif key == "Fn::GetAtt":
            yield given.partition(".")[0] if isinstance(given, str) else given[0]
        elif key == "Fn::Sub":
            text, more = given if isinstance(given, list) else (given, {})
            yield from named(more)
            names = re.findall(r"\$\{([A-Za-z0-9]+)[^}]*\}", text)
            yield from (one for one in names if one not in more)
        else:
            yield from named(given)


def graph(resources: Mapping[str, Any]) -> dict[str, set[str]]:
    """What each resource waits for; those that SAM makes of a function or an API are named after it."""
    waits: dict[str, set[str]] = {}
    for name, one in resources.items():
        after = one.get("DependsOn", [])
        waits[name] = {
            *named(one.get("Properties", {})),
            *([after] if isinstance(after, str) else after),
        }
    for name, one in resources.items():
        if one["Type"] == "AWS::Serverless::Function":
            waits |= made_for_function(name, one["Properties"])
        if one["Type"] == "AWS::Serverless::Api":
            # Its methods name functions in the definition; a stage serves a deployment of it.
            waits[f"{name}Deployment"] = {name}
            waits[f"{name}Stage"] = {f"{name}Deployment", name}
    return {name: {one for one in after if one in waits} for name, after in waits.items()}


def made_for_function(name: str, properties: Mapping[str, Any]) -> dict[str, set[str]]:
    """A rule or a mapping for each event, the permission to call, and how it is repeated."""
    made: dict[str, set[str]] = {}
    for event, detail in properties.get("Events", {}).items():
        made[f"{name}{event}"] = {name, *named(detail["Properties"])}
        made[f"{name}{event}Permission"] = {name, f"{name}{event}"}
    if "EventInvokeConfig" in properties:
        made[f"{name}EventInvokeConfig"] = {name}
    return made


def test_nothing_waits_for_itself(resources: dict[str, Any]) -> None:
    order = list(TopologicalSorter(graph(resources)).static_order())
    assert order.index("APIHandler") < order.index("RestAPI") < order.index("Launch")


def test_the_test_would_find_a_circle(resources: dict[str, Any]) -> None:
    """The function of the API cannot be told where the API is."""
    handler = {**resources["APIHandler"]}
    handler["Properties"] = {**handler["Properties"], "Description": {"Fn::Sub": OWN}}
    with pytest.raises(CycleError, match="RestAPI"):
        TopologicalSorter(graph({**resources, "APIHandler": handler})).prepare()


def test_whoever_launches_or_notifies_knows_the_address(resources: dict[str, Any]) -> None:
    knowing = {
        name
        for name, one in resources.items()
        if one["Type"] == "AWS::Serverless::Function"
        and one["Properties"]["Environment"]["Variables"].get("NOONDAY_URL") == {"Fn::Sub": OWN}
    }
    assert knowing == {"Launch", "Work", "Deliver"}
    stage = resources["RestAPI"]["Properties"]["StageName"]
    assert OWN.endswith(f"/{stage}")


def test_a_domain_of_one_s_own_goes_before(tmp_path: Path) -> None:
    url = "https://noonday.example.com"
    stage = Stage(name="dev", settings={"NOONDAY_URL": url})
    assert all("NOONDAY_URL" not in environment(one, stage) for one in declared())
    made = assembled(tmp_path / "made", stage)["Resources"]
    for name in ("APIHandler", "Launch", "Work", "Deliver"):
        assert made[name]["Properties"]["Environment"]["Variables"]["NOONDAY_URL"] == url


def test_targets_report_without_credentials_of_aws_and_everything_else_needs_them(
    resources: dict[str, Any],
) -> None:
    """No ``security``, and none for the whole API either, is what API Gateway takes for: let everybody in."""
    body = resources["RestAPI"]["Properties"]["DefinitionBody"]
    assert not {"security", "x-amazon-apigateway-api-key-source"} & set(body)
    assert "Auth" not in resources["RestAPI"]["Properties"]
    free = {
        (path, method)
        for path, methods in body["paths"].items()
        for method, detail in methods.items()
        if method != "options" and not detail.get("security")
    }
    assert free == PUBLIC
    guarded = [
        detail["security"]
        for path, methods in body["paths"].items()
        for method, detail in methods.items()
        if (path, method) not in PUBLIC
    ]
    assert len(guarded) > 50
    [scheme] = {name for one in guarded for each in one for name in each}
    assert scheme in body["securityDefinitions"]
    vouching = body["securityDefinitions"][scheme]["x-amazon-apigateway-authtype"]
    assert vouching in ("awsSigv4", "cognito_user_pools")
