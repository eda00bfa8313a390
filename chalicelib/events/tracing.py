"""Around every handler: what it logs names its invocation, and what it measured is written at its end.

A middleware of Chalice, the outermost, for requests and events alike, in Lambda and in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chalice.app import Request, Response

from chalicelib.model.errors import NoondayError
from chalicelib.notifications.invocation import Invocation, invoked
from chalicelib.wiring import Noonday, noonday

HEADER = "X-Request-Id"


def trace(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """The answer to a request carries the id by which its lines are found."""
    is_request = isinstance(event, Request)
    invocation = _of_request(event) if is_request else _of_event(event.context)
    with invoked(invocation):
        try:
            began = time.perf_counter()
            answer = get_response(event)
            if is_request and isinstance(answer, Response):
                _answered(event, answer, invocation, time.perf_counter() - began)
            return answer
        finally:
            here = _composed()
            if here is not None:
                here.log.write_measured(invocation.measured)


def _of_request(request: Request) -> Invocation:
    lambda_id = getattr(request.lambda_context, "aws_request_id", None)
    gateway_id = (request.context or {}).get("requestId")
    return Invocation(_function(request.lambda_context), lambda_id, gateway_id)


def _of_event(context: Any) -> Invocation:
    return Invocation(_function(context), getattr(context, "aws_request_id", None))


def _function(context: Any) -> str | None:
    return getattr(context, "function_name", None)


def _answered(request: Request, response: Response, invocation: Invocation, seconds: float) -> None:
    """What was asked is a line of its own only for those who look for it; what went wrong is one anyway.

    The route is told, not the path or the query: those are the asker's words.
    """
    shown = invocation.api_request_id or invocation.request_id
    if shown:
        response.headers.setdefault(HEADER, shown)
    here = _composed()
    if here is not None:
        here.log.line(
            "error" if response.status_code >= 500 else "debug",
            "Request",
            method=request.method,
            route=(request.context or {}).get("resourcePath"),
            status=response.status_code,
            duration_ms=round(seconds * 1000, 2),
        )


def _composed() -> Noonday | None:
    """None in a process that could not be composed: there is nothing to write then."""
    try:
        return noonday()
    except NoondayError:
        return None
