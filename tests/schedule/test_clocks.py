"""The table of clock changes: what the files say, and what their last lines say of the years after."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chalicelib.model.instants import zone_names
from chalicelib.schedule.posix_rule import changes_in, parse_rule
from chalicelib.schedule.tzif import offsets_of

HALF_MONTH = 15 * 86_400


def test_every_zone_has_the_offsets_of_the_standard_library() -> None:
    """Twice a month for 230 years, in each twelfth zone; the oracle does the rest."""
    for name in sorted(zone_names())[::12]:
        zone, table = ZoneInfo(name), offsets_of(name)
        for second in range(0, 7_258_118_400, HALF_MONTH):
            offset = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
            assert offset is not None
            assert table.offsets[table.index_at(second)] == offset.total_seconds(), (name, second)


@pytest.mark.parametrize(
    ("rule", "year", "expected"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", 2026, ["2026-03-29T01:00:00 7200", "2026-10-25T01:00:00 3600"]),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", 2026, ["2026-04-04T16:00:00 36000", "2026-10-03T16:00:00 39600"]),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2026,
         ["2026-04-04T15:00:00 37800", "2026-10-03T15:30:00 39600"]),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, ["2026-03-29T01:00:00 -3600", "2026-10-25T01:00:00 -7200"]),
        ("IST-2IDT,M3.4.4/26,M10.5.0", 2026, ["2026-03-27T00:00:00 10800", "2026-10-24T23:00:00 7200"]),
        ("EST5EDT,J60/0,300/0", 2024, ["2024-03-01T05:00:00 -14400", "2024-10-27T04:00:00 -18000"]),
        ("EST5EDT,59/0,J300/0", 2024, ["2024-02-29T05:00:00 -14400", "2024-10-27T04:00:00 -18000"]),
    ],
)  # fmt: skip
def test_rules_for_the_years_to_come(rule: str, year: int, expected: list[str]) -> None:
    parsed = parse_rule(rule)
    assert parsed is not None
    found = [
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S} {offset}"
        for at, offset in changes_in(parsed, year)
    ]
    assert found == expected


def test_a_rule_without_summer_changes_nothing() -> None:
    assert parse_rule("<+03>-3") is None
    with pytest.raises(ValueError, match="is no rule of a time zone"):
        parse_rule("EST")
