"""``noonday job schedule``, ``suspend``, ``resume``, ``expire`` and ``delete``."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.job.many import change_jobs, each_by_post, is_many, jobs_options
from cli.commands.many import ask
from cli.commands.options import future, reason_option
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.views import exact


@job.command(
    "schedule",
    examples="""
        noonday job schedule daily-revenue
        noonday job schedule daily-revenue --reason "tested by hand"
        # all that are new, or have expired and can still fire
        noonday job schedule --tag tier=gold --yes
    """,
)
@jobs_options
@reason_option
@click.pass_obj
def schedule(session: Session, /, job: str | None, reason: str | None, **choice: Any) -> None:
    """Let a job fire from now on, or many.

    One that is NEW begins with its start; if that lies behind, policies.catch_up says what is launched
    of the past. One that has EXPIRED goes on, if its schedule has times to come.
    """
    _command(session, job, "schedule", choice, reason=reason)


@job.command(
    "suspend",
    examples="""
        noonday job suspend daily-revenue --reason "source is being repaired"
        # until a time, or for a while
        noonday job suspend daily-revenue --until 2026-12-01T06:00:00Z
        noonday job suspend daily-revenue --until 2h
        # many: which, and then do it
        noonday job suspend --tag tier=gold --dry-run
        noonday job suspend --tag tier=gold --until 2h --reason "it moves" --yes
    """,
)
@jobs_options
@reason_option
@click.option(
    "--until",
    metavar="TIME",
    help="It resumes by itself then: ISO in your zone or with an offset, or 90m, 2h, 7d from now.",
)
@click.pass_obj
def suspend(
    session: Session, /, job: str | None, reason: str | None, until: str | None, **choice: Any
) -> None:
    """Hold a job, or many.

    It fires nothing until it is resumed. Runs in flight go on. What you trigger by hand still runs.
    Suspending again changes until when.
    """
    _command(session, job, "suspend", choice, reason=reason, until=future(session.api, until))


@job.command(
    "resume",
    examples="""
        noonday job resume daily-revenue
        # and run the newest of the times that were missed
        noonday job resume daily-revenue --catch-up latest
        # all that are suspended and have the tag
        noonday job resume --tag tier=gold --yes
    """,
)
@jobs_options
@reason_option
@click.option(
    "--catch-up",
    type=click.Choice(("all", "latest", "none")),
    show_default="none",
    help="What becomes of the times missed meanwhile: launch all (the newest, as many as"
    " policies.catch_up.limit says), the latest, or none.",
)
@click.pass_obj
def resume(
    session: Session, /, job: str | None, reason: str | None, catch_up: str | None, **choice: Any
) -> None:
    """Let a suspended job fire again, or many.

    What was held begins. The pause of everything is ended by noonday resume.
    """
    _command(session, job, "resume", choice, reason=reason, catch_up=catch_up)


@job.command(
    "expire",
    examples="""
        noonday job expire daily-revenue --reason "replaced by revenue-2"
        noonday job expire --name trial- --dry-run
    """,
)
@jobs_options
@reason_option
@click.pass_obj
def expire(session: Session, /, job: str | None, reason: str | None, **choice: Any) -> None:
    """End a job's calendar, or many.

    It fires no more, and its record stays. Instances that exist already still run. A job with times to
    come can be scheduled again.
    """
    _command(session, job, "expire", choice, reason=reason)


@job.command(
    "delete",
    examples="""
        noonday job delete daily-revenue
        # without being asked, and with the runs in flight
        noonday job delete daily-revenue --yes --kill
        noonday job delete --name trial- --dry-run
    """,
)
@jobs_options
@click.option("--kill", is_flag=True, help="Kill its runs in flight; else they end by themselves.")
@reason_option
@click.pass_obj
def delete(
    session: Session, /, job: str | None, reason: str | None, *, kill: bool, **choice: Any
) -> None:
    """Delete a job, or many.

    The record of its runs stays. What waits is skipped, and the name is free again. A deleted job
    does not come back.
    """
    query = {"kill": kill or None, "reason": reason}

    def change(ref: str) -> dict[str, Any]:
        document: dict[str, Any] = session.api.delete(path("jobs", ref), query)
        return document

    if is_many(job, choice) or job is None:
        change_jobs(session, "delete", choice, change)
        return
    if not choice["yes"]:
        ask(f"Delete {job}{' and kill its runs' if kill else ''}?")
    emit(session, change(job), lambda _: [f"deleted {job}"])


def _command(
    session: Session, job: str | None, verb: str, choice: dict[str, Any], **body: Any
) -> None:
    given = {name: value for name, value in body.items() if value is not None}
    if is_many(job, choice) or job is None:
        also = ("SUSPENDED",) if "until" in given else ()  # to move the end of their suspension
        change_jobs(session, verb, choice, each_by_post(session, verb, given), also=also)
        return
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
