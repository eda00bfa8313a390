"""Quartz 2.3.2, case by case: Noonday answers the same, or the difference is one of the documented ones."""

from __future__ import annotations

import json
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.model.errors import InvalidInput
from chalicelib.model.instants import format_instant
from chalicelib.schedule import fires
from tests.schedule.asking import LONG_AGO, timetable
from tests.schedule.oracle import CronOracle, FrequencyOracle, Watched, wall_at

GOLDEN = Path(__file__).parents[1] / "data" / "quartz.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
DAY = 86_400

# Odd, and yet nobody writes them by mistake: Noonday reads them as Quartz does.
HARMLESS_QUIRKS = {
    " 0 0 12 * * ?",
    "0 0 5-5 * * ?",
    "0 0 12 1 1 ? 2100-2103",
    "0 0 12 1 1 ? 2100",
    "0 0 12 1 1 ? 1970,2100",
}

# The documented classes, and how many cases are in each.
CRON_DIFFERENCES = {
    "never fires: refused": 24,
    "names no hour: absolute time": 77,
    "asked inside an overlap: the second is still to come": 64,
    "29W to 31W: months without the day are skipped": 11,
}
INTERVAL_DIFFERENCES = {
    "Quartz does not keep the hour unless told to": 45,
    "Quartz drifts after a gap of half an hour": 12,
    "Quartz drifts after a short month": 66,
}


def of(kind: str) -> Iterator[dict[str, Any]]:
    return (case for case in CASES if case["kind"] == kind)


def answer(case: dict[str, Any], **written: Any) -> list[int] | None:
    """The next times after the case's instant, in ms; None for a schedule that is refused as never firing."""
    after = case["after"] if "after" in case else case["start"] - 1
    try:
        table = timetable(timezone=case["tz"], **written)
    except InvalidInput as error:
        if "never fires" not in str(error):
            raise
        return None
    return list(islice(fires(table, after), case["n"]))


def cron_difference(case: dict[str, Any], got: list[int] | None) -> str:
    """The documented class of a difference; the empty text if it is none."""
    oracle, zone = CronOracle(case["expr"]), ZoneInfo(case["tz"])
    if got is None:
        return "never fires: refused" if not case["fires"] else ""
    if oracle.fields[3] in ("29W", "30W", "31W"):
        skips = all(on_existing_day(oracle.fields[3], at, zone) for at in got)
        return "29W to 31W: months without the day are skipped" if skips else ""
    if not as_watched(oracle, case, zone, got):
        return ""
    if not oracle.names_hours:
        return "names no hour: absolute time"
    inside = asked_inside_overlap(zone, case["after"] // 1000)
    return "asked inside an overlap: the second is still to come" if inside else ""


def as_watched(oracle: CronOracle, case: dict[str, Any], zone: ZoneInfo, got: list[int]) -> bool:
    """The answer differs only in the two days after the question, where the oracle agrees with it."""
    after = case["after"] // 1000
    near, last = (after + 2 * DAY) * 1000, min(got[-1], case["fires"][-1])
    if any(near <= at <= last for at in set(got) ^ set(case["fires"])):
        return False
    watched = Watched(zone, after - 2 * DAY, near // 1000, 60 if oracle.fields[0] == "0" else 10)
    found = watched.fires(oracle.matches, "skip", "last", names_hours=oracle.names_hours)
    right = [at * 1000 for at in found if at > after]
    return right[: case["n"]] == [at for at in got if at < near]


def asked_inside_overlap(zone: ZoneInfo, at: int) -> bool:
    wall = wall_at(zone, at)
    folds = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    return len(folds) == 2


def on_existing_day(field: str, at: int, zone: ZoneInfo) -> bool:
    wall = datetime.fromtimestamp(at / 1000, zone)
    return monthrange(wall.year, wall.month)[1] >= int(field.removesuffix("W"))


def test_crons_are_those_of_quartz_away_from_documented_differences() -> None:
    differences: Counter[str] = Counter()
    for case in of("cron"):
        got = answer(case, cron=case["expr"], start=LONG_AGO, dst_gap="skip", dst_overlap="last")
        if got != case["fires"]:
            kind = cron_difference(case, got)
            assert kind, (case, got)
            differences[kind] += 1
    assert differences == CRON_DIFFERENCES


@pytest.mark.parametrize("case", list(of("trigger")), ids=lambda case: str(case["id"]))
def test_windows_are_those_of_quartz_less_the_end_itself(case: dict[str, Any]) -> None:
    window = {"start": format_instant(case["start"]), "end": format_instant(case["end"])}
    expected = [at for at in case["fires"] if at < case["end"]]
    got = answer(case, cron=case["expr"], dst_gap="skip", dst_overlap="last", **window)
    assert (got or []) == expected


def test_intervals_are_those_of_quartz_where_it_keeps_the_hour_and_does_not_drift() -> None:
    differences: Counter[str] = Counter()
    for case in of("interval"):
        gap = "skip" if case["skip"] else "shift"
        end = case["end"] and format_instant(case["end"])
        start = format_instant(case["start"])
        got = answer(case, frequency=case["freq"], start=start, end=end, dst_gap=gap) or []
        if got != case["fires"]:
            kind = interval_difference(case, got, gap)
            assert kind, (case, got)
            differences[kind] += 1
    assert differences == INTERVAL_DIFFERENCES


def interval_difference(case: dict[str, Any], got: list[int], gap: str) -> str:
    """The documented class of a difference; the empty text if it is none, or if the oracle disagrees too."""
    if not case["preserve"] and "dst" in case["feat"]:
        return "Quartz does not keep the hour unless told to"
    zone, start = ZoneInfo(case["tz"]), case["start"] // 1000
    oracle = FrequencyOracle(case["freq"], wall_at(zone, start))
    last = got[-1] // 1000
    if case["tz"] == "Australia/Lord_Howe" and "gap" in case["feat"]:
        watched = Watched(zone, start - DAY, last + 1, 900)
        right = watched.fires(oracle.matches, gap, "first", names_hours=True)
        kind = "Quartz drifts after a gap of half an hour"
        return kind if [at * 1000 for at in right if at >= start] == got else ""
    days = ((oracle.anchor + timedelta(days=n)) for n in range((last - start) // DAY + 2))
    walls = [wall for wall in days if oracle.matches(wall)][: len(got)]
    shown = [wall_at(zone, at // 1000) for at in got]
    return "Quartz drifts after a short month" if shown == walls else ""


@pytest.mark.parametrize("case", list(of("verdict")), ids=lambda case: str(case["id"]))
def test_what_quartz_refuses_is_refused(case: dict[str, Any]) -> None:
    assert refusal(case["expr"]).startswith(case["expr"])


@pytest.mark.parametrize("case", list(of("quirk")), ids=lambda case: str(case["id"]))
def test_what_quartz_accepts_by_accident_is_refused_with_its_place_and_a_remedy(
    case: dict[str, Any],
) -> None:
    if case["expr"] in HARMLESS_QUIRKS:
        table = timetable(cron=case["expr"], start="2025-01-01T00:00:00Z")
        assert list(islice(fires(table, 0), len(case["fires"]))) == case["fires"]
        return
    message = refusal(case["expr"])
    assert "(character " in message
    assert "; " in message


def refusal(expression: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        timetable(cron=expression, start=LONG_AGO)
    assert {problem.field for problem in caught.value.problems} == {"schedule.cron"}
    assert "never fires" not in str(caught.value)
    return caught.value.problems[0].message
