"""Commands on many jobs: listed by what they have in common, shown, asked about, done one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from cli.client import path
from cli.commands.many import Progress, ask, sure_options, tag_option, tags_of
from cli.commands.options import job_argument_or_none
from cli.complaint import complain
from cli.errors import Failure, Misused, Stopped, Unreachable
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.views import job_table

F = TypeVar("F", bound=Callable[..., Any])
Document = dict[str, Any]
_SHOWN = 10
# Of which jobs a verb makes something else; the others are as it wants them, or cannot be.
_APPLIES: Mapping[str, tuple[str, ...]] = {
    "schedule": ("NEW", "EXPIRED"),
    "suspend": ("SCHEDULED",),
    "resume": ("SUSPENDED",),
    "expire": ("NEW", "SCHEDULED", "SUSPENDED"),
    "delete": ("NEW", "SCHEDULED", "SUSPENDED", "EXPIRED"),
}


def jobs_options(function: F) -> F:
    """A JOB, or what says which jobs are meant."""
    options = [
        job_argument_or_none,
        tag_option("Many:"),
        click.option("--name", metavar="BEGINNING", help="Many: whose name begins so."),
        click.option("--group", metavar="GROUP", help="Many: of this concurrency group."),
        click.option(
            "--all", "everything", is_flag=True, help="Many: all of yours, or of --owner."
        ),
        sure_options,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def is_many(job: str | None, choice: Mapping[str, Any]) -> bool:
    """Whether many are meant.

    Raises:
        Misused: one and many, or none.
    """
    chosen = any(value for name, value in choice.items() if name not in ("dry_run", "yes"))
    if job is not None and (chosen or choice["dry_run"]):
        raise Misused("a JOB is one of them, the other options are for many: use one of both")
    if job is None and not chosen:
        raise Misused(
            "name a JOB, or choose many",
            hint="--tag, --name, --group and --all choose; --dry-run counts",
        )
    return job is None


def change_jobs(
    session: Session,
    verb: str,
    choice: Mapping[str, Any],
    change: Callable[[str], Document],
    *,
    also: tuple[str, ...] = (),
) -> None:
    """List those that the verb is for, ask, and do it to each; ``change`` takes a job's id.

    ``also``: further states in which it is asked for now. One that is refused does not hold up the others.
    """
    found = _chosen(session, (*_APPLIES[verb], *also), choice)
    if choice["dry_run"]:
        emit(session, found, lambda screen: _count_lines(verb, found, screen))
        return
    jobs = found["items"]
    if jobs and not choice["yes"]:
        names = ", ".join(str(job["name"]) for job in jobs[:_SHOWN])
        more = f" and {len(jobs) - _SHOWN} more" if len(jobs) > _SHOWN else ""
        ask(f"{verb} {_counted(jobs)}: {names}{more}. Go on?")
    done, failures = _each(jobs, change)
    emit(
        session,
        {"items": done, "next": None},
        lambda _: [f"{verb}: {len(done):,} of {_counted(jobs)}" if jobs else f"no job to {verb}"],
    )
    for failure in failures[:-1]:
        complain(failure)
    if failures:
        raise failures[-1]


def _chosen(session: Session, states: tuple[str, ...], choice: Mapping[str, Any]) -> Document:
    query = {
        "state": list(states),
        "name": choice["name"],
        "group": choice["group"],
        "tag": [f"{name}={value}" for name, value in tags_of(choice["tags"]).items()],
        "owner": session.access().owner,
    }
    return session.api.pages("/jobs", query, limit=None)


def _each(
    jobs: list[Document], change: Callable[[str], Document]
) -> tuple[list[Document], list[Failure]]:
    done: list[Document] = []
    failures: list[Failure] = []
    progress = Progress(len(jobs))
    try:
        for number, job in enumerate(jobs):
            progress.show(number)
            try:
                done.append(change(str(job["id"])))
            except Unreachable:
                raise  # nobody is there for the others either
            except Failure as failure:
                words = f"{job['name']}: {failure.message}"
                failures.append(type(failure)(words, problems=failure.problems, hint=failure.hint))
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped after {len(done):,}; the others are as they were",
            hint="the same command does the rest",
        ) from None
    finally:
        progress.end()
    return done, failures


def each_by_post(session: Session, verb: str, body: Document) -> Callable[[str], Document]:
    def change(job_id: str) -> Document:
        document: Document = session.api.post(path("jobs", job_id, verb), body)
        return document

    return change


def _count_lines(verb: str, found: Document, screen: Screen) -> Iterator[str]:
    jobs = found["items"]
    yield f"{verb} {_counted(jobs)}" if jobs else f"no job to {verb}"
    if jobs:
        yield from job_table(found, screen)


def _counted(jobs: list[Document]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs):,} jobs"
