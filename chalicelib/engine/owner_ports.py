"""What the engine asks of the store about owners: what they may have, and what they have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model.owner import Owner


@dataclass(frozen=True, slots=True)
class Waiting:
    """``count`` instances of an owner wait; ``most``: its own limit, None where it has none of its own."""

    count: int
    most: int | None = None


class OwnerReader(Protocol):
    def owner(self, name: str) -> Owner | None: ...

    def job_count(self, owner: str) -> int:
        """How many jobs the owner has that are not deleted."""
        ...

    def waiting(self, owners: Iterable[str]) -> Mapping[str, Waiting]:
        """How many instances of each wait (WAITING), and may; every owner has its entry."""
        ...


class OwnerTransaction(Protocol):
    def lock_owners(self, names: Iterable[str]) -> Sequence[Owner]:
        """Those that exist, in order of name. Before calendars, groups, jobs and instances: whoever adds
        to what a quota counts holds its owner's lock."""
        ...

    def lock_due_owners(self, now_ms: int, limit: int, *, patient: bool) -> Collection[str]:
        """Names of the owners of the jobs that ``lock_due_jobs`` would look at, locked. Who is not
        ``patient`` leaves out those that another transaction holds."""
        ...

    def save_owner(self, owner: Owner) -> None:
        """Its limits."""
        ...
