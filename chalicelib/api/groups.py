"""Concurrency groups: how many instances of all jobs that name one are at work at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import (
    GroupDetailDocument,
    GroupDocument,
    GroupMemberDocument,
    GroupPage,
    twins,
)
from chalicelib.api.rendering import answer, listed
from chalicelib.api.requests import GroupBody, Query, ReviseQuery
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, group_views
from chalicelib.engine.group_views import GroupView
from chalicelib.model.instance import Instance

resource = Resource(__name__, "groups")
CHANGING = frozenset({403, 404, 409})


@resource.route("GET", "/groups", {200: GroupPage}, refusals=frozenset({404}))
def list_groups(call: Call, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """The concurrency groups of the principal's owners, by owner and name."""
    views = group_views.groups(call.engine, call.principal, call.owner)
    return answer(GroupPage(**listed([GroupDocument(**_fields(view)) for view in views])))


@resource.route("GET", "/groups/{group}", {200: GroupDetailDocument}, refusals=CHANGING - {409})
def show_group(call: Call, query: Query) -> Response:  # noqa: ARG001
    """A concurrency group, who holds its slots and who waits for one; its ETag is its edit."""
    return _answer(call)


@resource.route(
    "PUT",
    "/groups/{group}",
    {200: GroupDetailDocument, 201: GroupDetailDocument},
    guarded=True,
    refusals=CHANGING,
)
def set_group(call: Call, body: GroupBody, query: ReviseQuery) -> Response:
    """Create or replace a concurrency group.

    A larger one gives its new slots to those that wait longest, at once; a smaller one lets those at work
    end, and nobody follows until there is room again.
    """
    name = call.path["group"]
    result = commands.set_group(
        call.engine,
        call.principal,
        name,
        body.size,
        description=body.description,
        owner=call.owner,
        if_match=call.if_match,
        reason=query.reason,
    )
    if not result.created:
        return _answer(call)
    response = _answer(call, 201)
    response.headers["Location"] = f"/groups/{name}"
    return response


@resource.route("DELETE", "/groups/{group}", {204: "none"}, guarded=True, refusals=CHANGING)
def delete_group(call: Call, query: Query) -> Response:  # noqa: ARG001
    """Delete a concurrency group that no job names and no instance belongs to that has not ended."""
    commands.delete_group(
        call.engine,
        call.principal,
        call.path["group"],
        owner=call.owner,
        if_match=call.if_match,
    )
    return Response(body="", headers={}, status_code=204)


def _answer(call: Call, status: int = 200) -> Response:
    detail = group_views.group(call.engine, call.principal, call.path["group"], call.owner)
    document = GroupDetailDocument(
        jobs=list(detail.jobs),
        holders=_members(detail.holders, detail.job_names),
        waiters=_members(detail.waiters, detail.job_names),
        **_fields(detail.view),
    )
    return answer(document, status, ETag=f'"{detail.view.group.edit}"')


def _fields(view: GroupView) -> dict[str, Any]:
    group = view.group
    return {
        "owner": group.owner,
        "name": group.name,
        "size": group.size,
        "description": group.description,
        "held": view.held,
        "queued": view.queued,
        "edit": group.edit,
        "created_by": group.created_by,
        "modified_by": group.modified_by,
        **twins(created=group.created_ms, modified=group.modified_ms),
    }


def _members(
    instances: Iterable[Instance], job_names: Mapping[str, str]
) -> list[GroupMemberDocument]:
    return [
        GroupMemberDocument(
            instance_id=one.id,
            job_id=one.job_id,
            name=job_names[one.job_id],
            state=one.state,
            **twins(nominal=one.nominal_ms),
        )
        for one in instances
    ]
