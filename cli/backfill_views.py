"""Backfills as people see them: lists, one of them, its plan, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.screen import Screen
from cli.states import UNSUCCESSFUL, colour_of
from cli.table import Column, render
from cli.text import one_line, pad, shorten
from cli.times import local
from cli.views import exact, moment

Document = dict[str, Any]
BAR = 20
STEP = 5  # per cent: outside of a terminal, progress is a line each


def backfill_table(page: Document, screen: Screen) -> Iterator[str]:
    """A list of backfills. The first 16 digits of an id are enough to name it."""
    columns = [
        Column("ID", lambda row: _text(row, "id"), least=16, yields=4, is_id=True),
        Column("JOB", lambda row: _text(row, "name"), least=12),
        Column("STATE", lambda row: _text(row, "state"), colour=colour_of),
        Column("DONE", lambda row: f"{row['finished']}/{row['total']}", right=True),
        Column("FAILED", lambda row: str(failures(row)), right=True),
        Column(
            "FROM", lambda row: moment(row.get("from_ms"), screen), least=10, yields=3, is_id=True
        ),
        Column("TO", lambda row: moment(row.get("to_ms"), screen), least=10, yields=3, is_id=True),
        Column("BY", lambda row: _text(row, "created_by"), spare=True),
        Column("REASON", lambda row: _text(row, "reason"), least=8, yields=3, spare=True),
    ]
    rows = page.get("items") or []
    if not rows and screen.is_terminal:
        return iter(["no backfills; create one with noonday backfill create JOB --from TIME"])
    return render(rows, columns, screen)


def backfill_lines(one: Document, screen: Screen) -> Iterator[str]:
    """One backfill."""
    state = _text(one, "state")
    colour = colour_of(state) if screen.colour else None
    yield f"backfill of {one_line(one['name'])}  {click.style(state, fg=colour) if colour else state}"
    pairs = ", ".join(f"{name}={value}" for name, value in (one.get("parameters") or {}).items())
    facts = [
        ("id", _text(one, "id")),
        ("from", exact(one.get("from_ms"), screen)),
        ("to", exact(one.get("to_ms"), screen)),
        ("progress", f"{bar(one)}  {counts(one)}"),
        ("looked at", _looked_at(one)),
        ("waiting on", _text(one, "waiting_on")),
        ("ends", exact(one.get("eta_ms"), screen)),
        ("limits", _limits(one)),
        ("reprocess", _text(one, "reprocess")),
        ("parameters", pairs),
        ("revision", _text(one, "revision")),
        ("why", _text(one, "reason")),
        ("created", f"{exact(one.get('created_ms'), screen)} by {_text(one, 'created_by')}"),
        ("ended", exact(one.get("ended_ms"), screen)),
        ("because", _text(one, "end_reason")),
    ]
    for name, value in facts:
        if value.strip():
            line = f"  {pad(name, 11)} {one_line(value)}"
            yield line if screen.columns is None else shorten(line, screen.columns)


def plan_lines(plan: Document, screen: Screen) -> Iterator[str]:
    """What a backfill would do: the counts, then each time."""
    head = (
        f"{plan['total']} nominal times: {plan['create']} to create, {plan['rerun']} to rerun, "
        f"{plan['exists']} exist"
    )
    yield head if screen.columns is None else shorten(head, screen.columns)
    if plan.get("purged"):
        yield f"{plan['purged']} of them may have run: their record was purged"
    columns = [
        Column("NOMINAL TIME", lambda row: moment(row.get("nominal_ms"), screen)),
        Column("ACTION", lambda row: _text(row, "action")),
        Column("STATE", _planned_state, colour=colour_of),
        Column("INSTANCE", lambda row: _text(row, "instance_id"), least=16, is_id=True, spare=True),
    ]
    yield from render(plan["items"], columns, screen)
    more = plan["total"] - len(plan["items"])
    if more > 0:
        yield f"… and {more} more; --limit shows more of them"


def _planned_state(row: Document) -> str:
    return "PURGED" if row.get("purged") else _text(row, "state")


def bar(one: Document) -> str:
    """``[#####---------------]  25%``."""
    filled = BAR * one["finished"] // max(one["total"], 1)
    return f"[{'#' * filled}{'-' * (BAR - filled)}] {percent(one):3}%"


def percent(one: Document) -> int:
    return int(100 * one["finished"] // max(one["total"], 1))


def counts(one: Document) -> str:
    """``5 of 20, 2 running, 1 failed``."""
    states = one.get("instances") or {}
    running = sum(states.get(state, 0) for state in ("LAUNCHING", "LAUNCHED", "RUNNING"))
    parts = [f"{one['finished']} of {one['total']}"]
    parts += [f"{running} running"] if running else []
    parts += [f"{failures(one)} failed"] if failures(one) else []
    parts += [f"{states['SKIPPED']} skipped"] if states.get("SKIPPED") else []
    return ", ".join(parts)


def failures(one: Document) -> int:
    return sum((one.get("instances") or {}).get(state, 0) for state in UNSUCCESSFUL)


def live(one: Document) -> str:
    """A line that is written over, with the bar and when it will have ended, on the clocks here."""
    eta = one.get("eta_ms")
    ends = f", ends {local(eta, None)}" if isinstance(eta, int) else ""
    stuck = f"; waits: {one['waiting_on']}" if one.get("waiting_on") else ""
    return one_line(f"{bar(one)}  {counts(one)}{ends}{stuck}")


def plain(one: Document) -> str:
    """The same for a log: it changes only every few per cent, and when something fails or waits."""
    step = percent(one) // STEP * STEP
    failed = f", {failures(one)} failed" if failures(one) else ""
    stuck = f"; waits: {one['waiting_on']}" if one.get("waiting_on") else ""
    return one_line(f"{one['name']} {one['state']} {step}% of {one['total']}{failed}{stuck}")


def _looked_at(one: Document) -> str:
    return f"{one['created']} created, {one['rerun']} rerun, {one['existing']} existed"


def _limits(one: Document) -> str:
    most = f", {one['max_active']} at once" if one["overlap"] == "allow" else ""
    return f"{one['overlap']}{most}, {one['order']} first"


def _text(row: Document, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)
