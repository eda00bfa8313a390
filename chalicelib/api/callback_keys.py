"""Keys that sign the tokens of callbacks. What they are is never shown, only that they are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chalice.app import Response
from pydantic import Field

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer, MaybeMs, MaybeTime, Ms, Time, twins
from chalicelib.api.rendering import answer, listed
from chalicelib.api.requests import Query, RotateBody
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.engine.callback_keys import KeptKey

resource = Resource(__name__, "callbacks")
REFUSED = frozenset({403})


class CallbackKeyDocument(Answer):
    """A key, by the id that tokens name."""

    id: str
    use: Literal["signs", "vouches"] = Field(
        description="It signs for runs that begin; or only vouches for those that it signed"
    )
    created_by: str
    created_ms: Ms
    created_time: Time
    retired_ms: MaybeMs = Field(description="Since when another signs")
    retired_time: MaybeTime
    until_ms: MaybeMs = Field(description="Until when it vouches: then no run of it is left")
    until_time: MaybeTime


class CallbackKeyPage(Answer):
    items: list[CallbackKeyDocument]
    next: None = None


@resource.route("GET", "/callback-keys", {200: CallbackKeyPage}, refusals=REFUSED)
def list_callback_keys(call: Call, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """The keys of callbacks, for an admin; none before the first run that calls back."""
    return _answer(queries.callback_keys(call.engine, call.principal))


@resource.route(
    "POST", "/callback-keys/rotate", {200: CallbackKeyPage}, refusals=REFUSED | frozenset({409})
)
def rotate_callback_key(call: Call, body: RotateBody, query: Query) -> Response:  # noqa: ARG001
    """Let a new key sign the tokens of runs that begin from now on, as an admin.

    Those before it vouch for the runs that they signed, until none of them can be left. With `revoke` they
    are forgotten at once.
    """
    keys = commands.rotate_callback_key(
        call.engine, call.principal, revoke=body.revoke, reason=body.reason
    )
    return _answer(keys)


def _answer(keys: Sequence[KeptKey]) -> Response:
    return answer(CallbackKeyPage(**listed([_document(key) for key in keys])))


def _document(key: KeptKey) -> CallbackKeyDocument:
    times = twins(created=key.created_ms, retired=key.retired_ms, until=key.until_ms)
    return CallbackKeyDocument(
        id=key.id,
        use="signs" if key.retired_ms is None else "vouches",
        created_by=key.created_by,
        **times,
    )
