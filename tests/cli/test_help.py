"""Every command explains itself, with examples that name commands and options that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from cli.command import _WithExamples
from cli.main import main, noonday


def _commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(noonday))


def _examples() -> Iterator[tuple[str, str]]:
    for path, command in COMMANDS.items():
        assert isinstance(command, _WithExamples)
        for line in command.examples.splitlines():
            if "noonday " in line and not line.startswith("#"):
                yield " ".join(path), line


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_help_has_a_sentence_and_examples(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal of eighty columns."""
    assert main([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert (COMMANDS[path].help or "").split("\n")[0].endswith(".")
    assert f"noonday {' '.join(path)}".strip() in shown.split("Examples:")[1] or path == ()
    assert max(map(len, shown.splitlines())) <= 80
    assert "INTEGER RANGE" not in shown
    assert "..." not in shown.partition("Commands:")[2].partition("Examples:")[0], (
        "a summary is cut"
    )


@pytest.mark.parametrize(("path", "line"), list(_examples()))
def test_an_example_is_a_command_line_that_parses(path: str, line: str) -> None:
    part = re.split(" [<>|] ", line[line.index("noonday ") :])[0]
    words = shlex.split(part.replace('"$(', "").replace(')"', ""))[1:]
    command: click.Command = noonday
    ctx = noonday.make_context("noonday", words, resilient_parsing=True)
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        assert found is not None, f"{path}: {line}"
        command = found
        ctx = command.make_context(command.name, words, parent=ctx)
        if isinstance(command, click.Group) and "--help" in words:
            return


def test_no_command_line_at_all_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job"]) == 2
    assert capsys.readouterr().err.startswith("Usage: noonday job")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("noonday")


def test_help_loads_neither_http_nor_yaml() -> None:
    """``noonday --help`` answers at once."""
    program = (
        "import sys; from cli.main import main; main(['--help']);"
        "print(sorted({'yaml', 'http.client', 'ssl', 'json.decoder'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] in {"[]", "['json.decoder']"}


@pytest.mark.parametrize(
    "typed", [("jbo",), ("job", "submti"), ("job", "submit"), ("job", "list", "-x")]
)
def test_a_wrong_command_line_is_2_and_says_where_help_is(
    typed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "--help" in shown
