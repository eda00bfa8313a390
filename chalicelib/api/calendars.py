"""Calendars: when the jobs that name them do not fire."""

from __future__ import annotations

import json

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import CalendarDocument, CalendarPage, twins
from chalicelib.api.rendering import answer, listed
from chalicelib.api.requests import Query, ReviseQuery
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.model.calendar import Calendar, StoredCalendar

resource = Resource(__name__, "calendars")
CHANGING = frozenset({403, 404, 409})


@resource.route("GET", "/calendars", {200: CalendarPage}, refusals=frozenset({404}))
def list_calendars(call: Call, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """The calendars of the principal's owners, by owner and name."""
    rows = queries.calendars(call.engine, call.principal, call.owner)
    return answer(CalendarPage(**listed([_document(row) for row in rows])))


@resource.route("GET", "/calendars/{calendar}", {200: CalendarDocument}, refusals=CHANGING - {409})
def show_calendar(call: Call, query: Query) -> Response:  # noqa: ARG001
    """A calendar; its ETag is its edit."""
    row, _ = queries.calendar(call.engine, call.principal, call.path["calendar"], call.owner)
    return _answer(row)


@resource.route(
    "PUT",
    "/calendars/{calendar}",
    {200: CalendarDocument, 201: CalendarDocument},
    guarded=True,
    refusals=CHANGING,
)
def set_calendar(call: Call, body: Calendar, query: ReviseQuery) -> Response:
    """Create or replace a calendar.

    What lies behind keeps what the old one said; from now on the new one counts, for every job that names
    it. It is refused if it leaves nothing of such a job.
    """
    name = call.path["calendar"]
    result = commands.set_calendar(
        call.engine,
        call.principal,
        name,
        body,
        owner=call.owner,
        if_match=call.if_match,
        reason=query.reason,
    )
    if not result.created:
        return _answer(result.calendar)
    response = _answer(result.calendar, 201)
    response.headers["Location"] = f"/calendars/{name}"
    return response


@resource.route("DELETE", "/calendars/{calendar}", {204: "none"}, guarded=True, refusals=CHANGING)
def delete_calendar(call: Call, query: Query) -> Response:  # noqa: ARG001
    """Delete a calendar that no job names."""
    commands.delete_calendar(
        call.engine,
        call.principal,
        call.path["calendar"],
        owner=call.owner,
        if_match=call.if_match,
    )
    return Response(body="", headers={}, status_code=204)


def _answer(row: StoredCalendar, status: int = 200) -> Response:
    return answer(_document(row), status, ETag=f'"{row.edit}"')


def _document(row: StoredCalendar) -> CalendarDocument:
    return CalendarDocument(
        owner=row.owner,
        name=row.name,
        calendar=json.loads(row.document_json),
        edit=row.edit,
        created_by=row.created_by,
        modified_by=row.modified_by,
        **twins(created=row.created_ms, modified=row.modified_ms),
    )
