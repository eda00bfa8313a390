"""What people tell a job to do: each with its reason, each a no-op when it is so already."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import InstanceDocument, JobDocument
from chalicelib.api.rendering import created, instance_document, job_answer
from chalicelib.api.requests import Because, Query, ResumeBody, SuspendBody, TriggerBody
from chalicelib.api.resource import Resource
from chalicelib.engine import commands
from chalicelib.engine.views import InstanceView
from chalicelib.model.errors import InvalidInput, Problem

resource = Resource(__name__, "jobs")
REFUSALS = frozenset({403, 404, 409})


@resource.route(
    "POST", "/jobs/{job_id}/schedule", {200: JobDocument}, guarded=True, refusals=REFUSALS
)
def schedule(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """Let a job fire."""
    job = commands.schedule(
        call.engine, call.principal, call.job_ref, reason=body.reason, if_match=call.if_match
    )
    return job_answer(call.engine, job)


@resource.route(
    "POST", "/jobs/{job_id}/suspend", {200: JobDocument}, guarded=True, refusals=REFUSALS
)
def suspend(call: Call, body: SuspendBody, query: Query) -> Response:  # noqa: ARG001
    """Fire nothing and hold what waits, until it is resumed or until a time."""
    job = commands.suspend(
        call.engine,
        call.principal,
        call.job_ref,
        until_ms=body.until,
        reason=body.reason,
        if_match=call.if_match,
    )
    return job_answer(call.engine, job)


@resource.route(
    "POST", "/jobs/{job_id}/resume", {200: JobDocument}, guarded=True, refusals=REFUSALS
)
def resume(call: Call, body: ResumeBody, query: Query) -> Response:  # noqa: ARG001
    """Fire again from now on; `catch_up` says what becomes of the suspension's nominal times."""
    job = commands.resume(
        call.engine,
        call.principal,
        call.job_ref,
        catch_up=body.catch_up,
        reason=body.reason,
        if_match=call.if_match,
    )
    return job_answer(call.engine, job)


@resource.route(
    "POST", "/jobs/{job_id}/expire", {200: JobDocument}, guarded=True, refusals=REFUSALS
)
def expire(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001
    """End a job's calendar; its instances that wait or run go on."""
    job = commands.expire(
        call.engine, call.principal, call.job_ref, reason=body.reason, if_match=call.if_match
    )
    return job_answer(call.engine, job)


@resource.route(
    "POST",
    "/jobs/{job_id}/trigger",
    {201: InstanceDocument},
    creates=True,
    refusals=REFUSALS,
)
def trigger(call: Call, body: TriggerBody, query: Query) -> Response:  # noqa: ARG001
    """Create an instance: for now, or for a nominal time that has none."""

    def render(view: InstanceView) -> str:
        return instance_document(view).model_dump_json()

    view = commands.trigger(
        call.engine,
        call.principal,
        call.job_ref,
        nominal_ms=_nominal(body),
        parameters=body.parameters,
        overlap=body.overlap,
        max_active=body.max_active,
        ignore_prerequisites=body.ignore_prerequisites,
        reason=body.reason,
        once=call.once(201, render),
    )
    return created(view, render, "/instances")


def _nominal(body: TriggerBody) -> int | None:
    if body.nominal_time is not None and body.nominal_ms not in (None, body.nominal_time):
        problem = Problem(
            "nominal_ms", "is another moment than nominal_time; send one of them", body.nominal_ms
        )
        raise InvalidInput([problem])
    return body.nominal_ms if body.nominal_time is None else body.nominal_time
