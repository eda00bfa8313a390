"""Who asks. Without a principal there is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.api.identity import Identity, identity_of_cognito, identity_of_iam
from chalicelib.engine.commands.people import hash_token
from chalicelib.model.errors import Unauthenticated
from chalicelib.model.principal import Principal
from chalicelib.wiring import Noonday

IDENTITIES = {"iam": identity_of_iam, "cognito": identity_of_cognito}


def authenticate(
    noonday: Noonday, headers: Mapping[str, str], context: Mapping[str, Any]
) -> Principal:
    """The principal of the bearer token, or of the identity that API Gateway has verified.

    ``context``: the event's ``requestContext``.

    Raises:
        Unauthenticated: there is none, or nobody's.
    """
    auth = noonday.settings.auth
    if auth == "local":
        return _of_token(noonday, headers)
    identity = IDENTITIES[auth](context)
    if identity is None:
        raise Unauthenticated(f"the request carries no identity that NOONDAY_AUTH={auth} knows")
    return _of_identity(noonday, identity)


def _of_token(noonday: Noonday, headers: Mapping[str, str]) -> Principal:
    """The token is looked up by its SHA-256: how long the look-up takes tells nothing about any token,
    since nobody can choose a token by the beginning of its hash."""
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


def _of_identity(noonday: Noonday, identity: Identity) -> Principal:
    """Roles by all of its principals, the highest in each owner; who has none is known, and sees nothing."""
    admin = not noonday.settings.admins.isdisjoint(identity.principals)
    roles = noonday.store.read(lambda reader: reader.roles_of(identity.principals))
    return Principal(identity.name, admin, roles)
