"""Who did what, when and why, over all jobs."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import EventPage
from chalicelib.api.jobs import event_filter
from chalicelib.api.rendering import answer, event_page
from chalicelib.api.requests import AllEventsQuery
from chalicelib.api.resource import Resource
from chalicelib.engine import queries

resource = Resource(__name__, "history")


@resource.route("GET", "/events", {200: EventPage}, refusals=frozenset({404, 409}))
def list_events(call: Call, query: AllEventsQuery) -> Response:
    """The history of all jobs, newest first."""
    wanted = event_filter(query, call.owner, query.instance)
    job_ref = call.named_job(query.job) if query.job else None
    return answer(event_page(queries.events(call.engine, call.principal, wanted, job_ref)))
