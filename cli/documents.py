"""Definitions in files: YAML with any number of documents, or JSON, from files or standard input."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import Unreadable
from cli.yaml_reader import read_integer, read_yaml

LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """One document, and where it came from in the words of an error message."""

    origin: str
    document: dict[str, Any]


def read_all(names: tuple[str, ...]) -> list[Loaded]:
    """Every document of every file; ``-`` is standard input.

    Raises:
        Unreadable: one of them cannot be read; then none should be used.
    """
    return [loaded for name in names for loaded in read(name)]


def read(name: str) -> list[Loaded]:
    """The documents of one file."""
    return parse(*read_text(name))


def read_text(name: str) -> tuple[str, str]:
    """The text of a file, and its name in the words of an error message; ``-`` is standard input.

    Raises:
        Unreadable: it cannot be read, is too large, or is not UTF-8.
    """
    title = "standard input" if name == "-" else name
    return _decode(_bytes(name), title), title


def parse(text: str, title: str) -> list[Loaded]:
    """The documents of a text, each a mapping.

    Raises:
        Unreadable: it is neither YAML nor JSON as Noonday reads it.
    """
    found = _json(text, title)
    if found is None:
        found = read_yaml(text, title)
    if not found:
        raise Unreadable(f"{title} holds no document", hint="noonday job submit --help shows one")
    origins = [title] if len(found) == 1 else [f"{title}, line {line}" for line, _ in found]
    return [
        Loaded(origin, _mapping(document, origin))
        for origin, (_, document) in zip(origins, found, strict=True)
    ]


def _bytes(name: str) -> bytes:
    try:
        if name == "-":
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(
            f"{name} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
    if len(content) > LARGEST:
        raise Unreadable(f"{name} is larger than {LARGEST // 1024 // 1024} MB; split it")
    return content


def _decode(content: bytes, title: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise Unreadable(
            f"{title}, line {line}, byte {column}: {content[error.start]:#04x} is not UTF-8",
            hint="save the file as UTF-8",
        ) from error


def _json(text: str, title: str) -> list[tuple[int, Any]] | None:
    """The documents if the text is JSON; None when it may be YAML, which also begins with a brace."""
    named = title.endswith(".json")
    if not named and text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        document = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=read_integer,
        )
    except json.JSONDecodeError as error:
        if named:
            raise Unreadable(
                f"{title}, line {error.lineno}, column {error.colno}: {error.msg}"
            ) from error
        return None
    except RecursionError as error:
        raise Unreadable(f"{title}: nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"{title}: {error}") from error
    return [(1, each) for each in (document if isinstance(document, list) else [document])]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key!r} appears twice in one object")
        entries[key] = value
    return entries


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large for a number")
    return number


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no number that Noonday takes")


def _mapping(document: Any, origin: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise Unreadable(f"{origin}: a definition is a mapping of fields, not {kind}")
    return document
