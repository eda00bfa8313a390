"""``noonday instance kill``, ``rerun`` and ``skip``: one, or many."""

from __future__ import annotations

from typing import Any

import click

from cli.client import path
from cli.commands.instance.group import instance
from cli.commands.many import KILL, RERUN, SKIP, change_many, check_one_or_many, choice_options
from cli.commands.options import ignore_option, reason_option
from cli.names import instance_id
from cli.output import emit
from cli.session import Session
from cli.views import brief, instance_lines
from cli.waiting import check_success, wait_for


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
    or as it ends by itself, whichever comes first. Many are chosen by the options; without --state,
    those that wait or run.
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
        noonday instance rerun --tag tier=gold --from 1d --reason "repaired" --yes
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
    again, unless they are to be ignored. Many are chosen by the options; without --state, those that
    FAILED, TIMED_OUT or were KILLED.
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
    """Decide that an instance that waits shall not run, or many.

    It ends as SKIPPED. Many are chosen by the options; without --state, those that wait.
    """
    check_one_or_many(instance, choice, wait=False)
    body = {"reason": reason} if reason else {}
    if instance is None:
        change_many(session, SKIP, body, choice)
        return
    identity = instance_id(session.api, instance)
    document = session.api.post(path("instances", identity, "skip"), body)
    emit(session, document, lambda _: [f"skipped: {brief(document)}"])


def _killed(document: dict[str, Any]) -> str:
    if document.get("state") == "KILLED":
        return f"killed: {brief(document)}"
    if document.get("stop"):
        return f"asked to stop: {brief(document)}"
    return brief(document)
