"""``noonday group``: limits that several jobs share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.commands.options import reason_option
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.states import colour_of
from cli.table import Column, render
from cli.views import moment


@click.group(
    cls=Group,
    examples="""
        # at most two at once, of all jobs that say: policies: {group: warehouse}
        noonday group set warehouse 2
        noonday group show warehouse
    """,
)
def group() -> None:
    """Concurrency groups: limits that several jobs share.

    A job names its group in its policies; of all jobs that name it, so many instances are at work at
    once as the group has slots. Who waits longest is next.
    """


@group.command(
    "list",
    examples="""
        noonday group list
    """,
)
@click.pass_obj
def list_groups(session: Session) -> None:
    """List the groups, and how full they are."""
    page = session.api.get("/groups")
    emit(session, page, lambda screen: _table(page, screen))


@group.command(
    "show",
    examples="""
        noonday group show warehouse
        noonday group show warehouse -o json
    """,
)
@click.argument("name")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a group: who holds its slots, and who waits for one."""
    document = session.api.get(path("groups", name))
    emit(session, document, lambda screen: _lines(document, screen))


@group.command(
    "set",
    examples="""
        noonday group set warehouse 2 --description "its connections"
        # nothing of it begins until it is larger again; what is at work ends
        noonday group set warehouse 0 --reason "the warehouse is being moved"
    """,
)
@click.argument("name")
@click.argument("size", type=click.IntRange(0, 10_000))
@click.option("--description", metavar="TEXT", help="What it protects; kept if not given.")
@reason_option
@click.pass_obj
def set_group(
    session: Session, name: str, size: int, description: str | None, reason: str | None
) -> None:
    """Create a group, or change its size.

    More slots go to those that wait longest, at once. With fewer, those at work end, and nobody
    follows until there is room.
    """
    body: dict[str, Any] = {"size": size}
    if description is not None:
        body["description"] = description
    document = session.api.put(path("groups", name), body, {"reason": reason})
    emit(session, document, lambda screen: _lines(document, screen))


@group.command(
    "delete",
    examples="""
        noonday group delete warehouse
    """,
)
@click.argument("name")
@click.pass_obj
def delete(session: Session, name: str) -> None:
    """Delete a group. One that a job names, or that instances wait for, is refused."""
    document = session.api.delete(path("groups", name))
    emit(session, document, lambda _: [f"deleted {name}"])


def _table(page: dict[str, Any], screen: Screen) -> Any:
    columns = [
        Column("NAME", lambda row: str(row["name"]), least=10),
        Column("SIZE", lambda row: str(row["size"]), right=True),
        Column("HELD", lambda row: str(row["held"]), right=True),
        Column("QUEUED", lambda row: str(row["queued"]), right=True),
        Column("DESCRIPTION", lambda row: str(row["description"]), least=16, spare=True),
        Column("OWNER", lambda row: str(row["owner"]), least=8, yields=2, spare=True),
    ]
    return render(page["items"], columns, screen)


def _lines(document: dict[str, Any], screen: Screen) -> Iterator[str]:
    yield (
        f"{document['name']} of {document['owner']}: {document['held']} of {document['size']} held, "
        f"{document['queued']} queued"
    )
    if document["description"]:
        yield f"  {document['description']}"
    yield f"jobs: {', '.join(document['jobs']) or 'none'}"
    for title, members in (("holds", document["holders"]), ("waits", document["waiters"])):
        if members:
            yield f"{title}:"
            yield from (f"  {line}" for line in _members(members, screen))


def _members(members: list[dict[str, Any]], screen: Screen) -> Iterator[str]:
    columns = [
        Column("JOB", lambda row: str(row["name"]), least=10),
        Column("NOMINAL TIME", lambda row: moment(row["nominal_ms"], screen)),
        Column("STATE", lambda row: str(row["state"]), colour=colour_of),
        Column("ID", lambda row: str(row["instance_id"]), least=16, yields=4, is_id=True),
    ]
    return render(members, columns, screen)
