"""Local times on the clocks of a zone, as UTC seconds in order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

from chalicelib.schedule.clock import Clock


class WallTimes(Protocol):
    """A set of local times, in wall seconds (see ``civil``)."""

    def at_or_after(self, wall: int) -> int | None: ...

    def at_or_before(self, wall: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Zoned:
    """The UTC seconds at which those local times fire.

    A search within a piece of constant offset is a search among local times. When it ends beyond the piece,
    the local times between are known to be none, so that all pieces but the last ``spread`` seconds can be
    jumped over: the cost does not grow with the years between.
    """

    walls: WallTimes
    clock: Clock

    def at_or_after(self, second: int) -> int | None:
        clock, walls = self.clock, self.walls
        starts = clock.starts
        index = bisect_right(starts, second) - 1
        last = len(starts) - 1
        while index < last:
            end = starts[index + 1]
            offset = clock.offsets[index]
            if offset is not None:
                wall = walls.at_or_after(second + offset)
                found = end if wall is None else wall - offset
                shifted = clock.shifted[index]
                if shifted is not None:
                    found = _earlier(found, walls.at_or_after(second + shifted), shifted)
                if found < end:
                    return found
                if end - second > clock.spread:
                    if wall is None:
                        return None
                    second = max(end, found - clock.spread)
                    index = bisect_right(starts, second) - 1
                    continue
            second = end
            index += 1
        return None

    def at_or_before(self, second: int) -> int | None:
        clock, walls = self.clock, self.walls
        starts = clock.starts
        index = min(bisect_right(starts, second), len(starts) - 1) - 1
        while index >= 0:
            start = starts[index]
            offset = clock.offsets[index]
            if offset is not None:
                wall = walls.at_or_before(second + offset)
                found = start - 1 if wall is None else wall - offset
                shifted = clock.shifted[index]
                if shifted is not None:
                    found = _later(found, walls.at_or_before(second + shifted), shifted)
                if found >= start:
                    return found
                if second - start >= clock.spread:
                    if wall is None:
                        return None
                    second = min(start - 1, found + clock.spread)
                    index = bisect_right(starts, second) - 1
                    continue
            second = start - 1
            index -= 1
        return None


def _earlier(found: int, wall: int | None, offset: int) -> int:
    return found if wall is None else min(found, wall - offset)


def _later(found: int, wall: int | None, offset: int) -> int:
    return found if wall is None else max(found, wall - offset)
