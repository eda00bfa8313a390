"""What waiting for data needs of the store and of the world."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.engine.conditions import Condition, Found, UpstreamKey
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import Prerequisite


@dataclass(frozen=True, slots=True)
class Upstream:
    """What there is of another job's instance. ``state``: None when the job has none of that time.

    ``skipped``: why it has none, where its time was skipped.
    """

    state: str | None = None
    reason: str | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """An instance waits for what arrives under that key."""

    key: str
    instance_id: str


WaitPlace = tuple[str, str]
"""Key and instance of a wait, in whose order they are kept; ``("", "")`` is before all."""


class WaitReader(Protocol):
    """Part of the port Reader."""

    def upstreams(self, wanted: Iterable[UpstreamKey]) -> Mapping[UpstreamKey, Upstream]:
        """Those whose job exists; the deleted ones do not."""
        ...

    def waiters(self, keys: Iterable[str]) -> Sequence[str]:
        """Ids of the instances that wait for one of these keys, in order; some may wait no more."""
        ...

    def idle_waits(self, after: WaitPlace, limit: int) -> tuple[Sequence[str], WaitPlace | None]:
        """Ids of the instances that wait no more, of so many waits behind that place; and the last place,
        None at the end."""
        ...

    def slot_holders(self, scope: tuple[str, str | None], limit: int) -> Sequence[str]:
        """Ids of at most so many instances that hold a slot of that limit."""
        ...


class WaitTransaction(Protocol):
    """Part of the port Transaction."""

    def wake_waiters(
        self, instance_ids: Iterable[str], now_ms: int, owners: Sequence[str] | None = None
    ) -> int:
        """What they wait for may be there: those that still wait for it wake now. ``owners``: only theirs."""
        ...

    def save_waits(self, waits: Sequence[Wait]) -> None:
        """Those that are there already stay."""
        ...

    def forget_waits(self, instance_ids: Iterable[str]) -> int:
        """What these instances waited for."""
        ...


class Conditions(Protocol):
    """Looks whether data, rows and answers are there, at whatever kinds of prerequisites name."""

    def problems(
        self, prerequisites: Sequence[Prerequisite], parameters: Collection[str], owner: str
    ) -> Sequence[Problem]:
        """What is wrong with them as far as it can be told now, under ``prerequisites``."""
        ...

    def check(self, conditions: Sequence[Condition]) -> Iterator[Mapping[Condition, Found]]:
        """What each of them is now, in portions: what answers soon does not wait for what does not.

        Bounded in time and memory, whatever is there; never raises. What nobody had the time to look at
        is missing.
        """
        ...
