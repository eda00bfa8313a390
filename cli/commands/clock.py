"""``noonday clock``: the server's time, and a clock that is moved by hand."""

from __future__ import annotations

import re
from typing import Any

import click

from cli.client import Client
from cli.command import Group
from cli.errors import Misused
from cli.output import emit
from cli.session import Session
from cli.times import instant_ms, iso, span_ms

MOVING_SECONDS = 600.0


@click.group(
    cls=Group,
    examples="""
        # where the server was started with a clock moved by hand
        noonday clock show
        noonday clock advance 1h
        noonday clock set 2027-03-28T00:59:00Z
    """,
)
def clock() -> None:
    """Show the server's clock, or move it by hand.

    Only a server that was started with a clock moved by hand lets it be moved.
    """


@clock.command(
    "show",
    examples="""
        noonday clock show
    """,
)
@click.pass_obj
def show(session: Session) -> None:
    """Show what time it is for the server."""
    _emit(session, session.api.get("/clock"))


@clock.command(
    "set",
    examples="""
        noonday clock set 2027-03-28T00:59:00Z
    """,
)
@click.argument("time")
@click.pass_obj
def set_time(session: Session, time: str) -> None:
    """Set the server's clock to a time.

    TIME is ISO, in your zone or with an offset.
    """
    _emit(session, _mover(session).post("/clock", {"now": iso(instant_ms(time, None))}))


@clock.command(
    "advance",
    examples="""
        noonday clock advance 90m
        noonday clock advance PT1H30M
    """,
)
@click.argument("duration")
@click.pass_obj
def advance(session: Session, duration: str) -> None:
    """Move the server's clock on by a duration.

    DURATION is 30s, 90m, 2h, 7d, or ISO such as PT1H30M. Everything that is due on the way runs.
    """
    # Sent once: moving the clock twice is not moving it once.
    body = {"advance": _iso_duration(duration)}
    _emit(session, _mover(session).post("/clock", body, keyed=False))


def _mover(session: Session) -> Client:
    """The server runs everything that becomes due on the way, which may take a while."""
    return session.with_patience(MOVING_SECONDS)


def _iso_duration(text: str) -> str:
    ms = span_ms(text)
    if ms is not None:
        return f"PT{ms // 1000}S"
    if not re.fullmatch(r"[Pp][0-9TtWwDdHhMmSs.]+", text.strip()):
        raise Misused(f"{text!r} is no duration", hint="write it like 90m, 2h or PT1H30M")
    return text.strip().upper()


def _emit(session: Session, document: dict[str, Any]) -> None:
    emit(session, document, lambda _: [_line(document)])


def _line(document: dict[str, Any]) -> str:
    now = document.get("now_ms")
    time = iso(now) if isinstance(now, int) else str(document.get("now_time"))
    return f"{time}, moved by hand" if document.get("by_hand") else time
