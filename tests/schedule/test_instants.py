"""Instants, durations and zones, as text."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from chalicelib.model.instants import (
    format_duration,
    format_instant,
    format_local,
    parse_duration,
    parse_instant,
    zone,
)

BERLIN = zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-01", "2025-12-31T23:00:00Z"),
        ("2026-01-01T07:00", "2026-01-01T06:00:00Z"),
        ("2026-01-01 07:00:00", "2026-01-01T06:00:00Z"),
        ("2026-01-01T06:00:00Z", "2026-01-01T06:00:00Z"),
        ("2026-01-01t06:00:00z", "2026-01-01T06:00:00Z"),
        ("2026-01-01T06:00:00.25+02:00", "2026-01-01T04:00:00.250Z"),
        ("2026-01-01T06:00-0330", "2026-01-01T09:30:00Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),  # skipped: 03:30
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),  # twice: the first
    ],
)
def test_instants_are_read_in_a_zone(text: str, utc: str) -> None:
    ms = parse_instant(text, BERLIN)
    assert format_instant(ms) == utc
    assert parse_instant(format_local(ms, BERLIN), BERLIN) == ms


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026", "2026-1-1", "2026-13-01", "2026-02-30T00:00:00", "20260101T000000", "2026-W01-1",
     "2026-01-01T24:00:00", "1969-12-31T23:59:59Z", "2200-01-01", "2026-01-01T00:00:00 Z", "٢٠٢٦-01-01",
     "2026-01-01T00:00:00+25:00", "2026-01-01T00:00:60", "2026-01-01\n"],
)  # fmt: skip
def test_other_texts_are_no_instants(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no instant|is not in the years"):
        parse_instant(text, BERLIN)


@pytest.mark.parametrize(
    ("text", "ms", "shortest"),
    [
        ("PT15M", 900_000, "PT15M"),
        ("PT90M", 5_400_000, "PT1H30M"),
        ("P1W", 604_800_000, "P7D"),
        ("P1DT1S", 86_401_000, "P1DT1S"),
        ("PT0.5S", 500, "PT0.5S"),
        ("P1W2DT3H4M5.006S", 788_645_006, "P9DT3H4M5.006S"),
    ],
)
def test_durations(text: str, ms: int, shortest: str) -> None:
    assert parse_duration(text) == ms
    assert format_duration(ms) == shortest
    assert parse_duration(shortest) == ms


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "15M", "PT0S", "P0D", "-PT1S", "PT-1S", "P1M", "P1Y", "PT1M1H", "pt1s", "PT1.5M",
     "PT٣S"],
)  # fmt: skip
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is no time at all"):
        parse_duration(text)


def test_zones_are_those_of_the_pinned_database() -> None:
    assert zone("Europe/Berlin") is ZoneInfo("Europe/Berlin")
    for name in (
        "europe/berlin",
        "../etc/passwd",
        "Berlin",
        "",
        "EST5EDT4",
        "/usr/share/zoneinfo/UTC",
    ):
        with pytest.raises(ValueError, match="is no IANA time zone; "):
            zone(name)
    with pytest.raises(ValueError, match="did you mean America/New_York"):
        zone("America/NewYork")


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, 7_258_118_399_999])
def test_formats_read_back(ms: int) -> None:
    assert parse_instant(format_instant(ms), BERLIN) == ms
