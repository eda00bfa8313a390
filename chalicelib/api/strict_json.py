"""JSON as RFC 8259 has it, and nothing that two readers could understand differently."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from chalicelib.model.errors import Malformed

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


def parse(body: bytes) -> Any:
    """The value that the bytes spell.

    Raises:
        Malformed: invalid UTF-8, no JSON, NaN or infinity, a key given twice, nested too deeply.
    """
    text = _text(body)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        raise Malformed(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(
            f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}; "
            "send JSON encoded as UTF-8"
        ) from None


def _check_depth(text: str) -> None:
    """Before parsing: a parser that recurses may run out of stack first."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise Malformed(f"the body nests deeper than {MAX_DEPTH} levels; flatten it")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Malformed(f"the key {twice[:100]!r} is given twice in one object; give it once")
    return document


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON number; leave it out or write null")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Malformed(f"the number {text[:40]} is too large; numbers end at about 1.8e308")
    return number


def _whole(text: str) -> int:
    if len(text) > 40:
        raise Malformed(f"the number {text[:20]}… has {len(text)} digits; at most 40 are read")
    return int(text)


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Malformed(
            "the body has half a surrogate pair (\\ud800 to \\udfff alone), which is no character"
        ) from None
