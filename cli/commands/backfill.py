"""``noonday backfill``: ranges of nominal times that have passed, run beside the schedule."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from cli.backfill_views import (
    backfill_lines,
    backfill_table,
    failures,
    live,
    plain,
    plan_lines,
)
from cli.client import Client, path
from cli.command import Group
from cli.commands.options import (
    job_argument,
    page_of,
    paging_options,
    parameters_of,
    reason_option,
)
from cli.errors import Missing, Misused, RunFailed, Stopped
from cli.names import JOB, server_now, zone_of
from cli.output import emit, say_more
from cli.session import Session
from cli.states import BACKFILL_STATES
from cli.times import instant_ms, is_absolute, iso, span_ms
from cli.waiting import Pace, watch

_ID = re.compile(r"[0-9a-f]{32}")
_BEGINNING = re.compile(r"[0-9a-f]{13,31}")
OVERLAPS = ("allow", "skip", "queue", "queue_one", "replace")
NEWEST = 500  # so many are looked through for the beginning of an id


@click.group(
    cls=Group,
    examples="""
        # what would it do?
        noonday backfill create daily-revenue --from 2026-11-01 --dry-run
        # do it, and watch
        noonday backfill create daily-revenue --from 2026-11-01 --wait
        noonday backfill list --job daily-revenue
    """,
)
def backfill() -> None:
    """Run ranges of nominal times that have passed.

    Wherever a command takes BACKFILL, write its id, the first 16 digits of it, or JOB@latest.
    """


@backfill.command(
    "create",
    examples="""
        # the last week; nothing that has an instance is touched
        noonday backfill create daily-revenue --from 7d --reason "source is repaired"
        # what failed is run again
        noonday backfill create daily-revenue --from 7d --reprocess failed
        # only say what would happen to each nominal time
        noonday backfill create daily-revenue --from 7d --reprocess all --dry-run
        # the newest first, and wait: the exit code is 5 when a run does not succeed
        noonday backfill create daily-revenue --from 7d --newest-first --wait
    """,
)
@job_argument
@click.option(
    "--from",
    "since",
    metavar="TIME",
    required=True,
    help="Nominal times from here: ISO, in the job's zone or with an offset, or 2h, 7d ago.",
)
@click.option("--to", "until", metavar="TIME", show_default="now", help="And before this time.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would become of each time.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    default=50,
    show_default=True,
    help="With --dry-run: at most N times.",
)
@click.option(
    "--reprocess",
    type=click.Choice(("none", "failed", "all")),
    show_default="none",
    help="Which instances that exist are run again.",
)
@click.option(
    "--overlap",
    type=click.Choice(OVERLAPS),
    help="Its own; else allow or queue, as the job.",
)
@click.option("--max-active", type=click.IntRange(1, 1000), metavar="N", help="At most N at once.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest, not the oldest.")
@click.option(
    "--param",
    "pairs",
    metavar="NAME=VALUE",
    multiple=True,
    help="Override a parameter; may be repeated. Quotes make a text of a number.",
)
@reason_option
@click.option("--wait", is_flag=True, help="Wait for its end, and show progress.")
@click.pass_obj
def create(
    session: Session,
    /,
    job: str,
    *,
    limit: int,
    dry_run: bool,
    wait: bool,
    **wish: Any,
) -> None:
    """Have a range of past nominal times run.

    They run the job's present definition, beside its schedule, within limits of their own. Ctrl-C while
    waiting leaves them going.
    """
    body = _body(session, job, **wish)
    where = path("jobs", job, "backfills")
    if dry_run:
        plan = _planned(session.api, where, body, limit)
        emit(session, plan, lambda screen: plan_lines(plan, screen))
        return
    made = session.api.post(where, body)
    if wait:
        _await(session, str(made["id"]))
    else:
        emit(session, made, lambda _: [_created(made)])


@backfill.command(
    "list",
    examples="""
        noonday backfill list
        noonday backfill list --job daily-revenue --state RUNNING
    """,
)
@click.option("--job", type=JOB, help="Only of this job.")
@click.option(
    "--state",
    type=click.Choice(BACKFILL_STATES, case_sensitive=False),
    metavar="STATE",
    multiple=True,
    help="Only in this state, such as RUNNING; may be repeated.",
)
@paging_options
@click.pass_obj
def list_backfills(
    session: Session, /, job: str | None, state: tuple[str, ...], **paging: Any
) -> None:
    """List backfills, the newest first."""
    page = page_of(session.api, "/backfills", {"job": job, "state": list(state)}, paging)
    emit(session, page, lambda screen: backfill_table(page, screen))
    say_more(session, page)


@backfill.command(
    "show",
    examples="""
        noonday backfill show daily-revenue@latest
        # wait for its end; the exit code is 5 when a run did not succeed
        noonday backfill show daily-revenue@latest --wait
    """,
)
@click.argument("backfill")
@click.option("--wait", is_flag=True, help="Wait for its end first, and show progress.")
@click.pass_obj
def show(session: Session, backfill: str, *, wait: bool) -> None:
    """Show how far a backfill is.

    And how its runs ended, and when it will have ended itself.
    """
    identity = backfill_id(session.api, backfill)
    if wait:
        _await(session, identity)
        return
    document = session.api.get(path("backfills", identity))
    emit(session, document, lambda screen: backfill_lines(document, screen))


@backfill.command(
    "cancel",
    examples="""
        noonday backfill cancel daily-revenue@latest --reason "wrong range"
        # and stop what it has begun
        noonday backfill cancel daily-revenue@latest --kill
    """,
)
@click.argument("backfill")
@reason_option
@click.option("--kill", is_flag=True, help="Also stop its runs in flight.")
@click.pass_obj
def cancel(session: Session, backfill: str, reason: str | None, *, kill: bool) -> None:
    """End a backfill.

    What waits of it is skipped; what runs goes on, unless --kill.
    """
    identity = backfill_id(session.api, backfill)
    body = ({"kill": True} if kill else {}) | ({"reason": reason} if reason else {})
    document = session.api.post(path("backfills", identity, "cancel"), body)
    emit(session, document, lambda screen: backfill_lines(document, screen))


def backfill_id(api: Client, reference: str) -> str:
    """The id of the backfill that a person named.

    Raises:
        Misused: the reference has none of the forms.
        Missing: there is no such backfill.
    """
    if _ID.fullmatch(reference):
        return reference
    job, at, when = reference.rpartition("@")
    if at and job and when == "latest":
        items = api.get(path("jobs", job, "backfills"), {"limit": 1})["items"]
        if not items:
            raise Missing(f"job {job} has no backfill", hint="noonday backfill create makes one")
        return str(items[0]["id"])
    if not _BEGINNING.fullmatch(reference):
        raise Misused(
            f"{reference!r} names no backfill",
            hint="write its id, the first 16 digits of it, or JOB@latest",
        )
    items = api.pages("/backfills", {}, limit=NEWEST)["items"]
    found = [str(one["id"]) for one in items if str(one["id"]).startswith(reference)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Misused(f"{len(found)} backfills begin with {reference}", hint="write more digits")
    raise Missing(f"no backfill of the newest {NEWEST} has an id that begins with {reference}")


def wait_for_backfill(api: Client, identity: str, *, pace: Pace | None = None) -> dict[str, Any]:
    """The backfill once it has ended, and what a cancelled one had begun, however long that takes.

    Raises:
        Stopped: the person pressed Ctrl-C; the backfill goes on.
    """
    try:
        return watch(
            api,
            path("backfills", identity),
            tell=live if sys.stderr.isatty() else plain,
            ended=lambda one: one.get("state") != "RUNNING" and _at_rest(one),
            pace=pace,
        )
    except KeyboardInterrupt:
        raise Stopped(
            "stopped waiting; the backfill goes on",
            hint=f"noonday backfill show {identity} --wait, or noonday backfill cancel {identity}",
        ) from None


def _await(session: Session, identity: str) -> None:
    ended = wait_for_backfill(session.api, identity)
    emit(session, ended, lambda screen: backfill_lines(ended, screen))
    if ended["state"] != "COMPLETED":
        raise RunFailed(f"the backfill was {str(ended['state']).lower()}")
    if failures(ended):
        raise RunFailed(
            f"{failures(ended)} of {ended['total']} did not succeed",
            hint="noonday backfill create … --reprocess failed runs them again",
        )


def _at_rest(one: dict[str, Any]) -> bool:
    unended = ("WAITING", "LAUNCHING", "LAUNCHED", "RUNNING")
    return not any((one.get("instances") or {}).get(state) for state in unended)


def _body(
    session: Session,
    job: str,
    *,
    since: str,
    until: str | None,
    newest_first: bool,
    pairs: tuple[str, ...],
    **given: Any,
) -> dict[str, Any]:
    """What was said, and nothing else."""
    said = {
        **given,
        "from": _nominal(session, job, since),
        "to": _nominal(session, job, until),
        "order": "newest" if newest_first else None,
        "parameters": parameters_of(pairs),
    }
    return {name: value for name, value in said.items() if value}


def _planned(api: Client, where: str, body: dict[str, Any], limit: int) -> dict[str, Any]:
    """The plan with so many of its items, page by page; the counts are of all."""
    items: list[Any] = []
    cursor = None
    while True:
        query = {"dry_run": True, "limit": min(limit - len(items), 1000), "next": cursor}
        plan: dict[str, Any] = api.post(where, body, query, keyed=False)
        items += plan["items"]
        cursor = plan["next"]
        if cursor is None or len(items) >= limit:
            return {**plan, "items": items}


def _nominal(session: Session, job: str, text: str | None) -> str | None:
    """``7d`` is so long ago; a time without an offset is one of the job's calendar, so in its zone."""
    if text is None:
        return None
    distance = span_ms(text)
    if distance is not None:
        return iso(server_now(session.api) - distance)
    if is_absolute(text):
        return text
    return iso(instant_ms(text, zone_of(session.api.get(path("jobs", job)))))


def _created(made: dict[str, Any]) -> str:
    return (
        f"backfilling {made['total']} nominal times of {made['name']}; "
        f"follow it: noonday backfill show {made['id']} --wait"
    )
