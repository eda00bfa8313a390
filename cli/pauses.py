"""How a pause of everything is told."""

from __future__ import annotations

from typing import Any

from cli.screen import Screen
from cli.text import one_line
from cli.times import age, iso, local


def told(pause: dict[str, Any], screen: Screen | None = None) -> str:
    """One line: since when, by whom and why."""
    because = f": {one_line(pause['reason'])}" if pause.get("reason") else ""
    by = one_line(str(pause.get("by")))
    return f"everything is paused since {_since(pause.get('since_ms'), screen)} by {by}{because}"


def _since(ms: object, screen: Screen | None) -> str:
    if not isinstance(ms, int):
        return "-"
    if screen is None or not screen.is_terminal:
        return iso(ms)
    ago = f" ({age(ms, screen.now_ms)})" if screen.now_ms is not None else ""
    return f"{local(ms, screen.zone)}{ago}"
