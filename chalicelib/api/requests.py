"""What the API reads besides definitions: bodies of commands, and query strings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from chalicelib.api.reading import WHOLE
from chalicelib.model.definition import Overlap
from chalicelib.model.document import Document
from chalicelib.model.group import LARGEST
from chalicelib.model.identity import is_id
from chalicelib.model.instants import parse_instant, zone
from chalicelib.model.owner import MOST_BACKFILL, MOST_JOBS, MOST_WAITING
from chalicelib.model.schedule import Schedule
from chalicelib.model.states import InstanceKind, InstanceState, JobState, Role

LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_OFFSET = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$", re.IGNORECASE)
_DIGITS = re.compile(r"-?\d{1,16}")


def _instant(value: object) -> object:
    """Milliseconds, or ISO 8601 with an offset: a time without one could mean any zone."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, str):
        return _anchored(value)
    return value


def _anchored(text: str) -> int:
    moment = parse_instant(text, zone("UTC"))
    if not _OFFSET.search(text):
        hint = "; + is written %2B in a URL" if re.search(r" \d\d:?\d\d$", text) else ""
        raise ValueError(f"must say its offset, as in 2026-01-31T18:00:00Z or …+01:00{hint}")
    return moment


def upper(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(upper(item) for item in value)
    return value.upper() if isinstance(value, str) else value


Instant = Annotated[
    int,
    BeforeValidator(_instant),
    Field(ge=0, le=LAST_MS, description="UTC milliseconds, or ISO 8601 with an offset"),
]
Why = Annotated[str, Field(max_length=1000, description="Why; kept in the history")]


class Because(Document, defer_build=True):
    reason: Why | None = None


class SuspendBody(Because):
    until: Instant | None = Field(None, description="Resume by itself then")


class ResumeBody(Because):
    catch_up: Literal["all", "latest", "none"] | None = Field(
        None,
        description="What becomes of the nominal times of the suspension: `all` launches the newest of"
        " them, up to `policies.catch_up.limit`; `latest` the last one; `none`, the default, nothing",
    )


class TriggerBody(Because):
    nominal_time: Instant | None = Field(
        None, description="A nominal time of the schedule; now if absent"
    )
    nominal_ms: int | None = Field(None, ge=0, le=LAST_MS)
    parameters: dict[str, str | int | float | bool] = Field({}, max_length=100)
    overlap: Overlap | None = Field(None, description="For this instance, instead of the job's own")
    max_active: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="With overlap allow: it begins while fewer than so many are active",
    )
    ignore_prerequisites: bool = Field(default=False, description="Wait for nothing but its turn")


class RerunBody(Because):
    original: bool = Field(
        default=False, description="With the revision it ran last, not the job's present one"
    )
    ignore_prerequisites: bool = Field(default=False, description="Wait for nothing but its turn")


class PreviewBody(Document, defer_build=True):
    schedule: Schedule
    after: Instant | None = None
    count: int = Field(10, ge=1, le=1000)


class MergePatch(RootModel[dict[str, Any]], defer_build=True):
    """What is to change in a definition; null removes (RFC 7396)."""


class GroupBody(Document, defer_build=True):
    """A concurrency group."""

    size: int = Field(
        ge=0, le=LARGEST, description="So many instances at once; 0 lets nothing begin"
    )
    description: str | None = Field(None, max_length=2000, description="Kept as it is if absent")


class OwnerBody(Document, defer_build=True):
    name: str


class QuotasBody(Document, defer_build=True):
    """What is named changes; null: the installation's default."""

    max_jobs: int | None = Field(None, ge=0, le=MOST_JOBS)
    max_waiting: int | None = Field(None, ge=0, le=MOST_WAITING)
    max_backfill: int | None = Field(None, ge=0, le=MOST_BACKFILL)


class MemberBody(Document, defer_build=True):
    role: Role = Field(strict=False)


class RotateBody(Because):
    revoke: bool = Field(
        default=False,
        description="The keys so far vouch for nobody any more: for one that leaked. Targets of runs that"
        " have begun can no longer report",
    )


class TokenBody(Document, defer_build=True):
    name: str = Field(description="The principal that the token stands for")
    admin: bool = False


class ClockBody(Document, defer_build=True):
    """Where to move a clock that is moved by hand: to a time, or by a duration."""

    now: Instant | None = None
    advance: str | None = Field(None, description="ISO 8601 duration", examples=["PT1H"])
    wait_seconds: float = Field(
        20,
        ge=0,
        le=60,
        description="How long each step waits for the runs it began; 0 goes on without them",
    )


class Query(BaseModel):
    """Query strings are text: numbers and booleans are read from it. Unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    owner: str | None = Field(None, description="The owner (team); X-Noonday-Owner says the same")


class PageQuery(Query):
    limit: int = Field(50, ge=1, le=500)
    next: str | None = Field(None, description="The cursor that the page before ended with")


class ReviseQuery(Query):
    reason: Why | None = None


class SubmitQuery(ReviseQuery):
    schedule: bool = Field(default=False, description="Schedule the job at once")
    dry_run: bool = Field(default=False, description="Only say what would happen")


class UpdateQuery(ReviseQuery):
    dry_run: bool = Field(default=False, description="Only say what would change")


class DeleteQuery(ReviseQuery):
    kill: bool = Field(default=False, description="Also stop the runs in flight")


class JobsQuery(PageQuery):
    state: Annotated[tuple[JobState, ...], BeforeValidator(upper)] = ()
    name: str | None = Field(None, description="The beginning of the name")
    group: str | None = Field(None, description="Those that name this concurrency group")
    tag: Annotated[tuple[str, ...], WHOLE] = Field(
        (), description="Those with this tag, NAME=VALUE; of several, those with all"
    )


class InstancesQuery(PageQuery):
    state: Annotated[tuple[InstanceState, ...], BeforeValidator(upper)] = ()
    kind: Annotated[InstanceKind, BeforeValidator(upper)] | None = None
    backfill: str | None = Field(None, description="Those of this backfill, by its id")
    group: str | None = Field(None, description="Those of this concurrency group")
    from_: Instant | None = Field(None, alias="from", description="Nominal times from here")
    to: Instant | None = Field(None, description="to here, exclusive")


class SkipsQuery(PageQuery):
    from_: Instant | None = Field(None, alias="from", description="Ranges that end after this")
    to: Instant | None = Field(None, description="and begin before this")


class StatisticsQuery(Query):
    by: Literal["job", "owner", "day"] | None = Field(
        None, description="Also told apart by this; a day is one of UTC"
    )
    kind: Annotated[InstanceKind, BeforeValidator(upper)] | None = None
    from_: Instant | None = Field(
        None, alias="from", description="Nominal times from here; seven days before the end"
    )
    to: Instant | None = Field(None, description="to here, exclusive; now if absent")


class AllStatisticsQuery(StatisticsQuery):
    tag: Annotated[tuple[str, ...], WHOLE] = Field(
        (), description="Of jobs with this tag, NAME=VALUE; of several, those with all"
    )


class AllInstancesQuery(InstancesQuery):
    job: str | None = Field(None, description="Id or name of a job")
    tag: Annotated[tuple[str, ...], WHOLE] = Field(
        (), description="Of jobs with this tag, NAME=VALUE; of several, those with all"
    )


class EventsQuery(PageQuery):
    verb: Annotated[str, BeforeValidator(upper)] | None = None
    actor: str | None = Field(None, description="Only what this principal did; noonday: the engine")
    from_: Instant | None = Field(None, alias="from", description="Events from this time")
    to: Instant | None = Field(None, description="to this, exclusive")


def _an_id(value: Any) -> Any:
    if isinstance(value, str) and not is_id(value):
        raise ValueError("is no id; an id is 32 hexadecimal digits")
    return value


class AllEventsQuery(EventsQuery):
    job: str | None = Field(None, description="Id or name of a job")
    instance: Annotated[str, BeforeValidator(_an_id)] | None = None


class UpcomingQuery(Query):
    count: int = Field(10, ge=1, le=1000)


class RunQuery(Query):
    run: int | None = Field(None, ge=1, description="Which run; the latest if absent")
