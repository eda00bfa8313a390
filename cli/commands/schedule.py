"""``noonday schedule``: what a schedule means, before a job has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from cli.command import Group
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line
from cli.views import fire_table

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


@click.group(
    cls=Group,
    examples="""
        noonday schedule explain "0 0 6 ? * MON-FRI" --timezone Europe/Berlin
    """,
)
def schedule() -> None:
    """Try a schedule before a job has it."""


@schedule.command(
    "explain",
    examples="""
        # Quartz cron, seconds first: at six on working days
        noonday schedule explain "0 0 6 ? * MON-FRI" --timezone Europe/Berlin
        # a line of a crontab
        noonday schedule explain "*/5 * * * *" --dialect unix
        # every quarter of an hour; every month from a day on; once
        noonday schedule explain PT15M
        noonday schedule explain MONTHLY --start 2026-01-31T06:00:00
        noonday schedule explain 2026-12-24T18:00:00 --timezone Europe/Berlin
        # over the night when the clocks change
        noonday schedule explain "0 30 2 * * ?" --timezone EET --after 2027-03-27
    """,
)
@click.argument("expression", metavar="EXPRESSION")
@click.option(
    "--dialect",
    type=click.Choice(("quartz", "unix", "eventbridge")),
    show_default="quartz",
    help="Whose cron it is. Quartz writes seconds first.",
)
@click.option("--timezone", metavar="ZONE", show_default="UTC", help="Such as Europe/Berlin.")
@click.option("--start", metavar="TIME", help="It fires from here on.")
@click.option("--end", metavar="TIME", help="It fires before this time.")
@click.option(
    "--dst-gap",
    type=click.Choice(("shift", "skip")),
    show_default="shift",
    help="What becomes of a time that the clocks skip.",
)
@click.option(
    "--dst-overlap",
    type=click.Choice(("first", "last", "both")),
    show_default="first",
    help="Which of a time that the clocks show twice.",
)
@click.option("--after", metavar="TIME", help="Show times after this one; else after now.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=5,
    show_default=True,
    help="The next N times.",
)
@click.pass_obj
def explain(
    session: Session, /, expression: str, after: str | None, count: int, **given: str | None
) -> None:
    """Say what a schedule means, and when it fires next.

    EXPRESSION is a cron, by default of Quartz with seconds first, a duration such as PT15M, a
    frequency such as DAILY, or a single time.
    """
    rule = {_kind(expression): _value(expression)}
    rule |= {name: value for name, value in given.items() if value is not None}
    body: dict[str, Any] = {"schedule": rule, "count": count}
    if after is not None:
        body["after"] = after
    document = session.api.post("/schedule/preview", body)
    emit(session, document, lambda screen: _lines(document, screen))


def _kind(expression: str) -> str:
    text = expression.strip()
    if text.upper() in _FREQUENCIES:
        return "frequency"
    if re.fullmatch(r"[Pp][0-9TtWwDdHhMmSs.,]+", text):
        return "every"
    return "at" if _MOMENT.fullmatch(text) else "cron"


def _value(expression: str) -> str:
    text = expression.strip()
    return text.upper() if _kind(text) in {"frequency", "every"} else text


def _lines(document: dict[str, Any], screen: Screen) -> Iterator[str]:
    if document.get("description"):
        yield one_line(document["description"])
    yield from fire_table(document, screen)
    for warning in document.get("warnings") or []:
        yield f"warning: {one_line(warning)}"
    change = document.get("next_clock_change")
    if change:
        yield f"next clock change: {_change(change)}"
    if document.get("eventbridge"):
        yield f"EventBridge would say: {one_line(document['eventbridge'])}"


def _change(change: object) -> str:
    if isinstance(change, dict):
        return ", ".join(f"{name} {one_line(value)}" for name, value in change.items())
    return one_line(change)
