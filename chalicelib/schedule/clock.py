"""What the clocks of a zone do to local times: which UTC seconds can fire, and as what local time.

The line of UTC seconds is cut into pieces. In most of them there is one offset. Where the clocks have skipped
an hour, the skipped local times may fire in the hour that follows (a second offset); where they show an hour
twice, one of the two may be silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from chalicelib.schedule.tzif import Offsets, offsets_of

Gap = Literal["shift", "skip"]
Overlap = Literal["first", "last", "both"]


@dataclass(frozen=True, slots=True, repr=False)
class Clock:
    """Pieces of the UTC line: ``[starts[i], starts[i + 1])`` fires at local times by ``offsets[i]``.

    ``offsets[i]`` is None where nothing fires; ``shifted[i]`` is the offset of local times that do not exist
    and fire here. ``spread`` is how far the offsets of the zone are apart, in seconds.
    """

    starts: tuple[int, ...]
    offsets: tuple[int | None, ...]
    shifted: tuple[int | None, ...]
    spread: int


@lru_cache(maxsize=1024)
def clock_of(name: str, gap: Gap, overlap: Overlap) -> Clock:
    """The pieces of a zone that ``instants.zone`` knows, under a policy for gaps and one for overlaps."""
    table = offsets_of(name)
    pieces: list[tuple[int, int | None, int | None]] = []
    for index, offset in enumerate(table.offsets):
        _cut(pieces, table, index, offset, gap, overlap)
    starts, offsets, shifted = zip(*pieces, strict=True)
    spread = max(table.offsets) - min(table.offsets)
    return Clock((*starts, table.starts[-1]), offsets, shifted, spread)


def _cut(
    pieces: list[tuple[int, int | None, int | None]],
    table: Offsets,
    index: int,
    offset: int,
    gap: Gap,
    overlap: Overlap,
) -> None:
    """One stretch of constant offset: its beginning after a change, the rest, its end before the next."""
    start, end = table.starts[index], table.starts[index + 1]
    before = table.offsets[index - 1] if index else offset
    after = table.offsets[index + 1] if index + 1 < len(table.offsets) else offset
    if before < offset and gap == "shift":
        pieces.append((start, offset, before))
        start += offset - before
    elif before > offset and overlap == "first":
        pieces.append((start, None, None))
        start += before - offset
    pieces.append((start, offset, None))
    if after < offset and overlap == "last":
        pieces.append((end - (offset - after), None, None))
