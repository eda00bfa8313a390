"""What was refused, as problem documents (RFC 9457). The only place where errors become statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from chalice.app import Response

from chalicelib.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    KeyReused,
    Malformed,
    NoondayError,
    NotFound,
    Problem,
    StaleEdit,
    Unauthenticated,
    Unavailable,
    WrongState,
)

PROBLEM_JSON = "application/problem+json"
_SHOWN = 200
_LONGEST = 1000


class MethodNotAllowed(NoondayError):
    """The route exists, for other methods."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"{method} is not possible here; there are {self.allowed}")


class NotAcceptable(NoondayError):
    """What is there cannot be sent in a form that the request accepts."""

    code = "not_acceptable"


class TooLarge(NoondayError):
    """The body, or a part of the request's head, is longer than is read."""

    code = "too_large"


class UnsupportedMediaType(NoondayError):
    """The body is announced as something other than JSON."""

    code = "unsupported_media_type"


class Defect(NoondayError):
    """A mistake of Noonday's own; its log says more."""

    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("Noonday made a mistake; its log has the details")


STATUSES: Mapping[type[NoondayError], int] = {
    InvalidInput: 400,
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    Conflict: 409,
    StaleEdit: 412,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    KeyReused: 422,
    Unavailable: 503,
    NoondayError: 500,
}


def status_of(error: NoondayError) -> int:
    """The status of the nearest class that has one."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def document_of(error: NoondayError) -> dict[str, Any]:
    status = status_of(error)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error.code,
        "detail": _readable(error.message, 8 * _LONGEST),
    }
    if isinstance(error, InvalidInput):
        document["problems"] = [_problem(problem) for problem in error.problems]
    if isinstance(error, WrongState):
        document["allowed"] = list(error.allowed)
    return document


def headers_of(error: NoondayError) -> dict[str, str | list[str]]:
    headers: dict[str, str | list[str]] = {
        "Content-Type": PROBLEM_JSON,
        "Cache-Control": "no-store",
    }
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="noonday"'
    elif isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allowed
    return headers


def refusal(error: NoondayError) -> Response:
    """The answer that says so."""
    body = json.dumps(document_of(error), ensure_ascii=False)
    return Response(body=body, headers=headers_of(error), status_code=status_of(error))


def _problem(problem: Problem) -> dict[str, Any]:
    message = _readable(problem.message, _LONGEST)
    return {"field": problem.field, "message": message, "value": _shown(problem.value)}


def _readable(text: str, most: int) -> str:
    """Without the middle of what is too long: it quotes what was sent, and ends with what would be right."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _shown(value: object) -> object:
    """The value itself if it is short, else its beginning: an error is to be read."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        text, value = repr(value), repr(value)[:_SHOWN]
    return value if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
