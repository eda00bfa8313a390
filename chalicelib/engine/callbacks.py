"""Callbacks: the credential of a run, and what follows when its target is not heard of.

A credential is ``noonday1.KEY.EXPIRES.SIGNATURE``, an HMAC-SHA256 over the rest of it and the run's token: a
pure function of the run and its deadline, so that a launch that is repeated carries the same bytes. Whoever
shows it may report for that run, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from chalicelib.engine.completion import Followed, ended
from chalicelib.model.credential import PREFIX
from chalicelib.model.definition import Policies
from chalicelib.model.errors import Unauthenticated, Unavailable
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.retention import DAY_MS
from chalicelib.model.states import InstanceState, Reason
from chalicelib.state_machine import InstanceEvent

KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_FORM = re.compile(
    rf"(?P<signed>{PREFIX}\.(?P<key>{KEY_ID.pattern})\.(?P<expires>[0-9a-f]{{1,12}}))\.(?P<mac>[A-Za-z0-9_-]{{43}})"
)
CREDENTIAL_OUTLIVES_MS = DAY_MS
"""A credential and the time of its run: who reports too late is told that the run is over, for a day."""
_HANDED_OVER = (InstanceState.LAUNCHED, InstanceState.RUNNING)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """``secret``: nobody else knows it. ``since_ms``: it signs for runs that begin from then on."""

    id: str
    secret: bytes = field(repr=False)
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a run's target reports, and what it shows there."""

    url: str
    credential: str = field(repr=False)


Keys = Callable[[], Sequence[SigningKey]]
"""All that vouch, the newest first, as they are now: one that was revoked is not among them."""


def _no_keys() -> Sequence[SigningKey]:
    return ()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """``address``: where targets reach this server; None where nobody said so. ``elsewhere``: it is known to
    the processes that launch, and this is none of them."""

    address: str | None = None
    keys: Keys = field(default=_no_keys, repr=False)
    elsewhere: bool = False

    @property
    def offered(self) -> bool:
        """Whether jobs may ask for them."""
        return self.elsewhere or self.address is not None

    def at_once(self) -> Callbacks:
        """For the requests of one batch: keys are asked for once at most."""
        return replace(self, keys=cache(self.keys))

    def of(self, run_token: str, began_ms: int, deadline_ms: int) -> Callback:
        """The same at every repeat of the run's launch, also after a rotation: the key of the time when the
        run began signs. It lasts a day longer than the run may.

        Raises:
            Unavailable: this server has no key, or does not know its address.
        """
        keys = self.keys()
        if not keys or self.address is None:
            raise Unavailable(
                "this server takes no callbacks: it has no key, or its operator set no NOONDAY_URL"
            )
        # One that begins before all keys began because others were revoked: the oldest.
        key = next((one for one in keys if one.since_ms <= began_ms), keys[-1])
        expires_s = (deadline_ms + CREDENTIAL_OUTLIVES_MS) // 1000
        signed = f"{PREFIX}.{key.id}.{expires_s:x}"
        url = f"{self.address.rstrip('/')}/runs/{run_token}/callback"
        return Callback(url, f"{signed}.{_mac(key, signed, run_token)}")

    def verify(self, run_token: str, credential: str, now_ms: int) -> None:
        """Raises Unauthenticated unless the credential is that of this run, and of this time."""
        match = _FORM.fullmatch(credential)
        if match is None:
            raise Unauthenticated(
                "the callback's token is needed: send Authorization: Bearer with what the run was given"
            )
        key = self._key(match["key"])
        expected = _mac(key, match["signed"], run_token) if key else ""
        if not hmac.compare_digest(expected, match["mac"]):
            raise Unauthenticated("the callback's token is not one of this run")
        if int(match["expires"], 16) * 1000 <= now_ms:
            raise Unauthenticated("the callback's token has expired; the run is long over")

    def _key(self, key_id: str) -> SigningKey | None:
        return next((key for key in self.keys() if key.id == key_id), None)


def _mac(key: SigningKey, signed: str, run_token: str) -> str:
    content = f"{signed}.{run_token}".encode()
    digest = hmac.new(key.secret, content, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def heartbeat_ms(policies: Policies) -> int | None:
    """How often a run's target is to be heard of; None: whenever it likes."""
    heartbeat = policies.timeouts.heartbeat
    return None if heartbeat is None else parse_duration(heartbeat)


def handed_over(instance: Instance) -> bool:
    """Whether its target has it, and nobody of ours looks after it."""
    claim = instance.claim
    return instance.state in _HANDED_OVER and claim.lease_ms is None and claim.count == 0


def next_look_ms(instance: Instance, every_ms: int | None) -> int | None:
    """When the run that was handed over is over, unless its target is heard of."""
    if instance.stop is not None:
        return instance.stop.deadline_ms
    ends = [instance.deadline_ms, silent_ms(instance, every_ms)]
    return min((end for end in ends if end is not None), default=None)


def over(every_ms: int | None) -> Callable[[Instance, int], Followed]:
    """How a run ends whose target is not heard of in time. Nobody can be asked: its word is all there is."""

    def move(present: Instance, now_ms: int) -> Followed:
        if not handed_over(present) or present.stop is not None:
            return Followed(present)
        if present.deadline_ms is not None and present.deadline_ms <= now_ms:
            after = ended(present, InstanceEvent.TIME_OUT, Reason.RUN_TIMEOUT, now_ms)
            return Followed(after, may_retry=True)
        if not missed(present, every_ms, now_ms):
            return Followed(present)
        after = ended(present, InstanceEvent.FAILURE, Reason.HEARTBEAT_MISSED, now_ms)
        error = f"{not_heard_of(every_ms)}; it may still be at work"
        return Followed(replace(after, error=error), may_retry=True)

    return move


def heard(instance: Instance, message: str | None, now_ms: int) -> Instance:
    """Its target reported. The claim stays: whoever launches it has not had an answer yet.

    The version does not grow; that is for whoever saves it.
    """
    return replace(instance, heard_ms=now_ms, said=message or instance.said)


def missed(instance: Instance, every_ms: int | None, now_ms: int) -> bool:
    """Whether its target has it, and should have been heard of by now."""
    due_ms = silent_ms(instance, every_ms)
    return handed_over(instance) and due_ms is not None and due_ms <= now_ms


def not_heard_of(every_ms: int | None) -> str:
    return f"its target was not heard of for {(every_ms or 0) // 1000} s"


def silent_ms(instance: Instance, every_ms: int | None) -> int | None:
    """When its target is to be heard of at the latest; None: whenever it likes."""
    if every_ms is None:
        return None
    signs = (instance.heard_ms, instance.launched_ms, instance.started_ms)
    return max(at for at in (*signs, instance.run_created_ms) if at is not None) + every_ms
