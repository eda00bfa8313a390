"""The folder of a process run, read from outside: what the runner wrote there, and what it means."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any, BinaryIO

from chalicelib.targets.process_runner import born

TAIL = 4096


class Phase(Enum):
    FREE = auto()  # no command has begun, nobody is about to begin one
    STARTING = auto()  # a runner has the folder
    BEGUN = auto()  # the command's process lives, or its runner does
    ENDED = auto()  # there is a status
    LOST = auto()  # command and runner are gone, and there is no status


class Folder:
    """``path`` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def phase(self) -> Phase:
        """What is true now.

        The order of the questions makes the answers final: only one command ever declares itself, so once
        it has, a runner that is gone and a status that is then still missing stay so.
        """
        begun = self.has_begun()
        held = self._held()
        if self.has_status():
            return Phase.ENDED
        if not begun:
            return Phase.STARTING if held else Phase.FREE
        return Phase.BEGUN if held or self._alive() else Phase.LOST

    def may_be_at_work(self) -> bool:
        """Also when nobody can tell."""
        try:
            return self.phase() in (Phase.STARTING, Phase.BEGUN)
        except OSError:
            return True

    def has_begun(self) -> bool:
        return (self.path / "child").exists()

    def has_status(self) -> bool:
        return (self.path / "status").exists()

    def status(self) -> Mapping[str, Any]:
        return self._json("status")

    def stopped(self) -> bool:
        """Whether the command was asked to end while it lived."""
        return (self.path / "stop").exists()

    def ask_to_end(self, number: int) -> None:
        """Signal the command's process group. The mark tells whoever comes later why it ended.

        A command that has ended by itself meanwhile was not stopped.
        """
        mark = self.path / "stop"
        marked = mark.exists()
        mark.touch()
        if not self._signal(number) and not marked:
            mark.unlink()

    def last_line(self) -> str:
        """The last words of the output, at most 200 characters of them."""
        try:
            with (self.path / "output.log").open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - TAIL))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][-200:] if said else ""

    def copy_result(self, target: BinaryIO) -> None:
        with (self.path / "result").open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)

    def _signal(self, number: int) -> bool:
        """To the group that the process leads, if it is still the one that declared itself."""
        if not self._alive():
            return False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(self._json("child")["pid"]), number)
            return True
        return False

    def _alive(self) -> bool:
        child = self._json("child")
        now = born(int(child["pid"]))
        return now is not None and now == child["born"]

    def _held(self) -> bool:
        """Whether a runner lives, or a process that has not yet become the command."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / name).read_bytes())
        return found
