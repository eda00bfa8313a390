"""One request, as a view sees it: who asks, for what, with which conditions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.engine import Engine
from chalicelib.engine.once import Once
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.identity import is_id
from chalicelib.model.principal import Principal
from chalicelib.wiring import Noonday

_TAG = re.compile(r'"(\d{1,15})"|(\d{1,15})')
_KEY = re.compile(r"[!-~]{1,200}")
NEVER_MATCHES = -1


@dataclass(frozen=True, slots=True)
class Call:
    """``path``: the values of the route's variables, decoded. ``raw``: its bytes."""

    noonday: Noonday
    principal: Principal
    method: str
    route: str
    path: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    raw: bytes

    @property
    def engine(self) -> Engine:
        return self.noonday.engine

    @property
    def owner(self) -> str | None:
        """The owner that the request chooses, if it does.

        Raises:
            InvalidInput: header and query choose different ones.
        """
        header = self.headers.get("x-noonday-owner") or None
        query = next(iter(self.query.get("owner", ())), None) or None
        if header and query and header != query:
            problem = Problem(
                "owner", f"is not what X-Noonday-Owner says ({header}); send one", query
            )
            raise InvalidInput([problem])
        return query or header

    @property
    def job_ref(self) -> str:
        """The job's id, or its name within the owner that the request chooses."""
        return self.named_job(self.path["job_id"])

    def named_job(self, ref: str) -> str:
        if is_id(ref) or ":" in ref or self.owner is None:
            return ref
        return f"{self.owner}:{ref}"

    @property
    def if_match(self) -> int | None:
        """The edit that the asker has seen; None for any. What is no tag of ours matches nothing."""
        header = self.headers.get("if-match", "").strip()
        if header in ("", "*"):
            return None
        match = _TAG.fullmatch(header)
        return int(match[1] or match[2]) if match else NEVER_MATCHES

    def once(self, status: int, render: Callable[[Any], str]) -> Once | None:
        """The Idempotency-Key, if there is one, with what identifies this request."""
        key = self.headers.get("idempotency-key")
        if key is None:
            return None
        if _KEY.fullmatch(key) is None:
            raise InvalidInput(
                [Problem("Idempotency-Key", "must be 1 to 200 visible ASCII characters", key)]
            )
        return Once(key, self._fingerprint(), status, render)

    def _fingerprint(self) -> str:
        choices = sorted((name, values) for name, values in self.query.items())
        path = sorted(self.path.items())
        head = repr((self.method, self.route, path, choices, self.owner, self.principal.name))
        return hashlib.sha256(head.encode() + b"\n" + self.raw).hexdigest()
