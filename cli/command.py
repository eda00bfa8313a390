"""How every command looks: examples in its help, ``-o`` and ``--owner``, groups that load late."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import click

from cli.session import FORMATS, Session


class _WithExamples(click.Command):
    """A command whose help ends with examples; ``# comment`` lines lead the command below them."""

    def __init__(self, *args: Any, examples: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = inspect.cleandoc(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Command(_WithExamples):
    """A command that speaks to the server and shows documents."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += [
            click.Option(
                ["-o", "--output"],
                type=click.Choice(FORMATS),
                metavar="FORMAT",
                help="table, json or yaml; json and yaml are all that the server sent.",
                show_default="table",
                expose_value=False,
                callback=_choose_output,
            ),
            click.Option(
                ["--owner", "_owner"],
                metavar="OWNER",
                help="The team to act for, where you have several.",
                expose_value=False,
                callback=_choose_owner,
            ),
        ]


class PlainCommand(_WithExamples):
    """A command that shows no document, or does not speak to the server."""


class Group(_WithExamples, click.Group):
    """A group whose commands are imported when they are used, with aliases that help leaves out."""

    command_class: type[click.Command] | None = Command

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        aliases: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.lazy = dict(lazy or {})
        self.aliases = dict(aliases or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.aliases.get(cmd_name, cmd_name)
        if name not in self.lazy:
            return super().get_command(ctx, name)
        module, _, attribute = self.lazy[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a slip in our own table
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if (
            self.lazy
            and args
            and not args[0].startswith("-")
            and not self.get_command(ctx, args[0])
        ):
            raise click.NoSuchCommand(args[0], possibilities=self.lazy, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.lazy:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])


def _choose_output(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    session = ctx.find_object(Session)
    if value and session:
        session.output = value


def _choose_owner(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    session = ctx.find_object(Session)
    if value and session:
        session.owner = value
