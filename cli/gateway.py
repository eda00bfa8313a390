"""API Gateway before Noonday: known by its address, and explained where it answers by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.errors import Failure
from cli.text import one_line

if TYPE_CHECKING:
    from cli.transport import Response

AUTHS = ("token", "iam", "cognito")
"""How a server is told who asks: a token of its own, a signature for IAM, an ID token of a user pool."""
_HOST = re.compile(r"(?:.+\.)?execute-api\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?")
_TYPE = re.compile(r"[A-Za-z]+")


def region_of(url: str) -> str | None:
    """The region of an API at its own address; None for any other address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    found = _HOST.fullmatch(host)
    return found[1] if found else None


def gateways_word(response: Response) -> tuple[str, str] | None:
    """The error's type and its message, where API Gateway answered in the place of Noonday."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not document.keys() <= {"message", "Message"}:
        return None
    header = response.header("x-amzn-errortype") or ""
    if not header and response.header("x-amzn-requestid") is None:
        return None
    kind = _TYPE.match(header)
    message = document.get("message") or document.get("Message") or ""
    return (kind[0] if kind else ""), one_line(message)


def explain(status: int, kind: str, message: str, auth: str) -> Failure:
    """Its answer in the words of a person at a terminal. ``kind``: the error's type, or ``""``."""
    if "Signature expired" in message or "Signature not yet current" in message:
        return Failure(
            f"the signature was too old or too new when it arrived: {message}",
            hint="set the clock of this machine",
        )
    if status in (401, 403):
        words, hint = _REFUSALS.get(kind, (f"API Gateway refused with {status}", None))
        if kind in _UNSIGNED and auth != "iam":
            hint = "if it wants signatures: noonday config set auth iam"
        return Failure(f"{words}: {message}" if message else words, hint=hint)
    if status == 429:
        return Failure("API Gateway takes no more requests just now", hint="try again in a moment")
    if status >= 500:
        return Failure(
            f"API Gateway got no answer of Noonday ({status}: {message or kind})",
            hint="the log of the function api tells why; try again in a moment",
        )
    return Failure(f"API Gateway answered {status}: {message or kind}")


_RENEW = "renew them: aws sso login, or whatever gave them to you"
_UNSIGNED = frozenset(
    {"MissingAuthenticationTokenException", "IncompleteSignatureException", "UnauthorizedException"}
)
_REFUSALS: Mapping[str, tuple[str, str | None]] = {
    "ExpiredTokenException": ("the credentials of AWS have expired", _RENEW),
    "UnrecognizedClientException": (
        "AWS does not know these credentials",
        "aws sts get-caller-identity tries them; a key may have been deleted, or is of another partition",
    ),
    "InvalidSignatureException": (
        "the signature does not fit the request",
        "the secret key is not that of the access key, or a proxy changes requests on their way",
    ),
    "AccessDeniedException": (
        "IAM does not let you call this API",
        "it takes execute-api:Invoke on it, in your own policies and in the API's resource policy",
    ),
    "MissingAuthenticationTokenException": (
        "there is nothing at this address, or it wants a signature",
        "is the address right, with its stage? noonday config show",
    ),
    "IncompleteSignatureException": ("this server wants requests signed for AWS", None),
    "UnauthorizedException": (
        "the token is not accepted",
        "noonday login signs in anew, to the user pool that the server names",
    ),
    "ForbiddenException": (
        "API Gateway refused the request before anybody looked who you are",
        "is the address right, with its stage? a firewall or the API's resource policy may refuse you too",
    ),
}
