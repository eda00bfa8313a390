"""``noonday stats``: how well things went."""

from __future__ import annotations

import click

from cli.client import path
from cli.command import Command
from cli.commands.many import tag_option
from cli.commands.options import past, span_options
from cli.errors import Misused
from cli.names import JOB
from cli.output import emit
from cli.session import Session
from cli.states import INSTANCE_KINDS
from cli.statistics import statistics_lines


@click.command(
    "stats",
    cls=Command,
    examples="""
        # everything of the last seven days, then told apart by job
        noonday stats
        noonday stats --by job
        # one job, day by day, over a month
        noonday stats daily-revenue --by day --from 30d
        # of the jobs with a tag
        noonday stats --tag tier=gold --by job
        noonday stats --kind scheduled -o json
    """,
)
@click.argument("job", type=JOB, required=False)
@click.option(
    "--by", type=click.Choice(["job", "owner", "day"]), help="Tell apart by job, owner or day."
)
@click.option(
    "--kind",
    type=click.Choice(INSTANCE_KINDS, case_sensitive=False),
    metavar="KIND",
    help="Only scheduled, manual or backfill.",
)
@tag_option("Only jobs")
@span_options
@click.pass_obj
def stats(
    session: Session,
    /,
    *,
    job: str | None,
    by: str | None,
    kind: str | None,
    tags: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> None:
    """Show how well things went: how many ended how, how long they took, and how late they were.

    Counted are the newest 10,000 finished instances whose nominal time lies between --from (seven days
    ago) and --to (now); the last line says if there were more. Took is from the begin of a run to its end,
    waited from its creation to its launch, late from the nominal time to the begin (scheduled instances in
    their first run). Tables tell the median and the time that 95 % kept to. Days are those of UTC.
    """
    if job and tags:
        raise Misused("a JOB is one of them, --tag is for many: use one of both")
    query = {
        "by": by,
        "kind": kind,
        "tag": list(tags),
        "from": past(session.api, since),
        "to": past(session.api, until),
    }
    place = path("jobs", job, "stats") if job else path("stats")
    document = session.api.get(place, query)
    emit(session, document, lambda screen: statistics_lines(document, screen))
