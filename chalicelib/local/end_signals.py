"""The signals that ask this process to end, heard whichever of its threads they reach.

The kernel may hand a signal to any thread. Python runs its handlers in the main thread only, and one that
waits for a lock is not woken by what another thread was handed: the request to end would be lost. The byte
that Python's own handler writes wakes a thread that does nothing but read.
"""

from __future__ import annotations

import os
import signal
import threading

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class EndSignals:
    """The first asks for a graceful end, the second ends at once, with 128 and its number.

    To be made in the main thread, once in a process.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in NUMBERS:
            signal.signal(number, lambda *_: None)  # the byte is what counts
        threading.Thread(target=self._listen, name="end-signals", daemon=True).start()

    def wait(self) -> None:
        """Until somebody asks."""
        self._asked.wait()

    def _listen(self) -> None:
        while numbers := os.read(self._read, 64):
            for number in numbers:
                if number in NUMBERS and self._asked.is_set():
                    os._exit(128 + number)
                if number in NUMBERS:
                    self._asked.set()
