"""Pages by key: a cursor names the last row that was seen, so that nothing is shown twice or missed."""

from __future__ import annotations

import base64
import binascii
import re

from chalicelib.model.errors import InvalidInput, Problem

_PLAIN = re.compile(r"1:([0-9a-f]{32})")


def write_cursor(last_id: str | None) -> str | None:
    """Opaque to clients, so that its content may change; None at the end."""
    if last_id is None:
        return None
    return encoded(f"1:{last_id}")


def read_cursor(cursor: str | None) -> str | None:
    """The id after which the page begins.

    Raises:
        InvalidInput: no cursor that this API gave.
    """
    if cursor is None:
        return None
    match = _PLAIN.fullmatch(decoded(cursor))
    if match is None:
        raise _no_cursor(cursor)
    return match[1]


def _no_cursor(cursor: str | None) -> InvalidInput:
    message = "is no cursor of this API; pass on the last page's next, unchanged"
    return InvalidInput([Problem("next", message, cursor)])


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(cursor: str) -> str:
    """The text; empty for what was never encoded."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def write_number(last: int | None) -> str | None:
    """The cursor of a list that is ordered by a number below 10**9, such as a revision."""
    return None if last is None else write_cursor(f"{last:032d}")


def read_number(cursor: str | None) -> int | None:
    """The number after which the page begins.

    Raises:
        InvalidInput: no cursor that such a list gave.
    """
    found = read_cursor(cursor)
    if found is None:
        return None
    if not found.isdecimal() or int(found) >= 10**9:
        raise _no_cursor(cursor)
    return int(found)
