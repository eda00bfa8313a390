"""``noonday job list``, ``show``, ``next`` and ``history``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.many import tag_option
from cli.commands.options import job_argument, page_of, paging_options, past, span_options
from cli.errors import Missing
from cli.output import emit, say_more
from cli.screen import Screen
from cli.session import Session
from cli.states import JOB_STATES
from cli.statistics import skip_table
from cli.strip import LENGTH, SHORT, signs, strip_lines
from cli.text import one_line
from cli.views import event_table, fire_table, job_lines, job_table, revision_lines
from cli.why import job_why_lines


@job.command(
    "list",
    examples="""
        noonday job list
        # what is held, and what begins with "load-"
        noonday job list --state SUSPENDED
        noonday job list --name load-
        noonday job list --tag tier=gold
        # names only, for a script
        noonday job list --all -o json | jq -r '.items[].name'
    """,
)
@click.option(
    "--state",
    type=click.Choice(JOB_STATES, case_sensitive=False),
    metavar="STATE",
    multiple=True,
    help="Only in this state, such as SUSPENDED; may be repeated.",
)
@click.option("--name", metavar="BEGINNING", help="Only jobs whose name begins so.")
@tag_option("Only jobs")
@click.option("--group", metavar="GROUP", help="Only jobs of this concurrency group.")
@click.option("--history", "strips", is_flag=True, help="Also how the last ten instances ended.")
@paging_options
@click.pass_obj
def list_jobs(
    session: Session,
    /,
    state: tuple[str, ...],
    name: str | None,
    tags: tuple[str, ...],
    group: str | None,
    *,
    strips: bool,
    **paging: Any,
) -> None:
    """List the jobs, with state, next time and schedule.

    Deleted jobs appear only when asked for by state. In the history ✓ is a success, ✗ a failure, ! a
    time-out, ■ a kill, - a skip, > a run in flight and . an instance that waits.
    """
    query = {"state": list(state), "name": name, "tag": list(tags), "group": group}
    query["owner"] = session.access().owner
    page = page_of(session.api, "/jobs", query, paging)
    shown = page
    if strips and session.output == "table":
        items = [
            {**each, "history": signs(_last(session, each["id"], SHORT))} for each in page["items"]
        ]
        shown = {**page, "items": items}
    emit(session, page, lambda screen: job_table(shown, screen))
    say_more(session, page)


@job.command(
    "show",
    examples="""
        noonday job show daily-revenue
        # the definition, to keep or to submit elsewhere
        noonday job show daily-revenue --definition > daily-revenue.yaml
        noonday job show daily-revenue -o json
        # as it was in revision 2
        noonday job show daily-revenue --revision 2 --definition > daily-revenue.yaml
    """,
)
@job_argument
@click.option("--definition", is_flag=True, help="Only the definition, as YAML.")
@click.option(
    "--revision", type=click.IntRange(1), metavar="REV", help="A version of its definition."
)
@click.pass_obj
def show(session: Session, job: str, revision: int | None, *, definition: bool) -> None:
    """Show one job: its state, its last instances and its definition.

    The strip of the last 30 instances has a bar for the duration of each and below it a sign for its end.
    """
    where = path("jobs", job)
    if revision is not None:
        where += path("revisions", str(revision))
    document = session.api.get(where)
    if definition:
        if session.output == "table":
            session.output = "yaml"
        document = document.get("definition")
    if revision is not None:
        emit(session, document, lambda screen: revision_lines(document, screen))
        return
    emit(session, document, lambda screen: _with_strip(session, document, screen))


def _with_strip(session: Session, document: Any, screen: Screen) -> Iterator[str]:
    """The definition may be long: the strip comes before it."""
    for line in job_lines(document, screen):
        if line == "definition:":
            yield from strip_lines(_last(session, document.get("id"), LENGTH), screen)
        yield line


def _last(session: Session, job_id: object, count: int) -> list[dict[str, Any]]:
    """None where the server does not tell: the strip is an extra."""
    try:
        page = session.api.get(path("jobs", str(job_id), "instances"), {"limit": count})
    except Missing:
        return []
    return list(page.get("items") or [])


@job.command(
    "skips",
    examples="""
        noonday job skips daily-revenue
        noonday job skips daily-revenue --from 30d
        noonday job skips daily-revenue --all -o json
    """,
)
@job_argument
@span_options
@paging_options
@click.pass_obj
def skips(
    session: Session, /, job: str, since: str | None, until: str | None, **paging: Any
) -> None:
    """List what has no instance, and why.

    These are ranges of nominal times, the newest first: what a suspension or an outage skipped, what a
    policy did not take, and whose record was purged. Single instances that were skipped are in
    noonday instance list --state SKIPPED.
    """
    query = {"from": past(session.api, since), "to": past(session.api, until)}
    page = page_of(session.api, path("jobs", job, "skips"), query, paging)
    emit(session, page, lambda screen: skip_table(page, screen))
    say_more(session, page)


@job.command(
    "next",
    examples="""
        noonday job next daily-revenue
        noonday job next daily-revenue --count 20
    """,
)
@job_argument
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=5,
    show_default=True,
    help="The next N times.",
)
@click.pass_obj
def next_fires(session: Session, job: str, count: int) -> None:
    """Show when the job fires next, in its own zone.

    A note marks a time that a clock change moves. This command is also called upcoming.
    """
    document = session.api.get(path("jobs", job, "upcoming"), {"count": count})
    emit(session, document, lambda screen: fire_table(document, screen))
    _warn(document)


@job.command(
    "history",
    examples="""
        noonday job history daily-revenue
        # who suspended it in the last week
        noonday job history daily-revenue --from 7d --verb SUSPEND
    """,
)
@job_argument
@click.option("--verb", metavar="VERB", help="Only this verb, such as SUSPEND.")
@click.option(
    "--actor", metavar="NAME", help="Only what this person did; noonday: what the engine did."
)
@span_options
@paging_options
@click.pass_obj
def history(
    session: Session,
    /,
    job: str,
    verb: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    **paging: Any,
) -> None:
    """Show what happened to the job: who did what, when and why."""
    query = {
        "verb": verb.upper() if verb else None,
        "actor": actor,
        "from": past(session.api, since),
        "to": past(session.api, until),
    }
    page = page_of(session.api, path("jobs", job, "events"), query, paging)
    emit(session, page, lambda screen: event_table(page, screen, of_one_job=True))
    say_more(session, page)


def _warn(document: dict[str, Any]) -> None:
    for warning in document.get("warnings") or []:
        click.echo(f"warning: {one_line(warning)}", err=True)


@job.command(
    "why",
    examples="""
        noonday job why daily-revenue
    """,
)
@job_argument
@click.pass_obj
def why(session: Session, job: str) -> None:
    """Say why a job does or does not run.

    Its state, its latest instance, and what was skipped lately.
    """
    document = session.api.get(path("jobs", job, "why"))
    emit(session, document, lambda screen: job_why_lines(document, screen))
