"""The pause: an admin's hold over everything."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import PauseStateDocument, twins
from chalicelib.api.rendering import answer
from chalicelib.api.requests import Because, Query
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.model.pause import Pause

resource = Resource(__name__, "service")


@resource.route("GET", "/pause", {200: PauseStateDocument})
def show_pause(call: Call) -> Response:
    """Whether all is paused, since when, by whom and why."""
    return _answer(queries.pause(call.engine))


@resource.route("POST", "/pause", {200: PauseStateDocument}, refusals=frozenset({403}))
def pause_all(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """Let nothing begin, for any owner, until it is resumed.

    Once this is answered nothing new is launched. Runs in flight are looked after; commands are accepted
    and take effect afterwards. To pause again with another reason changes the reason.
    """
    return _answer(commands.pause(call.engine, call.principal, reason=body.reason))


@resource.route("POST", "/resume", {200: PauseStateDocument}, refusals=frozenset({403}))
def resume_all(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001
    """End the pause; what is not paused stays so.

    What came due meanwhile follows each job's `catch_up`, and waits have the time of the pause given back.
    """
    commands.resume_all(call.engine, call.principal, reason=body.reason)
    return _answer(None)


def _answer(pause: Pause | None) -> Response:
    if pause is None:
        return answer(PauseStateDocument(paused=False, by=None, reason=None, **twins(since=None)))
    times = twins(since=pause.since_ms)
    return answer(PauseStateDocument(paused=True, by=pause.by, reason=pause.reason, **times))
