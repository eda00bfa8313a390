"""``noonday job schedule``, ``suspend``, ``resume``, ``expire`` and ``delete``."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.options import future, job_argument, reason_option
from cli.errors import Misused
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.views import exact


@job.command(
    "schedule",
    examples="""
        noonday job schedule daily-revenue
        noonday job schedule daily-revenue --reason "tested by hand"
    """,
)
@job_argument
@reason_option
@click.pass_obj
def schedule(session: Session, job: str, reason: str | None) -> None:
    """Let the job fire from now on, by its schedule."""
    _command(session, job, "schedule", reason=reason)


@job.command(
    "suspend",
    examples="""
        noonday job suspend daily-revenue --reason "source is being repaired"
        # until a time, or for a while
        noonday job suspend daily-revenue --until 2026-12-01T06:00:00Z
        noonday job suspend daily-revenue --until 2h
    """,
)
@job_argument
@reason_option
@click.option(
    "--until",
    metavar="TIME",
    help="It resumes by itself then: ISO in your zone or with an offset, or 90m, 2h, 7d from now.",
)
@click.pass_obj
def suspend(session: Session, job: str, reason: str | None, until: str | None) -> None:
    """Hold the job: it fires nothing until it is resumed.

    Runs in flight go on. What you trigger by hand still runs.
    """
    _command(session, job, "suspend", reason=reason, until=future(session.api, until))


@job.command(
    "resume",
    examples="""
        noonday job resume daily-revenue
        # and run the newest of the times that were missed
        noonday job resume daily-revenue --catch-up latest
    """,
)
@job_argument
@reason_option
@click.option(
    "--catch-up",
    type=click.Choice(("all", "latest", "none")),
    help="What becomes of the times missed meanwhile; default none.",
)
@click.pass_obj
def resume(session: Session, job: str, reason: str | None, catch_up: str | None) -> None:
    """Let a suspended job fire again."""
    _command(session, job, "resume", reason=reason, catch_up=catch_up)


@job.command(
    "expire",
    examples="""
        noonday job expire daily-revenue --reason "replaced by revenue-2"
    """,
)
@job_argument
@reason_option
@click.pass_obj
def expire(session: Session, job: str, reason: str | None) -> None:
    """End the job's calendar: it fires no more, and its record stays.

    Instances that exist already still run. A job with times to come can be scheduled again.
    """
    _command(session, job, "expire", reason=reason)


@job.command(
    "delete",
    examples="""
        noonday job delete daily-revenue
        # without being asked, and with the runs in flight
        noonday job delete daily-revenue --yes --kill
    """,
)
@job_argument
@click.option("--kill", is_flag=True, help="Kill its runs in flight; else they end by themselves.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@reason_option
@click.pass_obj
def delete(session: Session, job: str, reason: str | None, *, kill: bool, yes: bool) -> None:
    """Delete the job; the record of its runs stays.

    What waits is skipped, and its name is free again. A deleted job does not come back.
    """
    if not yes:
        _ask(f"Delete {job}{' and kill its runs' if kill else ''}?")
    query = {"kill": kill or None, "reason": reason}
    document = session.api.delete(path("jobs", job), query)
    emit(session, document, lambda _: [f"deleted {job}"])


def _ask(question: str) -> None:
    """Ask a person; a program that forgot --yes is told so instead of waiting for ever."""
    if not sys.stdin.isatty():
        raise Misused("nobody is there to confirm", hint="--yes does it without asking")
    click.confirm(question, abort=True, err=True)


def _command(session: Session, job: str, verb: str, **body: Any) -> None:
    given = {name: value for name, value in body.items() if value is not None}
    document = session.api.post(path("jobs", job, verb), given)
    emit(session, document, lambda screen: [_now_is(document, screen)])


def _now_is(job: dict[str, Any], screen: Screen) -> str:
    said = f"{job.get('name')} is {job.get('state')}"
    until = (job.get("suspension") or {}).get("until_ms")
    if until is not None:
        said += f" until {exact(until, screen)}"
    if job.get("next_ms") is not None:
        said += f"; next: {exact(job['next_ms'], screen)}"
    return said
