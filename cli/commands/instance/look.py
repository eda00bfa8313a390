"""``noonday instance list``, ``show`` and ``why``."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.commands.backfill import backfill_id
from cli.commands.instance.group import instance
from cli.commands.many import tag_option
from cli.commands.options import page_of, paging_options, past, span_options
from cli.errors import Misused
from cli.names import JOB, instance_id
from cli.output import emit, say_more
from cli.session import Session
from cli.states import INSTANCE_KINDS, INSTANCE_STATES
from cli.views import instance_lines, instance_table
from cli.waiting import check_success, wait_for
from cli.why import why_lines


@instance.command(
    "list",
    examples="""
        noonday instance list
        # of one job
        noonday instance list --job daily-revenue
        # what failed since yesterday
        noonday instance list --state FAILED --state TIMED_OUT --from 1d
        # of all jobs with a tag
        noonday instance list --tag tier=gold
    """,
)
@click.option("--job", type=JOB, help="Only of this job.")
@click.option(
    "--state",
    type=click.Choice(INSTANCE_STATES, case_sensitive=False),
    metavar="STATE",
    multiple=True,
    help="Only in this state, such as FAILED; may be repeated.",
)
@click.option(
    "--kind",
    type=click.Choice(INSTANCE_KINDS, case_sensitive=False),
    metavar="KIND",
    help="Only scheduled, manual or backfill.",
)
@click.option("--backfill", metavar="BACKFILL", help="Only of this backfill.")
@click.option("--group", metavar="GROUP", help="Only of this concurrency group.")
@tag_option("Only of jobs")
@span_options
@paging_options
@click.pass_obj
def list_instances(
    session: Session,
    /,
    *,
    job: str | None,
    state: tuple[str, ...],
    kind: str | None,
    backfill: str | None,
    group: str | None,
    tags: tuple[str, ...],
    since: str | None,
    until: str | None,
    **paging: Any,
) -> None:
    """List instances, the newest first.

    --from and --to are nominal times.
    """
    if job and tags:
        raise Misused("--job is one job, --tag is for many: use one of both")
    query = {
        "job": job,
        "state": list(state),
        "kind": kind,
        "backfill": backfill_id(session.api, backfill) if backfill else None,
        "group": group,
        "tag": list(tags),
        "from": past(session.api, since),
        "to": past(session.api, until),
    }
    page = page_of(session.api, "/instances", query, paging)
    emit(session, page, lambda screen: instance_table(page, screen))
    say_more(session, page)


@instance.command(
    "show",
    examples="""
        noonday instance show daily-revenue@latest
        # wait for its end; the exit code is 5 when it does not succeed
        noonday instance show daily-revenue@latest --wait
    """,
)
@click.argument("instance")
@click.option("--wait", is_flag=True, help="Wait for its end first, and show progress.")
@click.pass_obj
def show(session: Session, instance: str, *, wait: bool) -> None:
    """Show one instance: its state and why, its runs, times and result."""
    identity = instance_id(session.api, instance)
    document = (
        wait_for(session.api, identity) if wait else session.api.get(path("instances", identity))
    )
    emit(session, document, lambda screen: instance_lines(document, screen))
    if wait:
        check_success(document)


@instance.command(
    "why",
    examples="""
        noonday instance why daily-revenue@latest
        # what was found of each prerequisite, for a script
        noonday instance why daily-revenue@latest -o json | jq '.findings[].found'
    """,
)
@click.argument("instance")
@click.pass_obj
def why(session: Session, instance: str) -> None:
    """Say why an instance is where it is.

    What it waits for and what was found of it, who holds the slot it waits for, or how it ended.
    """
    identity = instance_id(session.api, instance)
    document = session.api.get(path("instances", identity, "why"))
    emit(session, document, lambda screen: why_lines(document, screen))
