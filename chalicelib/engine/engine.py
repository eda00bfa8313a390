"""The engine: nothing but its ports. Use cases are functions that take it first.

``quotas``: what an owner may have that has no limits of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.engine.ports import (
    Alarm,
    Artifacts,
    Chance,
    Clock,
    Ids,
    Listener,
    Queue,
    Stops,
    Store,
    Targets,
)
from chalicelib.engine.wait_ports import Conditions
from chalicelib.model.owner import USUAL, Quotas


@dataclass(frozen=True, slots=True)
class Engine:
    clock: Clock
    ids: Ids
    chance: Chance
    store: Store
    queue: Queue
    alarm: Alarm
    targets: Targets
    conditions: Conditions
    artifacts: Artifacts
    stops: Stops
    listener: Listener
    quotas: Quotas = USUAL
