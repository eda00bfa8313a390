"""``noonday instance logs`` and ``result``: what a run left, byte by byte."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from cli.client import path
from cli.commands.instance.group import instance
from cli.errors import Failure
from cli.names import instance_id
from cli.session import Session
from cli.waiting import follow_log

run_option = click.option(
    "--run", type=click.IntRange(1), metavar="N", help="Of this run; else the latest."
)


@instance.command(
    "logs",
    examples="""
        noonday instance logs daily-revenue@latest
        # of the first of several runs
        noonday instance logs daily-revenue@latest --run 1
        # as it is written, until the run ends
        noonday instance logs daily-revenue@latest --follow
    """,
)
@click.argument("instance")
@run_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.pass_obj
def logs(session: Session, instance: str, run: int | None, *, follow: bool) -> None:
    """Print what the run wrote to its log."""
    identity = instance_id(session.api, instance)
    if follow:
        follow_log(session.api, identity, run, write=_write)
    else:
        _write(session.api.file(path("instances", identity, "logs"), {"run": run}))


@instance.command(
    "result",
    examples="""
        noonday instance result daily-revenue@latest
        noonday instance result daily-revenue@latest --to revenue.csv
    """,
)
@click.argument("instance")
@run_option
@click.option(
    "--to", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to this file."
)
@click.pass_obj
def result(session: Session, instance: str, run: int | None, file: str | None) -> None:
    """Print the run's result, or save it."""
    identity = instance_id(session.api, instance)
    body = session.api.file(path("instances", identity, "result"), {"run": run})
    if file is None or file == "-":
        _write(body)
    else:
        _save(body, Path(file))
        click.echo(f"{len(body)} bytes in {file}", err=True)


def _write(body: bytes) -> None:
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _save(body: bytes, file: Path) -> None:
    """In one step: whoever reads the file sees the old one or the whole new one."""
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        with os.fdopen(handle, "wb") as target:
            target.write(body)
        Path(temporary).replace(file)
    except OSError as error:
        raise Failure(
            f"{file} cannot be written: {(error.strerror or str(error)).lower()}"
        ) from error
