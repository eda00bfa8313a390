"""Backfills: ranges of nominal times, planned, created, watched and cancelled."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.backfill_documents import (
    AllBackfillsQuery,
    BackfillBody,
    BackfillDocument,
    BackfillPage,
    BackfillPlanDocument,
    BackfillQuery,
    BackfillsQuery,
    CancelBody,
    backfill_document,
    backfill_page,
    plan_document,
)
from chalicelib.api.call import Call
from chalicelib.api.paging import read_cursor
from chalicelib.api.rendering import answer, created
from chalicelib.api.requests import Query
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.engine.commands import Wish
from chalicelib.engine.filters import BackfillFilter
from chalicelib.engine.views import BackfillView

resource = Resource(__name__, "backfills")


@resource.route(
    "POST",
    "/jobs/{job_id}/backfills",
    {201: BackfillDocument, 200: BackfillPlanDocument},
    creates=True,
    refusals=frozenset({403, 404, 409}),
)
def create_backfill(call: Call, body: BackfillBody, query: BackfillQuery) -> Response:
    """Have a range of past nominal times run.

    With `dry_run=true` nothing is changed, and the answer lists for each time whether it would be created,
    rerun, or stay as it exists.
    """
    wish = Wish(
        from_ms=body.from_,
        to_ms=body.to,
        reprocess=body.reprocess,
        overlap=body.overlap,
        max_active=body.max_active,
        newest_first=body.order == "newest",
        parameters=body.parameters,
    )
    if query.dry_run:
        plan = commands.plan_backfill(call.engine, call.principal, call.job_ref, wish)
        return answer(plan_document(plan, query.limit, query.next))

    def render(view: BackfillView) -> str:
        return backfill_document(view, call.engine.clock.now_ms()).model_dump_json()

    view = commands.create_backfill(
        call.engine,
        call.principal,
        call.job_ref,
        wish,
        reason=body.reason,
        once=call.once(201, render),
    )
    return created(view, render, "/backfills")


@resource.route(
    "GET", "/jobs/{job_id}/backfills", {200: BackfillPage}, refusals=frozenset({404, 409})
)
def job_backfills(call: Call, query: BackfillsQuery) -> Response:
    """A job's backfills, newest first."""
    return _listed(call, query, None, call.job_ref)


@resource.route("GET", "/backfills", {200: BackfillPage}, refusals=frozenset({404, 409}))
def list_backfills(call: Call, query: AllBackfillsQuery) -> Response:
    """Backfills of all jobs, newest first."""
    job_ref = call.named_job(query.job) if query.job else None
    return _listed(call, query, call.owner, job_ref)


@resource.route(
    "GET", "/backfills/{backfill_id}", {200: BackfillDocument}, refusals=frozenset({404})
)
def show_backfill(call: Call) -> Response:
    """A backfill: how far it is, how its instances are, and when it will have ended."""
    view = queries.backfill(call.engine, call.principal, call.path["backfill_id"])
    return answer(backfill_document(view, call.engine.clock.now_ms()))


@resource.route(
    "POST",
    "/backfills/{backfill_id}/cancel",
    {200: BackfillDocument},
    refusals=frozenset({403, 404, 409}),
)
def cancel_backfill(call: Call, body: CancelBody, query: Query) -> Response:  # noqa: ARG001
    """End a backfill: what waits is skipped; its runs go on, or with `kill` are asked to stop."""
    view = commands.cancel_backfill(
        call.engine,
        call.principal,
        call.path["backfill_id"],
        kill=body.kill,
        reason=body.reason,
    )
    return answer(backfill_document(view, call.engine.clock.now_ms()))


def _listed(call: Call, query: BackfillsQuery, owner: str | None, job_ref: str | None) -> Response:
    wanted = BackfillFilter(
        owner=owner, state=query.state, after=read_cursor(query.next), limit=query.limit
    )
    page = queries.backfills(call.engine, call.principal, wanted, job_ref)
    return answer(backfill_page(page, call.engine.clock.now_ms()))
