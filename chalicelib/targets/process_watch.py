"""Starts the runner of a process if nobody did, waits for the command's end, and ends it on request."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

from chalicelib.engine.ports import Control
from chalicelib.targets import process_runner
from chalicelib.targets.process_folder import Folder, Phase

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1
TRIES = 5


class Runner:
    """A runner that this process started. It does not depend on us; we only hear of its end."""

    def __init__(self, folder: Path, order: Mapping[str, object]) -> None:
        program = str(Path(process_runner.__file__).absolute())
        self._popen = subprocess.Popen(  # noqa: S603  our own program; the order goes through a pipe
            [sys.executable, "-I", "-S", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={},
        )
        self._complaint = b""
        text = json.dumps({**order, "folder": str(folder)}).encode()
        assert self._popen.stdin is not None  # noqa: S101  it is a pipe
        with suppress(BrokenPipeError):
            self._popen.stdin.write(text)
        with suppress(BrokenPipeError):
            self._popen.stdin.close()

    @property
    def output(self) -> int:
        """Readable when the runner has ended."""
        assert self._popen.stdout is not None  # noqa: S101  it is a pipe
        return self._popen.stdout.fileno()

    def over(self) -> bool:
        return self._popen.poll() is not None

    def complaint(self) -> str:
        """What a runner that failed said last."""
        assert self._popen.stdout is not None  # noqa: S101  it is a pipe
        said = self._popen.stdout.read().decode("utf-8", "replace").strip()
        return said.rpartition("\n")[2] or f"exit code {self._popen.returncode}"

    def leave(self) -> None:
        """Somebody has to wait for it, so that it leaves no zombie."""
        assert self._popen.stdout is not None  # noqa: S101  it is a pipe
        self._popen.stdout.close()
        if not self.over():
            threading.Thread(target=self._popen.wait, daemon=True).start()


class Watch:
    """One run, from before its beginning to after its end."""

    def __init__(self, folder: Folder, order: Mapping[str, object], control: Control) -> None:
        self._folder = folder
        self._order = order
        self._control = control
        self._runner: Runner | None = None
        self._tries = 0
        self._kill_at: float | None = None
        self._woken, self._waking = socket.socketpair()
        self._waking.settimeout(0)

    def until_over(self) -> Phase:
        """ENDED with a status, LOST without, FREE when it was stopped before it began.

        Any other phase: the claim was lost, and somebody else looks after it.
        """
        self._control.on_stop(self._wake)
        try:
            while True:
                phase = self._folder.phase()
                if self._is_over(phase):
                    return phase
                self._wait()
        finally:
            self._leave()

    def _is_over(self, phase: Phase) -> bool:
        """One look at the run, and what has to be done about it."""
        if phase in (Phase.ENDED, Phase.LOST):
            return True
        if not self._control.stopping:
            if phase is Phase.FREE and not self._running():
                self._start()
            return False
        if self._control.lost:
            return True
        if phase is Phase.BEGUN:
            self._end()
        return phase is Phase.FREE and not self._running()

    def _running(self) -> bool:
        return self._runner is not None and not self._runner.over()

    def _start(self) -> None:
        """Again if a runner died before the command began; the folder sees to it that only one begins."""
        if self._runner is not None:
            if self._tries >= TRIES:
                raise RuntimeError(f"the runner does not start: {self._runner.complaint()}")
            self._runner.leave()
        self._tries += 1
        self._runner = Runner(self._folder.path, self._order)

    def _end(self) -> None:
        """TERM first, and KILL after the grace."""
        if self._kill_at is None:
            self._kill_at = monotonic() + GRACE_SECONDS
            self._folder.ask_to_end(signal.SIGTERM)
        elif monotonic() >= self._kill_at:
            self._folder.ask_to_end(signal.SIGKILL)

    def _wait(self) -> None:
        """Until the runner ends or a stop is asked for; where there is no runner of ours, a moment."""
        poll = select.poll()
        stopping = self._control.stopping
        ours = self._running()
        if self._runner is not None and ours:
            poll.register(self._runner.output, select.POLLIN | select.POLLHUP)
        if not stopping:
            poll.register(self._woken, select.POLLIN)
        poll.poll(None if ours and not stopping else POLL_SECONDS * 1000)

    def _wake(self) -> None:
        with suppress(OSError):
            self._waking.send(b"!")

    def _leave(self) -> None:
        if self._runner is not None:
            self._runner.leave()
        self._woken.close()
        self._waking.close()
