"""The commands of ``noonday``, from the program itself: what each does, and its own options."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.main import noonday
from docs.markdown import code, plain, table

SHARED = {"output", "_owner", "help"}


def commands() -> Iterator[str]:
    rows = ([_usage(path, command), plain(_says(command))] for path, command in _walk(noonday))
    yield from table(["command", ""], rows)


def _walk(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Commands that do something, groups left out, in the order of the help."""
    context = click.Context(group)
    if not isinstance(group, click.Group):
        yield path, group
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield from _walk(command, (*path, name))


def _usage(path: tuple[str, ...], command: click.Command) -> str:
    arguments = [
        each.make_metavar(click.Context(command))
        for each in command.params
        if isinstance(each, click.Argument)
    ]
    options = [
        each.opts[-1] if each.opts[-1].startswith("--") else each.opts[0]
        for each in command.params
        if isinstance(each, click.Option) and each.name not in SHARED
    ]
    usage = code(" ".join(("noonday", *path, *arguments)))
    return f"{usage}<br>{' '.join(map(code, options))}" if options else usage


def _says(command: click.Command) -> str:
    return (command.help or "").partition("\n\n")[0].replace("\n", " ")
