"""What the API answers with. Every time is there twice: as UTC milliseconds and as ISO 8601."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, WithJsonSchema

from chalicelib.model.instants import format_instant
from chalicelib.model.states import InstanceKind, InstanceState, JobState, Role, StopKind

DefinitionDocument = dict[str, Any]
"""The stored definition as it is; the API's description says that it is a Definition."""
Ms = Annotated[int, Field(description="UTC milliseconds")]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
MaybeMs = Ms | None
MaybeTime = Time | None


class Answer(BaseModel):
    """Built at its first use: a Lambda function imports all documents and needs few (see ``api.prepare``)."""

    model_config = ConfigDict(frozen=True, use_enum_values=True, defer_build=True)


def twins(**times_ms: int | None) -> dict[str, Any]:
    """``created=5`` becomes ``created_ms`` and ``created_time``."""
    both: dict[str, Any] = {}
    for name, at_ms in times_ms.items():
        both[f"{name}_ms"] = at_ms
        both[f"{name}_time"] = None if at_ms is None else format_instant(at_ms)
    return both


class SuspensionDocument(Answer):
    by: str
    reason: str | None
    since_ms: Ms
    since_time: Time
    until_ms: MaybeMs
    until_time: MaybeTime


class JobDocument(Answer):
    """A job: its definition, its state, and who moved it last. ``edit`` is its ETag."""

    id: str
    owner: str
    name: str
    state: JobState
    revision: int
    definition: DefinitionDocument
    next_ms: MaybeMs = Field(description="The next nominal time that will fire; null for none")
    next_time: MaybeTime
    suspension: SuspensionDocument | None
    group: str | None = Field(description="The concurrency group that the definition names")
    streak: int = Field(
        description="Instances that failed one after the other, counted for on_failure.suspend_after"
    )
    created_ms: Ms
    created_time: Time
    created_by: str
    modified_ms: Ms
    modified_time: Time
    modified_by: str
    edit: int


class RunDocument(Answer):
    """One attempt of an instance."""

    run: int
    token: str
    state: InstanceState
    reason: str | None
    external_id: str | None
    external_url: str | None
    result_path: str | None
    log_path: str | None
    error: str | None
    created_ms: Ms
    created_time: Time
    launched_ms: MaybeMs
    launched_time: MaybeTime
    started_ms: MaybeMs
    started_time: MaybeTime
    ended_ms: MaybeMs
    ended_time: MaybeTime


class StopDocument(Answer):
    kind: StopKind
    by: str
    reason: str | None


class InstanceDocument(Answer):
    """The one thing that accounts for one nominal time of one job."""

    id: str
    job_id: str
    name: str
    owner: str
    nominal_ms: Ms
    nominal_time: Time
    kind: InstanceKind
    state: InstanceState
    reason: str | None
    revision: int
    run: int
    attempt: int
    launch_attempt: int
    backfill_id: str | None = Field(description="The backfill it belongs to")
    overlap: str | None = Field(description="What stands in for the definition's policy")
    group: str | None = Field(description="The concurrency group whose slots it shares")
    tzdata: str | None = Field(
        description="The release of the zone database by which the nominal time was computed"
    )
    runs: list[RunDocument]
    parameters: dict[str, JsonValue]
    waiting_on: str | None
    stop: StopDocument | None
    result_path: str | None
    error: str | None
    token: str
    heard_ms: MaybeMs = Field(description="When the target of the latest run reported last")
    heard_time: MaybeTime
    said: str | None = Field(description="How far it is, in its words")
    created_ms: Ms
    created_time: Time
    ready_ms: MaybeMs
    ready_time: MaybeTime
    launched_ms: MaybeMs
    launched_time: MaybeTime
    started_ms: MaybeMs
    started_time: MaybeTime
    ended_ms: MaybeMs
    ended_time: MaybeTime


class EventDocument(Answer):
    """Who did what, when and why."""

    id: str
    owner: str
    job_id: str
    instance_id: str | None
    at_ms: Ms
    at_time: Time
    actor: str
    verb: str
    reason: str | None
    detail: dict[str, JsonValue]


class RevisionEntryDocument(Answer):
    """That there is a version of a job's definition: who made it, when and why."""

    job_id: str
    revision: int
    reason: str | None
    changed: list[str] = Field(
        description="The fields in which it differs from the revision before, at most 50"
    )
    created_ms: Ms
    created_time: Time
    created_by: str


class RevisionDocument(RevisionEntryDocument):
    """One version of a job's definition."""

    definition: DefinitionDocument


class FireDocument(Answer):
    nominal_ms: Ms
    local: str = Field(description="The same moment on the clocks of the schedule's zone")
    note: str | None
    excluded_by: str | None = Field(description="The calendar for which it does not fire then")
    rolls_to_ms: MaybeMs = Field(description="When it fires instead; null if it does not")
    rolls_to_time: MaybeTime


class PreviewDocument(Answer):
    """What a schedule says, and what is remarkable about it."""

    fires: list[FireDocument]
    warnings: list[str]
    description: str
    next_clock_change: JsonValue
    eventbridge: JsonValue
    tzdata: str


class CheckedDocument(Answer):
    """A definition that would be accepted, as it would be stored."""

    owner: str
    definition: DefinitionDocument
    fires: list[FireDocument]
    warnings: list[str]


class PauseDocument(Answer):
    """Since when all is paused, by whom and why."""

    since_ms: Ms
    since_time: Time
    by: str
    reason: str | None


class PauseStateDocument(Answer):
    """Whether all is paused: then nothing begins."""

    paused: bool
    since_ms: MaybeMs
    since_time: MaybeTime
    by: str | None
    reason: str | None


class ChangeDocument(Answer):
    """One field of a definition that would be another; lists change as a whole."""

    field: str = Field(description="Dotted path into the definition")
    before: JsonValue
    after: JsonValue


class PlannedDocument(Answer):
    """What an update would change. No changes: the definition means the same as the present one.

    ``edit`` is the ETag of the job as it is: an update with it in If-Match does this or nothing.
    """

    job_id: str
    owner: str
    name: str = Field(description="As it is now; an update may rename the job")
    state: JobState
    revision: int
    edit: int
    changes: list[ChangeDocument]
    definition: DefinitionDocument
    fires: list[FireDocument]
    warnings: list[str]


class RevisedDocument(RootModel[JobDocument | PlannedDocument], defer_build=True):
    """The job as it is from now on; with `dry_run=true` what would change."""


class JobPage(Answer):
    items: list[JobDocument]
    next: str | None
    paused: PauseDocument | None = Field(None, description="What holds all; null: nothing does")


class InstancePage(Answer):
    items: list[InstanceDocument]
    next: str | None
    paused: PauseDocument | None = Field(None, description="What holds all; null: nothing does")


class EventPage(Answer):
    items: list[EventDocument]
    next: str | None


class RevisionPage(Answer):
    items: list[RevisionEntryDocument]
    next: str | None


class CalendarDocument(Answer):
    """When the jobs that name it do not fire. ``edit`` is its ETag."""

    owner: str
    name: str
    calendar: dict[str, Any]
    edit: int
    created_ms: Ms
    created_time: Time
    created_by: str
    modified_ms: Ms
    modified_time: Time
    modified_by: str


class CalendarPage(Answer):
    items: list[CalendarDocument]
    next: None = None


class GroupDocument(Answer):
    """A concurrency group: so many instances of all jobs that name it are at work at once."""

    owner: str
    name: str
    size: int
    description: str
    held: int = Field(description="So many instances hold a slot of it")
    queued: int = Field(description="So many wait for one")
    edit: int
    created_ms: Ms
    created_time: Time
    created_by: str
    modified_ms: Ms
    modified_time: Time
    modified_by: str


class GroupMemberDocument(Answer):
    instance_id: str
    job_id: str
    name: str
    state: InstanceState
    nominal_ms: Ms
    nominal_time: Time


class GroupDetailDocument(GroupDocument):
    """A group with who is in it: of each at most 20, the oldest nominal times first."""

    jobs: list[str] = Field(description="Names of jobs that name it, at most 100")
    holders: list[GroupMemberDocument]
    waiters: list[GroupMemberDocument]


class GroupPage(Answer):
    items: list[GroupDocument]
    next: None = None


class OwnerDocument(Answer):
    name: str


class LimitsDocument(Answer):
    """``max_backfill``: nominal times of one backfill."""

    max_jobs: int
    max_waiting: int
    max_backfill: int


class OwnLimitsDocument(Answer):
    max_jobs: int | None
    max_waiting: int | None
    max_backfill: int | None


class UseDocument(Answer):
    jobs: int = Field(description="Jobs that are not deleted")
    waiting: int = Field(description="Instances in WAITING")


class OwnerQuotasDocument(Answer):
    """An owner, what it may have, and what it has."""

    name: str
    created_ms: Ms
    created_time: Time
    limits: LimitsDocument = Field(description="What holds")
    own_limits: OwnLimitsDocument = Field(
        description="What an admin set for this owner; null: the installation's default holds"
    )
    used: UseDocument


class OwnerPage(Answer):
    items: list[OwnerDocument]
    next: None = None


class MemberDocument(Answer):
    principal: str
    owner: str
    role: Role


class MemberPage(Answer):
    items: list[MemberDocument]
    next: None = None


class TokenDocument(Answer):
    """A new token. It is shown this once; the store keeps only its hash."""

    principal: str
    admin: bool
    token: str


class WhoDocument(Answer):
    name: str
    admin: bool
    owner: str | None = Field(
        description="The owner of jobs that it submits; null: it has several, and must name one"
    )
    roles: dict[str, Role]


class ClockDocument(Answer):
    """``by_hand``: this clock stands until somebody moves it."""

    now_ms: Ms
    now_time: Time
    by_hand: bool


class HealthDocument(Answer):
    """Anybody may read it, so it says little."""

    status: str
    version: str
    database: str = Field(description="Which kind: sqlite or mysql")
    paused: bool = Field(description="Whether an admin holds everything; GET /pause says why")
    now_ms: Ms
    now_time: Time


class ProblemItem(Answer):
    field: str = Field(description="Dotted path into the document, or the parameter's name")
    message: str
    value: JsonValue


class ProblemDocument(Answer):
    """RFC 9457. ``code`` is stable; ``problems`` names every field that is wrong, ``allowed`` what a thing
    in the wrong state takes."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    problems: list[ProblemItem] = []
    allowed: list[str] = []
