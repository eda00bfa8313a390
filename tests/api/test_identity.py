"""Who IAM and Cognito vouch for: read from what API Gateway says, and from nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib import wiring
from chalicelib.api.identity import identity_of_cognito, identity_of_iam
from chalicelib.engine.commands import create_owner, set_member
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.context import EventContext
from chalicelib.local.manual_clock import ManualClock
from chalicelib.model.errors import InvalidInput, Unavailable
from chalicelib.model.states import Role
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import read_settings
from chalicelib.store import SqlStore
from tests.engine.world import ADMIN, HeapAlarm, ListQueue, World

OWN = "123456789012"
OTHER = "210987654321"


def iam(arn: str | None, account: str = OWN) -> dict[str, Any]:
    return {"accountId": account, "identity": {"userArn": arn}}


def cognito(**claims: Any) -> dict[str, Any]:
    told = {"token_use": "id", "cognito:username": "alice", **claims}
    return {"accountId": OWN, "authorizer": {"claims": told}}


@pytest.mark.parametrize(
    ("arn", "name", "principal"),
    [
        (f"arn:aws:iam::{OWN}:user/ops/Bob", "user:bob", "user:bob"),
        (f"arn:aws:sts::{OWN}:assumed-role/Data/alice", "role:data/alice", "role:data"),
        (f"arn:aws-cn:sts::{OWN}:assumed-role/Data/i-1", "role:data/i-1", "role:data"),
        (
            f"arn:aws:sts::{OTHER}:assumed-role/Data/eve",
            f"role:{OTHER}:data/eve",
            f"role:{OTHER}:data",
        ),
    ],
)
def test_identities_of_iam(arn: str, name: str, principal: str) -> None:
    identity = identity_of_iam(iam(arn))
    assert identity is not None
    assert (identity.name, list(identity.principals)) == (name, [principal])


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"identity": None},
        {"identity": {}},
        iam(None),
        iam("alice"),
        iam(f"arn:aws:iam::{OWN}:root"),
        iam(f"arn:aws:sts::{OWN}:federated-user/alice"),
        {"authorizer": {"claims": {"token_use": "id", "cognito:username": "alice"}}},
    ],
)
def test_without_one_of_iam_there_is_nobody(context: Mapping[str, Any]) -> None:
    assert identity_of_iam(context) is None


@pytest.mark.parametrize("groups", ["Data,ops", "[Data ops]", "[Data, ops]", ["Data", "ops"]])
def test_identities_of_cognito(groups: object) -> None:
    identity = identity_of_cognito(cognito(**{"cognito:groups": groups}))
    assert identity is not None
    assert identity.name == "user:alice"
    assert list(identity.principals) == ["user:alice", "group:data", "group:ops"]


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"authorizer": None},
        {"authorizer": {}},
        {"authorizer": {"claims": "x"}},
        cognito(token_use="access"),
        cognito(**{"cognito:username": ""}),
        iam(f"arn:aws:iam::{OWN}:user/bob"),
    ],
)
def test_without_one_of_cognito_there_is_nobody(context: Mapping[str, Any]) -> None:
    assert identity_of_cognito(context) is None


Ask = Callable[[str, Mapping[str, Any]], tuple[int, Any]]


@pytest.fixture
def ask(open_empty: Callable[[str], SqlStore]) -> Iterator[Ask]:
    """``ask(auth, context)`` is a request of whoever the context says, for who it is."""
    store = open_empty("sqlite-memory")
    world = World(store)
    create_owner(world.engine, ADMIN, "red")
    create_owner(world.engine, ADMIN, "blue")
    set_member(world.engine, ADMIN, "red", "role:data", Role.OPERATOR)
    set_member(world.engine, ADMIN, "red", "user:alice", Role.VIEWER)
    set_member(world.engine, ADMIN, "red", "group:ops", Role.OWNER)
    transport = wiring.Transport(queue=ListQueue(), alarm=HeapAlarm(), stops=RunsInThisProcess())
    clock = ManualClock(world.clock.now)

    def asked(auth: str, context: Mapping[str, Any]) -> tuple[int, Any]:
        environ = {"NOONDAY_AUTH": auth, "NOONDAY_ADMINS": "role:Boss, group:admins"}
        log = JsonLog(sys.stderr, "off", clock.now_ms)
        noonday = wiring.compose(read_settings(environ), store, clock, transport, log)
        wiring.provide(lambda: replace(noonday))
        event = {
            "resource": "/whoami",
            "path": "/whoami",
            "httpMethod": "GET",
            "headers": {"Authorization": "Bearer a-token-of-nobody"},
            "multiValueHeaders": {},
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {"resourcePath": "/whoami", "httpMethod": "GET", **context},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = app(event, EventContext("api", limit_s=29))
        return answer["statusCode"], json.loads(answer["body"])

    yield asked
    wiring.provide(_nobody)


def _nobody() -> wiring.Noonday:
    raise Unavailable("the test is over")


def test_a_role_of_iam_has_the_roles_of_its_members(ask: Ask) -> None:
    status, told = ask("iam", iam(f"arn:aws:sts::{OWN}:assumed-role/Data/alice"))
    assert (status, told["name"], told["admin"]) == (200, "role:data/alice", False)
    assert told["roles"] == {"red": "operator"}


def test_the_same_role_of_another_account_has_none(ask: Ask) -> None:
    status, told = ask("iam", iam(f"arn:aws:sts::{OTHER}:assumed-role/Data/alice"))
    assert status == 200
    assert "red" not in json.dumps(told)


def test_the_highest_role_of_user_and_groups_counts(ask: Ask) -> None:
    status, told = ask("cognito", cognito(**{"cognito:groups": "ops"}))
    assert (status, told["admin"]) == (200, False)
    assert "owner" in json.dumps(told)
    assert "viewer" not in json.dumps(told)


@pytest.mark.parametrize(
    ("auth", "context"),
    [
        ("iam", iam(f"arn:aws:sts::{OWN}:assumed-role/Boss/x")),
        ("cognito", cognito(**{"cognito:groups": "[admins]"})),
    ],
)
def test_administrators_are_named_by_the_operator(
    ask: Ask, auth: str, context: Mapping[str, Any]
) -> None:
    assert ask(auth, context)[1]["admin"] is True


@pytest.mark.parametrize("auth", ["iam", "cognito"])
def test_without_an_identity_the_answer_is_401(ask: Ask, auth: str) -> None:
    assert ask(auth, {})[0] == 401


def test_the_name_of_a_session_gives_nothing(ask: Ask) -> None:
    """Whoever assumes a role chooses it."""
    status, told = ask("iam", iam(f"arn:aws:sts::{OWN}:assumed-role/guest/role:boss"))
    assert (status, told["admin"]) == (200, False)


@pytest.mark.parametrize("name", ["role:", "team:x", "role:12:x", "Role:x", "role:a b", "x" * 201])
def test_members_are_named_as_identities_are(
    open_empty: Callable[[str], SqlStore], name: str
) -> None:
    world = World(open_empty("sqlite-memory"))
    create_owner(world.engine, ADMIN, "red")
    with pytest.raises(InvalidInput, match="principal"):
        set_member(world.engine, ADMIN, "red", name, Role.VIEWER)


AUTHORIZERS = """
import app
kinds = {}
for path, methods in app.app.routes.items():
    for method, route in methods.items():
        kinds.setdefault(type(route.authorizer).__name__, []).append(path)
print({kind: sorted(set(paths)) if len(set(paths)) < 5 else "others" for kind, paths in kinds.items()})
"""


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"NOONDAY_AUTH": "iam"}, "IAMAuthorizer"),
        (
            {
                "NOONDAY_AUTH": "cognito",
                "NOONDAY_COGNITO_POOL": f"arn:aws:cognito-idp:eu-central-1:{OWN}:userpool/x",
            },
            "CognitoUserPoolAuthorizer",
        ),
    ],
)
def test_every_route_but_the_public_ones_has_an_authorizer(
    environ: dict[str, str], kind: str
) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", AUTHORIZERS],
        cwd=root,
        env={"PATH": "", **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    public = "['/health', '/openapi.json', '/runs/{token}/callback']"
    assert done.stdout.strip() in (
        f"{{'{kind}': 'others', 'NoneType': {public}}}",
        f"{{'NoneType': {public}, '{kind}': 'others'}}",
    )
