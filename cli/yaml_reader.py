"""YAML as people mean it, read from its events: what is written is what is sent.

The loaders of YAML 1.1 turn ``on`` into true, ``22:30`` into 1350, ``012`` into 10 and a time into an
object; they keep the last of two equal keys and unfold nine lines into a billion. So values are
resolved here, by the core schema of YAML 1.2, and everything surprising is refused with its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from cli.errors import Unreadable

DEPTH = 64
DIGITS = 40
NODES = 200_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|NaN|[-+]?Infinity")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_STRING_TAGS = {"!", "tag:yaml.org,2002:str"}


def read_yaml(text: str, name: str) -> list[tuple[int, Any]]:
    """The documents of a YAML text, each with the line it begins on; empty ones are left out.

    Raises:
        Unreadable: it is no YAML, or holds something Noonday does not read; names file and line.
    """
    found = _UNPRINTABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise Unreadable(f"{name}, line {line}: the character U+{ord(found[0]):04X} is not allowed")
    try:
        return [each for each in _Reader(text, name).documents() if each[1] is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Unreadable(f"{name}{at}: {error.problem or error.context or 'no YAML'}") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"{name}: {error}") from error


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word: numbers, true, false and null; everything else is text.

    Raises:
        ValueError: it is no number that JSON knows.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is no number that Noonday takes; quote it if it is a text")
    if _INTEGER.fullmatch(text):
        return read_integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"{text} is too large for a number; quote it if it is a text")
        return number
    return text


def read_integer(text: str) -> int:
    """A whole number as it is written, in base 10, 8 or 16.

    Raises:
        ValueError: it is longer than any that means something; Python takes long to read such.
    """
    if len(text) > DIGITS:
        raise ValueError(f"{text[:10]}… has more than {DIGITS} digits; quote it if it is a text")
    return int(text, 0)


class _Reader:
    """One pass over the events; depth and size are counted, so that no input unfolds without bound."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self.nodes = 0
        self.anchors: dict[str, tuple[Any, int]] = {}

    def documents(self) -> Iterator[tuple[int, Any]]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                self.nodes = 0
                root = next(self.events)
                yield root.start_mark.line + 1, self._node(root, 0)

    def _node(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self.nodes
        self._count(event, 1)
        if depth > DEPTH:
            raise self._refused(event, f"nested deeper than {DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif event.tag not in {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}:
            raise self._refused(event, f"the tag {event.tag} is not read")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in entries:
                raise self._refused(
                    event, f"the key {key!r} appears twice; it is on line {lines[key]} already"
                )
            lines[key] = event.start_mark.line + 1
            entries[key] = self._node(next(self.events), depth + 1)
        return entries

    def _key(self, event: Any) -> str:
        """A key is the text that is written: ``on:`` is "on" and ``1:`` is "1"."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, "a key is a word, not a list, a mapping or an alias")
        if event.value == "<<" and event.implicit[0]:
            raise self._refused(event, "merge keys (<<) are not read; write the entries out")
        return str(event.value)

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise self._refused(event, f"*{event.anchor} is not defined before this line")
        value, size = self.anchors[event.anchor]
        self._count(event, size)
        return value

    def _scalar(self, event: Any) -> Any:
        if event.tag is not None and event.tag not in _STRING_TAGS:
            raise self._refused(event, f"the tag {event.tag} is not read")
        if event.tag is not None or event.style not in (None, ""):
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            raise self._refused(event, str(error)) from error

    def _count(self, event: Any, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > NODES:
            raise self._refused(event, f"more than {NODES} values, aliases counted in full")

    def _refused(self, event: Any, why: str) -> Unreadable:
        return Unreadable(f"{self.name}, line {event.start_mark.line + 1}: {why}")
