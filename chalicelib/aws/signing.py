"""AWS's Signature Version 4, of a request or of a token, with what Python itself brings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
TOKEN_S = 900
"""How long a token for a database opens a connection; one that is open stays so."""


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
    moment, scope = _when_and_where(now_ms, region, service)
    all_ = {**headers, "x-amz-date": moment}
    if keys.session_token is not None:
        all_["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(all_))
    lines = "".join(f"{name}:{all_[name]}\n" for name in sorted(all_))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    signature = _signature(keys, moment, scope, request)
    credential = f"Credential={keys.access_key}/{scope}"
    given = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**all_, "authorization": given}


def database_token(keys: Keys, region: str, place: str, user: str, now_ms: int) -> str:
    """What a user of RDS shows as its password, where IAM vouches for it. ``place``: host and port."""
    moment, scope = _when_and_where(now_ms, region, "rds-db")
    asked = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(TOKEN_S),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.session_token is not None:
        asked["X-Amz-Security-Token"] = keys.session_token
    query = "&".join(f"{name}={quote(asked[name], safe='')}" for name in sorted(asked))
    request = f"GET\n/\n{query}\nhost:{place}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    return f"{place}/?{query}&X-Amz-Signature={_signature(keys, moment, scope, request)}"


def _when_and_where(now_ms: int, region: str, service: str) -> tuple[str, str]:
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    return at.strftime("%Y%m%dT%H%M%SZ"), f"{at:%Y%m%d}/{region}/{service}/aws4_request"


def _signature(keys: Keys, moment: str, scope: str, request: str) -> str:
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
