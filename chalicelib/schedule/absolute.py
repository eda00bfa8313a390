"""Times that no clock change moves: every so many seconds, and once. All in UTC seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chalicelib.schedule.civil import LAST_WALL


class Instants(Protocol):
    """A set of UTC seconds, to be asked in both directions; None when there is none."""

    def at_or_after(self, second: int) -> int | None: ...

    def at_or_before(self, second: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Every:
    """``start`` plus k times ``step``, up to the end of 2199."""

    start: int
    step: int

    def at_or_after(self, second: int) -> int | None:
        found = self.start + self.step * max(0, -((self.start - second) // self.step))
        return found if found < LAST_WALL else None

    def at_or_before(self, second: int) -> int | None:
        k = (min(second, LAST_WALL - 1) - self.start) // self.step
        return self.start + self.step * k if k >= 0 else None


@dataclass(frozen=True, slots=True)
class Once:
    second: int

    def at_or_after(self, second: int) -> int | None:
        return self.second if self.second >= second else None

    def at_or_before(self, second: int) -> int | None:
        return self.second if self.second <= second else None


@dataclass(frozen=True, slots=True)
class StartingAt:
    """``first``, and then those of ``rest`` that come after it."""

    first: int
    rest: Instants

    def at_or_after(self, second: int) -> int | None:
        return self.first if second <= self.first else self.rest.at_or_after(second)

    def at_or_before(self, second: int) -> int | None:
        found = self.rest.at_or_before(second)
        if found is not None and found > self.first:
            return found
        return self.first if self.first <= second else None
