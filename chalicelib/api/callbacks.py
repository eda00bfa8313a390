"""Callbacks: the target of a run reports that it lives, and how it ended."""

from __future__ import annotations

from typing import Annotated, Literal

from chalice.app import Response
from pydantic import Field

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer
from chalicelib.api.rendering import answer
from chalicelib.api.requests import Query
from chalicelib.api.resource import Resource
from chalicelib.engine.commands.reports import Report, Said, admit, take
from chalicelib.model.document import Document
from chalicelib.model.errors import Unauthenticated
from chalicelib.model.states import InstanceState, StopKind

resource = Resource(__name__, "callbacks")
MOST_BYTES = 16_384
Words = Annotated[str, Field(max_length=1000)]


class CallbackBody(Document, defer_build=True):
    """What a target says of its run."""

    report: Literal["running", "heartbeat", "succeeded", "failed", "stopped"] = Field(
        description="It works; it still does; how it ended; it was asked to stop, and did"
    )
    message: Words | None = Field(None, description="How far it is", examples=["page 40 of 100"])
    error: Annotated[str, Field(max_length=4000)] | None = Field(
        None, description="With failed: why"
    )
    retry: bool = Field(default=True, description="With failed: whether another run may help")


class CallbackStopDocument(Answer):
    kind: StopKind
    reason: str | None


class CallbackDocument(Answer):
    """The run as it is now."""

    run: int
    state: InstanceState
    stop: CallbackStopDocument | None = Field(
        description="It is asked to end: the target stops its work and reports stopped"
    )


@resource.route(
    "POST",
    "/runs/{token}/callback",
    {200: CallbackDocument},
    public=True,
    most_bytes=MOST_BYTES,
    admits=lambda call: admit(call.engine, call.path["token"], _credential(call)),
    refusals=frozenset({401, 404, 409}),
)
def call_back(call: Call, body: CallbackBody, query: Query) -> Response:  # noqa: ARG001
    """Report how a run goes, as its target: `Authorization: Bearer` carries the token that the run was given.

    Repeating a report changes nothing. A 409 `run_over` says that the run has ended otherwise, or that
    another took its place: the target stops. An answer with `stop` says that it is asked to.
    """
    said = Said(Report(body.report), body.message, body.error, body.retry)
    now = take(call.engine, call.path["token"], said)
    stop = now.stop
    document = CallbackDocument(
        run=now.run.number,
        state=now.run.state,
        stop=CallbackStopDocument(kind=stop.kind, reason=stop.reason) if stop else None,
    )
    return answer(document)


def _credential(call: Call) -> str:
    scheme, _, credential = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated(
            "the callback's token is needed: send Authorization: Bearer with what the run was given"
        )
    return credential.strip()
