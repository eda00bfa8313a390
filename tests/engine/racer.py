"""One of several processes that race for one slot.

It asks for instances of the jobs in turn, and does whatever is due, its own or somebody else's. The target
is a place that holds one: whoever finds it taken says so. Nothing of the scheduler's own records is trusted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.engine.commands import trigger
from chalicelib.engine.handout import hand_out
from chalicelib.engine.outcomes import Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest, Store
from chalicelib.notifications.clock import SystemClock
from chalicelib.store import open_store
from tests.engine.world import ADMIN, RecordingTargets, World

BATCH = 50


@dataclass
class Place(RecordingTargets):
    """A target that holds one run at a time."""

    folder: Path = Path()

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [self._enter(request.token) for request in requests]

    def _enter(self, token: str) -> Outcome:
        place = self.folder / "place"
        try:
            os.close(os.open(place, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            note(self.folder / "met", token)
            return Succeeded()
        note(self.folder / "ran", token)
        place.unlink()
        return Succeeded()


def note(path: Path, line: str) -> None:
    """Appended as one piece, whoever else writes."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


class Racer:
    """A process of Noonday whose only target is the place."""

    def __init__(self, store: Store, folder: Path, number: int) -> None:
        world = World(store, ids_from=1 + number * 10**12)
        self._world = world
        world.engine = replace(world.engine, clock=SystemClock(), targets=Place(folder=folder))
        self.engine = world.engine

    def ask(self, job: str) -> None:
        trigger(self.engine, ADMIN, job)

    def work(self) -> int:
        """Hand out what is due, and launch it; how many were looked at."""
        looked_at = hand_out(self.engine, BATCH).looked_at
        self._world.alarm.wakes.clear()
        self._world.deliver()
        return looked_at


def main(url: str, folder: str, number: str, rounds: str, *jobs: str) -> None:
    with closing(open_store(url)) as store:
        racer = Racer(store, Path(folder), int(number))
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        for turn in range(int(rounds)):
            racer.ask(jobs[(turn + int(number)) % len(jobs)])
            racer.work()


if __name__ == "__main__":
    main(*sys.argv[1:])
