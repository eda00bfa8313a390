"""Backfills as the API reads and answers them."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from chalicelib.api.documents import (
    Answer,
    MaybeMs,
    MaybeTime,
    Ms,
    PauseDocument,
    Time,
    twins,
)
from chalicelib.api.paging import read_cursor, write_cursor
from chalicelib.api.rendering import pause_document
from chalicelib.api.requests import Because, Instant, PageQuery, Query, upper
from chalicelib.engine.commands.backfills import Plan
from chalicelib.engine.views import BackfillView, Page
from chalicelib.model.backfill import Action, BackfillState, Reprocess
from chalicelib.model.definition import Overlap, Value
from chalicelib.model.identity import instance_id
from chalicelib.model.states import InstanceState

Order = Literal["oldest", "newest"]


class BackfillBody(Because):
    """The nominal times in [from, to), and how they are to be run."""

    from_: Instant = Field(alias="from", description="Nominal times from here")
    to: Instant | None = Field(None, description="to here, exclusive; now if absent")
    reprocess: Reprocess = Field(
        "none",
        description="Which instances that exist are run again: failed are those that FAILED, TIMED_OUT or "
        "were KILLED; all are also those that SUCCEEDED or were SKIPPED",
    )
    overlap: Overlap | None = Field(
        None,
        description="Its own policy; allow if the job has that or max_active is given, else queue",
    )
    max_active: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="So many at once, with overlap allow; if absent 4, or what the job allows if less",
    )
    order: Order = Field("oldest", description="Which nominal time comes first")
    parameters: dict[str, Value] = Field({}, max_length=100)


class CancelBody(Because):
    kill: bool = Field(default=False, description="Also stop its runs in flight")


class BackfillQuery(Query):
    dry_run: bool = Field(default=False, description="Only say what would happen")
    limit: int = Field(100, ge=1, le=1000, description="With dry_run: at most so many items")
    next: str | None = Field(None, description="With dry_run: the cursor of the page before")


class BackfillsQuery(PageQuery):
    state: Annotated[tuple[BackfillState, ...], BeforeValidator(upper)] = ()


class AllBackfillsQuery(BackfillsQuery):
    job: str | None = Field(None, description="Id or name of a job")


class BackfillDocument(Answer):
    """A range of a job's nominal times that somebody wants run, and how far that is."""

    id: str
    job_id: str
    name: str = Field(description="The job's")
    owner: str
    state: BackfillState
    from_ms: Ms
    from_time: Time
    to_ms: Ms
    to_time: Time
    order: Order
    reprocess: Reprocess
    overlap: Overlap
    max_active: int
    revision: int = Field(description="The job's, at the backfill's creation; all its runs have it")
    parameters: dict[str, JsonValue]
    total: int = Field(description="Nominal times in the range")
    created: int = Field(description="Of these, how many got an instance so far")
    rerun: int = Field(description="How many got a new run")
    existing: int = Field(description="How many stayed as they were")
    finished: int = Field(description="How many have nothing to come any more")
    instances: dict[InstanceState, int] = Field(
        description="Its instances by state; those that were rerun by hand since are not its own any more"
    )
    eta_ms: MaybeMs = Field(
        description="When it will have ended, at the present pace; null: unknown"
    )
    eta_time: MaybeTime
    waiting_on: str | None = Field(description="Why nothing goes on, in words")
    reason: str | None
    end_reason: str | None
    created_ms: Ms
    created_time: Time
    created_by: str
    ended_ms: MaybeMs
    ended_time: MaybeTime


class BackfillPage(Answer):
    items: list[BackfillDocument]
    next: str | None
    paused: PauseDocument | None = Field(None, description="What holds all; null: nothing does")


class PlannedDocument(Answer):
    """A nominal time, what the backfill would do for it, and the instance that it has."""

    nominal_ms: Ms
    nominal_time: Time
    action: Action
    instance_id: str | None
    state: InstanceState | None
    purged: bool = Field(description="It had an instance, whose record was purged")


class BackfillPlanDocument(Answer):
    """What a backfill would do, as things are now."""

    job_id: str
    name: str
    revision: int
    from_ms: Ms
    from_time: Time
    to_ms: Ms
    to_time: Time
    overlap: Overlap
    max_active: int
    total: int
    create: int
    rerun: int
    exists: int
    purged: int = Field(description="Times whose record was purged: they may have run")
    items: list[PlannedDocument]
    next: str | None


def backfill_document(view: BackfillView, now_ms: int) -> BackfillDocument:
    one = view.backfill
    return BackfillDocument(
        id=one.id,
        job_id=one.job_id,
        name=view.job.name,
        owner=one.owner,
        state=one.state,
        order="newest" if one.newest_first else "oldest",
        reprocess=one.reprocess,
        overlap=one.overlap,
        max_active=one.max_active,
        revision=one.revision,
        parameters=json.loads(one.parameters_json),
        total=one.total,
        created=one.made,
        rerun=one.rerun,
        existing=one.existing,
        finished=view.finished,
        instances=dict(view.counts),
        waiting_on=view.waiting_on,
        reason=one.reason,
        end_reason=one.end_reason,
        created_by=one.created_by,
        **twins(**{"from": one.from_ms}),
        **twins(to=one.to_ms, eta=view.eta_ms(now_ms), created=one.created_ms, ended=one.ended_ms),
    )


def backfill_page(page: Page[BackfillView], now_ms: int) -> BackfillPage:
    items = [backfill_document(view, now_ms) for view in page.items]
    return BackfillPage(
        items=items, next=write_cursor(page.next), paused=pause_document(page.pause)
    )


def plan_document(plan: Plan, limit: int, cursor: str | None) -> BackfillPlanDocument:
    """One page of it; the counts are of all."""
    after = read_cursor(cursor)
    rows = list(plan.items)
    if after is not None:
        last, newest = int(after, 16), plan.wish.newest_first
        rows = [one for one in rows if (one.nominal_ms < last if newest else one.nominal_ms > last)]
    page, counts = rows[:limit], plan.counts
    return BackfillPlanDocument(
        job_id=plan.job.id,
        name=plan.job.name,
        revision=plan.job.revision,
        overlap=plan.overlap,
        max_active=plan.max_active,
        total=len(plan.items),
        create=counts[Action.CREATE],
        rerun=counts[Action.RERUN],
        exists=counts[Action.EXISTS],
        purged=sum(one.purged_run is not None for one in plan.items),
        items=[
            PlannedDocument(
                action=one.action,
                state=one.state,
                purged=one.purged_run is not None,
                instance_id=None if one.state is None else instance_id(plan.job.id, one.nominal_ms),
                **twins(nominal=one.nominal_ms),
            )
            for one in page
        ],
        next=write_cursor(f"{page[-1].nominal_ms:032x}") if len(rows) > limit else None,
        **twins(**{"from": plan.wish.from_ms, "to": plan.to_ms}),
    )
