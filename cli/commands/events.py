"""``noonday events``: the history of everything."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.command import Command
from cli.commands.options import page_of, paging_options, past, span_options
from cli.errors import Missing
from cli.names import JOB, instance_id
from cli.output import emit, say_more
from cli.screen import Screen
from cli.session import Session
from cli.views import event_table


@click.command(
    "events",
    cls=Command,
    examples="""
        noonday events --from 1h
        # of one job, or of one run
        noonday events --job daily-revenue
        noonday events --instance daily-revenue@latest
        # what a person did, and what the engine did by itself
        noonday events --actor alice --from 7d
        noonday events --actor noonday --verb SUSPEND
        # every deletion, as JSON
        noonday events --verb DELETE --all -o json
    """,
)
@click.option("--job", type=JOB, help="Only of this job.")
@click.option("--instance", metavar="INSTANCE", help="Only of this instance.")
@click.option("--verb", metavar="VERB", help="Only this verb, such as SUSPEND.")
@click.option(
    "--actor", metavar="NAME", help="Only what this person did; noonday: what the engine did."
)
@span_options
@paging_options
@click.pass_obj
def events(
    session: Session,
    /,
    job: str | None,
    instance: str | None,
    *,
    verb: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    **paging: Any,
) -> None:
    """Show who did what, when and why."""
    query = {
        "job": job,
        "instance": instance_id(session.api, instance) if instance else None,
        "verb": verb.upper() if verb else None,
        "actor": actor,
        "from": past(session.api, since),
        "to": past(session.api, until),
    }
    page = page_of(session.api, "/events", query, paging)
    emit(session, page, lambda screen: event_table(_named(session, page, screen), screen))
    say_more(session, page)


def _named(session: Session, page: dict[str, Any], screen: Screen) -> dict[str, Any]:
    """Events name their jobs by id, which tells a person nothing; a program gets them as they are."""
    if not screen.is_terminal:
        return page
    names = {each: _name(session, each) for each in {event["job_id"] for event in page["items"]}}
    return {**page, "items": [{"name": names[row["job_id"]], **row} for row in page["items"]]}


def _name(session: Session, job: str) -> str:
    if not job:  # what concerns a whole team, or everybody
        return ""
    try:
        return str(session.api.get(path("jobs", job)).get("name"))
    except Missing:
        return job
