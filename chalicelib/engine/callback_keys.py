"""The keys that sign the credentials of callbacks: the store keeps them, on AWS as anywhere else.

Whoever can read the store could as well write an end into it, so a second place to keep them would protect
nothing, and would need a cache, which a revoked key outlives. One key signs. Those before it vouch for the
runs that they signed until none of those can be left; a key that leaked is revoked at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from chalicelib.engine.callbacks import CREDENTIAL_OUTLIVES_MS, Keys, SigningKey
from chalicelib.engine.ports import Clock, Ids, Reader, Store, Transaction
from chalicelib.model.definition import LONGEST_REPORTED_MS

NOTE = "callback-keys"
LONGEST_MS = LONGEST_REPORTED_MS + CREDENTIAL_OUTLIVES_MS
"""No credential lasts longer than this after its run began."""
MOST = 50


@dataclass(frozen=True, slots=True)
class KeptKey:
    """``retired_ms``: since when another signs; None for the one that does."""

    text: str = field(repr=False)
    created_ms: int
    created_by: str
    retired_ms: int | None = None

    @property
    def id(self) -> str:
        """What credentials name: a hash, which tells nothing of the key."""
        return hashlib.sha256(b"noonday-key-id:" + self.text.encode()).hexdigest()[:12]

    @property
    def until_ms(self) -> int | None:
        """Until when it vouches; None while it signs."""
        return None if self.retired_ms is None else self.retired_ms + LONGEST_MS


def stored_keys(store: Store, ids: Ids, clock: Clock) -> Keys:
    """Those of the store, asked for each time; the first who asks creates one."""

    def ask() -> Sequence[SigningKey]:
        found = store.read(kept_keys)
        return [_signing(key) for key in found or store.transact(create)]

    def create(tx: Transaction) -> list[KeptKey]:
        lock(tx)
        return kept_keys(tx) or keep(tx, [new_key(ids, clock.now_ms(), "noonday")])

    return ask


def kept_keys(reader: Reader) -> list[KeptKey]:
    """The one that signs is first."""
    noted = reader.noted(NOTE)
    return [KeptKey(**one) for one in json.loads(noted)] if noted else []


def lock(tx: Transaction) -> None:
    """Who changes them comes one after the other: the row of the pause is there to be locked."""
    tx.lock_pause()


def keep(tx: Transaction, keys: Sequence[KeptKey]) -> list[KeptKey]:
    tx.note(NOTE, json.dumps([asdict(key) for key in keys]))
    return list(keys)


def new_key(ids: Ids, now_ms: int, by: str) -> KeptKey:
    return KeptKey(ids.secret() + ids.secret(), now_ms, by)


def retired(keys: Sequence[KeptKey], now_ms: int) -> list[KeptKey]:
    """As they are once another signs; those whose last credential has expired are left out."""
    aged = [key if key.retired_ms is not None else replace(key, retired_ms=now_ms) for key in keys]
    return [key for key in aged if (key.until_ms or 0) > now_ms]


def _signing(key: KeptKey) -> SigningKey:
    return SigningKey(key.id, key.text.encode(), key.created_ms)
