"""One process a SQLite file: two with clocks and alarms of their own would only wait for each other."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO


class Served(Exception):
    """Another process serves the file; the message names it."""


def hold(database: Path) -> TextIO:
    """Keep the file to this process, until it ends however it ends: the lock is the kernel's.

    Raises:
        Served: another process has it.
        OSError: the folder cannot be written.
    """
    path = database.with_name(database.name + ".lock")
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise Served(f"{database} is served by another process (pid {holder})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
