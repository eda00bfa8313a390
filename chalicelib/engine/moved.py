"""What happened to an instance in one transaction, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.instance import Instance
from chalicelib.model.states import TERMINAL


@dataclass(frozen=True, slots=True)
class Moved:
    """An instance before and after; ``superseded`` is the run that a retry replaced, as it ended."""

    before: Instance
    after: Instance
    superseded: Instance | None = None

    @property
    def ends(self) -> bool:
        """Whether the instance ended with this move, for good or until somebody reruns it."""
        again = self.before.state in TERMINAL and self.before.run == self.after.run
        return self.after.state in TERMINAL and not again
