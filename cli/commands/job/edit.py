"""``noonday job update`` and ``noonday job edit``: a job's definition, replaced."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from cli.client import path
from cli.commands.job.group import job
from cli.commands.job.trying import tried, try_option
from cli.commands.options import job_argument, reason_option
from cli.documents import Loaded, parse, read_all
from cli.errors import Clash, Failure, Misused, Unreadable
from cli.names import JOB
from cli.output import emit, to_yaml
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line

_NOTE = "#! "


@job.command(
    "update",
    examples="""
        # the job that the file names: what would change, and then do it
        noonday job update daily-revenue.yaml --dry-run
        noonday job update daily-revenue.yaml --reason "an hour later"
        # another one, for instance to rename it
        noonday job update daily-revenue.yaml --job revenue
        # only if nobody has changed it since it was edit 7
        noonday job update daily-revenue.yaml --if-edit 7
    """,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--job", "target", type=JOB, metavar="JOB", help="The job; else the one the file names."
)
@click.option("--if-edit", type=int, metavar="EDIT", help="Refuse when the job is at another edit.")
@try_option
@reason_option
@click.pass_obj
def update(
    session: Session,
    files: tuple[str, ...],
    target: str | None,
    if_edit: int | None,
    reason: str | None,
    *,
    dry_run: bool,
) -> None:
    """Replace the definitions of existing jobs by those in the files.

    The change takes effect from now on and launches nothing of the past. Instances that exist keep
    the revision they were created with. Of a whole folder, new jobs included, noonday job apply
    makes what it says.
    """
    definitions = read_all(files)
    if len(definitions) > 1 and (target or if_edit is not None):
        raise Misused("--job and --if-edit are for a file with one definition")
    named = [(_named(loaded, target), loaded.document) for loaded in definitions]
    tag = _tag(if_edit)
    if dry_run:
        plans = [tried(session, "PUT", name, document, tag) for name, document in named]
        _emit_all(session, [each.planned for each in plans], lambda at: plans[at].lines)
        return
    updated = [_put(session, name, document, tag, reason) for name, document in named]
    _emit_all(session, updated, lambda at: lambda _: [_updated(updated[at])])


def _named(loaded: Loaded, target: str | None) -> str:
    name = target or loaded.document.get("name")
    if not isinstance(name, str) or not name:
        raise Unreadable(f"{loaded.origin}: name is missing", hint="or say it with --job")
    return name


def _emit_all(
    session: Session,
    documents: list[dict[str, Any]],
    lines_of: Callable[[int], Callable[[Screen], Iterable[str]]],
) -> None:
    """One document, or all of them as a list; ``lines_of`` gives what draws each of them."""
    document = documents[0] if len(documents) == 1 else {"items": documents, "next": None}

    def lines(screen: Screen) -> Iterator[str]:
        for number in range(len(documents)):
            yield from lines_of(number)(screen)

    emit(session, document, lines)


@job.command(
    "edit",
    examples="""
        noonday job edit daily-revenue
        EDITOR=nano noonday job edit daily-revenue
    """,
)
@job_argument
@reason_option
@click.pass_obj
def edit(session: Session, job: str, reason: str | None) -> None:
    """Change the job's definition in your editor.

    The editor is EDITOR or VISUAL. What is refused comes back with the reasons on top; leave it
    unchanged to give up. A change that somebody else made meanwhile is never overwritten.
    """
    response = session.api.response("GET", path("jobs", job))
    document = session.api.document(response)
    tag = response.header("etag") or _tag(document.get("edit"))
    original = to_yaml(document.get("definition"))
    identity = str(document.get("id") or job)

    def save(definition: object) -> dict[str, Any]:
        return _put(session, identity, definition, tag, reason)

    changed = _edited(original, save)
    if changed is None:
        click.echo("nothing changed", err=True)
        return
    emit(session, changed, lambda _: [_updated(changed)])


def _edited(original: str, save: Callable[[object], dict[str, Any]]) -> dict[str, Any] | None:
    """The job after the change; None when the person left the text as it was."""
    offered = original
    while True:
        text = _in_editor(offered)
        if text is None or _is_unchanged(text, original, offered):
            _check_given_up(offered, original)
            return None
        try:
            definitions = parse(_without_notes(text), "the text")
            if len(definitions) > 1:
                raise Unreadable("the text holds several documents; a job has one")
            return save(definitions[0].document)
        except Clash as failure:
            raise _kept(failure, _without_notes(text)) from failure
        except Failure as failure:
            if failure.exit_code != 1:
                raise _kept(failure, _without_notes(text)) from failure
            offered = _notes(failure) + _without_notes(text)


def _in_editor(text: str) -> str | None:
    try:
        return click.edit(text, extension=".yaml", require_save=False)
    except click.ClickException as error:
        raise Failure(error.format_message(), hint="EDITOR names the editor") from error


def _check_given_up(offered: str, original: str) -> None:
    """Leaving an unchanged job is quiet; leaving a refused text keeps it.

    Raises:
        Failure: there is a text that was refused.
    """
    if not _is_unchanged(offered, original):
        raise _kept(Failure("given up; the job is as it was"), _without_notes(offered))


def _kept(failure: Failure, text: str) -> Failure:
    """Nobody types a definition twice: what could not be saved there is kept here."""
    handle, name = tempfile.mkstemp(prefix="noonday-", suffix=".yaml")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    hint = f"your text is kept in {name}"
    return type(failure)(failure.message, problems=failure.problems, hint=hint)


def _notes(failure: Failure) -> str:
    lines = [failure.message, *(f"{each.field}: {each.message}" for each in failure.problems)]
    return "".join(f"{_NOTE}{one_line(line)}\n" for line in lines)


def _is_unchanged(text: str, *others: str) -> bool:
    """Whether it is empty or one of the others; editors add or take a last newline as they like."""
    bare = _without_notes(text).strip()
    return not bare or any(bare == _without_notes(other).strip() for other in others)


def _without_notes(text: str) -> str:
    """To the last newline, which belongs to a block of text that ends the document."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_NOTE))


def _put(
    session: Session, job: str, document: object, tag: str | None, reason: str | None
) -> dict[str, Any]:
    updated: dict[str, Any] = session.api.put(
        path("jobs", job), document, {"reason": reason}, if_match=tag
    )
    return updated


def _tag(edit: object) -> str | None:
    return None if edit is None else f'"{edit}"'


def _updated(job: dict[str, Any]) -> str:
    return f"updated {job.get('name')}: revision {job.get('revision')}, {job.get('state')}"
