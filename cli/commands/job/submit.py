"""``noonday job submit``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from cli.commands.job.group import job
from cli.commands.options import reason_option
from cli.complaint import complain
from cli.documents import Loaded, read_all
from cli.errors import Failure, Unreachable
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line
from cli.views import exact, fire_table


@job.command(
    "submit",
    examples="""
        # submit a job; it waits until it is scheduled
        noonday job submit daily-revenue.yaml
        # submit several, and let them fire from now on
        noonday job submit jobs/*.yaml --schedule
        # only check it, and show when it would fire
        noonday job submit daily-revenue.yaml --dry-run
        # from another program
        render-job | noonday job submit - --schedule -o json
    """,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--schedule", is_flag=True, help="Let it fire from now on; else it stays NEW.")
@click.option(
    "--dry-run", is_flag=True, help="Change nothing; check it and show when it would fire."
)
@reason_option
@click.pass_obj
def submit(
    session: Session, files: tuple[str, ...], reason: str | None, *, schedule: bool, dry_run: bool
) -> None:
    """Submit the jobs that the files define.

    \b
    A short definition:
      name: hello
      schedule: {every: PT15M}
      target: {kind: process, command: [echo, hello]}

    A FILE is YAML, with one definition or several between lines of three dashes, or JSON. A single
    dash reads standard input. Nothing is sent before every file has been read; then each job is
    submitted on its own, so that one that is refused does not hold up the others.
    """
    query = {"schedule": schedule or None, "dry_run": dry_run or None, "reason": reason}
    accepted, failures = _submit_each(session, read_all(files), query)
    if accepted and session.output != "table":
        document = accepted[0] if len(accepted) == 1 else {"items": accepted, "next": None}
        emit(session, document, lambda _: [])
    if failures:
        for failure in failures[:-1]:
            complain(failure)
        raise failures[-1]


def _submit_each(
    session: Session, definitions: list[Loaded], query: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[Failure]]:
    accepted: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for loaded in definitions:
        try:
            document = session.api.post("/jobs", loaded.document, query)
            accepted.append(document)
            _say_at_once(session, document)
        except Unreachable as failure:
            # Nobody is there for the others either.
            failures.append(_from(loaded, failure))
            break
        except Failure as failure:
            failures.append(_from(loaded, failure))
    return accepted, failures


def _from(loaded: Loaded, failure: Failure) -> Failure:
    return type(failure)(
        f"{loaded.origin}: {failure.message}", problems=failure.problems, hint=failure.hint
    )


def _say_at_once(session: Session, document: dict[str, Any]) -> None:
    """Whoever stops a long submission must know what was submitted until then."""
    if session.output == "table":
        shown = _dry if "fires" in document else _submitted
        emit(session, document, lambda screen: shown(document, screen))


def _submitted(document: dict[str, Any], screen: Screen) -> Iterator[str]:
    name, state = document.get("name"), document.get("state")
    if state == "NEW":
        yield f"submitted {name}; it fires after: noonday job schedule {name}"
        return
    following = exact(document.get("next_ms"), screen) or "never"
    yield f"submitted and scheduled {name}; next: {following}"


def _dry(document: dict[str, Any], screen: Screen) -> Iterator[str]:
    name = (document.get("definition") or {}).get("name")
    yield f"{name} would be accepted; nothing was submitted. It would fire:"
    yield from fire_table(document, screen)
    yield from (f"warning: {one_line(warning)}" for warning in document.get("warnings") or [])
