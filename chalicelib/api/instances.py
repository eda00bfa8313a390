"""Instances: what ran, what waits, what is to stop, and what they left."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import InstanceDocument, InstancePage
from chalicelib.api.jobs import instance_filter, tags_of
from chalicelib.api.rendering import answer, instance_document, instance_page
from chalicelib.api.requests import AllInstancesQuery, Because, Query, RerunBody, RunQuery
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.model.credential import bytes_without_credentials
from chalicelib.model.states import TERMINAL

resource = Resource(__name__, "instances")
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
_KINDS = {".csv": "text/csv; charset=utf-8", ".json": "application/json"}


@resource.route("GET", "/instances", {200: InstancePage}, refusals=frozenset({404, 409}))
def list_instances(call: Call, query: AllInstancesQuery) -> Response:
    """Instances of all jobs, newest nominal time first."""
    wanted = instance_filter(query, call.owner)
    job_ref = call.named_job(query.job) if query.job else None
    page = queries.instances(call.engine, call.principal, wanted, job_ref, tags_of(query.tag))
    return answer(instance_page(page))


@resource.route(
    "GET", "/instances/{instance_id}", {200: InstanceDocument}, refusals=frozenset({404})
)
def show_instance(call: Call) -> Response:
    """An instance with all its runs."""
    view = queries.instance(call.engine, call.principal, call.path["instance_id"])
    return answer(instance_document(view))


@resource.route(
    "POST",
    "/instances/{instance_id}/kill",
    {200: InstanceDocument, 202: InstanceDocument},
    refusals=frozenset({403, 404, 409}),
)
def kill(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001
    """End an instance: at once while it waits (200), else its run is asked to stop (202)."""
    view = commands.kill(call.engine, call.principal, call.path["instance_id"], reason=body.reason)
    status = 200 if view.instance.state in TERMINAL else 202
    return answer(instance_document(view), status)


@resource.route(
    "POST",
    "/instances/{instance_id}/rerun",
    {200: InstanceDocument},
    refusals=frozenset({403, 404, 409}),
)
def rerun(call: Call, body: RerunBody, query: Query) -> Response:  # noqa: ARG001
    """Run an instance that has ended once more; the run before it stays in its history."""
    view = commands.rerun(
        call.engine,
        call.principal,
        call.path["instance_id"],
        original=body.original,
        ignore_prerequisites=body.ignore_prerequisites,
        reason=body.reason,
    )
    return answer(instance_document(view))


@resource.route(
    "POST",
    "/instances/{instance_id}/skip",
    {200: InstanceDocument},
    refusals=frozenset({403, 404, 409}),
)
def skip(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001
    """Decide that an instance that waits shall not run."""
    view = commands.skip(call.engine, call.principal, call.path["instance_id"], reason=body.reason)
    return answer(instance_document(view))


@resource.route(
    "GET", "/instances/{instance_id}/logs", {200: "text/plain"}, refusals=frozenset({404})
)
def logs(call: Call, query: RunQuery) -> Response:
    """The output that a run left."""
    _, content = queries.artifact(
        call.engine, call.principal, call.path["instance_id"], query.run, "log"
    )
    shown = bytes_without_credentials(content)
    return _file(shown.decode("utf-8", errors="replace"), TEXT)


@resource.route(
    "GET",
    "/instances/{instance_id}/result",
    {200: BYTES},
    refusals=frozenset({404, 406}),
)
def result(call: Call, query: RunQuery) -> Response:
    """The result that a run left: text as text, anything else as bytes."""
    path, content = queries.artifact(
        call.engine, call.principal, call.path["instance_id"], query.run, "result"
    )
    name = path.rpartition("/")[2]
    kind = next((kind for end, kind in _KINDS.items() if name.endswith(end)), TEXT)
    try:
        return _file(content.decode("utf-8"), kind)
    except UnicodeDecodeError:
        return _file(content, BYTES)


def _file(content: str | bytes, kind: str) -> Response:
    """Nobody's browser is to take a result for a page."""
    return Response(
        body=content, headers={"Content-Type": kind, "X-Content-Type-Options": "nosniff"}
    )
