"""Commands of many: what they are for is counted and shown, a person is asked, then it is done with a bar."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from cli.backfill_views import bar
from cli.client import path
from cli.commands.backfill import backfill_id
from cli.commands.options import past, span_options
from cli.errors import Misused, Stopped
from cli.names import JOB
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.states import INSTANCE_KINDS, INSTANCE_STATES
from cli.text import shorten
from cli.views import instance_table

F = TypeVar("F", bound=Callable[..., Any])
Document = dict[str, Any]
_PASSED = {
    "already": "so already",
    "moved": "changed meanwhile",
    "refused": "of deleted jobs, or beyond their owner's quota",
}


@dataclass(frozen=True, slots=True)
class Verb:
    """``done``: what is said of those that were changed."""

    name: str
    done: str


KILL = Verb("kill", "killed")
RERUN = Verb("rerun", "run again")
SKIP = Verb("skip", "skipped")


def sure_options(function: F) -> F:
    """``--dry-run`` and ``--yes``."""
    function = click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)
    return click.option(
        "--dry-run", is_flag=True, help="Many: change nothing, say how many and which."
    )(function)


def tag_option(lead: str) -> Callable[[F], F]:
    """``lead``: what is narrowed, as the first words of the help."""
    return click.option(
        "--tag",
        "tags",
        metavar="NAME=VALUE",
        multiple=True,
        help=f"{lead} with this tag; may be repeated, and then all must be there.",
    )


def choice_options(function: F) -> F:
    """What says which instances are meant, where it is not one of them by name."""
    options = [
        click.option(
            "--job", "jobs", type=JOB, multiple=True, help="Many: of this job; may be repeated."
        ),
        click.option(
            "--state",
            "states",
            type=click.Choice(INSTANCE_STATES, case_sensitive=False),
            metavar="STATE",
            multiple=True,
            help="Many: in this state; may be repeated.",
        ),
        click.option(
            "--kind",
            type=click.Choice(INSTANCE_KINDS, case_sensitive=False),
            metavar="KIND",
            help="Many: scheduled, manual or backfill.",
        ),
        click.option("--backfill", metavar="BACKFILL", help="Many: of this backfill."),
        click.option("--group", metavar="GROUP", help="Many: of this concurrency group."),
        tag_option("Many: of jobs"),
        span_options,
        sure_options,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def is_given(choice: Mapping[str, Any]) -> bool:
    return any(choice.values())


def check_one_or_many(instance: str | None, choice: Mapping[str, Any], *, wait: bool) -> None:
    """Either one instance is named, or many are chosen.

    Raises:
        Misused: both, or neither; or somebody would wait for many.
    """
    narrowing = {name: value for name, value in choice.items() if name not in ("dry_run", "yes")}
    if instance is not None and is_given(choice):
        raise Misused("an INSTANCE is one of them, the other options are for many: use one of both")
    if instance is None and not is_given(narrowing):
        raise Misused(
            "name an INSTANCE, or choose many",
            hint="--job, --state, --kind, --from, --to, --backfill, --group, --tag choose; --dry-run counts",
        )
    if instance is None and wait:
        raise Misused(
            "--wait is for one instance; noonday instance list --state RUNNING shows many"
        )


def change_many(session: Session, verb: Verb, body: Document, choice: dict[str, Any]) -> None:
    """Count, ask, do, and say what was done."""
    dry_run, yes = choice.pop("dry_run"), choice.pop("yes")
    where = path("instances", verb.name)
    body = {**body, "filter": _filter(session, **choice)}
    counted: Document = session.api.post(where, body, {"dry_run": True})
    if dry_run:
        emit(session, counted, lambda screen: _count_lines(verb, counted, screen))
        return
    if counted["total"] and not yes:
        ask(f"{_count_line(verb, counted)}. Go on?")
    body["as_of"] = counted["as_of_ms"]
    done = _page_by_page(session, where, body, counted) if counted["total"] else _nothing()
    emit(session, done, lambda _: [_done_line(verb, done)])


def ask(question: str) -> None:
    """Ask a person; a program that forgot --yes is told so instead of waiting for ever."""
    if not _is_somebody_there():
        raise Misused("nobody is there to confirm", hint="--yes does it without asking")
    click.confirm(question, abort=True, err=True)


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


class Progress:
    """A bar on a terminal, nothing elsewhere: what was done is said at the end."""

    def __init__(self, total: int | None, *, shown: bool = True) -> None:
        self._total = total
        self._shown = shown and sys.stderr.isatty()

    def show(self, finished: int) -> None:
        if self._shown:
            text = f"{finished:,}"
            if self._total:
                of = {"finished": min(finished, self._total), "total": self._total}
                text = f"{bar(of)}  {finished:,} of {self._total:,}"
            columns = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{shorten(text, columns)}", nl=False, err=True)

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def tags_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Raises Misused for what is no NAME=VALUE."""
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise Misused(f"--tag {pair}: write it as NAME=VALUE")
    return {pair.partition("=")[0]: pair.partition("=")[2] for pair in pairs}


def _filter(
    session: Session,
    *,
    tags: tuple[str, ...],
    backfill: str | None,
    since: str | None,
    until: str | None,
    jobs: tuple[str, ...],
    states: tuple[str, ...],
    **given: str | None,
) -> Document:
    said = {
        **given,
        "jobs": list(jobs),
        "states": list(states),
        "tags": tags_of(tags),
        "from": past(session.api, since),
        "to": past(session.api, until),
        "backfill": backfill_id(session.api, backfill) if backfill else None,
    }
    return {name: value for name, value in said.items() if value}


def _page_by_page(session: Session, where: str, body: Document, counted: Document) -> Document:
    done = _nothing()
    progress = Progress(None if counted["more"] else counted["total"])
    following = None
    try:
        while True:
            page: Document = session.api.post(where, body, {"next": following})
            for name in done:
                done[name] += page[name]
            progress.show(sum(done.values()) - done["stopping"])
            following = page["next"]
            if following is None:
                return done
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped after {done['changed']:,}; the others are as they were",
            hint="the same command does the rest",
        ) from None
    finally:
        progress.end()


def _nothing() -> Document:
    return dict.fromkeys(("changed", "stopping", *_PASSED), 0)


def _count_lines(verb: Verb, counted: Document, screen: Screen) -> Iterator[str]:
    yield _count_line(verb, counted)
    if counted["items"]:
        yield from instance_table(counted, screen)
    if counted["more"] or counted["total"] > len(counted["items"]):
        yield "… and others"


def _count_line(verb: Verb, counted: Document) -> str:
    if not counted["total"]:
        return f"nothing to {verb.name}"
    states = ", ".join(f"{count:,} {state}" for state, count in counted["states"].items())
    if counted["more"]:
        return f"{verb.name} more than {counted['total']:,} instances (of the first: {states})"
    noun = "instance" if counted["total"] == 1 else "instances"
    return f"{verb.name} {counted['total']:,} {noun}: {states}"


def _done_line(verb: Verb, done: Document) -> str:
    parts = [f"{verb.done} {done['changed'] - done['stopping']:,}"]
    parts += [f"asked to stop {done['stopping']:,}"] if done["stopping"] else []
    passed = [f"{done[name]:,} {words}" for name, words in _PASSED.items() if done[name]]
    parts += [f"passed over {', '.join(passed)}"] if passed else []
    return "; ".join(parts)
