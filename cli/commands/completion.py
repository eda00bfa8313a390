"""``noonday completion``: what the shell needs to complete commands, options and job names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cli.command import PlainCommand


@click.command(
    "completion",
    cls=PlainCommand,
    examples="""
        # bash: add this line to ~/.bashrc
        eval "$(noonday completion bash)"
        # zsh: add this line to ~/.zshrc
        eval "$(noonday completion zsh)"
        # fish
        noonday completion fish > ~/.config/fish/completions/noonday.fish
    """,
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of your shell.

    Names of jobs are completed by asking the server, and left alone when it does not answer.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choice above allows only shells that click knows
    click.echo(kind(ctx.find_root().command, {}, "noonday", "_NOONDAY_COMPLETE").source())
