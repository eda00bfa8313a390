"""Data arrived: who waits for it is looked at now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.engine.access import choose_owner, require
from chalicelib.engine.conditions import arrival_keys
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import DataArrived
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import Forbidden, InvalidInput, Problem
from chalicelib.model.prerequisite import GLUE, S3
from chalicelib.model.principal import Principal
from chalicelib.model.states import Role

_ACT = (Role.OPERATOR, Role.OWNER)


def data_arrived(
    engine: Engine, principal: Principal, data: Sequence[str], *, owner: str | None = None
) -> int:
    """Wake the instances that wait for these paths, for a folder or a prefix above them, or for a glob that
    begins there; how many there were. Found by key: it costs the same whoever else waits.

    Of the owners in which the principal may act, or of the one that is named.

    Raises:
        Forbidden: it may act in none.
        InvalidInput: a path that nobody can wait for.
    """
    owners = _owners(principal, owner)
    problems = [Problem("path", complaint, path) for path, complaint in _complaints(data)]
    if problems:
        raise InvalidInput(problems)
    keys = {key for path in data for key in arrival_keys(path)}
    waiters = engine.store.read(lambda reader: reader.waiters(keys))
    now = engine.clock.now_ms()
    woken = 0
    if waiters:
        woken = engine.store.transact(lambda tx: tx.wake_waiters(waiters, now, owners))
    if woken:
        ring(engine, [now], arms=False)
    shown = data[0] if len(data) == 1 else f"{len(data)} paths"
    engine.listener(DataArrived(at_ms=now, actor=principal.name, data=shown, woken=woken))
    return woken


def _owners(principal: Principal, owner: str | None) -> Sequence[str] | None:
    """None stands for all of them."""
    if owner is not None:
        chosen = choose_owner(principal, owner)
        require(principal, chosen, Role.OPERATOR)
        return [chosen]
    if principal.admin:
        return None
    mine = sorted(name for name, role in principal.roles.items() if role in _ACT)
    if not mine:
        raise Forbidden(f"{principal.name} is operator of no owner; this takes operator or more")
    return mine


def _complaints(data: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in data:
        if path.startswith("/"):
            yield path, "is absolute; say it as prerequisites do, relative to the files' root"
        elif "://" in path and not path.startswith((S3, GLUE)):
            told = "is no place that Noonday looks at; write s3://bucket/key, glue://database/table"
            yield path, f"{told}, or a relative path"
