"""Markdown, as little of it as the generated parts need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BAR = r"\|"  # what a bar is inside a cell, in code too


def table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', BAR) for cell in row)} |"


def code(text: object) -> str:
    return f"`{text}`"


def plain(text: str) -> str:
    """Text in which angle brackets mean themselves."""
    return text.replace("<", "&lt;")
