"""docs/time.md says what the engine does: its table is computed here, its numbers are those of the suite."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.model.instants import format_local, parse_instant
from chalicelib.schedule import fires
from tests.schedule.asking import timetable
from tests.schedule.test_golden import CRON_DIFFERENCES, INTERVAL_DIFFERENCES

PAGE = (Path(__file__).parents[2] / "docs" / "time.md").read_text("utf-8")


def local_times(day: str, **written: Any) -> list[str]:
    """What fires on a day, as the clocks of the zone show it."""
    table = timetable(start="2026-01-01T00:00:00", **written)
    after = parse_instant(day, table.zone) - 1
    shown = (format_local(at, table.zone) for at in fires(table, after))
    return [text[11:16] + text[19:] for text in takewhile(lambda text: text.startswith(day), shown)]


def once(day: str, **written: Any) -> str:
    (found,) = local_times(day, **written)
    return found


def times(day: str, **written: Any) -> str:
    return f"{len(local_times(day, **written))} times"


def dates(count: int, **written: Any) -> str:
    table = timetable(**written)
    days = (datetime.fromtimestamp(at / 1000, table.zone) for at in fires(table, table.start_ms))
    return ", ".join(f"{day.day} {day:%B}" for day in islice(days, count))


BERLIN = {"timezone": "Europe/Berlin"}
SITUATIONS: dict[str, Callable[[], str]] = {
    "daily at 02:30, Berlin, 29 March": lambda: once("2026-03-29", cron="0 30 2 * * ?", **BERLIN),
    "daily at 02:30, Berlin, 25 October": lambda: once("2026-10-25", cron="0 30 2 * * ?", **BERLIN),
    "hourly, Berlin, 29 March": lambda: times("2026-03-29", cron="0 0 * * * ?", **BERLIN),
    "hourly, Berlin, 25 October": lambda: times("2026-10-25", cron="0 0 * * * ?", **BERLIN),
    "daily at 00:00, Beirut, 29 March": lambda: once(
        "2026-03-29", cron="0 0 0 * * ?", timezone="Asia/Beirut"
    ),
    "monthly from 31 January": lambda: dates(3, frequency="MONTHLY", start="2026-01-31"),
}


def table_under(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its header."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def noonday_says() -> dict[str, str]:
    remark = re.compile(r": (the clocks skip it|it comes twice)$")
    return {remark.sub("", row[0]): row[1] for row in table_under("Six situations")}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_page_says_what_noonday_does(situation: str) -> None:
    assert noonday_says()[situation] == SITUATIONS[situation]()


def test_every_situation_is_computed() -> None:
    assert set(noonday_says()) == set(SITUATIONS)


def test_the_differences_from_quartz_are_counted() -> None:
    told = [int(row[1]) for row in table_under("Where Noonday differs from Quartz")]
    counted = {**CRON_DIFFERENCES, **INTERVAL_DIFFERENCES}
    assert sorted(told) == sorted(counted.values())
