"""A password that somebody else keeps, and may change."""

from __future__ import annotations

from typing import Protocol


class Passwords(Protocol):
    """Asked for each new connection."""

    def current(self) -> str:
        """Raises Unavailable when it cannot be had."""
        ...

    def renew(self) -> str:
        """Another one, because the database refused the current one; it may be the same."""
        ...
