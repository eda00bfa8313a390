"""Wake-ups of several processes for the same second are sent once.

A wake-up that may arm the next one begins a chain that goes on until its minute is over. Every command on a
job that fires every second would begin one more beside the others; a mark in the store lets them be one.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from chalicelib.engine.ports import Alarm

SECOND_MS = 1000


class MergedAlarm:
    """The Alarm port, in front of another one. ``recall`` and ``keep`` read and write the mark.

    The mark is written after the sending, under nobody's lock: two processes at the same moment may both
    send, and their chains merge at the next second; a process that dies in between has sent. A wake-up that
    may arm nothing is sent as it is: nothing follows it.
    """

    def __init__(
        self,
        alarm: Alarm,
        now_ms: Callable[[], int],
        recall: Callable[[], str | None],
        keep: Callable[[str], None],
    ) -> None:
        self._alarm = alarm
        self._now_ms = now_ms
        self._recall = recall
        self._keep = keep

    def wake(self, at_ms: int, arm_until_ms: int) -> None:
        if arm_until_ms <= at_ms:
            self._alarm.wake(at_ms, arm_until_ms)
            return
        if self._is_on_its_way(at_ms, arm_until_ms):
            return
        self._alarm.wake(at_ms, arm_until_ms)
        self._keep(json.dumps([at_ms, arm_until_ms]))

    def _is_on_its_way(self, at_ms: int, arm_until_ms: int) -> bool:
        """Whether one will ring in the same second, not later than this one, and may arm as long.

        It will see what this one would have seen, and arm the rest of the second itself.
        """
        mark = self._recall()
        if mark is None:
            return False
        known_ms, until_ms = json.loads(mark)
        same_second = known_ms // SECOND_MS == at_ms // SECOND_MS
        return bool(same_second and self._now_ms() < known_ms <= at_ms and until_ms >= arm_until_ms)
