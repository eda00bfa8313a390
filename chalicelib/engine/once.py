"""Requests that may be repeated: the answer is remembered in the transaction that earned it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Remembered, Transaction
from chalicelib.model.errors import Conflict, KeyReused
from chalicelib.model.principal import Principal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key. ``fingerprint`` identifies the request; ``render`` makes the answer's body."""

    key: str
    fingerprint: str
    status: int
    render: Callable[[Any], str]


def transact_once(
    engine: Engine, principal: Principal, once: Once | None, work: Callable[[Transaction], T]
) -> T | Remembered:
    """Commit the unit, or give the answer that an earlier request with the same key earned.

    A twin that ran at the same moment makes this one conflict; then the twin's answer is ours too.

    Raises:
        KeyReused: the key belongs to another request.
    """
    if once is None:
        return engine.store.transact(work)
    now = engine.clock.now_ms()

    def unit(tx: Transaction) -> T | Remembered:
        before = tx.remembered(principal.name, once.key)
        if before is not None:
            return _replay(before, once)
        result = work(tx)
        body = once.render(result)
        tx.remember(Remembered(principal.name, once.key, once.fingerprint, once.status, body, now))
        return result

    try:
        return engine.store.transact(unit)
    except Conflict:
        twin = engine.store.read(lambda reader: reader.remembered(principal.name, once.key))
        if twin is None:
            raise
        return _replay(twin, once)


def _replay(before: Remembered, once: Once) -> Remembered:
    if before.fingerprint != once.fingerprint:
        raise KeyReused(
            f"the Idempotency-Key {once.key!r} was used for another request; use a new key"
        )
    return before
