"""Tables that fit: on a terminal the right columns give way and no line wraps; in a pipe all is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from cli.screen import Screen
from cli.text import cut, one_line, pad, shorten, width

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Where the terminal is too narrow, ``yields`` says who gives way first: the highest.

    ``least``: shorter than this it says little; 0 never yields. ``spare``: rather left out, the
    rightmost first, than that others say little; and left out where no row has anything to say.
    ``floor``: what is left when nothing else helps. ``is_id``: cut to ``least`` at once and without
    ellipsis, because its beginning is a name too.
    """

    title: str
    cell: Callable[[dict[str, Any]], str]
    least: int = 0
    yields: int = 1
    floor: int = 6
    is_id: bool = False
    spare: bool = False
    right: bool = False
    colour: Callable[[str], str | None] | None = None


def render(
    rows: Sequence[dict[str, Any]], columns: Sequence[Column], screen: Screen
) -> Iterator[str]:
    """The lines of a table, with its head. In a pipe an empty cell is a hyphen, so that fields count."""
    empty = "" if screen.is_terminal else "-"
    cells = [[one_line(column.cell(row)) or empty for column in columns] for row in rows]
    kept, widths = _fit(cells, columns, screen.columns)
    head = [columns[place].title for place in kept]
    yield _line(head, [replace(columns[place], colour=None) for place in kept], widths, screen)
    for row in cells:
        shown = [
            _fitting(row[at], columns[at], size) for at, size in zip(kept, widths, strict=True)
        ]
        yield _line(shown, [columns[at] for at in kept], widths, screen)


def _fit(
    cells: Sequence[Sequence[str]], columns: Sequence[Column], limit: int | None
) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide: shorten, then leave out, then shorten more."""
    natural = [
        max([width(column.title), *(width(row[place]) for row in cells)])
        for place, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    if limit is None:
        return kept, natural
    kept = [at for at in kept if not columns[at].spare or any(row[at] for row in cells)]
    while True:
        shown = [columns[at] for at in kept]
        widths = _squeezed(
            [natural[at] for at in kept], shown, limit, [each.least for each in shown]
        )
        spare = [at for at in kept if columns[at].spare]
        if _total(widths) <= limit:
            return kept, widths
        if not spare:
            floors = [each.least if each.is_id else each.floor for each in shown]
            return kept, _squeezed(widths, shown, limit, floors)
        kept.remove(spare[-1])


def _squeezed(
    natural: Sequence[int], columns: Sequence[Column], limit: int, least: Sequence[int]
) -> list[int]:
    widths = list(natural)
    order = sorted(
        (place for place, column in enumerate(columns) if column.least),
        key=lambda place: (-columns[place].yields, -place),
    )
    for place in order:
        excess = _total(widths) - limit
        if excess <= 0:
            break
        bottom = min(widths[place], max(least[place], width(columns[place].title)))
        widths[place] = bottom if columns[place].is_id else max(bottom, widths[place] - excess)
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _fitting(text: str, column: Column, columns: int) -> str:
    return cut(text, columns) if column.is_id else shorten(text, columns)


def _line(
    texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int], screen: Screen
) -> str:
    """One line; what does not fit at all is cut, because a wrapped line is worse than a short one."""
    left = screen.columns
    parts = []
    for text, column, size in zip(texts, columns, widths, strict=True):
        padded = pad(" " * (size - width(text)) + text if column.right else text, size)
        if left is not None:
            padded = cut(padded, max(left, 0))
            left -= size + len(GAP)
        parts.append(_coloured(padded, column, text, screen))
    line = GAP.join(parts)
    return line.rstrip() if screen.columns is None else cut_plain(line, screen)


def cut_plain(line: str, screen: Screen) -> str:
    """Without trailing space; an uncoloured line also without what would wrap."""
    return line.rstrip() if screen.colour else cut(line, screen.columns or 0).rstrip()


def _coloured(padded: str, column: Column, text: str, screen: Screen) -> str:
    colour = column.colour(text) if column.colour and screen.colour else None
    return padded.replace(text, click.style(text, fg=colour), 1) if colour and text else padded
