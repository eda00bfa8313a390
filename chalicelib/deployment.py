"""What a deployment asks for once its functions are there: a database that is ready, and whether it works.

``{}`` or ``{"action": "migrate"}`` makes the database ready, as its master; ``{"action": "check"}`` only
looks, as the application does; ``{"action": "pause", "reason": …}`` holds everything in a database that was
restored, before anybody else is connected to it. All may be repeated at will, and say what they did and
found. What fails raises, which fails the invocation and so the deployment.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from chalicelib import wiring
from chalicelib.aws import Aws
from chalicelib.aws.credentials import secret_login
from chalicelib.engine import commands
from chalicelib.engine.commands.people import hash_token
from chalicelib.model.errors import InvalidInput, NoondayError, Problem, Unavailable
from chalicelib.model.principal import Principal
from chalicelib.notifications.clock import wall_ms
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import BadSetting, Settings, environment, read_settings
from chalicelib.store import SqlStore

ACTIONS = ("migrate", "check", "pause")
ADMIN = "admin"
"""Who has the token of NOONDAY_TOKEN."""


def deploy(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was done and what was found; no secret is part of it.

    Raises:
        InvalidInput: the event asks for something else.
        Unavailable: a setting is wrong, or the database or its secret cannot be had.
    """
    log = JsonLog(sys.stderr, "info", wall_ms)
    try:
        action = _action(event)
        settings = _settings()
        aws = Aws(settings.aws_region, wall_ms)
        done = _migrated(settings, aws) if action == "migrate" else {}
        held = _paused(str(event.get("reason") or "")) if action == "pause" else {}
        answer = {**done, **held, **_checked(settings, aws)}
    except NoondayError as error:
        log.failure(error, handler="migrate")
        raise
    log.line("info", "Deployed", action=action, **answer)
    return answer


def _action(event: Mapping[str, Any]) -> str:
    given = event if isinstance(event, Mapping) else {"event": event}
    action = given.get("action", "migrate")
    known = ("action", "reason") if action == "pause" else ("action",)
    unknown = [
        Problem(name, f"is not known here; there is {' and '.join(known)}")
        for name in given
        if name not in known
    ]
    if action not in ACTIONS:
        unknown.append(Problem("action", f"is one of {', '.join(ACTIONS)}", action))
    if unknown:
        raise InvalidInput(unknown)
    return str(action)


def _settings() -> Settings:
    try:
        return read_settings(environment())
    except BadSetting as error:
        raise Unavailable(str(error)) from None


def _migrated(settings: Settings, aws: Aws) -> Mapping[str, Any]:
    if settings.master_secret is None:
        raise Unavailable(
            "NOONDAY_MASTER_SECRET is not set; write the name or the ARN of the secret"
        )
    user, password = secret_login(aws, settings.master_secret)
    passwords = wiring.password_of(settings, aws)
    if passwords is None:
        raise Unavailable(
            "the database's user has no password; set NOONDAY_DATABASE_SECRET, or NOONDAY_DATABASE_IAM=on"
        )
    # PyMySQL comes with it, which no other function needs before its first question.
    from chalicelib.store.accounts import Credential, Login, provide_database  # noqa: PLC0415

    provided = provide_database(
        settings.database.url,
        Login(user, password),
        Credential(passwords, iam=settings.database_iam),
        tls=wiring.tls_of(settings),
    )
    return {"did": list(provided.did), "migrations": list(provided.migrations)}


def _paused(reason: str) -> Mapping[str, Any]:
    """Before any other function is connected to it; ``noonday resume`` ends it."""
    operator = Principal(ADMIN, admin=True)
    held = commands.pause(wiring.noonday().engine, operator, reason=reason or None)
    return {"paused": {"since_ms": held.since_ms, "by": held.by, "reason": held.reason}}


def _checked(settings: Settings, aws: Aws) -> Mapping[str, Any]:
    """As the application sees it: it is let in, and the schema is its own."""
    with closing(wiring.open_database(settings, aws)) as store:
        now_ms = store.database_now_ms()
        version, program = store.schema()
        owners = len(store.read(lambda reader: reader.owners()))
        _admit(settings, store, now_ms)
        return {
            "database": store.describe(),
            "schema": version,
            "program": program,
            "clock_ms": now_ms - wall_ms(),
            "owners": owners,
            "admins": sorted(settings.admins),
            "warnings": [*settings.warnings, *_missing(settings)],
        }


def _admit(settings: Settings, store: SqlStore, now_ms: int) -> None:
    """With tokens of the store, the first is the operator's; else NOONDAY_ADMINS names admins."""
    token = settings.token
    if settings.auth == "local" and token:
        store.transact(
            lambda tx: tx.insert_token(hash_token(token), ADMIN, admin=True, now_ms=now_ms)
        )


def _missing(settings: Settings) -> Sequence[str]:
    if settings.admins or settings.auth == "local":
        return []
    return ["nobody is an admin, so nobody can create an owner; name them in NOONDAY_ADMINS"]
