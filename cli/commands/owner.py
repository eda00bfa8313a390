"""``noonday owner``: teams, who belongs to them, and with which role."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.table import Column, render

ROLES = ("viewer", "operator", "owner")


@click.group(
    cls=Group,
    examples="""
        # a team, a person in it, and an access token for that person
        noonday owner create finance
        noonday owner grant finance alice operator
        noonday owner token alice
    """,
)
def owner() -> None:
    """Teams, their members, and access tokens.

    Every job belongs to one owner, which is a team. A viewer looks, an operator also suspends,
    resumes, triggers and kills, an owner also submits, updates and deletes.
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


def _table(page: dict[str, Any], fields: tuple[str, ...], screen: Screen) -> Any:
    present = [each for each in fields if any(each in row for row in page["items"])] or fields[:1]
    columns = [Column(each.upper(), _cell(each), least=10) for each in present]
    return render(page["items"], columns, screen)


def _cell(name: str) -> Any:
    return lambda row: "" if row.get(name) is None else str(row[name])
