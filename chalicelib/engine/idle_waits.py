"""What was waited for by instances that wait no more is forgotten."""

from __future__ import annotations

from chalicelib.engine.engine import Engine
from chalicelib.engine.wait_ports import WaitPlace

PAGE = 1000


def forget_idle_waits(engine: Engine) -> None:
    """Page by page: the table may be large, and nobody is to wait for the whole of it."""
    place: WaitPlace | None = ("", "")
    while place is not None:
        here = place
        idle, place = engine.store.read(lambda reader, at=here: reader.idle_waits(at, PAGE))  # type: ignore[misc]
        if idle:
            engine.store.transact(lambda tx, ids=idle: tx.forget_waits(ids))  # type: ignore[misc]
