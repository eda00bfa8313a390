"""Where the parameters of a statement are. Strings, quoted names and comments are passed over."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Lexis:
    """What ends a string, and what begins a comment. ``backslash``: the quotes in which it escapes."""

    backslash: str
    brackets: bool
    hashes: bool


SQLITE = Lexis(backslash="", brackets=True, hashes=False)
MYSQL = Lexis(backslash="'\"", brackets=False, hashes=True)


def mysql_lexis(sql_mode: str) -> Lexis:
    """The session's mode decides what a backslash means, and what double quotes enclose."""
    modes = set(sql_mode.upper().split(","))
    if "NO_BACKSLASH_ESCAPES" in modes:
        return Lexis(backslash="", brackets=False, hashes=True)
    if "ANSI_QUOTES" in modes:
        return Lexis(backslash="'", brackets=False, hashes=True)
    return MYSQL


def names(text: str, lexis: Lexis) -> frozenset[str]:
    """The names of all parameters."""
    return frozenset(m["name"] for m in _pattern(lexis).finditer(text) if m["name"])


def complaint(text: str, lexis: Lexis) -> str | None:
    """Why this is not one statement, or None."""
    ended = something = False
    at = 0
    for match in _pattern(lexis).finditer(text):
        something = something or bool(text[at : match.start()].strip())
        if ended and (text[at : match.start()].strip() or not match["skip"]):
            return "is more than one statement; give each its own job, or leave out the last ';'"
        something = something or not (match["skip"] or match["end"])
        ended = ended or bool(match["end"])
        at = match.end()
    rest = text[at:].strip()
    if ended and rest:
        return "is more than one statement; give each its own job, or leave out the last ';'"
    return None if something or rest else "contains no statement"


def pyformat(text: str, lexis: Lexis) -> str:
    """The same statement for a driver that takes ``%(name)s``, and doubles every other ``%``."""
    return _replace(text, lexis, lambda name: f"%({name})s", lambda other: other.replace("%", "%%"))


def _replace(
    text: str, lexis: Lexis, named: Callable[[str], str], other: Callable[[str], str]
) -> str:
    parts, at = [], 0
    for match in _pattern(lexis).finditer(text):
        if match["name"]:
            parts += [other(text[at : match.start()]), named(match["name"])]
            at = match.end()
    return "".join([*parts, other(text[at:])])


@lru_cache(maxsize=8)
def _pattern(lexis: Lexis) -> re.Pattern[str]:
    """What is never closed reaches to the end, so a group never gives back what it took, and no text
    makes this slow. (Possessive groups would say so, but Python 3.11 before 3.11.5 gets them wrong.)"""
    quoted = [_quoted(quote, escapes=quote in lexis.backslash) for quote in "'\"`"]
    if lexis.brackets:
        quoted.append(r"\[[^\]]*+(?:\]|\Z)")
    comments = [r"/\*(?:[^*]|\*(?!/))*(?:\*/|\Z)"]
    comments.append(r"--(?=[\s\x00-\x1f]|\Z)[^\n]*+" if lexis.hashes else r"--[^\n]*+")
    if lexis.hashes:
        comments.append(r"\#[^\n]*+")
    return re.compile(
        rf"(?P<skip>{'|'.join(comments)})|(?P<text>{'|'.join(quoted)})"
        r"|(?P<end>;)|(?<!:):(?P<name>[A-Za-z_]\w*+)"
    )


def _quoted(quote: str, *, escapes: bool) -> str:
    inner = (
        rf"[^{quote}\\]|\\(?:[\s\S]|\Z)|{quote}{quote}"
        if escapes
        else rf"[^{quote}]|{quote}{quote}"
    )
    return rf"{quote}(?:{inner})*(?:{quote}|\Z)"
