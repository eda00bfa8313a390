"""The clock changes of a zone, from the compiled files of the tzdata package (RFC 9636)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from chalicelib.model.instants import FIRST_YEAR, LAST_YEAR
from chalicelib.schedule.civil import DAY, LAST_WALL
from chalicelib.schedule.posix_rule import changes_in, parse_rule

_HEADER = struct.Struct(">4sc15x6l")
_BEGIN, _END = -3 * DAY, LAST_WALL + 3 * DAY


@dataclass(frozen=True, slots=True)
class Offsets:
    """Seconds east of UTC: ``offsets[i]`` from UTC second ``starts[i]`` until ``starts[i + 1]``.

    The first start is before 1970 anywhere, the last one after 2199 anywhere and only an end.
    """

    starts: tuple[int, ...]
    offsets: tuple[int, ...]

    def index_at(self, second: int) -> int:
        """Which of the offsets holds at a UTC second."""
        return bisect_right(self.starts, second) - 1


@lru_cache(maxsize=1024)
def offsets_of(name: str) -> Offsets:
    """The table of a zone that ``instants.zone`` knows, from 1970 to 2199."""
    times, offsets, footer = _read(name)
    changes = list(zip(times, offsets[1:], strict=True))
    rule = parse_rule(footer) if footer else None
    if rule is not None:
        last = times[-1] if times else _BEGIN - 1
        years = range(max(FIRST_YEAR - 1, 1970 + last // (366 * DAY)), LAST_YEAR + 2)
        changes += [
            change for year in years for change in changes_in(rule, year) if change[0] > last
        ]
    return _since_1970(offsets[0], changes)


def _since_1970(offset: int, changes: list[tuple[int, int]]) -> Offsets:
    """Only what changes the offset, and only in the years that count."""
    starts, offsets = [_BEGIN], [offset]
    for at, after in changes:
        if at <= _BEGIN:
            offsets[0] = after
        elif after != offsets[-1] and at < _END:
            starts.append(at)
            offsets.append(after)
    return Offsets((*starts, _END), tuple(offsets))


def _read(name: str) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Times of change, the offsets before the first and after each, and the rule for what comes after."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    start = _HEADER.size + _body_size(data, 0, 4)
    utc_flags, wall_flags, leaps, count, kinds, letters = _counts(data, start)
    at = start + _HEADER.size
    times = struct.unpack_from(f">{count}q", data, at)
    chosen = data[at + 8 * count : at + 9 * count]
    at += 9 * count
    offsets = [struct.unpack_from(">lBB", data, at + 6 * kind)[0] for kind in range(kinds)]
    at += 6 * kinds + letters + 12 * leaps + wall_flags + utc_flags
    footer = data[at:].strip(b"\n").decode("ascii")
    return times, (offsets[0], *(offsets[kind] for kind in chosen)), footer


def _counts(data: bytes, at: int) -> tuple[int, ...]:
    magic, version, *counts = _HEADER.unpack_from(data, at)
    if magic != b"TZif" or version < b"2":
        raise ValueError("the zone database is not in a form that Noonday reads")
    return tuple(counts)


def _body_size(data: bytes, at: int, time_size: int) -> int:
    utc_flags, wall_flags, leaps, count, kinds, letters = _counts(data, at)
    changes = count * (time_size + 1) + 6 * kinds + letters
    return changes + leaps * (time_size + 4) + wall_flags + utc_flags
