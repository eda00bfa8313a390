"""``noonday pause`` and ``noonday resume``: an admin's hold over everything."""

from __future__ import annotations

from typing import Any

import click

from cli.command import Command
from cli.output import emit
from cli.pauses import told
from cli.session import Session

_reason = click.option("--reason", metavar="TEXT", help="Why; everybody sees it.")


@click.command(
    "pause",
    cls=Command,
    examples="""
        noonday pause --reason "the warehouse is being restored"
        # who paused it, since when and why
        noonday health
        noonday resume
    """,
)
@_reason
@click.pass_obj
def pause(session: Session, reason: str | None) -> None:
    """Let nothing begin, for any team, until it is resumed. This takes an admin.

    What runs is looked after to its end, and commands are accepted: they take effect afterwards. To
    pause again with another reason changes the reason.
    """
    document = session.api.post("/pause", _body(reason))
    emit(session, document, lambda screen: [told(document, screen)])


@click.command(
    "resume",
    cls=Command,
    examples="""
        noonday resume
        noonday resume --reason "restored and checked"
    """,
)
@_reason
@click.pass_obj
def resume(session: Session, reason: str | None) -> None:
    """End the pause. This takes an admin. A job is resumed with noonday job resume.

    What came due meanwhile follows each job's catch-up policy, as after an outage.
    """
    document = session.api.post("/resume", _body(reason))
    emit(session, document, lambda _: ["nothing is paused"])


def _body(reason: str | None) -> dict[str, Any]:
    return {} if reason is None else {"reason": reason}
