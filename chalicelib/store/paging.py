"""What lists are asked with: one owner and one state at a time, and where the page begins."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.identity import is_id
from chalicelib.store.rows import as_list

AFTER_ALL = "g" * 32
"""Greater than every id."""
LATEST_MS = (1 << 48) - 1
"""An instance's id has 48 bits for its nominal time."""


def as_owners(owners: Sequence[str] | None) -> str | None:
    return None if owners is None else as_list(owners)


def one_by_one(owner: str | None, owners: Sequence[str] | None) -> Sequence[str | None]:
    """The owners to ask for, each on its own: an index has one owner's rows in the order of the page.

    None stands for all of them.
    """
    if owners is None:
        return [owner]
    return [one for one in sorted(set(owners)) if owner in (None, one)]


def each_state(states: Sequence[str]) -> Sequence[str | None]:
    """The same for states."""
    return sorted(set(states)) or [None]


def as_cursor(after: str | None) -> str | None:
    if after is not None and not is_id(after):
        raise InvalidInput(
            [Problem("after", "is no id; pass the one that the last page ended with", after)]
        )
    return after


def first_id(nominal_ms: int) -> str:
    """The least id that an instance of that nominal time or a later one can have."""
    return AFTER_ALL if nominal_ms > LATEST_MS else f"{max(nominal_ms, 0):012x}"
