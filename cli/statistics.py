"""Statistics as people read them: a summary, or a table of groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.screen import Screen
from cli.states import colour_of
from cli.table import Column, render
from cli.text import one_line, pad
from cli.times import span
from cli.views import moment

Document = dict[str, Any]


def statistics_lines(document: Document, screen: Screen) -> Iterator[str]:
    """All of it: groups first where they were asked for, then the total and what it counts."""
    if document.get("by"):
        yield from _groups(document, screen)
        yield ""
    yield from tally_lines(document.get("total") or {}, screen)
    yield from _basis(document, screen)


def tally_lines(tally: Document, screen: Screen) -> Iterator[str]:
    """One group of instances, in a few lines."""
    states = tally.get("states") or {}
    counted = ", ".join(f"{count} {_coloured(name, screen)}" for name, count in states.items())
    yield _fact("instances", counted or "none")
    if tally.get("success_rate") is not None:
        yield _fact("succeeded", f"{rate(tally)} of those that ran")
    for title, key in (("took", "duration"), ("waited", "wait"), ("late", "lateness")):
        spread = tally.get(key) or {}
        if spread.get("count"):
            yield _fact(title, _spread(spread))
    for title, key in (("skipped", "skipped"), ("never made", _passed_over(tally))):
        reasons = tally.get(key) or {}
        if reasons:
            yield _fact(title, ", ".join(f"{count} {why}" for why, count in reasons.items()))


def skip_table(page: Document, screen: Screen) -> Iterator[str]:
    """A list of skip ranges."""
    columns = [
        Column("FROM", lambda row: moment(row.get("from_ms"), screen)),
        Column("TO", lambda row: moment(row.get("to_ms"), screen)),
        Column("TIMES", _times, right=True),
        Column("BECAUSE", lambda row: str(row.get("because") or row.get("reason") or ""), least=28),
        Column("REASON", lambda row: str(row.get("reason") or ""), spare=True),
    ]
    rows = page.get("items") or []
    if not rows and screen.is_terminal:
        yield "nothing was skipped so far"
        return
    yield from render(rows, columns, screen)


def _times(row: Document) -> str:
    count = row.get("nominal_times")
    if count is None:
        return "?"
    return f"{count}+" if row.get("more") else str(count)


def _passed_over(tally: Document) -> str:
    """Nominal times say more than ranges; an older server tells only of these."""
    return "skip_times" if tally.get("skip_times") else "skip_ranges"


def rate(tally: Document) -> str:
    """Rounded towards the truth: only all is 100 %, and only none is 0 %."""
    share = tally.get("success_rate")
    if not isinstance(share, int | float):
        return ""
    percent = min(round(share * 100, 1), 99.9) if share < 1 else 100.0
    return f"{max(percent, 0.1) if share > 0 else 0:.1f} %"


def _groups(document: Document, screen: Screen) -> Iterator[str]:
    by = str(document.get("by"))
    columns = [
        Column(by.upper(), lambda row: str(row.get(by) or row.get("key") or ""), least=14),
        Column("ENDED", lambda row: str(row.get("finished")), right=True),
        Column("OK", rate, right=True),
        Column("FAILED", lambda row: _count(row, "FAILED"), right=True),
        Column("TIMED", lambda row: _count(row, "TIMED_OUT"), right=True, spare=True),
        Column("KILLED", lambda row: _count(row, "KILLED"), right=True, spare=True),
        Column("SKIPPED", lambda row: _count(row, "SKIPPED"), right=True, spare=True),
        Column("TOOK", lambda row: _time(row, "duration", "median_ms"), right=True),
        Column("95 %", lambda row: _time(row, "duration", "p95_ms"), right=True),
        Column("LATE", lambda row: _time(row, "lateness", "median_ms"), right=True, spare=True),
        Column("95 %", lambda row: _time(row, "lateness", "p95_ms"), right=True, spare=True),
        Column("NEVER MADE", _never_made, right=True, spare=True),
    ]
    rows = document.get("groups") or []
    if not rows and screen.is_terminal:
        yield "nothing ended, waits or was skipped in this time"
        return
    yield from render(rows, columns, screen)
    if document.get("groups_left_out"):
        yield f"and {document['groups_left_out']} more, smaller ones"


def _basis(document: Document, screen: Screen) -> Iterator[str]:
    sample = document.get("sample") or {}
    window = f"{moment(document.get('from_ms'), screen)} to {moment(document.get('to_ms'), screen)}"
    yield _fact("nominal", window)
    if document.get("by") == "day":
        yield _fact("days", f"of {document.get('days_of') or 'UTC'}")
    if document.get("skip_times_cut"):
        yield _fact("never made", "there are more than were counted")
    if sample.get("cut"):
        since = moment(sample.get("oldest_ms"), screen)
        yield _fact(
            "counted",
            f"the newest {sample.get('finished')} that ended, since {since}; there are more",
        )


def _fact(name: str, value: str) -> str:
    return f"  {pad(name, 11)} {value}"


def _spread(spread: Document) -> str:
    times = [
        f"{name} {span(spread[key])}"
        for name, key in (("median", "median_ms"), ("95 %", "p95_ms"), ("longest", "longest_ms"))
        if isinstance(spread.get(key), int)
    ]
    return ", ".join(times)


def _coloured(state: str, screen: Screen) -> str:
    colour = colour_of(state) if screen.colour else None
    shown = one_line(state)
    return click.style(shown, fg=colour) if colour else shown


def _count(row: Document, state: str) -> str:
    count = (row.get("states") or {}).get(state)
    return str(count) if count else ""


def _time(row: Document, key: str, which: str) -> str:
    ms = (row.get(key) or {}).get(which)
    return span(ms) if isinstance(ms, int) else ""


def _never_made(row: Document) -> str:
    total = sum((row.get(_passed_over(row)) or {}).values())
    return str(total) if total else ""
