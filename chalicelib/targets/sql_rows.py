"""Rows as CSV or JSON lines, so that nothing of what the database said is lost.

Times are ISO 8601, decimals keep their digits, bytes are hexadecimal after ``0x``. In CSV, NULL is an empty
field and an empty string is ``""``; a line ends with a line feed. In JSON lines, what JSON cannot say as a
number (infinity) is a string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

Format = Literal["csv", "jsonl"]
Write = Callable[[Sequence[Sequence[object]]], None]


class Sink(Protocol):
    """Where the bytes go: a file, or an object of S3."""

    def write(self, data: bytes, /) -> int: ...


def format_of(path: str) -> Format | None:
    """By the suffix; None when it says nothing."""
    suffixes: Mapping[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    return next((kind for end, kind in suffixes.items() if path.lower().endswith(end)), None)


def writer(kind: Format, columns: Sequence[str], file: Sink) -> Write:
    """A function that writes batches of rows; the header, if there is one, is written now."""
    if kind == "csv":
        file.write(csv_line(columns).encode())
        return lambda rows: _write(file, "".join(csv_line(row) for row in rows))
    names = [json.dumps(name, ensure_ascii=False) for name in distinct(columns)]
    return lambda rows: _write(file, "".join(json_line(names, row) for row in rows))


def _write(file: Sink, text: str) -> None:
    file.write(text.encode("utf-8", "surrogatepass"))


def csv_line(row: Sequence[object]) -> str:
    if len(row) == 1 and row[0] is None:
        return "\n"  # the one empty field of a line; readers that skip it lose a NULL, not a value
    return ",".join(_csv_field(value) for value in row) + "\n"


def _csv_field(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else plain(value)
    if text == "" or any(sign in text for sign in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def json_line(names: Sequence[str], row: Sequence[object]) -> str:
    """``names`` are JSON strings already."""
    pairs = (f"{name}:{_json_value(value)}" for name, value in zip(names, row, strict=True))
    return "{" + ",".join(pairs) + "}\n"


def _json_value(value: object) -> str:
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, Decimal) and value.is_finite():
        return plain(value)
    return json.dumps(value if isinstance(value, str) else plain(value), ensure_ascii=False)


def plain(value: object) -> str:
    """The text of a value that is neither NULL nor a string."""
    match value:
        case bytes() | bytearray() | memoryview():
            return "0x" + bytes(value).hex()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case Decimal():
            return format(value, "f")
        case set() | frozenset():
            return ",".join(sorted(str(item) for item in value))
    return str(value)


def _duration(value: timedelta) -> str:
    """MySQL's TIME reaches from -838:59:59 to 838:59:59."""
    sign = "-" if value < timedelta(0) else ""
    size = abs(value)
    minutes, seconds = divmod(size.days * 86_400 + size.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{size.microseconds:06d}" if size.microseconds else ""
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def distinct(columns: Sequence[str]) -> Sequence[str]:
    """JSON objects have no two fields of one name: the second x is x_2."""
    taken: dict[str, Any] = {}
    for name in columns:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken[free] = None
    return list(taken)
