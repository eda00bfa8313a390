"""``noonday job apply``: files say what there should be; what differs is made so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click

from cli.commands.job.group import job
from cli.commands.job.steps import DONE, Doing, Plan, Step, jobs_of, owner_of
from cli.commands.many import ask
from cli.commands.options import reason_option
from cli.complaint import complain
from cli.errors import DIFFERS, Misused
from cli.job_files import read_wanted
from cli.output import emit
from cli.session import Session


@job.command(
    "apply",
    examples="""
        # new jobs are created and scheduled, others changed, the rest left alone
        noonday job apply -f jobs/
        # first look at what would change
        noonday job apply -f jobs/ --dry-run --diff
        # the folder is all there is: what it held once and holds no more is deleted
        noonday job apply -f jobs/ --set warehouse --prune
        # in a pipeline: 6 says that the server is not as the files are
        noonday job apply -f jobs/ --dry-run --exit-code
        render-jobs | noonday job apply -f - --no-schedule
    """,
)
@click.option(
    "-f",
    "--file",
    "places",
    metavar="PATH",
    multiple=True,
    required=True,
    help="A file of YAML or JSON, a folder with all below it, or - for standard input; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would change.")
@click.option("--diff", is_flag=True, help="Show each change, line by line.")
@click.option(
    "--schedule/--no-schedule",
    default=True,
    show_default=True,
    help="Whether new jobs fire from now on; those that exist keep their state.",
)
@click.option("--set", "set_name", metavar="NAME", help="Mark the jobs as belonging to this set.")
@click.option("--prune", is_flag=True, help="Delete jobs of the set that the files do not hold.")
@click.option("--take-over", is_flag=True, help="Also change jobs of other sets, into this one.")
@click.option("--exit-code", is_flag=True, help="With --dry-run: exit with 6 if there are changes.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before deleting.")
@reason_option
@click.pass_obj
def apply(session: Session, /, places: tuple[str, ...], **choice: Any) -> None:
    """Make the jobs as the files say.

    A job that is not there is created and scheduled, one that differs gets a new revision, and one
    that means the same is left alone; state and history stay. Everything is checked before anything
    is changed. When it is stopped in the middle, the same command does the rest. A change that
    somebody makes meanwhile is not overwritten (exit code 4).

    --prune deletes only jobs that bear the mark of the set, the tag noonday.apply-set, which --set
    writes; it shows them and asks. Instances run by the revision that they were created with.
    """
    _check(choice)
    wanted = read_wanted(places)
    owner = owner_of(session)
    there = jobs_of(session, owner)
    plan = Plan(session, owner, there, choice["set_name"], take_over=choice["take_over"])
    steps = plan.steps(wanted)
    if choice["prune"]:
        steps += plan.pruned({one.name for one in wanted})
    if not choice["dry_run"]:
        _confirm(steps, yes=choice["yes"])
    doing = Doing(
        session,
        owner,
        **{name: choice[name] for name in ("schedule", "reason", "dry_run", "diff")},
    )
    failures = doing.all(steps)
    _conclude(session, doing)
    for failure in failures[:-1]:
        complain(failure)
    if failures:
        raise failures[-1]
    if choice["exit_code"] and any(step.action != "leave" for step in steps):
        raise click.exceptions.Exit(DIFFERS)


def _check(choice: Mapping[str, Any]) -> None:
    """Raises Misused for options that do not go together."""
    if choice["prune"] and not choice["set_name"]:
        raise Misused(
            "--prune needs --set NAME", hint="only what was applied with the same --set is deleted"
        )
    if choice["exit_code"] and not choice["dry_run"]:
        raise Misused("--exit-code is for --dry-run")
    if choice["set_name"] is not None and not 1 <= len(choice["set_name"]) <= 200:
        raise Misused("--set: a name has 1 to 200 characters")


def _confirm(steps: Iterable[Step], *, yes: bool) -> None:
    names = [step.name for step in steps if step.action == "prune"]
    if not names or yes:
        return
    click.echo(f"to be deleted, because the files do not hold them: {', '.join(names)}", err=True)
    ask(f"Delete {'this job' if len(names) == 1 else f'these {len(names):,} jobs'}?")


def _conclude(session: Session, doing: Doing) -> None:
    summary = dict(Counter(DONE[step.action] for step in doing.done))
    items = [step.document for step in doing.done]
    parts = [f"{summary.get(said, 0):,} {said}" for said in list(DONE.values())[:3]]
    parts += [f"{summary['pruned']:,} pruned"] if summary.get("pruned") else []
    said = f"{', '.join(parts)}{' (dry run: nothing was changed)' if doing.dry_run else ''}"
    emit(session, {"items": items, "summary": summary, "next": None}, lambda _: [said])
