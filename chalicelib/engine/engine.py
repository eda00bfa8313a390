"""The engine: nothing but its ports. Use cases are functions that take it first.

``quotas``: what an owner may have that has no limits of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.engine.callbacks import Callbacks
from chalicelib.engine.notification_ports import Channels
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
from chalicelib.model.retention import Retention


@dataclass(slots=True)
class Chores:
    """What housekeeping knows in this process. ``retention``: the default of this installation.

    ``unfinished``: there is more to purge than the last minute hand had time for.
    """

    retention: Retention = field(default_factory=Retention)
    unfinished: bool = False


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
    channels: Channels
    listener: Listener
    quotas: Quotas = USUAL
    callbacks: Callbacks = field(default_factory=Callbacks)
    chores: Chores = field(default_factory=Chores)
