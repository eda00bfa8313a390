"""What Chalice refuses before a view is asked, in the same words as everything else."""

from __future__ import annotations

from collections.abc import Callable

from chalice.app import Request, Response

from chalicelib.api.problems import Defect, MethodNotAllowed, NotAcceptable, refusal


def as_problems(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """A middleware: Chalice's own refusals are a ``Code`` and a ``Message``."""
    response = get_response(request)
    if not isinstance(response.body, dict) or "Code" not in response.body:
        return response
    if response.status_code == 405:
        allowed = str(response.headers.get("Allow", "")).split(", ")
        return refusal(MethodNotAllowed(request.method, allowed))
    if response.status_code == 400:
        return refusal(NotAcceptable("the result is bytes; accept application/octet-stream"))
    return refusal(Defect())
