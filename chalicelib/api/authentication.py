"""Who asks. Without a principal there is no answer."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.engine.commands.people import hash_token
from chalicelib.model.errors import Unauthenticated
from chalicelib.model.principal import Principal
from chalicelib.wiring import Noonday


def authenticate(noonday: Noonday, headers: Mapping[str, str]) -> Principal:
    """The principal of the bearer token.

    The token is looked up by its SHA-256: how long the look-up takes tells nothing about any token,
    since nobody can choose a token by the beginning of its hash.

    Raises:
        Unauthenticated: no token, or nobody's.
    """
    if noonday.settings.auth != "local":
        raise Unauthenticated(f"no way to know you: NOONDAY_AUTH is {noonday.settings.auth}")
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("a token is needed: send Authorization: Bearer TOKEN")
    principal: Principal | None = noonday.store.read(
        lambda reader: reader.principal(hash_token(token))
    )
    if principal is None:
        raise Unauthenticated("the token is not known here; it may be that of another server")
    return principal
