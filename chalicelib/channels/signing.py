"""Signatures as Standard Webhooks has them: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
ANYBODY = "*"


def secret_of(text: str) -> bytes:
    """The key that a secret's text stands for: ``whsec_`` and 24 to 64 bytes in base64.

    Raises:
        ValueError: it is none. The message does not repeat it.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"a secret begins with {PREFIX}")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"what follows {PREFIX} is no base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"a secret holds 24 to 64 bytes, not {len(key)}")
    return key


def secrets_for(owner: str, secrets: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The owner's own, or else everybody's."""
    return secrets.get(owner) or secrets.get(ANYBODY) or ()


def signed(
    notification_id: str, at_s: int, body: bytes, secrets: Sequence[str]
) -> Mapping[str, str]:
    """The headers of a delivery. Each secret signs: whoever knows one of them can tell that it is ours."""
    headers = {"webhook-id": notification_id, "webhook-timestamp": str(at_s)}
    content = f"{notification_id}.{at_s}.".encode() + body
    signatures = [_signature(secret_of(secret), content) for secret in secrets]
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def _signature(key: bytes, content: bytes) -> str:
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
