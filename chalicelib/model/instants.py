"""Instants, durations and zones: text in, UTC milliseconds out.

Zones come from the pinned ``tzdata`` package and from nowhere else, so that every machine agrees; neither the
zone nor the locale of the process is ever asked.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import tzdata

zoneinfo.reset_tzpath(())
ZoneInfo.clear_cache()

TZDATA_VERSION: str = tzdata.IANA_VERSION
FIRST_YEAR, LAST_YEAR = 1970, 2199

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
    r"(?:[Zz]|[+-]\d\d(?::?\d\d(?::\d\d)?)?)?)?",
    re.ASCII,
)
_DURATION = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=\d)(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,10})(?:\.(\d{1,3}))?S)?)?",
    re.ASCII,
)
_MONTHS_OR_YEARS = re.compile(r"P(?=\d)(?:\d+Y)?(?:\d+M)?.*", re.ASCII)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every name that the pinned database knows, links included."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name, exactly as the database writes it.

    Raises:
        ValueError: there is none; the message names close ones.
    """
    if name in zone_names():
        return ZoneInfo(name)
    written = {known.casefold(): known for known in zone_names()}
    near = difflib.get_close_matches(name.casefold(), written, n=3)
    hint = f"did you mean {_either([written[each] for each in near])}?" if near else _ZONE_HINT
    raise ValueError(f"{name!r} is no IANA time zone; {hint}")


_ZONE_HINT = "write one like Europe/Berlin or UTC"


def _either(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


@lru_cache(maxsize=4096)
def parse_instant(text: str, zone: ZoneInfo) -> int:
    """UTC milliseconds of an ISO 8601 date or date and time; without an offset it is local to ``zone``.

    A date alone is its midnight. A local time that the clocks skip counts as many minutes later; of one that
    they show twice, the first is meant.

    Raises:
        ValueError: it is no such text, or its year is not in 1970 to 2199.
    """
    moment = read_moment(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def read_moment(text: str) -> datetime:
    """The same text as a ``datetime``, naive when it carries no offset.

    Raises:
        ValueError: as ``parse_instant``.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no instant; {_INSTANT_HINT}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{text!r} is no instant: {error}; {_INSTANT_HINT}") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment


_INSTANT_HINT = "write 2026-12-24T18:00:00, 2026-12-24T18:00:00+01:00 or 2026-12-24T17:00:00Z"


def format_instant(ms: int) -> str:
    """``2026-01-01T06:00:00Z``, with ``.123`` only when there are milliseconds."""
    return _utc(ms).replace(tzinfo=None).isoformat(timespec=_precision(ms)) + "Z"


def format_local(ms: int, zone: ZoneInfo) -> str:
    """``2026-01-01T07:00:00+01:00``: what the clocks of ``zone`` show, and how far they are from UTC."""
    return _utc(ms).astimezone(zone).isoformat(timespec=_precision(ms))


def _utc(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def _precision(ms: int) -> str:
    return "milliseconds" if ms % 1000 else "seconds"


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> int:
    """Milliseconds, more than 0, of an ISO 8601 duration of weeks, days, hours, minutes and seconds.

    Raises:
        ValueError: it is none, or nothing, or counts months or years, whose length is not fixed.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no duration; {_duration_hint(text)}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:5])
    milliseconds = int((match[6] or "0").ljust(3, "0"))
    ms = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000 + milliseconds
    if ms == 0:
        raise ValueError(f"{text!r} is no time at all; a duration is longer than nothing")
    return ms


def _duration_hint(text: str) -> str:
    if _MONTHS_OR_YEARS.fullmatch(text) and re.search(r"^P[^T]*[YM]", text):
        return (
            "months and years have no fixed length; write days, or minutes after a T, as in PT15M"
        )
    return "write PT15M, PT1H30M, P1D or P2W"


def format_duration(ms: int) -> str:
    """``PT1H30M``: the shortest way to write it in days, hours, minutes and seconds."""
    seconds, fraction = divmod(ms, 1000)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    shown = f"{seconds}.{fraction:03}".rstrip("0") if fraction else str(seconds)
    parts = ((hours, f"{hours}H"), (minutes, f"{minutes}M"), (seconds or fraction, f"{shown}S"))
    time = "".join(part for amount, part in parts if amount)
    date = f"{days}D" if days else ""
    return f"P{date}T{time}" if time else f"P{date or 'T0S'}"
