"""What the output goes to: a terminal with a width, colours and a person, or a pipe with a program."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class Screen:
    """``columns`` None is a pipe: nothing is shortened, times are UTC, no colours.

    ``zone`` None is the zone of this machine. ``now_ms`` is the server's; None leaves ages out.
    """

    columns: int | None = None
    colour: bool = False
    zone: tzinfo | None = None
    now_ms: int | None = None

    @property
    def is_terminal(self) -> bool:
        return self.columns is not None


def screen_of(environment: Mapping[str, str]) -> Screen:
    """Standard output as it is now; NO_COLOR takes the colours away, whatever it is set to."""
    if not sys.stdout.isatty():
        return Screen()
    colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Screen(columns=shutil.get_terminal_size().columns, colour=colour)
