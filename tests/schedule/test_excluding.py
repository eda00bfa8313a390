"""Schedules without what calendars exclude, against an oracle that asks day by day, and in haste."""

from __future__ import annotations

import calendar as civil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from random import Random
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model.calendar import Calendar, NamedCalendars
from chalicelib.model.errors import InvalidInput
from chalicelib.model.schedule import Schedule
from chalicelib.schedule import Timetable, fires, fires_before
from chalicelib.schedule import excluding as excluding_module
from chalicelib.schedule.excluding import check_remaining, compile_excluding
from chalicelib.schedule.previewing import explain_excluding
from tests.schedule.asking import LONG_AGO, backward, forward, timetable
from tests.schedule.oracle import WEEKDAYS, CronOracle, FrequencyOracle, Wall, Watched, wall_at

DAY = 86_400
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Kolkata",
]
WEEKENDS = {"weekdays": ["SAT", "SUN"]}


def excluding(*documents: dict[str, Any], submitted_ms: int = 0, **written: Any) -> Timetable:
    named = named_calendars(*documents)
    schedule = Schedule.model_validate({**written, "exclude": [name for name, _ in named]})
    return compile_excluding(schedule, named, submitted_ms=submitted_ms)


def named_calendars(*documents: dict[str, Any]) -> NamedCalendars:
    pairs = enumerate(documents)
    return tuple((f"calendar-{number}", Calendar.model_validate(each)) for number, each in pairs)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


# ---- the oracle ------------------------------------------------------------------------------------------


def is_excluded(document: dict[str, Any], wall: Wall, zone: ZoneInfo) -> bool:
    day = wall.date()
    if WEEKDAYS[day.isoweekday() % 7] in document.get("weekdays", ()):
        return True
    if any(_in_range(day.isoformat(), text) for text in document.get("dates", ())):
        return True
    if any(_in_range(day.strftime("%m-%d"), text) for text in document.get("yearly", ())):
        return True
    if "cron" in document and CronOracle(document["cron"]).matches(wall):
        return True
    return any(_in_span(wall, text, zone) for text in document.get("spans", ()))


def _in_range(day: str, text: str) -> bool:
    first, _, last = text.partition("/")
    return first <= day <= (last or first)


def _in_span(wall: Wall, text: str, zone: ZoneInfo) -> bool:
    ends = []
    for end in text.split("/"):
        moment = datetime.fromisoformat(end)
        if moment.tzinfo is not None:
            moment = moment.astimezone(zone).replace(tzinfo=None)
        ends.append(moment)
    return ends[0] <= wall < ends[1]


def rolled(
    wall: Wall, roll: str, out: Callable[[Wall], bool], *, at_most: int = 300
) -> Wall | None:
    step = timedelta(days=1 if roll == "next" else -1)
    for _ in range(at_most):
        wall += step
        if not out(wall):
            return wall
    return None


def walls_between(matches: Callable[[Wall], bool], begin: Wall, end: Wall) -> list[Wall]:
    """On quarters of an hour."""
    count = (end - begin) // timedelta(minutes=15)
    quarters = (begin + timedelta(minutes=15) * k for k in range(count))
    return [wall for wall in quarters if matches(wall)]


def remaining_walls(
    matches: Callable[[Wall], bool], out: Callable[[Wall], bool], roll: str, begin: Wall, end: Wall
) -> set[Wall]:
    found = set()
    for wall in walls_between(matches, begin, end):
        target: Wall | None = wall
        if out(wall):
            target = None if roll == "skip" else rolled(wall, roll, out)
        if target is not None:
            found.add(target)
    return found


# ---- against the oracle ----------------------------------------------------------------------------------


def random_calendar(chance: Random, year: int, month: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if chance.random() < 0.5:
        document["weekdays"] = chance.sample(WEEKDAYS, chance.randint(1, 3))
    if chance.random() < 0.5:
        first = date(year, month, 1) + timedelta(days=chance.randint(0, 40))
        last = first + timedelta(days=chance.choice([0, 0, 2, 9]))
        document["dates"] = [f"{first}/{last}", str(last + timedelta(days=chance.randint(1, 5)))]
    if chance.random() < 0.3:
        document["yearly"] = [f"{month:02}-{chance.randint(1, 28):02}"]
    if chance.random() < 0.4:
        hours = chance.choice(["0-7", "2", "*/2", "3-22", "*"])
        document["cron"] = (
            f"* {chance.choice(['*', '0', '30-59'])} {hours} ? * {chance.choice(['*', 'MON-WED'])}"
        )
    if chance.random() < 0.4:
        first = date(year, month, 1) + timedelta(days=chance.randint(0, 40))
        last = first + timedelta(days=chance.choice([0, 1, 3]))
        offset = chance.choice(["", "+00:00", "-05:00"])
        document["spans"] = [f"{first}T02:15:00{offset}/{last}T19:45:00{offset}"]
    return document


def random_cron(chance: Random) -> str:
    minutes = chance.choice(["0", "30", "0/15", "15,45"])
    hours = chance.choice(["2", "0", "1-3", "2,14", "*", "22-4"])
    return (
        f"0 {minutes} {hours} ? * {chance.choice(['*', '*', 'MON-FRI', 'SAT', 'SUN', 'WED,SAT'])}"
    )


@pytest.mark.parametrize("seed", range(60))
def test_crons_against_the_oracle(seed: int) -> None:
    chance = Random(seed)
    name, roll = chance.choice(ZONES), chance.choice(["skip", "next", "previous"])
    gap, overlap = chance.choice(["shift", "skip"]), chance.choice(["first", "last", "both"])
    year, month = (2011, 12) if name == "Pacific/Apia" else (2018, chance.choice([3, 4, 10, 11]))
    zone = ZoneInfo(name)
    documents = [random_calendar(chance, year, month) for _ in range(chance.randint(1, 2))]
    oracle = CronOracle(random_cron(chance))
    begin = utc(year, month, 1) + chance.randint(0, 96) * 900
    end = begin + 45 * DAY
    table_end = end - 2 * DAY
    table = excluding(
        *documents,
        cron=" ".join(oracle.fields[:6]),
        roll=roll,
        timezone=name,
        dst_gap=gap,
        dst_overlap=overlap,
        start=datetime.fromtimestamp(begin, UTC).isoformat(),
        end=datetime.fromtimestamp(table_end, UTC).isoformat(),
    )

    def out(wall: Wall) -> bool:
        return any(is_excluded(each, wall, zone) for each in documents)

    sources = (wall_at(zone, begin), wall_at(zone, table_end))
    found = remaining_walls(oracle.matches, out, roll, *sources)
    watched = Watched(zone, begin - 2 * DAY, end, step=900)
    clock = {"gap": gap, "overlap": overlap, "names_hours": oracle.names_hours}
    right = watched.fires(lambda wall: wall in found, **clock)  # type: ignore[arg-type]
    right = [at for at in right if begin <= at < table_end]
    case = (seed, name, roll, gap, overlap, oracle.fields, documents)
    assert forward(table, begin - DAY, end) == right, case
    assert backward(table, begin - DAY, end) == right, case


@pytest.mark.parametrize("seed", range(60))
def test_frequencies_against_the_oracle(seed: int) -> None:
    chance = Random(seed)
    name, roll = chance.choice(ZONES[:-2]), chance.choice(["skip", "next", "previous"])
    zone = ZoneInfo(name)
    anchor = datetime(2018, 3, chance.randint(1, 31), 12, 30)  # noqa: DTZ001  a wall clock
    frequency = chance.choice(["DAILY", "WEEKLY", "MONTHLY"])
    documents = [random_calendar(chance, 2018, 4)]
    table = excluding(
        *documents, frequency=frequency, start=anchor.isoformat(), timezone=name, roll=roll
    )
    oracle = FrequencyOracle(frequency, anchor)

    def out(wall: Wall) -> bool:
        return any(is_excluded(each, wall, zone) for each in documents)

    found = remaining_walls(
        oracle.matches, out, roll, anchor.replace(minute=0), anchor + timedelta(120)
    )
    begin = utc(2018, 3, 1)
    watched = Watched(zone, begin, begin + 90 * DAY, step=900)
    right = watched.fires(lambda wall: wall in found, "shift", "first", names_hours=True)
    first = min(at for at, wall in watched.shown if wall == anchor)
    right = [at for at in right if at >= first]
    case = (seed, name, roll, frequency, anchor, documents)
    assert forward(table, begin + 2 * DAY, begin + 80 * DAY) == [
        at for at in right if begin + 2 * DAY <= at < begin + 80 * DAY
    ], case


@pytest.mark.parametrize("seed", range(30))
def test_steady_schedules_against_the_oracle(seed: int) -> None:
    chance = Random(seed)
    name, roll = chance.choice(ZONES), chance.choice(["skip", "next", "previous"])
    zone = ZoneInfo(name)
    documents = [random_calendar(chance, 2018, 10)]
    step = 900 * chance.choice([1, 2, 3, 7, 40, 96, 200, 672])
    begin = utc(2018, 10, 1) + chance.randint(0, 96) * 900
    table = excluding(
        *documents,
        every=f"PT{step}S",
        start=datetime.fromtimestamp(begin, UTC).isoformat(),
        timezone=name,
        roll=roll,
    )

    def out(wall: Wall) -> bool:
        return any(is_excluded(each, wall, zone) for each in documents)

    instants = range(begin, begin + 90 * DAY, step)
    right = {at for at in instants if not out(wall_at(zone, at))}
    if roll != "skip":
        away = [wall_at(zone, at) for at in instants if out(wall_at(zone, at))]
        targets = {rolled(wall, roll, out) for wall in away}
        watched = Watched(zone, begin - DAY, begin + 60 * DAY, step=900)
        right |= set(
            watched.fires(lambda wall: wall in targets, "shift", "first", names_hours=True)
        )
    end = begin + 45 * DAY
    wanted = sorted(at for at in right if begin <= at < end)
    case = (seed, name, roll, step, documents)
    assert forward(table, begin - DAY, end) == wanted, case
    assert backward(table, begin - DAY, end) == wanted, case


# ---- what must always hold -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 7_258_118_400_000))
def test_strictly_increasing_and_the_same_backward(seed: int, after: int) -> None:
    chance = Random(seed)
    documents = [random_calendar(chance, chance.randint(1990, 2100), chance.randint(1, 12))]
    kind: dict[str, Any] = chance.choice(
        [
            {"cron": random_cron(chance)},
            {"every": f"PT{chance.randint(1, 10**6)}S"},
            {"frequency": chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
        ]
    )
    table = excluding(
        *documents,
        **kind,
        timezone=chance.choice(ZONES),
        start=LONG_AGO,
        roll=chance.choice(["skip", "next", "previous"]),
    )
    found = list(islice(fires(table, after), 20))
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    end = found[-1] + 1 if found else 2 * 7_258_118_400_000
    assert list(islice(fires_before(table, end), len(found)))[::-1] == found
    earlier_one = table.previous_before(found[0] if found else end)
    assert earlier_one is None or earlier_one <= after


EVERYTHING: list[dict[str, Any]] = [
    {"weekdays": list(WEEKDAYS)},
    {"dates": ["1970-01-01/2199-12-31"]},
    {"yearly": ["01-01/12-31"]},
    {"cron": "* * * * * ?"},
]
SLOW: list[dict[str, Any]] = [
    {"cron": "0 0 12 ? * SAT"},
    {"cron": "0 * * * * ?"},
    {"cron": "0 0 0 29 2 ?"},
    {"cron": "0 0 0 1 1 ? 2190"},
    {"frequency": "DAILY"},
    {"frequency": "MONTHLY"},
    {"every": "PT1S"},
    {"every": "PT17M"},
    {"every": "P1D"},
    {"at": "2100-01-01T00:00:00"},
]


@pytest.mark.parametrize("roll", ["skip", "next", "previous"])
@pytest.mark.parametrize("document", [*EVERYTHING, {"cron": "0 * * * * ?"}, WEEKENDS])
@pytest.mark.parametrize("written", SLOW)
def test_an_answer_takes_little_time(
    written: dict[str, Any], document: dict[str, Any], roll: str
) -> None:
    def answer() -> float:
        excluding_module._excluding.cache_clear()
        table = excluding(document, **written, roll=roll, start="2000-01-01T00:00:00")
        begin = process_time()
        table.next_after(946_684_800_000)
        table.previous_before(4_102_444_800_000)
        return process_time() - begin

    assert min(answer() for _ in range(3)) < 0.02  # two answers


@pytest.mark.parametrize("document", EVERYTHING)
@pytest.mark.parametrize("written", SLOW)
def test_nothing_is_left_when_everything_is_excluded(
    written: dict[str, Any], document: dict[str, Any]
) -> None:
    for roll in ("skip", "next", "previous"):
        table = excluding(document, **written, roll=roll, start="2000-01-01T00:00:00")
        assert table.next_after(0) is None
        assert table.previous_before(8_000_000_000_000) is None
    schedule = Schedule.model_validate({**written, "exclude": ["all"]})
    with pytest.raises(InvalidInput, match=r"schedule\.exclude: leaves no time"):
        check_remaining(schedule, (("all", Calendar.model_validate(document)),), submitted_ms=0)


# ---- by example ------------------------------------------------------------------------------------------


def test_a_weekend_rolls_to_monday_once() -> None:
    table = excluding(WEEKENDS, cron="0 0 6 * * ?", roll="next", start="2026-01-02T00:00:00")
    assert forward(table, utc(2026, 1, 2), utc(2026, 1, 6)) == [
        utc(2026, 1, 2, 6),
        utc(2026, 1, 5, 6),
    ]


def test_a_time_that_the_clocks_skip_on_an_excluded_day_keeps_its_name() -> None:
    written: dict[str, Any] = {
        "cron": "0 30 2 * * ?",
        "timezone": "Europe/Berlin",
        "start": "2026-03-27T00:00:00",
    }
    table = excluding(WEEKENDS, **written, roll="next")
    found = forward(table, utc(2026, 3, 27), utc(2026, 3, 31))
    assert found == [utc(2026, 3, 27, 1, 30), utc(2026, 3, 30, 0, 30)]


def test_a_preview_says_where_such_a_time_rolls_to() -> None:
    berlin: dict[str, Any] = {"timezone": "Europe/Berlin", "start": "2026-03-27T00:00:00"}
    schedule = Schedule(**berlin, cron="0 30 2 * * ?", exclude=("w",), roll="next")
    named = (("w", Calendar.model_validate(WEEKENDS)),)
    after = utc(2026, 3, 28) * 1000
    found = explain_excluding(schedule, named, after_ms=after, count=1).fires
    monday = utc(2026, 3, 30, 0, 30) * 1000
    assert [(one.nominal_ms, one.excluded_by, one.rolls_to_ms) for one in found] == [
        (utc(2026, 3, 28, 1, 30) * 1000, "w", monday),
        (utc(2026, 3, 29, 1, 30) * 1000, "w", monday),
        (monday, None, None),
    ]


def test_nothing_rolls_into_the_window_or_out_of_it() -> None:
    window: dict[str, Any] = {"start": "2026-01-03T12:00:00", "end": "2026-01-10T12:00:00"}
    table = excluding(WEEKENDS, **window, cron="0 0 6 ? * SAT", roll="next")
    assert forward(table, 0, utc(2027, 1, 1)) == []
    table = excluding(WEEKENDS, **window, cron="0 0 6 ? * SAT", roll="previous")
    assert forward(table, 0, utc(2027, 1, 1)) == [utc(2026, 1, 9, 6)]


def test_without_calendars_nothing_changes() -> None:
    schedule = Schedule(frequency=None, cron="0 0 6 * * ?", start=LONG_AGO)
    assert compile_excluding(schedule, (), submitted_ms=0) == timetable(
        cron="0 0 6 * * ?", start=LONG_AGO
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dates", "2026-02-30", "there is no 2026-02-30"),
        ("dates", "2026-12-26/2026-12-24", "ends before it begins"),
        ("dates", "25.12.2026", "is no date"),
        ("dates", "1969-01-01", "1970 to 2199"),
        ("yearly", "25-12", "the month first"),
        ("yearly", "12-24/01-02", "write two"),
        ("spans", "2026-12-24T12:00:00", "has one end"),
        ("spans", "2026-12-24T12:00:00Z/2026-12-24T13:00:00", "the offset of one end"),
        ("spans", "2026-01-01/2028-01-01", "longer than 366 days"),
        ("weekdays", "Saturday", "SAT"),
    ],
)
def test_bad_calendars_are_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calendar.model_validate({field: [value]})


def test_29_february_comes_in_leap_years() -> None:
    table = excluding({"yearly": ["02-29"]}, cron="0 0 0 * 2,3 ?", start="2023-02-28T00:00:00")
    assert forward(table, utc(2023, 2, 28), utc(2023, 3, 2)) == [utc(2023, 2, 28), utc(2023, 3, 1)]
    assert utc(2024, 2, 29) not in forward(table, utc(2024, 2, 28), utc(2024, 3, 2))
    assert civil.isleap(2024)
