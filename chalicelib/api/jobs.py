"""Jobs: submitted, read, replaced, patched and deleted."""

from __future__ import annotations

from collections.abc import Sequence

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import (
    CheckedDocument,
    EventPage,
    InstancePage,
    JobDocument,
    JobPage,
    PreviewDocument,
)
from chalicelib.api.paging import read_cursor
from chalicelib.api.rendering import (
    answer,
    created,
    event_page,
    fire_documents,
    instance_page,
    job_answer,
    job_document,
    job_page,
    preview_document,
)
from chalicelib.api.requests import (
    DeleteQuery,
    EventsQuery,
    InstancesQuery,
    JobsQuery,
    SubmitQuery,
    UpcomingQuery,
)
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.engine.filters import EventFilter, InstanceFilter, JobFilter
from chalicelib.model.definition import Definition
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.identity import SLUG
from chalicelib.model.job import Job

resource = Resource(__name__, "jobs")
DRY_RUN_FIRES = 5
GONE = frozenset({404})
CHANGING = frozenset({403, 404, 409})


@resource.route(
    "POST",
    "/jobs",
    {201: JobDocument, 200: CheckedDocument},
    creates=True,
    refusals=frozenset({403, 404, 409}),
)
def submit(call: Call, body: Definition, query: SubmitQuery) -> Response:
    """Submit a job.

    With `schedule=true` it is scheduled at once; with `dry_run=true` nothing is changed, and the
    definition comes back as it would be stored, with its next fires.
    """
    if query.dry_run:
        return _checked(call, body)

    def render(job: Job) -> str:
        return job_document(call.engine, job).model_dump_json()

    job = commands.submit(
        call.engine,
        call.principal,
        body,
        owner=call.owner,
        schedule=query.schedule,
        reason=query.reason,
        once=call.once(201, render),
    )
    return created(job, render, "/jobs")


def _checked(call: Call, definition: Definition) -> Response:
    stored = commands.check(call.engine, call.principal, definition, owner=call.owner)
    now = call.engine.clock.now_ms()
    absent = commands.missing_upstreams(call.engine, call.principal, stored, call.owner)
    explanation = queries.preview(
        call.engine,
        call.principal,
        stored.schedule,
        after_ms=now - 1,
        count=DRY_RUN_FIRES,
        owner=call.owner,
    )
    document = CheckedDocument(
        owner=queries.owner_of_new_jobs(call.principal, call.owner) or "",
        definition=stored.model_dump(mode="json", exclude_unset=True),
        fires=fire_documents(explanation.fires),
        warnings=[*explanation.warnings, *absent],
    )
    return answer(document)


@resource.route("GET", "/jobs", {200: JobPage})
def list_jobs(call: Call, query: JobsQuery) -> Response:
    """Jobs, oldest first.

    Deleted ones are listed only with `state=DELETED`.
    """
    wanted = JobFilter(
        owner=call.owner,
        state=query.state,
        name=query.name,
        group=query.group,
        tags=tags_of(query.tag),
        after=read_cursor(query.next),
        limit=query.limit,
    )
    return answer(job_page(call.engine, queries.jobs(call.engine, call.principal, wanted)))


@resource.route("GET", "/jobs/{job_id}", {200: JobDocument}, refusals=CHANGING - {403})
def show_job(call: Call) -> Response:
    """A job, by its id, its name, or owner:name."""
    return job_answer(call.engine, queries.job(call.engine, call.principal, call.job_ref))


@resource.route("DELETE", "/jobs/{job_id}", {200: JobDocument}, guarded=True, refusals=CHANGING)
def delete(call: Call, query: DeleteQuery) -> Response:
    """Delete a job: what waits is skipped, its name is free, its history stays.

    Runs in flight end by themselves, or are asked to stop with `kill=true`.
    """
    job = commands.delete(
        call.engine,
        call.principal,
        call.job_ref,
        kill=query.kill,
        reason=query.reason,
        if_match=call.if_match,
    )
    return job_answer(call.engine, job)


@resource.route("GET", "/jobs/{job_id}/upcoming", {200: PreviewDocument}, refusals=CHANGING - {403})
def upcoming(call: Call, query: UpcomingQuery) -> Response:
    """The next nominal times of a job, as its definition says them."""
    explanation = queries.upcoming(call.engine, call.principal, call.job_ref, query.count)
    return answer(preview_document(explanation))


@resource.route("GET", "/jobs/{job_id}/instances", {200: InstancePage}, refusals=CHANGING - {403})
def job_instances(call: Call, query: InstancesQuery) -> Response:
    """A job's instances, newest nominal time first."""
    page = queries.instances(call.engine, call.principal, instance_filter(query), call.job_ref)
    return answer(instance_page(page))


@resource.route("GET", "/jobs/{job_id}/events", {200: EventPage}, refusals=CHANGING - {403})
def job_events(call: Call, query: EventsQuery) -> Response:
    """A job's history, newest first."""
    page = queries.events(call.engine, call.principal, event_filter(query), call.job_ref)
    return answer(event_page(page))


def tags_of(pairs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Raises InvalidInput for what is no NAME=VALUE."""
    split = [pair.partition("=") for pair in pairs]
    problems = [
        Problem("tag", "must be NAME=VALUE, as in tier=gold", pair)
        for pair, (name, equals, _) in zip(pairs, split, strict=True)
        if SLUG.fullmatch(name) is None or not equals
    ]
    if problems:
        raise InvalidInput(problems)
    return tuple((name, value) for name, _, value in split)


def instance_filter(query: InstancesQuery, owner: str | None = None) -> InstanceFilter:
    return InstanceFilter(
        owner=owner,
        state=query.state,
        kind=query.kind,
        backfill=query.backfill,
        group=query.group,
        from_ms=query.from_,
        to_ms=query.to,
        after=read_cursor(query.next),
        limit=query.limit,
    )


def event_filter(
    query: EventsQuery, owner: str | None = None, instance_id: str | None = None
) -> EventFilter:
    return EventFilter(
        owner=owner,
        instance_id=instance_id,
        verb=query.verb,
        actor=query.actor,
        from_ms=query.from_,
        to_ms=query.to,
        after=read_cursor(query.next),
        limit=query.limit,
    )
