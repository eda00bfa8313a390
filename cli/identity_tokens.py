"""ID tokens of a user pool (JSON Web Tokens), as far as somebody who only carries one needs to read them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from cli.errors import Misused


@dataclass(frozen=True, slots=True)
class IdToken:
    """What it says of itself; nothing of it is verified here. ``ends_s``: seconds since 1970."""

    name: str | None
    use: str | None
    ends_s: float | None


def read_token(token: str) -> IdToken | None:
    """None for a text that is no JSON Web Token."""
    pieces = token.split(".")
    if len(pieces) != 3:
        return None
    try:
        _document(pieces[0])
        claims = _document(pieces[1])
    except ValueError:
        return None
    name = claims.get("cognito:username") or claims.get("email") or claims.get("sub")
    use, ends = claims.get("token_use"), claims.get("exp")
    return IdToken(
        name=name if isinstance(name, str) else None,
        use=use if isinstance(use, str) else None,
        ends_s=float(ends) if isinstance(ends, int | float) else None,
    )


def checked_token(token: str) -> IdToken:
    """An ID token that a user pool's API takes; whether it has ended is not looked at.

    Raises:
        Misused: it is none. The message does not repeat it.
    """
    hint = "aws cognito-idp initiate-auth prints it as AuthenticationResult.IdToken"
    found = read_token(token)
    if found is None:
        raise Misused("that is no ID token: one has three parts, joined by dots", hint=hint)
    if found.use not in (None, "id"):
        raise Misused(f"that is the {found.use} token; what is needed is the ID token", hint=hint)
    return found


def _document(piece: str) -> dict[str, object]:
    """Raises ValueError for what is no base64url of a JSON object."""
    text = base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("no object")
    return document
