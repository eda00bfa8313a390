"""What queries give: values with what a reader wants to see beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.model.instance import Instance, Run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InstanceView:
    """``superseded``: the runs before the latest, oldest first."""

    instance: Instance
    job_name: str
    superseded: Sequence[Run] = ()

    @property
    def runs(self) -> Sequence[Run]:
        return (*self.superseded, self.instance.latest_run)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``next``: give it as ``after`` for the following page; None at the end."""

    items: Sequence[T]
    next: str | None
