"""Times as people read and write them. Everything inside is UTC milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from cli.errors import Misused

_SPAN = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(ms: int) -> str:
    """``2026-11-24T06:00:00Z``, with milliseconds only where there are some."""
    try:
        instant = _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return f"{ms} ms"
    return instant.isoformat(timespec="milliseconds").replace(".000", "").replace("+00:00", "Z")


def local(ms: int, zone: tzinfo | None) -> str:
    """``2026-11-24 06:00:00`` in a zone; None is the zone of this machine."""
    try:
        return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def age(ms: int, now_ms: int) -> str:
    """``in 3m20s``, ``12h ago``, ``now``: rounded down, with a second unit where the first is small."""
    seconds = abs(ms - now_ms) // 1000
    if seconds == 0:
        return "now"
    return f"in {_rough(seconds)}" if ms > now_ms else f"{_rough(seconds)} ago"


def span(ms: int) -> str:
    """How long something took: ``0.4s``, ``12.5s``, ``3m05s``, ``2h07m``, ``4d03h``."""
    whole = ms // 1000
    if whole < 60:
        return f"{whole}.{ms % 1000 // 100}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def span_ms(text: str) -> int | None:
    """Milliseconds of ``90s``, ``15m``, ``2h``, ``7d``, ``1w``; None when it is none of these."""
    found = _SPAN.fullmatch(text.strip())
    return int(found[1]) * _SECONDS[found[2]] * 1000 if found else None


def is_absolute(text: str) -> bool:
    """Whether an ISO time carries its offset.

    Raises:
        Misused: it is no ISO time.
    """
    instant_ms(text, None)
    return datetime.fromisoformat(text).tzinfo is not None


def instant_ms(text: str, zone: tzinfo | None) -> int:
    """UTC milliseconds of an ISO time; one without an offset is in the zone, None: this machine's.

    Raises:
        Misused: it is no ISO time.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError, OSError) as error:
        raise Misused(
            f"{text!r} is no time", hint="write it like 2026-11-24T06:00:00Z or with +01:00"
        ) from error


def _rough(seconds: int) -> str:
    for unit, smaller in (("d", "h"), ("h", "m"), ("m", "s")):
        size = _SECONDS[unit]
        if seconds >= size:
            count, rest = seconds // size, seconds % size // _SECONDS[smaller]
            return f"{count}{unit}{rest}{smaller}" if count < 10 and rest else f"{count}{unit}"
    return f"{seconds}s"
