"""What signs the credentials of callbacks: keys of the operator, of AWS, or one that the store keeps.

A key is a text; its id, which credentials name, is a hash of it. The first signs, and all of them vouch: a
key is rotated by putting a new one before it, and is dropped when the last of its runs is over.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence

from chalicelib.engine.callbacks import SigningKey
from chalicelib.engine.ports import Clock, Ids, Store, Transaction

NOTE = "callback-keys"
KEPT_MS = 600_000
SOONEST_MS = 60_000
"""Whoever shows a key that is not known makes us ask again, though not more often."""
MOST = 5  # of those that the store keeps


def signing_key(text: str) -> SigningKey:
    content = text.encode()
    return SigningKey(hashlib.sha256(b"noonday-key-id:" + content).hexdigest()[:12], content)


class KeptKeys:
    """Whatever ``ask`` gives, kept for a while. Safe for threads."""

    def __init__(self, ask: Callable[[], Sequence[str]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Sequence[SigningKey] = ()
        self._asked_ms: int | None = None

    def __call__(self, *, again: bool = False) -> Sequence[SigningKey]:
        """Raises Unavailable when they cannot be had now."""
        with self._lock:
            age_ms = None if self._asked_ms is None else self._clock.now_ms() - self._asked_ms
            if age_ms is None or abs(age_ms) >= (SOONEST_MS if again else KEPT_MS):
                self._keys = [signing_key(text) for text in self._ask()]
                self._asked_ms = self._clock.now_ms()
            return self._keys


def stored_keys(store: Store, ids: Ids) -> Callable[[], Sequence[str]]:
    """Those of the store; the first who asks creates one."""

    def ask() -> Sequence[str]:
        found = store.read(lambda reader: reader.noted(NOTE))
        return _read(found) or store.transact(lambda tx: _with(tx, ids, only_first=True))

    return ask


def rotate(store: Store, ids: Ids) -> int:
    """A new key signs from now on; how many there are, the oldest of which still vouch for their runs."""
    return len(store.transact(lambda tx: _with(tx, ids, only_first=False)))


def _with(tx: Transaction, ids: Ids, *, only_first: bool) -> Sequence[str]:
    """Two that come at once are one after the other: the row of the pause is there to be locked."""
    tx.lock_pause()
    present = _read(tx.noted(NOTE))
    if only_first and present:
        return present
    keys = [ids.secret() + ids.secret(), *present][:MOST]
    tx.note(NOTE, json.dumps(keys))
    return keys


def _read(noted: str | None) -> list[str]:
    return [str(text) for text in json.loads(noted)] if noted else []
