"""While all is paused nothing begins; what is in flight is looked after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import HandedOut, Transaction
from chalicelib.model.instance import Instance
from chalicelib.model.states import InstanceState


def begins(instance: Instance) -> bool:
    """Whether something of it would begin if it were claimed: a claim without an outcome may not have
    reached its target, and to find that out is to call it."""
    if instance.state is InstanceState.LAUNCHING:
        return instance.stop is None
    return instance.state is InstanceState.WAITING


def held_back(tx: Transaction, handed: Sequence[Instance], now_ms: int) -> Sequence[Instance]:
    """Those that may be claimed during a pause. The others' turn was this: it comes again at its end."""
    waiting = [one for one in handed if one.state is InstanceState.WAITING and one.wake_ms]
    tx.save_instances([replace(one, wake_ms=now_ms, version=one.version + 1) for one in waiting])
    return [one for one in handed if not begins(one)]


def put_back(engine: Engine, handed: Sequence[HandedOut]) -> bool:
    """Whether all is paused; then these, which were handed out before, come again at its end."""
    if engine.store.read(lambda reader: reader.pause()) is None:
        return False
    give_back(engine, handed)
    return True


def give_back(engine: Engine, handed: Sequence[HandedOut]) -> None:
    """Nobody takes these after all: whose turn it still is comes again at once, not when patience ends."""
    versions = {one.id: one.version for one in handed}

    def unit(tx: Transaction) -> None:
        locked = tx.lock_instances(versions)
        current = [one for one in locked if one.version == versions[one.id]]
        held_back(tx, current, engine.clock.now_ms())

    engine.store.transact(unit)
