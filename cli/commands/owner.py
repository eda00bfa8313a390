"""``noonday owner``: teams, who belongs to them, and with which role."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.errors import Misused
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.table import Column, render

ROLES = ("viewer", "operator", "owner")
DEFAULT = "default"


class _Limit(click.ParamType[int | str]):
    """A whole number, or ``default``."""

    name = "N|default"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == DEFAULT:
            return DEFAULT
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        return self.fail(
            f"{value!r} is neither a whole number from 0 on nor the word default", param, ctx
        )


LIMIT = _Limit()


@click.group(
    cls=Group,
    examples="""
        # a team, a person in it, and an access token for that person
        noonday owner create finance
        noonday owner grant finance alice operator
        noonday owner token alice
        # what the team may have at most
        noonday owner set finance --max-jobs 200
    """,
)
def owner() -> None:
    """Teams, their members, and access tokens.

    Every job belongs to one owner, which is a team. A viewer looks, an operator also suspends,
    resumes, triggers and kills, an owner also submits, updates and deletes. A PRINCIPAL is who asks: a
    person or a program, by name.
    """


@owner.command(
    "list",
    examples="""
        noonday owner list
    """,
)
@click.pass_obj
def list_owners(session: Session) -> None:
    """List the owners you may see."""
    page = session.api.get("/owners")
    emit(session, page, lambda screen: _table(page, ("name", "role"), screen))


@owner.command(
    "create",
    examples="""
        noonday owner create finance
    """,
)
@click.argument("name")
@click.pass_obj
def create(session: Session, name: str) -> None:
    """Create an owner. This takes an admin."""
    document = session.api.post("/owners", {"name": name})
    emit(session, document, lambda _: [f"created {name}"])


@owner.command(
    "show",
    examples="""
        noonday owner show finance
    """,
)
@click.argument("name", metavar="OWNER")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show what an owner may have at most, and what it has."""
    document = session.api.get(path("owners", name))
    emit(session, document, lambda screen: _quotas(document, screen))


@owner.command(
    "set",
    examples="""
        noonday owner set finance --max-jobs 200 --max-waiting 5000
        # back to the installation's default
        noonday owner set finance --max-jobs default
    """,
)
@click.argument("name", metavar="OWNER")
@click.option("--max-jobs", type=LIMIT, help="Jobs, deleted ones left out.")
@click.option("--max-waiting", type=LIMIT, help="Instances that wait at the same moment.")
@click.option("--max-backfill", type=LIMIT, help="Nominal times of one backfill.")
@click.pass_obj
def set_limits(session: Session, /, name: str, **limits: int | str | None) -> None:
    """Set what an owner may have at most. This takes an admin.

    What it has beyond a lowered limit stays, and nothing is added until there is room.
    """
    body = {
        key: None if value == DEFAULT else value
        for key, value in limits.items()
        if value is not None
    }
    if not body:
        raise Misused("say what to set", hint="--max-jobs, --max-waiting or --max-backfill")
    document = session.api.patch(path("owners", name), body)
    emit(session, document, lambda screen: _quotas(document, screen))


@owner.command(
    "members",
    examples="""
        noonday owner members finance
    """,
)
@click.argument("name", metavar="OWNER")
@click.pass_obj
def members(session: Session, name: str) -> None:
    """List who belongs to an owner, and with which role."""
    page = session.api.get(path("owners", name, "members"))
    emit(session, page, lambda screen: _table(page, ("principal", "role"), screen))


@owner.command(
    "grant",
    examples="""
        noonday owner grant finance alice operator
    """,
)
@click.argument("name", metavar="OWNER")
@click.argument("principal")
@click.argument("role", type=click.Choice(ROLES))
@click.pass_obj
def grant(session: Session, name: str, principal: str, role: str) -> None:
    """Give a principal a role with an owner, or change it."""
    document = session.api.put(path("owners", name, "members", principal), {"role": role})
    emit(session, document, lambda _: [f"{principal} is {role} of {name}"])


@owner.command(
    "revoke",
    examples="""
        noonday owner revoke finance alice
    """,
)
@click.argument("name", metavar="OWNER")
@click.argument("principal")
@click.pass_obj
def revoke(session: Session, name: str, principal: str) -> None:
    """Take a principal's role with an owner away."""
    document = session.api.delete(path("owners", name, "members", principal))
    emit(session, document, lambda _: [f"{principal} has no role with {name}"])


@owner.command(
    "token",
    examples="""
        # the token is shown once, alone on standard output
        noonday owner token alice > alice.token
    """,
)
@click.argument("principal")
@click.option("--admin", is_flag=True, help="It may do everything, for every owner.")
@click.pass_obj
def token(session: Session, principal: str, *, admin: bool) -> None:
    """Create an access token for a principal. This takes an admin.

    The server keeps only its fingerprint: what is printed now cannot be shown again.
    """
    body: dict[str, Any] = {"name": principal}
    if admin:
        body["admin"] = True
    document = session.api.post("/tokens", body)
    emit(session, document, lambda _: [str(document.get("token"))])


def _quotas(document: dict[str, Any], screen: Screen) -> Any:
    """One line a limit; what is no owner's own is the installation's."""
    used = {"max_jobs": "jobs", "max_waiting": "waiting"}
    rows = [
        {
            "limit": key,
            "used": document["used"].get(used.get(key, "")),
            "of": most,
            "set": "this owner" if document["own_limits"][key] is not None else "the default",
        }
        for key, most in document["limits"].items()
    ]
    columns = [
        Column("LIMIT", _cell("limit")),
        Column("USED", lambda row: "-" if row["used"] is None else str(row["used"]), right=True),
        Column("AT MOST", _cell("of"), right=True),
        Column("SET FOR", _cell("set")),
    ]
    return render(rows, columns, screen)


def _table(page: dict[str, Any], fields: tuple[str, ...], screen: Screen) -> Any:
    present = [each for each in fields if any(each in row for row in page["items"])] or fields[:1]
    columns = [Column(each.upper(), _cell(each), least=10) for each in present]
    return render(page["items"], columns, screen)


def _cell(name: str) -> Any:
    return lambda row: "" if row.get(name) is None else str(row[name])
