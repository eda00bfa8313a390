"""AWS's Signature Version 4 of one request, with what Python itself brings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of a process. ``session_token``: None for those that do not end."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def signed(
    keys: Keys, region: str, service: str, headers: Mapping[str, str], body: bytes, now_ms: int
) -> dict[str, str]:
    """The headers of a POST to ``/``, with its signature. ``headers``: of it, among them ``host``."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    moment, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    all_ = {**headers, "x-amz-date": moment}
    if keys.session_token is not None:
        all_["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(all_))
    lines = "".join(f"{name}:{all_[name]}\n" for name in sorted(all_))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={keys.access_key}/{scope}"
    given = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**all_, "authorization": given}
