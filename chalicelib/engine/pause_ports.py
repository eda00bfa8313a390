"""What the engine asks of the store about the pause. Its lock comes before all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.model.instance import Instance
from chalicelib.model.pause import Pause


class PauseReader(Protocol):
    def pause(self) -> Pause | None:
        """None: nothing is paused."""
        ...


class PauseTransaction(Protocol):
    def share_pause(self) -> Pause | None:
        """The same; until this unit ends nobody pauses or resumes. Others may share it, too.

        Whatever lets something begin asks here first: a pause waits for those that have asked before it,
        and those that ask after it see it.
        """
        ...

    def lock_pause(self) -> Pause | None:
        """For who pauses or resumes, alone."""
        ...

    def save_pause(self, pause: Pause | None) -> None: ...

    def give_back(self, now_ms: int, paused_since_ms: int) -> int:
        """The end of a pause: the ends of waits, and when to look whether what waits is late, move by the
        time that it lasted, or by what each has seen of it. How many waits moved."""
        ...

    def lock_due_in_flight(self, now_ms: int, limit: int) -> Sequence[Instance]:
        """As ``lock_due_instances``, of those in flight alone."""
        ...
