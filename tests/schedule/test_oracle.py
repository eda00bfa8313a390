"""The engine against the oracle: every zone and each of its clock changes, and expressions at random.

A case is one schedule in one window, asked forward and backward. The ordinary run takes a sample of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from chalicelib.model.errors import InvalidInput
from chalicelib.model.instants import zone_names
from chalicelib.schedule import Timetable
from tests.schedule.asking import LONG_AGO, backward, forward, timetable
from tests.schedule.expressions import expression
from tests.schedule.oracle import (
    CronOracle,
    FrequencyOracle,
    Wall,
    Watched,
    changes_of,
    utc_fires,
    wall_at,
)

DAY = 86_400
POLICIES = [(gap, overlap) for gap in ("shift", "skip") for overlap in ("first", "last", "both")]
ZONES = sorted(zone_names())
SHARDS = 64
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone


# ---- every zone, every clock change ----------------------------------------------------------------------


def test_sampled_clock_changes() -> None:
    chance = Random(2026)
    checked = 0
    for name in chance.sample(ZONES, 60):
        changes = changes_of(name, 1970, 2040)
        for at in chance.sample(changes, min(8, len(changes))):
            checked += check_change(name, at)
    assert checked > 2000


@pytest.mark.alltime
@pytest.mark.parametrize("shard", range(SHARDS))
def test_all_clock_changes(shard: int) -> None:
    for name in ZONES[shard::SHARDS]:
        for at in changes_of(name, 1970, 2100):
            check_change(name, at)


def check_change(name: str, at: int) -> int:
    """Ten schedules around a clock change; how many cases that was."""
    zone = ZoneInfo(name)
    jumped = jumped_time(zone, at)
    watched = Watched(zone, at - 4 * DAY, at + 4 * DAY, also=60 * jumped.minute)
    begin, end = at - 2 * DAY, at + 2 * DAY
    schedules = [*crons_near(zone, at, jumped)]
    for number, text in enumerate(schedules):
        gap, overlap = POLICIES[(at // 3600 + number) % 6]
        oracle = CronOracle(text)
        table = timetable(
            cron=text, timezone=name, start=LONG_AGO, dst_gap=gap, dst_overlap=overlap
        )
        right = watched.fires(oracle.matches, gap, overlap, names_hours=oracle.names_hours)
        check(table, begin, end, right, (name, at, text, gap, overlap))
    return len(schedules) + check_frequencies(name, zone, at, watched)


def jumped_time(zone: ZoneInfo, at: int) -> Wall:
    """The first local time that a change skips or repeats."""
    return min(wall_at(zone, at - 1) + timedelta(seconds=1), wall_at(zone, at)).replace(second=0)


def crons_near(zone: ZoneInfo, at: int, jumped: Wall) -> Iterator[str]:
    """Expressions that name what the clocks show around a change, and some that name no hour."""
    before, after = wall_at(zone, at - 1), wall_at(zone, at)
    inside = jumped + timedelta(minutes=15)
    yield f"0 {jumped.minute} {jumped.hour} * * ?"
    yield f"0 {inside.minute} {inside.hour} * * ?"
    yield f"0 {inside.minute} {inside.hour} {inside.day} {inside.month} ?"
    yield f"0 {inside.minute}/30 {before.hour}-{(after.hour + 1) % 24} ? * *"
    yield "0 0 0 * * ?"
    yield "0 0 */6 * * ?"
    yield "0 0,30 1,2,3 * * ?"
    yield "0 0 * * * ?"
    yield f"0 {inside.minute % 15}/15 * * * ?"


def check_frequencies(name: str, zone: ZoneInfo, at: int, watched: Watched) -> int:
    """Daily and one other, at the jumped time, from a local start before, which may not exist either."""
    jumped = jumped_time(zone, at)
    other = ["WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"][at // 3600 % 4]
    cases = 0
    for number, frequency in enumerate(["DAILY", other]):
        anchor = earlier(jumped, frequency)
        if anchor.year < 1970:
            continue
        gap, overlap = POLICIES[(at // 3600 + number) % 6]
        text = anchor.isoformat()
        table = timetable(
            frequency=frequency, timezone=name, start=text, dst_gap=gap, dst_overlap=overlap
        )
        oracle = FrequencyOracle(frequency, anchor)
        right = watched.fires(oracle.matches, gap, overlap, names_hours=True)
        check(table, at - 2 * DAY, at + 2 * DAY, right, (name, at, frequency, text, gap, overlap))
        cases += 1
    return cases


def earlier(wall: Wall, frequency: str) -> Wall:
    """A local time from which the frequency comes to this one, unless its day is missing on the way."""
    days = {"DAILY": 3, "WEEKLY": 14}.get(frequency)
    if days is not None:
        return wall - timedelta(days=days)
    months = {"MONTHLY": 2, "QUARTERLY": 6, "YEARLY": 24}[frequency]
    year, month = divmod(12 * wall.year + wall.month - 1 - months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, 28))


def check(table: Timetable, begin: int, end: int, right: list[int], case: object) -> None:
    expected = [at for at in right if begin <= at < end]
    assert forward(table, begin, end) == expected, case
    assert backward(table, begin, end) == expected, case


# ---- expressions at random -------------------------------------------------------------------------------


def test_sampled_expressions() -> None:
    check_expressions(Random(1), 1500)


@pytest.mark.alltime
@pytest.mark.parametrize("seed", range(2, 66))
def test_all_expressions(seed: int) -> None:
    check_expressions(Random(seed), 3000)


def check_expressions(chance: Random, count: int) -> None:
    """In UTC: the next 40 times after a random instant, found within four years, forward and backward."""
    for _ in range(count):
        text = expression(chance)
        after = chance.randrange(0, 130 * 365 * DAY)
        oracle, days = CronOracle(text), 1000
        right = list(utc_fires(oracle, after, 40, days))
        end = right[-1] + 1 if len(right) == 40 else after - after % DAY + days * DAY
        if not right and refused_as_never(text):
            continue
        table = timetable(cron=text, start="1970-01-01T00:00:00Z")
        check(table, after + 1, end, right, (text, after))


def refused_as_never(text: str) -> bool:
    try:
        timetable(cron=text, start="1970-01-01T00:00:00Z")
    except InvalidInput as error:
        return "never fires" in str(error)
    return False


# ---- forty years of frequencies --------------------------------------------------------------------------


def test_sampled_frequencies() -> None:
    check_frequency_decades(Random(3), 40)


@pytest.mark.alltime
@pytest.mark.parametrize("seed", range(4, 36))
def test_all_frequencies(seed: int) -> None:
    check_frequency_decades(Random(seed), 250)


def check_frequency_decades(chance: Random, count: int) -> None:
    """Forty years in UTC, day by day; both directions."""
    for _ in range(count):
        frequency = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"])
        years = 40 if frequency != "DAILY" else 4
        day = chance.choice([chance.randrange(366), 30, 58, 59, 89])
        anchor = EPOCH.replace(year=chance.randint(1970, 2150)) + timedelta(
            day, chance.randrange(DAY)
        )
        oracle = FrequencyOracle(frequency, anchor)
        walls = (anchor + timedelta(days=day) for day in range(years * 366))
        begin = int((anchor - EPOCH).total_seconds())
        right = [begin + day * DAY for day, wall in enumerate(walls) if oracle.matches(wall)]
        table = timetable(frequency=frequency, start=anchor.isoformat())
        check(table, begin - 5, begin + years * 366 * DAY, right, (frequency, anchor))
        middle = right[math.floor(len(right) * chance.random())]
        assert table.previous_before(middle * 1000 + 1) == middle * 1000
