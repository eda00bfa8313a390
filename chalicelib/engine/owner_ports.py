"""What the engine asks of the store about owners: what they may have, and what they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from chalicelib.model.owner import Owner


class OwnerReader(Protocol):
    def owner(self, name: str) -> Owner | None: ...

    def job_count(self, owner: str) -> int:
        """How many jobs the owner has that are not deleted."""
        ...

    def waiting_counts(self, owners: Iterable[str]) -> Mapping[str, int]:
        """How many instances of each wait (WAITING); every owner has its entry."""
        ...


class OwnerTransaction(Protocol):
    def lock_owners(self, names: Iterable[str]) -> Sequence[Owner]:
        """Those that exist, in order of name. Before calendars, groups, jobs and instances: whoever adds
        to what a quota counts holds its owner's lock."""
        ...

    def save_owner(self, owner: Owner) -> None:
        """Its limits."""
        ...
