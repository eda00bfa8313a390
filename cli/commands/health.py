"""``noonday health`` and ``noonday whoami``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from cli.command import Command
from cli.errors import Failure
from cli.output import emit
from cli.pauses import told
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line


@click.command(
    "health",
    cls=Command,
    examples="""
        noonday health
        # in a script: the exit code is 0 only when all is well
        noonday health > /dev/null && echo well
    """,
)
@click.pass_obj
def health(session: Session) -> None:
    """Ask whether the server is well: version, database, schema and time."""
    document = session.api.get("/health")
    emit(session, document, lambda screen: [*_pairs(document), *_pause(session, document, screen)])
    if document.get("status") not in {"ok", "healthy", "up", None}:
        raise Failure(f"the server is not well: {document.get('status')}")


@click.command(
    "whoami",
    cls=Command,
    examples="""
        noonday whoami
    """,
)
@click.pass_obj
def whoami(session: Session) -> None:
    """Show whom the server takes you for, and your role in each team."""
    document = session.api.get("/whoami")
    emit(session, document, lambda _: _pairs(document))


def _pause(session: Session, document: dict[str, Any], screen: Screen) -> Iterator[str]:
    """Who paused it and why is not for everybody: whoever is nobody here is told only that it is."""
    if document.get("paused"):
        with suppress(Failure):
            yield told(session.api.get("/pause"), screen)


def _pairs(document: dict[str, Any]) -> list[str]:
    widest = max(map(len, document), default=0)
    return [f"{name:{widest}}  {_text(value)}" for name, value in document.items()]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(entry)}" for name, entry in value.items()) or "none"
    return one_line(value) if isinstance(value, str) else json.dumps(value)
