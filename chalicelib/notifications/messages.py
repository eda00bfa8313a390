"""What travels through the queues: names and times, never work. The store says what is to be done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.engine.ports import HandedOut

_ID = re.compile(r"[0-9a-f]{32}")
MOST = 2**53
"""Beyond it is no instant and no version: whoever writes such a number is not this program."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Sweep at ``at_ms``; the next wake-up may be armed only before ``arm_until_ms``."""

    at_ms: int
    arm_until_ms: int


def write_wake_up(wake_up: WakeUp) -> str:
    return json.dumps({"at_ms": wake_up.at_ms, "arm_until_ms": wake_up.arm_until_ms})


def read_wake_up(body: str) -> WakeUp:
    """Raises ValueError, KeyError, TypeError or RecursionError for what is none."""
    document = json.loads(body)
    return WakeUp(at_ms=_number(document["at_ms"]), arm_until_ms=_number(document["arm_until_ms"]))


def write_handed_out(handed: Sequence[HandedOut]) -> str:
    return json.dumps([[one.id, one.version] for one in handed])


def read_handed_out(body: str) -> list[HandedOut]:
    """Raises ValueError, TypeError or RecursionError for what is none."""
    return [HandedOut(_id(id_), _number(version)) for id_, version in json.loads(body)]


def _id(text: object) -> str:
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError(f"{str(text)[:100]!r} is no id")
    return text


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= MOST:
        raise ValueError("a number is missing, or out of range")
    return value
