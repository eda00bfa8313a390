"""``noonday job revisions``, ``diff`` and ``rollback``: the versions of a definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.options import job_argument, page_of, paging_options, reason_option
from cli.differences import diff_lines
from cli.errors import DIFFERS, Missing, Misused
from cli.output import emit, say_more
from cli.screen import Screen
from cli.session import Session
from cli.views import revision_table

Document = dict[str, Any]


@job.command(
    "revisions",
    examples="""
        noonday job revisions daily-revenue
        # the definition of an earlier one
        noonday job show daily-revenue --revision 2
    """,
)
@job_argument
@paging_options
@click.pass_obj
def revisions(session: Session, /, job: str, **paging: Any) -> None:
    """List the versions of the job's definition.

    Each with who made it, when and why, and the fields in which it differs from the one before.
    """
    page = page_of(session.api, path("jobs", job, "revisions"), {}, paging)
    emit(session, page, lambda screen: revision_table(page, screen))
    say_more(session, page)


@job.command(
    "diff",
    examples="""
        # what the last change was
        noonday job diff daily-revenue
        # from revision 2 to now, and from 2 to 4
        noonday job diff daily-revenue 2
        noonday job diff daily-revenue 2 4
    """,
)
@job_argument
@click.argument("first", metavar="[REV]", type=click.IntRange(1), required=False)
@click.argument("second", metavar="[REV]", type=click.IntRange(1), required=False)
@click.option("--exit-code", is_flag=True, help="Exit with 6 when they differ.")
@click.pass_obj
def diff(
    session: Session, job: str, first: int | None, second: int | None, *, exit_code: bool
) -> None:
    """Compare two versions of the job's definition.

    Without REV between the last two, with one REV between it and the present one. Instances run by
    the revision that they were created with.
    """
    document = session.api.get(path("jobs", job))
    latest = int(document["revision"])
    second = latest if second is None else second
    first = max(latest - 1, 1) if first is None else first
    before, after = (_revision(session, document, number) for number in (first, second))
    names = (f"{document['name']} revision {first}", f"{document['name']} revision {second}")
    both = {"before": before, "after": after}
    same = before["definition"] == after["definition"]

    def lines(screen: Screen) -> Iterator[str]:
        if same:
            yield f"revisions {first} and {second} have the same definition"
        yield from diff_lines(before["definition"], after["definition"], names, screen)

    emit(session, both, lines)
    if exit_code and not same:
        raise click.exceptions.Exit(DIFFERS)


@job.command(
    "rollback",
    examples="""
        noonday job rollback daily-revenue --to 2
        noonday job rollback daily-revenue --to 2 --dry-run
        noonday job rollback daily-revenue --to 2 --reason "the new query is too slow"
    """,
)
@job_argument
@click.option(
    "--to",
    "revision",
    type=click.IntRange(1),
    required=True,
    metavar="REV",
    help="The revision whose definition it shall have again.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would change.")
@reason_option
@click.pass_obj
def rollback(
    session: Session, job: str, revision: int, reason: str | None, *, dry_run: bool
) -> None:
    """Go back to an earlier definition, as a new revision.

    From now on, as with update: nothing is launched of the past. A change that somebody makes
    meanwhile is not overwritten.
    """
    document = session.api.get(path("jobs", job))
    wanted = _revision(session, document, revision)["definition"]
    query = {"reason": reason or f"back to revision {revision}", "dry_run": dry_run or None}
    where = path("jobs", str(document["id"]))
    done = session.api.put(where, wanted, query, if_match=f'"{document["edit"]}"')
    name = str(document["name"])

    def lines(screen: Screen) -> Iterator[str]:
        if dry_run:
            names = (f"{name} now", f"{name} as revision {revision}")
            shown = diff_lines(document["definition"], done["definition"], names, screen)
            yield from shown if done["changes"] else [f"{name} is as in revision {revision}"]
        elif done["revision"] == document["revision"]:
            yield f"{name} is as in revision {revision}; nothing changed"
        else:
            yield f"{name} is as in revision {revision} again: revision {done['revision']}"

    emit(session, done, lines)


def _revision(session: Session, job: Document, number: int) -> Document:
    if number > int(job["revision"]):
        raise Missing(
            f"{job['name']} has no revision {number}; its latest is {job['revision']}",
            hint=f"noonday job revisions {job['name']} lists them",
        )
    if number < 1:
        raise Misused("revisions are numbered from 1")
    found: Document = session.api.get(path("jobs", str(job["id"]), "revisions", str(number)))
    return found
