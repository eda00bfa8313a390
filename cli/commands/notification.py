"""``noonday notification``: what was told, to whom, how far it came; delivered anew, and tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.commands.options import page_of, paging_options, reason_option
from cli.names import JOB
from cli.output import emit, say_more
from cli.screen import Screen
from cli.session import Session
from cli.states import NOTIFICATION_STATES, colour_of
from cli.table import Column, render
from cli.text import one_line, pad, shorten
from cli.views import exact, moment

Document = dict[str, Any]


@click.group(
    cls=Group,
    examples="""
        # what nobody took, and why
        noonday notification list --state FAILED
        # the receiver is there again
        noonday notification redeliver 019aad0c9a00d41b5bb1f0c1d2e3f405
        # does the webhook of a job work?
        noonday notification test --job daily-revenue
    """,
)
def notification() -> None:
    """What jobs tell webhooks, and whether it arrived."""


@notification.command(
    "list",
    examples="""
        noonday notification list --job daily-revenue
        noonday notification list --state FAILED --state PENDING
    """,
)
@click.option("--job", type=JOB, help="Only of this job.")
@click.option(
    "--state",
    type=click.Choice(NOTIFICATION_STATES, case_sensitive=False),
    metavar="STATE",
    multiple=True,
    help="Only in this state, such as FAILED; may be repeated.",
)
@paging_options
@click.pass_obj
def list_notifications(
    session: Session, /, job: str | None, state: tuple[str, ...], **paging: Any
) -> None:
    """List notifications, the newest event first."""
    page = page_of(session.api, "/notifications", {"job": job, "state": list(state)}, paging)
    emit(session, page, lambda screen: _table(page, screen))
    say_more(session, page)


@notification.command(
    "show",
    examples="""
        noonday notification show 019aad0c9a00d41b5bb1f0c1d2e3f405
        # what the receiver reads
        noonday notification show 019aad0c9a00d41b5bb1f0c1d2e3f405 -o json
    """,
)
@click.argument("notification")
@click.pass_obj
def show(session: Session, notification: str) -> None:
    """Show what is told, and how far its delivery is."""
    document = session.api.get(path("notifications", notification))
    emit(session, document, lambda screen: _lines(document, screen))


@notification.command(
    "redeliver",
    examples="""
        noonday notification redeliver 019aad0c9a00d41b5bb1f0c1d2e3f405
    """,
)
@click.argument("notification")
@reason_option
@click.pass_obj
def redeliver(session: Session, notification: str, reason: str | None) -> None:
    """Deliver a notification now, whatever came of it before.

    It is tried for another day, under the same id.
    """
    body = {"reason": reason} if reason else {}
    document = session.api.post(path("notifications", notification, "redeliver"), body)
    emit(session, document, lambda screen: _lines(document, screen))


@notification.command(
    "test",
    examples="""
        noonday notification test --job daily-revenue
    """,
)
@click.option("--job", type=JOB, required=True, help="Whose channels.")
@click.pass_obj
def try_channels(session: Session, job: str) -> None:
    """Try the channels of a job.

    Each is sent a notification of the type notification.test.
    """
    page = session.api.post(path("jobs", job, "notify", "test"), {})
    emit(session, page, lambda screen: _table(page, screen))


def _table(page: Document, screen: Screen) -> Iterator[str]:
    columns = [
        Column("ID", lambda row: _text(row, "id"), least=32),
        Column("JOB", lambda row: _text(row, "name"), least=8),
        Column("EVENT", lambda row: _text(row, "event"), least=8, yields=2),
        Column("STATE", lambda row: _text(row, "state"), colour=colour_of),
        Column("TRIES", lambda row: _text(row, "attempts"), right=True),
        Column("TOLD", lambda row: moment(row.get("created_ms"), screen), least=10, yields=2),
        Column("ERROR", lambda row: _text(row, "error"), least=8, yields=3, spare=True),
        Column("TO", _where, least=8, yields=4, spare=True),
    ]
    rows = page.get("items") or []
    if not rows and screen.is_terminal:
        return iter(["no notifications; a job tells whom its policies' notify names"])
    return render(rows, columns, screen)


def _lines(one: Document, screen: Screen) -> Iterator[str]:
    state = _text(one, "state")
    colour = colour_of(state) if screen.colour else None
    shown = click.style(state, fg=colour) if colour else state
    yield f"{one_line(_text(one, 'event'))} of {one_line(_text(one, 'name'))}  {shown}"
    facts = [
        ("id", _text(one, "id")),
        ("instance", _text(one, "instance_id")),
        ("to", _where(one)),
        ("tries", _text(one, "attempts")),
        ("error", _text(one, "error")),
        ("decided", exact(one.get("created_ms"), screen)),
        ("next try", exact(one.get("next_ms"), screen)),
        ("last try", exact(one.get("give_up_ms"), screen) if one.get("next_ms") else ""),
        ("ended", exact(one.get("ended_ms"), screen)),
    ]
    for name, value in facts:
        if value.strip():
            line = f"  {pad(name, 9)} {one_line(value)}"
            yield line if screen.columns is None else shorten(line, screen.columns)


def _where(one: Document) -> str:
    channel = one.get("channel") or {}
    return str(channel.get("url") or channel.get("kind") or "")


def _text(row: Document, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)
