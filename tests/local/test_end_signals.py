"""A request to end is heard whichever thread the kernel hands it to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import signal, sys, threading
from chalicelib.local.end_signals import EndSignals

ends = EndSignals()
number = int(sys.argv[1])
parked = threading.Event()

def switches():
    with open(f"/proc/self/task/{threading.main_thread().native_id}/status") as status:
        return status.read().rpartition("voluntary_ctxt_switches:")[0].rpartition(":")[2]

def other_thread():
    before = None
    while before != (before := switches()):  # asleep, so that nothing but the signal may wake it
        parked.wait(0.05)
    signal.pthread_kill(threading.get_ident(), number)

threading.Thread(target=other_thread, daemon=True).start()
ends.wait()
print("asked", flush=True)
if len(sys.argv) > 2:
    signal.pthread_kill(threading.get_ident(), number)
    threading.Event().wait()
"""


def ended(number: signal.Signals, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(int(number)), *more],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_another_thread_gets_asks_to_end(number: signal.Signals) -> None:
    assert ended(number) == (0, "asked\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ends_at_once(number: signal.Signals) -> None:
    assert ended(number, "again") == (128 + number, "asked\n")
