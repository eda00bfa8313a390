"""What the demonstration says, and how it looks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click


def say(text: str, **style: Any) -> None:
    plain = "NO_COLOR" in os.environ  # noqa: TID251 - whoever watches decides
    click.echo(text if plain else click.style(text, **style))


def title(text: str) -> None:
    say(f"\n── {text} {'─' * max(2, 76 - len(text))}", fg="yellow")


def table(rows: Sequence[Mapping[str, str]]) -> None:
    lines = [list(rows[0]) if rows else [], *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say(cells.rstrip(), bold=number == 0)


def quoted(argument: str) -> str:
    """As one would type it."""
    return f'"{argument}"' if " " in argument else argument
