"""A job's definition over time: replaced, patched, tried, and every version that there was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import (
    ChangeDocument,
    PlannedDocument,
    RevisedDocument,
    RevisionDocument,
    RevisionPage,
)
from chalicelib.api.paging import read_number
from chalicelib.api.rendering import (
    answer,
    fire_documents,
    job_answer,
    revision_document,
    revision_page,
)
from chalicelib.api.requests import MergePatch, PageQuery, UpdateQuery
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, history, queries
from chalicelib.engine.commands import Planned
from chalicelib.model.definition import Definition
from chalicelib.model.errors import NotFound
from chalicelib.model.states import JobState

resource = Resource(__name__, "jobs")
CHANGING = frozenset({403, 404, 409})
PLANNED_FIRES = 5
_NUMBER = re.compile(r"[1-9]\d{0,8}")
_STAYS = {
    JobState.NEW: "the job is NEW: it fires once it is scheduled",
    JobState.SUSPENDED: "the job is SUSPENDED: it fires once it is resumed",
    JobState.EXPIRED: "the job is EXPIRED: it fires once it is scheduled again",
}


@resource.route("PUT", "/jobs/{job_id}", {200: RevisedDocument}, guarded=True, refusals=CHANGING)
def update(call: Call, body: Definition, query: UpdateQuery) -> Response:
    """Replace a job's definition, from now on.

    Instances keep the revision they were created with; nothing is launched retroactively. A definition
    that means the same makes no revision. With `dry_run=true` nothing is changed: the answer says what
    would be.
    """
    if query.dry_run:
        return _planned(
            call,
            commands.plan_update(
                call.engine, call.principal, call.job_ref, body, if_match=call.if_match
            ),
        )
    job = commands.update(
        call.engine,
        call.principal,
        call.job_ref,
        body,
        if_match=call.if_match,
        reason=query.reason,
    )
    return job_answer(call.engine, job)


@resource.route("PATCH", "/jobs/{job_id}", {200: RevisedDocument}, guarded=True, refusals=CHANGING)
def patch(call: Call, body: MergePatch, query: UpdateQuery) -> Response:
    """Change parts of a job's definition (JSON merge patch, RFC 7396: null removes).

    What is not named stays as it is. `dry_run=true` as with PUT.
    """
    if query.dry_run:
        return _planned(
            call,
            commands.plan_patch(
                call.engine, call.principal, call.job_ref, body.root, if_match=call.if_match
            ),
        )
    job = commands.patch(
        call.engine,
        call.principal,
        call.job_ref,
        body.root,
        if_match=call.if_match,
        reason=query.reason,
    )
    return job_answer(call.engine, job)


@resource.route("GET", "/jobs/{job_id}/revisions", {200: RevisionPage}, refusals=CHANGING - {403})
def revisions(call: Call, query: PageQuery) -> Response:
    """The versions of a job's definition, newest first, without the definitions."""
    rows, following = history.revisions(
        call.engine,
        call.principal,
        call.job_ref,
        before=read_number(query.next),
        limit=query.limit,
    )
    return answer(revision_page(rows, following))


@resource.route(
    "GET",
    "/jobs/{job_id}/revisions/{revision}",
    {200: RevisionDocument},
    refusals=CHANGING - {403},
)
def show_revision(call: Call) -> Response:
    """A version of a job's definition, by its number."""
    text = call.path["revision"]
    if _NUMBER.fullmatch(text) is None:
        raise NotFound(f"there is no revision {text!r}: they are numbered 1, 2, 3…")
    found = history.revision(call.engine, call.principal, call.job_ref, int(text))
    return answer(revision_document(found))


def _planned(call: Call, planned: Planned) -> Response:
    job, schedule = planned.job, planned.definition.schedule
    explanation = queries.preview(
        call.engine,
        call.principal,
        schedule,
        after_ms=call.engine.clock.now_ms() - 1,
        count=PLANNED_FIRES,
        owner=job.owner,
    )
    absent = commands.missing_upstreams(call.engine, call.principal, planned.definition, job.owner)
    document = PlannedDocument(
        job_id=job.id,
        owner=job.owner,
        name=job.name,
        state=job.state,
        revision=job.revision,
        edit=job.edit,
        changes=[
            ChangeDocument(field=one.field, before=one.before, after=one.after)
            for one in planned.changes
        ],
        definition=json.loads(planned.definition.to_json()),
        fires=fire_documents(explanation.fires),
        warnings=[*explanation.warnings, *absent, *_state_warnings(planned, explanation.fires)],
    )
    return answer(document, ETag=f'"{job.edit}"')


def _state_warnings(planned: Planned, fires: object) -> Iterator[str]:
    """Why the job would not do what its definition says."""
    if planned.job.state in _STAYS:
        yield _STAYS[planned.job.state]
    elif not fires:
        yield "nothing can fire any more: the job would expire"
