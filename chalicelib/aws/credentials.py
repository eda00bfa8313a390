"""Passwords of a database that AWS keeps: a secret that is rotated, or a token of IAM. Asked for once, kept a
while, and asked for again when the database refuses one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from chalicelib.aws.calling import Aws, region_of
from chalicelib.aws.failures import AwsFailure
from chalicelib.model.credential import never_show
from chalicelib.model.errors import Unavailable

KEPT_MS = 600_000
"""Below the fifteen minutes of a token of IAM. A secret that was rotated is found by its refusal."""


class KeptPassword:
    """Whatever ``ask`` gives, kept for ``KEPT_MS``. Safe for threads."""

    def __init__(self, ask: Callable[[], str], now_ms: Callable[[], int]) -> None:
        self._ask = ask
        self._now_ms = now_ms
        self._kept: tuple[str, int] | None = None
        self._lock = threading.Lock()

    def current(self) -> str:
        """Raises Unavailable when AWS does not give it."""
        with self._lock:
            if self._kept is None or self._kept[1] <= self._now_ms():
                self._kept = self._ask(), self._now_ms() + KEPT_MS
                never_show(self._kept[0])
            return self._kept[0]

    def renew(self) -> str:
        """The database refused the one that was kept."""
        with self._lock:
            self._kept = None
        return self.current()


def secret_password(aws: Aws, secret: str, now_ms: Callable[[], int]) -> KeptPassword:
    """``secret``: name or ARN of one in Secrets Manager, in the form of RDS: JSON with a ``password``."""
    return KeptPassword(lambda: _field(_secret(aws, secret), "password", secret), now_ms)


def secret_login(aws: Aws, secret: str) -> tuple[str, str]:
    """User and password of such a secret; RDS writes both into a master's.

    Raises:
        Unavailable: it cannot be read, or lacks one of them.
    """
    text = _secret(aws, secret)
    user, password = _field(text, "username", secret), _field(text, "password", secret)
    never_show(password)
    return user, password


def _secret(aws: Aws, secret: str) -> str:
    call = aws.caller(None, "", region=region_of(secret))
    try:
        return str(call("secretsmanager", "GetSecretValue", {"SecretId": secret})["SecretString"])
    except AwsFailure as failure:
        raise Unavailable(f"the database's secret cannot be read: {failure}") from failure


def iam_password(
    aws: Aws, host: str, port: int, user: str, now_ms: Callable[[], int]
) -> KeptPassword:
    """A token that this process signs itself, for a user that authenticates by IAM."""

    def ask() -> str:
        try:
            return aws.database_token(host, port, user)
        except AwsFailure as failure:
            raise Unavailable(f"no token for the database can be signed: {failure}") from failure

    return KeptPassword(ask, now_ms)


def _field(text: str, name: str, secret: str) -> str:
    """Never repeats what the secret holds."""
    try:
        value = json.loads(text)[name]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str):
        raise Unavailable(f'the secret {secret} is no JSON like {{"{name}": "…"}}')
    return value
