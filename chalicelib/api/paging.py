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
        raise InvalidInput(
            [
                Problem(
                    "next",
                    "is no cursor of this API; pass on the last page's next, unchanged",
                    cursor,
                )
            ]
        )
    return match[1]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(cursor: str) -> str:
    """The text; empty for what was never encoded."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
