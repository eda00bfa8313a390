"""What travels through the queues: names and times, never work. The store says what is to be done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.engine.ports import HandedOut


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Sweep at ``at_ms``; the next wake-up may be armed only before ``arm_until_ms``."""

    at_ms: int
    arm_until_ms: int


def write_wake_up(wake_up: WakeUp) -> str:
    return json.dumps({"at_ms": wake_up.at_ms, "arm_until_ms": wake_up.arm_until_ms})


def read_wake_up(body: str) -> WakeUp:
    document = json.loads(body)
    return WakeUp(at_ms=int(document["at_ms"]), arm_until_ms=int(document["arm_until_ms"]))


def write_handed_out(handed: Sequence[HandedOut]) -> str:
    return json.dumps([[one.id, one.version] for one in handed])


def read_handed_out(body: str) -> list[HandedOut]:
    return [HandedOut(str(id_), int(version)) for id_, version in json.loads(body)]
