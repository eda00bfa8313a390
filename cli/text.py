"""Text as a terminal shows it: how wide it is, how it is cut, and nothing that moves the cursor."""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
# Control characters and the marks that reorder text: what a server stores must not steer a terminal.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_IN_LINES = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def one_line(text: object) -> str:
    """The text on one line, without anything a terminal obeys."""
    return _CONTROL.sub("�", re.sub(r"\s+", " ", str(text))).strip()


def safe_lines(text: object) -> list[str]:
    """The lines of a text, without anything a terminal obeys."""
    return [_CONTROL_IN_LINES.sub("�", line) for line in str(text).splitlines()]


def width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def shorten(text: str, columns: int) -> str:
    """The beginning of the text, at most so many columns wide; an ellipsis says that it was cut."""
    if width(text) <= columns:
        return text
    return cut(text, max(columns - 1, 0)).rstrip() + ELLIPSIS[:columns]


def cut(text: str, columns: int) -> str:
    """The beginning of the text, at most so many columns wide."""
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used > columns:
            return text[:place]
    return text


def pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200b\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
