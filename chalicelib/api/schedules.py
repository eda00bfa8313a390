"""Schedules, tried before they are anybody's."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import PreviewDocument
from chalicelib.api.rendering import answer, preview_document
from chalicelib.api.requests import PreviewBody, Query
from chalicelib.api.resource import Resource
from chalicelib.engine import queries
from chalicelib.schedule import with_start

resource = Resource(__name__, "schedules")


@resource.route("POST", "/schedule/preview", {200: PreviewDocument})
def preview(call: Call, body: PreviewBody, query: Query) -> Response:  # noqa: ARG001
    """The next nominal times of a schedule, as if it were submitted now.

    They come strictly after `after`, or from now on.
    """
    now = call.engine.clock.now_ms()
    after_ms = now - 1 if body.after is None else body.after
    schedule = with_start(body.schedule, min(now, after_ms + 1))
    explanation = queries.preview(
        call.engine,
        call.principal,
        schedule,
        after_ms=after_ms,
        count=body.count,
        owner=call.owner,
    )
    return answer(preview_document(explanation))
