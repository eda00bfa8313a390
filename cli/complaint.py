"""How an error reads: what is wrong, one line a problem, and what to do."""

from __future__ import annotations

import json
import os

import click

from cli.errors import Failure, Problem
from cli.text import one_line, shorten


def complain(failure: Failure) -> None:
    """Print it on stderr."""
    _say("error:", failure.message, "red")
    for problem in failure.problems:
        click.echo(f"  {_sentence(problem)}", err=True)
    if failure.hint:
        _say("hint:", failure.hint, "cyan")


def explain_usage(error: click.UsageError) -> None:
    """A command line that does not make sense, and where its help is."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    path = error.ctx.command_path if error.ctx else "noonday"
    complain(Failure(error.format_message(), hint=f"{path} --help shows what it takes"))


def _say(label: str, text: str, colour: str) -> None:
    # None lets click decide by whether stderr is a terminal; NO_COLOR decides before it.
    wanted = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style(label, fg=colour, bold=True)} {text}", err=True, color=wanted)


def _sentence(problem: Problem) -> str:
    message = one_line(problem.message)
    shown = _shown(problem.value)
    if shown and shown.strip('"') not in message:
        message = f"{message} (got {shown})"
    return f"{one_line(problem.field)}: {message}" if problem.field else message


def _shown(value: object) -> str:
    return "" if value is None else shorten(one_line(json.dumps(value, ensure_ascii=False)), 60)
