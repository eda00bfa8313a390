"""The service itself: its health, its description, its clock."""

from __future__ import annotations

import json

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import ClockDocument, HealthDocument, twins
from chalicelib.api.rendering import JSON, answer
from chalicelib.api.requests import ClockBody, Query
from chalicelib.api.resource import Resource
from chalicelib.engine import queries
from chalicelib.engine.access import require_admin
from chalicelib.model.errors import Conflict, InvalidInput, Problem
from chalicelib.model.instants import parse_duration
from chalicelib.notifications.clock import HandMovedClock, NotQuiet

resource = Resource(__name__, "service")
VERSION = "0.1.0"


@resource.route("GET", "/health", {200: HealthDocument}, public=True)
def health(call: Call) -> Response:
    """Whether the service can serve: it asks its database."""
    paused = queries.pause(call.engine) is not None
    document = HealthDocument(
        status="ok",
        version=VERSION,
        database=call.noonday.store.describe().partition(":")[0],
        paused=paused,
        **twins(now=call.engine.clock.now_ms()),
    )
    return answer(document)


@resource.route("GET", "/openapi.json", {200: "application/json"}, public=True)
def openapi(call: Call) -> Response:
    """This description."""
    from chalicelib.api.openapi import description  # noqa: PLC0415 -- only who asks pays for it

    return Response(
        body=json.dumps(description(call.noonday.targets.specs())), headers={"Content-Type": JSON}
    )


@resource.route("GET", "/clock", {200: ClockDocument})
def read_clock(call: Call) -> Response:
    """What time it is for Noonday."""
    return _clock(call)


@resource.route("POST", "/clock", {200: ClockDocument}, refusals=frozenset({403, 409}))
def move_clock(call: Call, body: ClockBody, query: Query) -> Response:  # noqa: ARG001
    """Move a clock that is moved by hand, through everything that is due on the way."""
    require_admin(call.principal)
    clock = call.engine.clock
    if not isinstance(clock, HandMovedClock):
        raise Conflict("this clock moves by itself; serve with --clock to move it by hand")
    try:
        clock.move_to(_destination(body, clock.now_ms()), wait_s=body.wait_seconds)
    except ValueError as error:
        raise InvalidInput([Problem("now", str(error), body.now)]) from None
    except NotQuiet as error:
        raise Conflict(str(error)) from None
    return _clock(call)


def _destination(body: ClockBody, now_ms: int) -> int:
    if (body.now is None) == (body.advance is None):
        raise InvalidInput([Problem("", "send either now or advance")])
    if body.now is not None:
        return body.now
    try:
        return now_ms + parse_duration(body.advance or "")
    except ValueError as error:
        raise InvalidInput([Problem("advance", str(error), body.advance)]) from None


def _clock(call: Call) -> Response:
    by_hand = isinstance(call.engine.clock, HandMovedClock)
    return answer(ClockDocument(by_hand=by_hand, **twins(now=call.engine.clock.now_ms())))
