"""What an admin lets an owner have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from chalicelib.engine.access import require_admin
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.engine.quotas import use_of
from chalicelib.engine.views import OwnerView
from chalicelib.model.errors import NotFound
from chalicelib.model.event import Event
from chalicelib.model.owner import Owner
from chalicelib.model.principal import Principal


def set_quotas(
    engine: Engine, principal: Principal, name: str, limits: Mapping[str, int | None]
) -> OwnerView:
    """Change the limits that are named (max_jobs, max_waiting, max_backfill); None: the installation's.

    What the owner has beyond a lowered limit stays; nothing is added until there is room again. What is
    so already is no change.

    Raises:
        NotFound: there is no such owner.
    """
    require_admin(principal)

    def unit(tx: Transaction) -> OwnerView:
        found = tx.lock_owners([name])
        if not found:
            raise NotFound(f"there is no owner {name!r}")
        after = _limited(found[0], limits)
        if after != found[0]:
            tx.save_owner(after)
            tx.insert_events([_event(engine, principal, found[0], limits)])
        return OwnerView(after, after.quotas(engine.quotas), use_of(tx, name))

    view = engine.store.transact(unit)
    administered(engine, principal.name, "QUOTAS", f"owner {name}", name)
    return view


def _limited(owner: Owner, limits: Mapping[str, int | None]) -> Owner:
    return replace(
        owner,
        max_jobs=limits.get("max_jobs", owner.max_jobs),
        max_waiting=limits.get("max_waiting", owner.max_waiting),
        max_backfill=limits.get("max_backfill", owner.max_backfill),
    )


def _event(
    engine: Engine, principal: Principal, before: Owner, limits: Mapping[str, int | None]
) -> Event:
    """It is the owner's history, and no job's."""
    changes = {
        key: {"from": getattr(before, key), "to": value}
        for key, value in limits.items()
        if getattr(before, key) != value
    }
    return Event(
        id=engine.ids.new(),
        owner=before.name,
        job_id="",
        at_ms=engine.clock.now_ms(),
        actor=principal.name,
        verb="QUOTAS",
        detail_json=json.dumps(changes),
    )
