"""How a call to a target ended, as values; what follows from them is decided in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """STARTED: the call returns an id in seconds. INLINE: the call is the work."""

    STARTED = "STARTED"
    INLINE = "INLINE"


@dataclass(frozen=True, slots=True)
class Launched:
    """The target accepted the run and names it."""

    external_id: str
    external_url: str | None = None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The target took the run, and reports its end by a callback: nobody asks it, nobody waits for it."""

    external_id: str | None = None
    external_url: str | None = None
    log_path: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The target reports progress."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """``result_path`` and ``log_path``: where the result and the kept output are, if there are any.

    ``external_id`` and ``external_url``: of a target that only accepts work, and names what it accepted.
    """

    result_path: str | None = None
    log_path: str | None = None
    facts: Mapping[str, object] | None = None
    external_id: str | None = None
    external_url: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """``retry``: whether another attempt could help (a refused request could not)."""

    error: str
    retry: bool = True
    log_path: str | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The target definitely did not take it (throttled, no capacity): try the same run again later."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ended because it was asked to; the stop request says as what."""

    log_path: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell what happened (a lost answer): look again, under the same token."""

    error: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Asked, and not there yet."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The claim went to somebody else: nothing is to be recorded."""


Outcome = (
    Launched
    | HandedOver
    | Running
    | Succeeded
    | Failed
    | Refused
    | Stopped
    | Unknown
    | Pending
    | Dropped
)


class RunTaken(Exception):
    """The claim of this run is no longer ours. Never leaves the target's ``run``."""
