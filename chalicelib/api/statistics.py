"""How well things went, and what did not run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from chalice.app import Response
from pydantic import Field

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer, MaybeMs, MaybeTime, Ms, Time, twins
from chalicelib.api.jobs import tags_of
from chalicelib.api.paging import read_cursor, write_cursor
from chalicelib.api.rendering import answer
from chalicelib.api.requests import AllStatisticsQuery, SkipsQuery, StatisticsQuery
from chalicelib.api.resource import Resource
from chalicelib.api.words import SKIPPED_BECAUSE
from chalicelib.engine import history
from chalicelib.engine.statistics import SAMPLE, By, Tally
from chalicelib.model.instants import format_instant

resource = Resource(__name__, "history")


class SpreadDocument(Answer):
    """Of so many measured times; percentiles by nearest rank."""

    count: int
    median_ms: int | None
    p95_ms: int | None
    longest_ms: int | None


class TallyDocument(Answer):
    """Counts and times of a group of instances."""

    finished: int
    states: dict[str, int] = Field(description="How many are in which state")
    success_rate: float | None = Field(
        description="0 to 1: succeeded, of those that finished and were not skipped"
    )
    duration: SpreadDocument = Field(description="From the begin of the latest run to its end")
    wait: SpreadDocument = Field(description="From the creation of the latest run to its launch")
    lateness: SpreadDocument = Field(
        description="From nominal time to begin, of scheduled instances in their first run"
    )
    skipped: dict[str, int] = Field(description="Skipped instances, by reason")
    skip_ranges: dict[str, int] = Field(
        description="Ranges of nominal times without an instance that touch the window, by reason"
    )
    skip_times: dict[str, int] = Field(
        description="Nominal times of the window in such ranges, by reason; 10,000 at most, of the newest"
    )


class GroupDocument(TallyDocument):
    """One job, one owner, or one day of UTC."""

    key: str
    job_id: str | None = None
    job: str | None = None
    owner: str | None = None
    day: str | None = None


class SampleDocument(Answer):
    """What was counted: the newest finished instances. ``cut``: there are more than the limit."""

    finished: int
    limit: int
    cut: bool
    oldest_ms: MaybeMs
    oldest_time: MaybeTime


class StatisticsDocument(Answer):
    """How well things went in a window of nominal time."""

    by: By | None
    days_of: Literal["UTC"] = Field("UTC", description="Days are those of this zone")
    from_ms: Ms
    from_time: Time
    to_ms: Ms
    to_time: Time
    sample: SampleDocument
    total: TallyDocument
    skip_times_cut: bool = Field(description="More times were skipped than were counted")
    failures_in_a_row: int | None = Field(
        description="Of one job: how many of the newest failed since the last success"
    )
    groups: list[GroupDocument]
    groups_left_out: int = Field(description="The largest 500 groups are told")


class SkipRangeDocument(Answer):
    """Nominal times in [from, to) that have no instance, and why."""

    job_id: str
    job: str
    from_ms: Ms
    from_time: Time
    to_ms: Ms
    to_time: Time
    reason: str
    because: str = Field(description="The reason in words")
    revision: int
    nominal_times: int | None = Field(description="How many are in it, up to 1,000; null: unknown")
    more: bool = Field(description="There are more than that")


class SkipPage(Answer):
    items: list[SkipRangeDocument]
    next: str | None


UNSEEN = frozenset({404, 409})


@resource.route("GET", "/stats", {200: StatisticsDocument}, refusals=frozenset({404}))
def statistics(call: Call, query: AllStatisticsQuery) -> Response:
    """How well the instances of all jobs went.

    Over the newest 10,000 finished instances whose nominal time is in the window (seven days unless it is
    given): `sample.cut` says when there were more. Percentiles are exact over the sample, by nearest rank.
    """
    return _statistics(call, query, None, tags_of(query.tag))


@resource.route("GET", "/jobs/{job_id}/stats", {200: StatisticsDocument}, refusals=UNSEEN)
def job_statistics(call: Call, query: StatisticsQuery) -> Response:
    """How well a job's instances went; over its newest 10,000 finished ones in the window."""
    return _statistics(call, query, call.job_ref)


@resource.route("GET", "/jobs/{job_id}/skips", {200: SkipPage}, refusals=UNSEEN)
def job_skips(call: Call, query: SkipsQuery) -> Response:
    """The ranges of a job's nominal times that have no instance, and why; the newest first.

    `nominal_times` counts them up to 1,000 a range; `more` says that there are more.
    """
    cursor = read_cursor(query.next)
    job, page = history.skips(
        call.engine,
        call.principal,
        call.job_ref,
        from_ms=query.from_ or 0,
        before_ms=query.to if cursor is None else int(cursor, 16),
        limit=query.limit,
    )
    items = [
        SkipRangeDocument(
            job_id=job.id,
            job=job.name,
            reason=view.span.reason,
            because=SKIPPED_BECAUSE.get(view.span.reason, ""),
            revision=view.span.revision,
            nominal_times=view.times,
            more=view.more,
            **twins(**{"from": view.span.from_ms, "to": view.span.to_ms}),
        )
        for view in page.items
    ]
    return answer(SkipPage(items=items, next=write_cursor(page.next)))


def _statistics(
    call: Call,
    query: StatisticsQuery,
    job_ref: str | None,
    tags: tuple[tuple[str, str], ...] = (),
) -> Response:
    asked = history.Asked(
        by=None if query.by is None else By(query.by),
        from_ms=query.from_,
        to_ms=query.to,
        owner=call.owner if job_ref is None else None,
        kind=query.kind,
        tags=tags,
    )
    told = history.statistics(call.engine, call.principal, asked, job_ref)
    found = told.statistics
    document = StatisticsDocument(
        by=query.by,
        sample=SampleDocument(
            finished=found.sampled,
            limit=SAMPLE,
            cut=found.cut,
            **twins(oldest=found.oldest_ms),
        ),
        total=TallyDocument(**_tally(found.total)),
        skip_times_cut=found.skip_times_cut,
        failures_in_a_row=found.failures_in_a_row if job_ref is not None else None,
        groups=[GroupDocument(**_key(key, told), **_tally(tally)) for key, tally in found.groups],
        groups_left_out=found.left_out,
        **twins(**{"from": told.from_ms, "to": told.to_ms}),
    )
    return answer(document)


def _tally(tally: Tally) -> dict[str, Any]:
    return asdict(tally)


def _key(key: str, told: history.Answer) -> dict[str, Any]:
    if told.by is By.JOB:
        return {"key": key, "job_id": key, "job": told.names.get(key, key)}
    if told.by is By.OWNER:
        return {"key": key, "owner": key}
    day = format_instant(int(key))[:10]
    return {"key": day, "day": day}
