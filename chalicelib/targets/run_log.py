"""The log that a run leaves: lines with their time, kept in the folder of the run."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from chalicelib.engine.ports import Clock
from chalicelib.model.credential import without_credentials
from chalicelib.targets.files import Folders

NAME = "run.log"


class RunLog:
    """Every claim of the run adds to the same file. A log that cannot be written fails nothing."""

    def __init__(self, folders: Folders, token: str, clock: Clock, *, kept: bool = True) -> None:
        """``kept``: False where files do not outlive the process; nothing is written then."""
        self._file = folders.run(token) / NAME
        self._clock = clock
        self.path = folders.log(token, NAME) if kept else None

    def say(self, text: str) -> None:
        """``text`` may have several lines."""
        if self.path is None:
            return
        moment = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{stamp} {without_credentials(text.rstrip())}\n")
