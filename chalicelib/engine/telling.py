"""Times and spans as people say them: "12 s ago", "06:00 UTC tomorrow"."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_DAYS = {-1: " yesterday", 0: "", 1: " tomorrow"}


def span(ms: int) -> str:
    """The two largest units of it: ``3 h 12 min``; less than a second is ``0 s``."""
    seconds = max(0, ms) // 1000
    for place, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            rest = seconds % size
            below, lower = _UNITS[min(place + 1, len(_UNITS) - 1)]
            more = f" {rest // below} {lower}" if rest >= below and below < size else ""
            return f"{seconds // size} {unit}{more}"
    return "0 s"


def ago(at_ms: int, now_ms: int) -> str:
    return "now" if at_ms == now_ms else f"{span(now_ms - at_ms)} ago"


def moment(at_ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """The time of day on the clocks of that zone, with the date unless it is within a day of now."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    days = (local.date() - today).days
    if days in _DAYS:
        return f"{clock} {zone.key}{_DAYS[days]}"
    return f"{local:%Y-%m-%d} {clock} {zone.key}"


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def listed(words: list[str], more: int = 0) -> str:
    """``a, b and c``; ``more``: so many are not named."""
    words = [*words, f"{more} more"] if more else words
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
