"""``noonday callback-key``: the keys that sign the tokens of targets which report themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from cli.command import Group
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.table import Column, render
from cli.views import moment


@click.group(
    cls=Group,
    examples="""
        noonday callback-key list
        # now and then: runs that have begun still report
        noonday callback-key rotate
        # somebody has seen a key, or a backup of the database
        noonday callback-key rotate --revoke --reason "a backup was stolen"
    """,
)
def callback_key() -> None:
    """Keys that sign the tokens of targets which report themselves. This takes an admin.

    One key signs. Those before it vouch for the tokens that they signed, until none of their runs can be
    left.
    """


@callback_key.command(
    "list",
    examples="""
        noonday callback-key list
    """,
)
@click.pass_obj
def list_keys(session: Session) -> None:
    """List the keys. What they are is never shown; the first run that calls back makes one."""
    page = session.api.get("/callback-keys")
    emit(session, page, lambda screen: _table(page, screen))


@callback_key.command(
    "rotate",
    examples="""
        noonday callback-key rotate
        noonday callback-key rotate --revoke --reason "a backup was stolen"
    """,
)
@click.option(
    "--revoke",
    is_flag=True,
    help="Forget the keys so far at once: targets of runs that have begun can no longer report.",
)
@click.option("--reason", metavar="TEXT", help="Why; kept in the history.")
@click.pass_obj
def rotate(session: Session, *, revoke: bool, reason: str | None) -> None:
    """Let a new key sign for runs that begin from now on.

    Nothing else is needed, and no run notices. With --revoke, kill and rerun those in flight that call
    back, or let their time-outs end them: nobody can report their end.
    """
    body: dict[str, Any] = {"revoke": True} if revoke else {}
    if reason is not None:
        body["reason"] = reason
    page = session.api.post("/callback-keys/rotate", body)
    emit(session, page, lambda screen: _table(page, screen))


def _table(page: dict[str, Any], screen: Screen) -> Iterable[str]:
    def at(name: str) -> Callable[[dict[str, Any]], str]:
        return lambda key: moment(key.get(f"{name}_ms"), screen)

    columns = [
        Column("KEY", lambda key: str(key.get("id", ""))),
        Column("USE", lambda key: str(key.get("use", ""))),
        Column("CREATED", at("created")),
        Column("BY", lambda key: str(key.get("created_by", "")), least=8),
        Column("RETIRED", at("retired"), spare=True),
        Column("VOUCHES UNTIL", at("until"), spare=True),
    ]
    return render(page["items"], columns, screen)
