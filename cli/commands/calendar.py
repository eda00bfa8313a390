"""``noonday calendar``: the days and times at which jobs do not fire."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.commands.options import reason_option
from cli.documents import parse, read_text
from cli.errors import Misused
from cli.icalendar import looks_like_icalendar, read_icalendar
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.table import Column, render
from cli.text import one_line
from cli.views import moment

KINDS = ("dates", "weekdays", "yearly", "spans", "cron")


@click.group(
    cls=Group,
    examples="""
        # from YAML, JSON or an iCalendar file; jobs then say: exclude: [de-holidays]
        noonday calendar set de-holidays holidays.ics
        noonday calendar show de-holidays
    """,
)
def calendar() -> None:
    """Calendars of days and times at which the jobs that name them do not fire."""


@calendar.command(
    "list",
    examples="""
        noonday calendar list
    """,
)
@click.pass_obj
def list_calendars(session: Session) -> None:
    """List the calendars, with what each excludes."""
    page = session.api.get("/calendars")
    emit(session, page, lambda screen: _table(page, screen))


@calendar.command(
    "show",
    examples="""
        noonday calendar show de-holidays
        noonday calendar show de-holidays -o json
    """,
)
@click.argument("name")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a calendar."""
    document = session.api.get(path("calendars", name))
    emit(session, document, lambda _: _lines(document))


@calendar.command(
    "set",
    examples="""
        noonday calendar set de-holidays holidays.yaml
        # what an office or a colleague published
        noonday calendar set de-holidays holidays.ics --reason "the year 2027"
        # without a file
        echo 'weekdays: [SAT, SUN]' | noonday calendar set weekends -
    """,
)
@click.argument("name")
@click.argument("file", metavar="FILE")
@reason_option
@click.pass_obj
def set_calendar(session: Session, name: str, file: str, reason: str | None) -> None:
    """Create a calendar, or replace it.

    FILE is YAML, JSON or iCalendar; a single dash reads standard input. Jobs that name the
    calendar follow it from now on; what lies behind stays as it was.
    """
    document = session.api.put(path("calendars", name), _document(file), {"reason": reason})
    emit(session, document, lambda _: _lines(document))


@calendar.command(
    "delete",
    examples="""
        noonday calendar delete de-holidays
    """,
)
@click.argument("name")
@click.pass_obj
def delete(session: Session, name: str) -> None:
    """Delete a calendar. One that a job names is refused."""
    document = session.api.delete(path("calendars", name))
    emit(session, document, lambda _: [f"deleted {name}"])


def _document(file: str) -> dict[str, Any]:
    text, title = read_text(file)
    if looks_like_icalendar(text):
        return read_icalendar(text, title)
    documents = parse(text, title)
    if len(documents) != 1:
        raise Misused(f"{title} holds {len(documents)} documents; a calendar is one")
    return documents[0].document


def _table(page: dict[str, Any], screen: Screen) -> Any:
    columns = [
        Column("NAME", lambda row: str(row["name"]), least=10),
        Column("EXCLUDES", _summary, least=10),
        Column("OWNER", lambda row: str(row["owner"]), least=6),
        Column("CHANGED", lambda row: moment(row["modified_ms"], screen)),
    ]
    return render(page["items"], columns, screen)


def _summary(row: dict[str, Any]) -> str:
    said = row["calendar"]
    counts = [_counted(len(said[kind]), kind) for kind in KINDS[:-1] if said.get(kind)]
    return ", ".join([*counts, *(["a cron"] if said.get("cron") else [])]) or "nothing"


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind.removesuffix('s') if count == 1 else kind}"


def _lines(document: dict[str, Any]) -> list[str]:
    said = document["calendar"]
    entries = [
        f"  {kind:9} {', '.join(said[kind]) if isinstance(said[kind], list) else said[kind]}"
        for kind in KINDS
        if said.get(kind)
    ]
    about = [f"  {one_line(said['description'])}"] if said.get("description") else []
    return [f"{document['name']} of {document['owner']}, edit {document['edit']}", *about, *entries]
