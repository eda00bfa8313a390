"""Waiting for a run or a backfill to end, with progress on stderr; neither depends on who waits for it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from cli.client import Client, path
from cli.errors import Missing, RunFailed, Stopped, Unreachable
from cli.states import ENDED
from cli.text import shorten
from cli.views import brief

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
LOG_PAUSE = 1.0
AWAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """``pause`` waits for seconds, ``now`` counts them; tests bring their own."""

    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


def wait_for(api: Client, instance: str, *, pace: Pace | None = None) -> dict[str, Any]:
    """The instance once it has ended, however long that takes.

    Raises:
        Stopped: the person pressed Ctrl-C; the run goes on.
        Unreachable: the server has been away for a minute.
    """
    try:
        return watch(
            api,
            path("instances", instance),
            tell=brief,
            ended=lambda document: document.get("state") in ENDED,
            pace=pace,
        )
    except KeyboardInterrupt:
        raise Stopped(
            "stopped waiting; the run goes on",
            hint=f"noonday instance show {instance} --wait, or noonday instance kill {instance}",
        ) from None


def watch(
    api: Client,
    where: str,
    *,
    tell: Callable[[dict[str, Any]], str],
    ended: Callable[[dict[str, Any]], bool],
    pace: Pace | None = None,
) -> dict[str, Any]:
    """Look at the document there until it has ended, and tell how it is.

    Raises:
        Unreachable: the server has been away for a minute.
    """
    pace = pace or Pace()
    progress = _Progress(pace.now())
    wait = FIRST_PAUSE
    away_since: float | None = None
    while True:
        try:
            document: dict[str, Any] = api.get(where)
            away_since = None
        except Unreachable:
            # The server may be restarting; the work is in its store, so patience is right.
            away_since = away_since or pace.now()
            if pace.now() - away_since > AWAY_SECONDS:
                raise
            progress.show("the server is away, still trying", pace.now())
        else:
            progress.show(tell(document), pace.now())
            if ended(document):
                progress.end()
                return document
        pace.pause(wait)
        wait = min(wait * 1.5, LONGEST_PAUSE)


def follow_log(
    api: Client,
    instance: str,
    run: int | None,
    *,
    write: Callable[[bytes], None],
    pace: Pace | None = None,
) -> None:
    """Write a run's log as it grows, until the run has ended.

    Raises:
        Stopped: the person pressed Ctrl-C; the run goes on.
    """
    pause = (pace or Pace()).pause
    shown = 0
    try:
        while True:
            # The state first: what was written before the end is in the log that is read after it.
            ended = _has_ended(api.get(path("instances", instance)), run)
            log = _log(api, instance, run)
            if not ended:
                # The last character may have come by half, which the server shows as this one.
                log = log.removesuffix("\N{REPLACEMENT CHARACTER}".encode())
            write(log[shown:])
            shown = max(shown, len(log))
            if ended:
                return
            pause(LOG_PAUSE)
    except KeyboardInterrupt:
        raise Stopped("stopped following; the run goes on") from None


def check_success(instance: dict[str, Any]) -> None:
    """Raise RunFailed unless it succeeded."""
    if instance.get("state") != "SUCCEEDED":
        raise RunFailed(
            f"the run did not succeed: {brief(instance)}",
            hint=f"noonday instance logs {instance.get('id')}",
        )


def _has_ended(instance: dict[str, Any], run: int | None) -> bool:
    return instance.get("state") in ENDED or (run is not None and run != instance.get("run"))


def _log(api: Client, instance: str, run: int | None) -> bytes:
    try:
        return api.file(path("instances", instance, "logs"), {"run": run})
    except Missing:
        return b""  # nothing has been written yet


class _Progress:
    """One line that is written over on a terminal; one line a change elsewhere."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.shown = ""
        self.rewrites = sys.stderr.isatty()

    def show(self, text: str, now: float) -> None:
        if self.rewrites:
            # A line that wraps could not be written over.
            columns = shutil.get_terminal_size().columns - 1
            line = shorten(f"{now - self.begin:.0f} s  {text}", columns)
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
        elif text != self.shown:
            click.echo(text, err=True)
        self.shown = text

    def end(self) -> None:
        if self.rewrites:
            click.echo("\r\x1b[K", nl=False, err=True)
