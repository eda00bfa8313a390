"""``noonday job patch``: single fields of a definition, without a file."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.job.trying import tried, try_option
from cli.commands.options import job_argument, reason_option, value_of
from cli.documents import parse
from cli.errors import Misused, Unreadable
from cli.output import emit
from cli.session import Session


@job.command(
    "patch",
    examples="""
        noonday job patch daily-revenue "schedule.cron=0 0 7 ? * MON-FRI"
        # from cron to every quarter of an hour
        noonday job patch daily-revenue schedule.cron=null schedule.every=PT15M
        # only show what would change
        noonday job patch daily-revenue policies.overlap=skip --dry-run
        # a list, as YAML and JSON write it
        noonday job patch greet "target.command=[echo, hello]"
    """,
)
@job_argument
@click.argument("assignments", metavar="FIELD=VALUE...", nargs=-1, required=True)
@click.option("--if-edit", type=int, metavar="EDIT", help="Refuse when the job is at another edit.")
@try_option
@reason_option
@click.pass_obj
def patch(
    session: Session,
    job: str,
    assignments: tuple[str, ...],
    if_edit: int | None,
    reason: str | None,
    *,
    dry_run: bool,
) -> None:
    """Change single fields of the job's definition; the rest stays.

    A FIELD is a dotted path into the definition. Null removes it. The change takes effect from now
    on, as with update.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        _assign(changes, assignment)
    tag = None if if_edit is None else f'"{if_edit}"'
    if dry_run:
        plan = tried(session, "PATCH", job, changes, tag)
        emit(session, plan.planned, plan.lines)
        return
    updated = session.api.patch(path("jobs", job), changes, {"reason": reason}, if_match=tag)
    emit(session, updated, lambda _: [f"updated {job}: revision {updated.get('revision')}"])


def _assign(changes: dict[str, Any], assignment: str) -> None:
    field, equals, text = assignment.partition("=")
    *parents, name = field.split(".")
    if not equals or not name or not all(parents):
        raise Misused(f"{assignment!r}: write it as FIELD=VALUE, such as policies.overlap=skip")
    place = changes
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise Misused(f"{field}: {parent} has another value already")
    if name in place:
        raise Misused(f"{field} is given twice")
    place[name] = _value(field, text)


def _value(field: str, text: str) -> Any:
    if text[:1] not in {"[", "{"}:
        return value_of(field, text)
    try:
        (loaded,) = parse(f"value: {text}", field)
    except (Unreadable, ValueError) as error:
        raise Misused(f"{field}: {error}") from error
    return loaded.document["value"]
