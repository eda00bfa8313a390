"""``noonday instance``: what ran, what runs, and what waits."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from cli.client import path
from cli.command import Group
from cli.commands.backfill import backfill_id
from cli.commands.many import KILL, RERUN, SKIP, change_many, check_one_or_many, choice_options
from cli.commands.options import (
    ignore_option,
    page_of,
    paging_options,
    past,
    reason_option,
    span_options,
)
from cli.errors import Failure
from cli.names import JOB, instance_id
from cli.output import emit, say_more
from cli.session import Session
from cli.states import INSTANCE_KINDS, INSTANCE_STATES
from cli.views import brief, instance_lines, instance_table
from cli.waiting import check_success, follow_log, wait_for
from cli.why import why_lines

run_option = click.option(
    "--run", type=click.IntRange(1), metavar="N", help="Of this run; else the latest."
)


@click.group(
    cls=Group,
    examples="""
        noonday instance list --state FAILED --from 1d
        # an instance is named by its id, the first 16 digits of it, or its job and time
        noonday instance show daily-revenue@latest
        noonday instance logs daily-revenue@2026-11-24T06:00:00Z
    """,
)
def instance() -> None:
    """Look at runs: state, log, result; kill, rerun and skip them.

    An instance accounts for one nominal time of one job. Wherever a command takes INSTANCE, write
    its id, the first 16 digits of it, JOB@latest, or JOB@TIME; a TIME without an offset is in the
    job's zone.
    """


@instance.command(
    "list",
    examples="""
        noonday instance list
        # of one job
        noonday instance list --job daily-revenue
        # what failed since yesterday
        noonday instance list --state FAILED --state TIMED_OUT --from 1d
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
    since: str | None,
    until: str | None,
    **paging: Any,
) -> None:
    """List instances, the newest first. Times narrow by nominal time."""
    query = {
        "job": job,
        "state": list(state),
        "kind": kind,
        "backfill": backfill_id(session.api, backfill) if backfill else None,
        "group": group,
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
    document = wait_for(session.api, identity) if wait else _get(session, identity)
    emit(session, document, lambda screen: instance_lines(document, screen))
    if wait:
        check_success(document)


@instance.command(
    "why",
    examples="""
        noonday instance why daily-revenue@latest
        # only what is missing, for a script
        noonday instance why daily-revenue@latest -o json | jq '.findings[] | select(.met | not)'
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


@instance.command(
    "kill",
    examples="""
        noonday instance kill daily-revenue@latest --reason "wrong input"
        # and wait until its target has confirmed
        noonday instance kill daily-revenue@latest --wait
        # many: how many, and then do it
        noonday instance kill --job daily-revenue --state WAITING --to 1d --dry-run
        noonday instance kill --job daily-revenue --state WAITING --to 1d
    """,
)
@click.argument("instance", required=False)
@choice_options
@reason_option
@click.option("--wait", is_flag=True, help="Wait until it has ended.")
@click.pass_obj
def kill(
    session: Session, /, instance: str | None, reason: str | None, *, wait: bool, **choice: Any
) -> None:
    """Kill an instance, or many.

    One that waits ends at once. One in flight is asked to stop, and ends when its target confirms,
    or as it ends by itself, whichever comes first.
    """
    check_one_or_many(instance, choice, wait=wait)
    body = {"reason": reason} if reason else {}
    if instance is None:
        change_many(session, KILL, body, choice)
        return
    identity = instance_id(session.api, instance)
    document = session.api.post(path("instances", identity, "kill"), body)
    if wait:
        document = wait_for(session.api, identity)
    emit(session, document, lambda _: [_killed(document)])


@instance.command(
    "rerun",
    examples="""
        noonday instance rerun daily-revenue@latest --reason "source is repaired"
        # exactly as it ran, and wait; the exit code is 5 when it does not succeed
        noonday instance rerun daily-revenue@2026-11-24T06:00:00Z --original --wait
        # many: what failed since yesterday in the jobs with a tag
        noonday instance rerun --tag tier=gold --from 1d --dry-run
        noonday instance rerun --tag tier=gold --from 1d --reason "source is repaired" --yes
    """,
)
@click.argument("instance", required=False)
@choice_options
@click.option(
    "--original", is_flag=True, help="As the job was when it last ran, not as the job is now."
)
@ignore_option
@reason_option
@click.option("--wait", is_flag=True, help="Wait for its end, and show progress.")
@click.pass_obj
def rerun(
    session: Session,
    /,
    instance: str | None,
    reason: str | None,
    *,
    original: bool,
    ignore_prerequisites: bool,
    wait: bool,
    **choice: Any,
) -> None:
    """Run an instance that has ended once more, or many.

    Its earlier runs stay in its record. The nominal time is the same. Its prerequisites are checked
    again, unless they are to be ignored. Of many, without --state, those that FAILED, TIMED_OUT or
    were KILLED.
    """
    check_one_or_many(instance, choice, wait=wait)
    wishes = {
        "original": original,
        "ignore_prerequisites": ignore_prerequisites,
        "reason": reason,
    }
    body = {name: value for name, value in wishes.items() if value}
    if instance is None:
        change_many(session, RERUN, body, choice)
        return
    identity = instance_id(session.api, instance)
    # Sent once: a second one might begin another run.
    document = session.api.post(path("instances", identity, "rerun"), body, keyed=False)
    if not wait:
        emit(session, document, lambda _: [f"runs again: {brief(document)}"])
        return
    ended = wait_for(session.api, identity)
    emit(session, ended, lambda screen: instance_lines(ended, screen))
    check_success(ended)


@instance.command(
    "skip",
    examples="""
        noonday instance skip daily-revenue@latest --reason "no data today"
        # many: whatever waits of a backfill
        noonday instance skip --backfill daily-revenue@latest --yes
    """,
)
@click.argument("instance", required=False)
@choice_options
@reason_option
@click.pass_obj
def skip(session: Session, /, instance: str | None, reason: str | None, **choice: Any) -> None:
    """Decide that an instance that waits shall not run, or many."""
    check_one_or_many(instance, choice, wait=False)
    body = {"reason": reason} if reason else {}
    if instance is None:
        change_many(session, SKIP, body, choice)
        return
    identity = instance_id(session.api, instance)
    document = session.api.post(path("instances", identity, "skip"), body)
    emit(session, document, lambda _: [f"skipped: {brief(document)}"])


@instance.command(
    "logs",
    examples="""
        noonday instance logs daily-revenue@latest
        # of the first of several runs
        noonday instance logs daily-revenue@latest --run 1
        # as it is written, until the run ends
        noonday instance logs daily-revenue@latest --follow
    """,
)
@click.argument("instance")
@run_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.pass_obj
def logs(session: Session, instance: str, run: int | None, *, follow: bool) -> None:
    """Print what the run wrote to its log."""
    identity = instance_id(session.api, instance)
    if follow:
        follow_log(session.api, identity, run, write=_write)
    else:
        _write(session.api.file(path("instances", identity, "logs"), {"run": run}))


@instance.command(
    "result",
    examples="""
        noonday instance result daily-revenue@latest
        noonday instance result daily-revenue@latest --to revenue.csv
    """,
)
@click.argument("instance")
@run_option
@click.option(
    "--to", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to this file."
)
@click.pass_obj
def result(session: Session, instance: str, run: int | None, file: str | None) -> None:
    """Print the run's result, or save it."""
    identity = instance_id(session.api, instance)
    body = session.api.file(path("instances", identity, "result"), {"run": run})
    if file is None or file == "-":
        _write(body)
    else:
        _save(body, Path(file))
        click.echo(f"{len(body)} bytes in {file}", err=True)


def _get(session: Session, identity: str) -> dict[str, Any]:
    document: dict[str, Any] = session.api.get(path("instances", identity))
    return document


def _killed(document: dict[str, Any]) -> str:
    if document.get("state") == "KILLED":
        return f"killed: {brief(document)}"
    if document.get("stop"):
        return f"asked to stop: {brief(document)}"
    return brief(document)


def _write(body: bytes) -> None:
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _save(body: bytes, file: Path) -> None:
    """In one step: whoever reads the file sees the old one or the whole new one."""
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        with os.fdopen(handle, "wb") as target:
            target.write(body)
        Path(temporary).replace(file)
    except OSError as error:
        raise Failure(
            f"{file} cannot be written: {(error.strerror or str(error)).lower()}"
        ) from error
