"""``noonday job trigger``."""

from __future__ import annotations

import click

from cli.client import path
from cli.commands.backfill import OVERLAPS
from cli.commands.job.group import job
from cli.commands.options import ignore_option, job_argument, parameters_of, reason_option
from cli.names import zone_of
from cli.output import emit
from cli.session import Session
from cli.times import instant_ms, is_absolute, iso
from cli.views import instance_lines
from cli.waiting import check_success, wait_for


@job.command(
    "trigger",
    examples="""
        # once, now
        noonday job trigger daily-revenue
        # and wait: the exit code is 5 when the run does not succeed
        noonday job trigger daily-revenue --wait
        # for another nominal time, with another parameter
        noonday job trigger daily-revenue --at 2026-11-20T06:00:00Z --param limit=10
        # at once, whatever else of it runs
        noonday job trigger daily-revenue --overlap allow
        # although the data it waits for is not there
        noonday job trigger daily-revenue --ignore-prerequisites
    """,
)
@job_argument
@click.option(
    "--at",
    "nominal_time",
    metavar="TIME",
    help="The nominal time, ISO, in the job's zone or with an offset; else now.",
)
@click.option(
    "--param",
    "pairs",
    metavar="NAME=VALUE",
    multiple=True,
    help="Override a parameter; may be repeated. Quotes make a text of a number.",
)
@click.option(
    "--overlap", type=click.Choice(OVERLAPS), help="For this instance, instead of the job's own."
)
@click.option(
    "--max-active",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="With overlap allow: begin while fewer than so many are active.",
)
@ignore_option
@reason_option
@click.option("--wait", is_flag=True, help="Wait for its end, and show progress.")
@click.pass_obj
def trigger(
    session: Session,
    job: str,
    *,
    nominal_time: str | None,
    pairs: tuple[str, ...],
    overlap: str | None,
    max_active: int | None,
    reason: str | None,
    ignore_prerequisites: bool,
    wait: bool,
) -> None:
    """Run the job once, by hand, whatever its schedule says.

    Works on suspended and new jobs too. Ctrl-C while waiting leaves the run going.
    """
    body = {
        "nominal_time": _nominal(session, job, nominal_time),
        "parameters": parameters_of(pairs),
        "overlap": overlap,
        "max_active": max_active,
        "ignore_prerequisites": ignore_prerequisites,
        "reason": reason,
    }
    given = {name: value for name, value in body.items() if value}
    instance = session.api.post(path("jobs", job, "trigger"), given)
    if not wait:
        emit(session, instance, lambda _: [_triggered(instance)])
        return
    ended = wait_for(session.api, str(instance["id"]))
    emit(session, ended, lambda screen: instance_lines(ended, screen))
    check_success(ended)


def _nominal(session: Session, job: str, text: str | None) -> str | None:
    """A nominal time is one of the job's calendar, so without an offset it is in the job's zone."""
    if text is None or is_absolute(text):
        return text
    return iso(instant_ms(text, zone_of(session.api.get(path("jobs", job)))))


def _triggered(instance: dict[str, object]) -> str:
    return f"triggered {instance.get('name')}; follow it: noonday instance show {instance.get('id')} --wait"
