"""The history strip: the last instances of a job at a glance, one column each.

A bar says how long the run took, a sign below it how it ended: the signs differ in shape, so that nobody
needs colours to tell them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median_low
from typing import Any

import click

from cli.screen import Screen
from cli.states import colour_of
from cli.text import one_line, shorten
from cli.times import span

Document = dict[str, Any]

LENGTH = 30
SHORT = 10
_SIGNS = {
    "SUCCEEDED": "✓",
    "FAILED": "✗",
    "TIMED_OUT": "!",
    "KILLED": "■",
    "SKIPPED": "-",
    "RUNNING": ">",
    "LAUNCHED": ">",
    "LAUNCHING": ">",
    "WAITING": ".",
}
_WORDS = {"LAUNCHED": "RUNNING", "LAUNCHING": "RUNNING"}
_BARS = "▁▂▃▄▅▆▇█"


def strip_lines(newest_first: Sequence[Document], screen: Screen) -> Iterator[str]:
    """The strip with what its signs mean; the oldest of them is left."""
    if not newest_first:
        return
    room = LENGTH if screen.columns is None else max(1, min(LENGTH, screen.columns - 2))
    shown = list(reversed(newest_first[:room]))
    took = [_took(row, screen) for row in shown]
    known = [ms for ms in took if ms is not None]
    title = _title(len(shown), known)
    yield title if screen.columns is None else shorten(title, screen.columns)
    longest = max(known, default=0)
    bars = (_bar(ms, longest) for ms in took)
    for marks in ([*bars], [sign(row) for row in shown]):
        row = "".join(_coloured(mark, one, screen) for mark, one in zip(marks, shown, strict=True))
        yield f"  {row}".rstrip()
    yield from _legend(shown, screen)


def signs(newest_first: Sequence[Document]) -> str:
    """The signs alone, the oldest of them left."""
    return "".join(sign(row) for row in reversed(newest_first[:SHORT]))


def sign(row: Document) -> str:
    return _SIGNS.get(str(row.get("state")), "?")


def _title(count: int, known: Sequence[int]) -> str:
    title = f"last {count}, the newest on the right" if count > 1 else "the only one"
    if not known:
        return f"history: {title}"
    least, most = span(min(known)), span(max(known))
    times = f"took {most}" if least == most else f"took {least} to {most}, median {_middle(known)}"
    return f"history: {title}; {times}"


def _middle(known: Sequence[int]) -> str:
    return span(median_low(known))


def _legend(shown: Sequence[Document], screen: Screen) -> Iterator[str]:
    """What is there, the most first; as many lines as the terminal's width makes of it."""
    states = [_WORDS.get(str(row.get("state")), str(row.get("state"))) for row in shown]
    line, used = "", 0
    for state, count in Counter(states).most_common():
        word = one_line(state).lower().replace("_", " ")
        text = f"{_SIGNS.get(state, '?')} {count} {word}"
        if line and screen.columns is not None and used + 2 + len(text) > screen.columns - 2:
            yield f"  {line}"
            line, used = "", 0
        line += ("  " if line else "") + _coloured(text, {"state": state}, screen)
        used += len(text) + 2
    yield f"  {line}"


def _bar(ms: int | None, longest: int) -> str:
    if ms is None:
        return " "
    return _BARS[min(len(_BARS) - 1, ms * len(_BARS) // longest)] if longest else _BARS[0]


def _took(row: Document, screen: Screen) -> int | None:
    begin = row.get("started_ms") or row.get("launched_ms")
    end = row.get("ended_ms") or screen.now_ms
    if not isinstance(begin, int) or not isinstance(end, int) or end < begin:
        return None
    return end - begin


def _coloured(text: str, row: Document, screen: Screen) -> str:
    colour = colour_of(str(row.get("state"))) if screen.colour else None
    return click.style(text, fg=colour) if colour and text.strip() else text
