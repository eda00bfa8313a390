"""Keys of callbacks: an admin has a new one sign, and revokes those that leaked."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.engine.access import require_admin
from chalicelib.engine.callback_keys import (
    MOST,
    KeptKey,
    keep,
    kept_keys,
    lock,
    new_key,
    retired,
)
from chalicelib.engine.commands.installation import installation_event
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import Conflict
from chalicelib.model.instants import format_instant
from chalicelib.model.principal import Principal

ROTATE, REVOKE = "ROTATE_CALLBACK_KEY", "REVOKE_CALLBACK_KEYS"


def rotate_callback_key(
    engine: Engine, principal: Principal, *, revoke: bool = False, reason: str | None = None
) -> Sequence[KeptKey]:
    """A new key signs for runs that begin from now on; those before it vouch for the runs that they signed.

    ``revoke``: they vouch for nobody any more, from the moment when this is committed: targets of runs that
    have begun can no longer report.

    Raises:
        Conflict: too many keys still vouch.
    """
    require_admin(principal)
    verb = REVOKE if revoke else ROTATE

    def unit(tx: Transaction) -> Sequence[KeptKey]:
        lock(tx)
        now = engine.clock.now_ms()
        before = kept_keys(tx)
        vouching = [] if revoke else retired(before, now)
        _check_room(vouching)
        after = keep(tx, [new_key(engine.ids, now, principal.name), *vouching])
        gone = [key.id for key in before if key.id not in {one.id for one in vouching}]
        detail: dict[str, object] = {"signs": after[0].id, "dropped": gone}
        tx.insert_events([installation_event(engine, principal, verb, reason, detail, now)])
        return after

    keys = engine.store.transact(unit)
    administered(engine, principal.name, verb, "callback keys")
    return keys


def _check_room(vouching: Sequence[KeptKey]) -> None:
    if len(vouching) < MOST:
        return
    oldest_ms = min(key.until_ms or 0 for key in vouching)
    raise Conflict(
        f"{len(vouching)} keys still vouch for runs, the oldest until {format_instant(oldest_ms)}; "
        "wait until then, or revoke them all"
    )
