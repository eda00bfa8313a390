"""Kills the server, the runner or the command's process at each of its steps, and adopts what is left.

A step is a line of the program that runs for the first time. Prints one JSON object: the number of steps,
and whatever was found wrong. Its own process, because it forks at will.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.targets import TargetRegistry, TargetSettings, process_runner, process_watch
from tests.targets.hands import FixedClock, Hand, a_request

TRACED = ("process.py", "process_watch.py", "process_folder.py", "process_runner.py")
PROGRAM = ["sh", "-c", "echo once >> count-$NOONDAY_TOKEN; echo done"]

# What stands before the runner: the same steps, counted in the runner and in the process that it forks.
WRAPPER = """
import os, runpy, signal, sys
program, victim, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
runner, seen = os.getpid(), set()
def trace(frame, event, arg):
    if frame.f_code.co_filename != program:
        return None
    role = "runner" if os.getpid() == runner else "child"
    step = (frame.f_lineno, role)
    if event == "line" and role == victim and step not in seen:
        seen.add(step)
        if len([s for s in seen if s[1] == role]) == wanted:
            open(sys.argv[4], "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.settrace(trace)
runpy.run_path(program, run_name="__main__")
"""


def steps_then_die(wanted: int, hand: Hand) -> Callable[[FrameType, str, Any], Any]:
    """A trace that kills this process at the step of that number, counted from the committed handle.

    Before that there is no effect to die in the middle of.
    """
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.endswith(TRACED):
            return None
        step = (name, frame.f_lineno)
        if event == "line" and step not in seen and hand.begun.is_set():
            seen.add(step)
            if len(seen) == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


class Lab:
    """One folder; each experiment is a run of its own token."""

    def __init__(self, root: Path) -> None:
        self.settings = TargetSettings(root / "files", root / "runs", process_enabled=True)
        self.settings.files.mkdir()
        self.registry = TargetRegistry(self.settings, FixedClock())
        hand = Hand()
        self.run("warm-0", hand)
        assert hand.handle is not None
        self.machine = hand.handle["machine"]

    def handle(self, token: str) -> dict[str, Any]:
        return {"folder": str(self.settings.runs / token), "machine": self.machine}

    def run(self, token: str, hand: Hand | None = None, handle: Any = None) -> Outcome:
        request = a_request("process", {"command": PROGRAM}, token=token, handle=handle)
        return self.registry.run(request, hand or Hand())

    def count(self, token: str) -> int:
        trace = self.settings.files / f"count-{token}"
        return len(trace.read_text().splitlines()) if trace.exists() else 0


def kill_servers(lab: Lab) -> tuple[int, list[str]]:
    """The program must run once and its status be found, wherever the server died."""
    wrong: list[str] = []
    for step in range(1, 1000):
        token = f"server-{step}"
        pid = os.fork()
        if pid == 0:
            hand = Hand()
            sys.settrace(steps_then_die(step, hand))
            lab.run(token, hand)
            sys.settrace(None)
            os._exit(0)
        _, ended = os.waitpid(pid, 0)
        outcome = lab.run(token, handle=lab.handle(token))
        if not isinstance(outcome, Succeeded) or lab.count(token) != 1:
            wrong.append(f"server, step {step}: {lab.count(token)} runs, {outcome}")
        if os.WIFEXITED(ended):
            return step - 1, wrong
    return 0, ["the server never came to its end"]


def kill_runners(lab: Lab, victim: str) -> tuple[int, list[str]]:
    """The program runs at most once; what is unknown is said to be lost, and stays so."""
    wrong: list[str] = []
    for step in range(1, 1000):
        token = f"{victim}-{step}"
        killed = lab.settings.files / f"killed-{token}"
        start_wrapped(lab, token, victim, step, killed)
        outcomes = [lab.run(token, handle=lab.handle(token)) for _ in range(2)]
        runs = lab.count(token)
        sound = all(_sound(outcome, runs, victim) for outcome in outcomes)
        if not sound or type(outcomes[0]) is not type(outcomes[1]):
            wrong.append(f"{victim}, step {step}: {runs} runs, {outcomes}")
        if not killed.exists():
            return step - 1, wrong
    return 0, [f"the {victim} never came to its end"]


def start_wrapped(lab: Lab, token: str, victim: str, step: int, killed: Path) -> None:
    """As the server starts it, only traced; returns when the runner is gone."""
    order = {
        "folder": str(lab.settings.runs / token),
        "command": PROGRAM,
        "env": {"PATH": lab.settings.process_path, "NOONDAY_TOKEN": token},
        "cwd": str(lab.settings.files),
        "stdin": None,
        "result": False,
        "output_limit": 1000,
    }
    program = str(Path(process_runner.__file__).absolute())
    command = [sys.executable, "-I", "-S", "-c", WRAPPER, program, victim, str(step), str(killed)]
    subprocess.run(
        command,
        input=json.dumps(order).encode(),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def _sound(outcome: Outcome, runs: int, victim: str) -> bool:
    if isinstance(outcome, Succeeded):
        return runs == 1
    if not isinstance(outcome, Failed) or runs > 1:
        return False
    # A child that died after it declared itself was killed for all the runner knows; that is no loss.
    return outcome.lost or (victim == "child" and "SIGKILL" in outcome.error)


def main() -> None:
    process_watch.POLL_SECONDS = 0.01
    lab, victim = Lab(Path(sys.argv[1])), sys.argv[2]
    steps, wrong = kill_servers(lab) if victim == "server" else kill_runners(lab, victim)
    print(json.dumps({"steps": steps, "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main()
