"""Processes that race for one slot.

Each asks for instances of the jobs, and does whatever is due, its own or somebody else's. The target is a
place that holds one: whoever finds it taken says so. Nothing of the scheduler's own records is trusted.

    python -m tests.engine.racer URL FOLDER ROUNDS STAGES JOB,JOB… JOB…

With STAGES 0 all processes live to their end, and each round begins with a free slot. Else there are so many
stages, each minutes later than the one before; in each of them every process is killed at a moment of its
own, right before or after a commit. Jobs that share a slot stand together.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path

from chalicelib.engine.commands import trigger
from chalicelib.engine.facts import Fact, InstanceHeld
from chalicelib.engine.handout import hand_out
from chalicelib.engine.outcomes import Dropped, Outcome, RunTaken, Succeeded
from chalicelib.engine.ports import Control, LaunchRequest, Store
from chalicelib.model.states import Reason
from chalicelib.notifications.clock import SystemClock
from chalicelib.store import open_store
from tests.engine.crashing import Crash, CrashingStore, Fuse
from tests.engine.world import ADMIN, MINUTE, RecordingTargets, World

FORK = multiprocessing.get_context("fork")
PROCESSES = 8
BATCH = 50
STAY = 40
STAGE_MS = 20 * MINUTE  # longer than any lease, and than anybody waits for whom it was handed to
WAITS = (Reason.MAX_ACTIVE, Reason.GROUP_FULL)


class Killed(Fuse):
    """At nought the kernel ends the process: no handler runs, and the server finds the connection dead."""

    def burn(self, effect: str = "", *, done: bool = False) -> None:
        try:
            super().burn(effect, done=done)
        except Crash:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class LaterClock(SystemClock):
    """The clock on the wall, so much later."""

    by_ms: int

    def now_ms(self) -> int:
        return super().now_ms() + self.by_ms


@dataclass
class Places(RecordingTargets):
    """A target with places, each of which holds one run at a time: ``place`` of the target names it.

    A run stays for as long as ``STAY`` questions to the database take, longer than a claim; an inline one
    also for a commit of its own. Without locks, then, the judge finds two in one place within seconds.
    """

    folder: Path = Path()
    ask: Callable[[], object] = lambda: None

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [self._launched(request) for request in requests]

    def _launched(self, request: LaunchRequest) -> Outcome:
        with self._inside(request):
            return Succeeded()

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        with self._inside(request):
            try:
                control.begin({"token": request.token})
            except RunTaken:
                return Dropped()
            return Succeeded()

    @contextmanager
    def _inside(self, request: LaunchRequest) -> Iterator[None]:
        """The kernel holds the place for this process, and gives it back when that dies."""
        place = str(request.spec["place"])
        with (self.folder / place).open("w") as entrance:
            try:
                fcntl.flock(entrance, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note(self.folder / "met", f"{place} {request.token}")
            note(self.folder / "ran", f"{place} {request.token}")
            for _ in range(STAY):
                self.ask()
            yield


def note(path: Path, line: str) -> None:
    """Appended as one piece, whoever else writes."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


@dataclass
class Waits:
    """How many had to wait for a slot: without any there was no race."""

    count: int = 0

    def __call__(self, fact: Fact) -> None:
        self.count += isinstance(fact, InstanceHeld) and fact.reason in WAITS


class Racer:
    """A process of Noonday whose only targets are the places."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        number: int,
        *,
        later_ms: int = 0,
        fuse: Fuse | None = None,
    ) -> None:
        self._world = World(store, ids_from=1 + number * 10**12)
        self.waits = Waits()
        self._world.engine = replace(
            self._world.engine,
            clock=LaterClock(later_ms),
            store=store if fuse is None else CrashingStore(store, fuse),
            targets=Places(folder=folder, ask=store.database_now_ms),
            listener=self.waits,
        )

    def ask(self, job: str) -> None:
        trigger(self._world.engine, ADMIN, job)

    def take(self, most: int) -> int:
        """Hand out what is due to this process; how many were looked at."""
        looked_at = hand_out(self._world.engine, most).looked_at
        self._world.alarm.wakes.clear()
        return looked_at

    def launch(self) -> None:
        """All that was taken, and all that follows."""
        self._world.deliver()

    def work(self) -> int:
        looked_at = self.take(BATCH)
        self.launch()
        return looked_at


@dataclass(frozen=True)
class Race:
    url: str
    folder: Path
    rounds: int
    stages: int
    jobs: Sequence[Sequence[str]]
    """Of each place."""
    together: Barrier = field(default_factory=lambda: FORK.Barrier(PROCESSES, timeout=60))

    def run(self) -> None:
        if self.stages == 0:
            self._all(self._to_the_end, 0)
        for stage in range(self.stages):
            self._all(partial(self._until_killed, stage), -signal.SIGKILL)

    def _to_the_end(self, number: int) -> None:
        """Round by round: the slot is free, each has an instance to launch, all begin at once. Whoever gives
        the slot back goes on with the next in line, until nothing is due for anybody."""
        with closing(open_store(self.url)) as store:
            racer = Racer(store, self.folder, number)
            for _ in range(self.rounds):
                for jobs in self.jobs:
                    racer.ask(jobs[number % len(jobs)])
                    racer.take(1)
                    self.together.wait()
                    racer.launch()
                    while racer.work():
                        pass
                    self.together.wait()
            note(self.folder / "waited", str(racer.waits.count))

    def _until_killed(self, stage: int, number: int) -> None:
        """Without any order, until the kernel ends it."""
        moment = 11 + (37 * number + 53 * stage) % 61
        with closing(open_store(self.url)) as store:
            racer = Racer(
                store,
                self.folder,
                number + stage * PROCESSES,
                later_ms=stage * STAGE_MS,
                fuse=Killed(moment),
            )
            for turn in count(number):
                for jobs in self.jobs:
                    racer.ask(jobs[turn % len(jobs)])
                    racer.work()

    def _all(self, life: Callable[[int], None], exitcode: int) -> None:
        """Processes are forked before anything is open."""
        processes = [FORK.Process(target=life, args=[n]) for n in range(1, PROCESSES + 1)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [exitcode] * PROCESSES


def main(url: str, folder: str, rounds: str, stages: str, *places: str) -> None:
    jobs = [names.split(",") for names in places]
    Race(url, Path(folder), int(rounds), int(stages), jobs).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
