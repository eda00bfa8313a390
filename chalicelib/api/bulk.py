"""kill, rerun and skip of many instances: chosen by a filter, counted with dry_run, done page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from chalice.app import Response
from pydantic import BaseModel, BeforeValidator, Field

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer, InstanceDocument, Ms, Time, twins
from chalicelib.api.paging import decoded, encoded
from chalicelib.api.rendering import answer, instance_document
from chalicelib.api.requests import Because, Instant, Query
from chalicelib.api.resource import Resource
from chalicelib.engine import commands
from chalicelib.engine.commands import Choice, Counted, Done, Verb, Wanted
from chalicelib.model.document import Document
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.identity import SLUG
from chalicelib.model.states import InstanceKind, InstanceState

resource = Resource(__name__, "instances")
_CURSOR = re.compile(r"2:(\d{1,15}):([0-9a-f]{32})")


def _member(kind: type[StrEnum]) -> BeforeValidator:
    """Reads a member of the enum by its name, in any case."""

    def read(value: object) -> object:
        if isinstance(value, str) and value.upper() not in set(kind):
            raise ValueError(f"must be one of {', '.join(kind)}")
        return kind(value.upper()) if isinstance(value, str) else value

    return BeforeValidator(read)


State = Annotated[InstanceState, _member(InstanceState)]
Kind = Annotated[InstanceKind, _member(InstanceKind)]
TagName = Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]


class ChoiceBody(Document, defer_build=True):
    """Which instances: those of which all of this is true. At least one of it must be said."""

    jobs: list[str] = Field([], max_length=100, description="Ids or names of jobs")
    states: list[State] = Field(
        [],
        description="If absent, those that the verb is for; of a rerun FAILED, TIMED_OUT and KILLED",
    )
    kind: Kind | None = None
    from_: Instant | None = Field(None, alias="from", description="Nominal times from here")
    to: Instant | None = Field(None, description="to here, exclusive")
    backfill: str | None = Field(None, description="The id of a backfill")
    group: str | None = Field(None, description="A concurrency group")
    tags: dict[TagName, str] = Field({}, max_length=20, description="Tags of the job, all of them")


class BulkBody(Because):
    filter: ChoiceBody
    as_of: Instant | None = Field(
        None,
        description="Leave alone the runs that were created since; what a dry run answered as as_of_ms "
        "makes a repeat of the command harmless",
    )


class BulkRerunBody(BulkBody):
    original: bool = Field(
        default=False, description="With the revisions they ran last, not the jobs' present ones"
    )
    ignore_prerequisites: bool = Field(default=False, description="Wait for nothing but their turn")


class BulkQuery(Query):
    dry_run: bool = Field(default=False, description="Only count them, and list the first ten")
    next: str | None = Field(None, description="The cursor that the request before ended with")


class BulkDocument(Answer):
    """What a request did to at most a thousand instances; with `next` not null, send it again with that."""

    changed: int
    stopping: int = Field(
        description="Of the changed: asked to stop, and end when their targets confirm"
    )
    already: int = Field(description="Passed over: it was so already")
    moved: int = Field(description="Passed over: no longer what the filter says")
    refused: int = Field(
        description="Passed over: the job is deleted, or its owner may have no more waiting"
    )
    as_of_ms: Ms
    as_of_time: Time
    next: str | None


class BulkCountDocument(Answer):
    """What a command would look at, as things are now. Nothing was changed."""

    total: int
    more: bool = Field(description="There are more than the total; nobody counted them")
    states: dict[InstanceState, int]
    items: list[InstanceDocument] = Field(
        description="The first of them, oldest nominal time first"
    )
    as_of_ms: Ms
    as_of_time: Time


ANSWERS: Mapping[int, type[BaseModel] | str] = {202: BulkDocument, 200: BulkCountDocument}
REFUSALS = frozenset({403, 404, 409})


@resource.route("POST", "/instances/kill", ANSWERS, refusals=REFUSALS)
def kill_many(call: Call, body: BulkBody, query: BulkQuery) -> Response:
    """End many instances: those that wait at once, those in flight by a request to stop.

    At most a thousand a request; `next` says where to go on. With `dry_run=true` they are only counted.
    """
    return _answered(call, Verb.KILL, body, query)


@resource.route("POST", "/instances/rerun", ANSWERS, refusals=REFUSALS)
def rerun_many(call: Call, body: BulkRerunBody, query: BulkQuery) -> Response:
    """Run many instances that have ended once more, the oldest nominal time first.

    At most a thousand a request; `next` says where to go on. With `dry_run=true` they are only counted.
    """
    return _answered(call, Verb.RERUN, body, query, rerun=body)


@resource.route("POST", "/instances/skip", ANSWERS, refusals=REFUSALS)
def skip_many(call: Call, body: BulkBody, query: BulkQuery) -> Response:
    """Decide that many instances that wait shall not run.

    At most a thousand a request; `next` says where to go on. With `dry_run=true` they are only counted.
    """
    return _answered(call, Verb.SKIP, body, query)


def _answered(
    call: Call,
    verb: Verb,
    body: BulkBody,
    query: BulkQuery,
    *,
    rerun: BulkRerunBody | None = None,
) -> Response:
    choice = _choice(call, body.filter)
    if query.dry_run:
        counted = commands.count_many(call.engine, call.principal, verb, choice)
        return answer(_count_document(counted))
    as_of_ms, after = _read_cursor(query.next)
    wanted = Wanted(
        verb,
        choice,
        reason=body.reason,
        original=rerun is not None and rerun.original,
        ignore_prerequisites=rerun is not None and rerun.ignore_prerequisites,
        after=after,
        as_of_ms=body.as_of if as_of_ms is None else as_of_ms,
    )
    return answer(_done_document(commands.change_many(call.engine, call.principal, wanted)), 202)


def _choice(call: Call, body: ChoiceBody) -> Choice:
    return Choice(
        owner=call.owner,
        jobs=tuple(call.named_job(ref) for ref in body.jobs),
        states=tuple(body.states),
        kind=body.kind,
        from_ms=body.from_,
        to_ms=body.to,
        backfill=body.backfill,
        group=body.group,
        tags=body.tags,
    )


def _count_document(counted: Counted) -> BulkCountDocument:
    return BulkCountDocument(
        total=counted.total,
        more=counted.more,
        states=dict(counted.states),
        items=[instance_document(view) for view in counted.first],
        **twins(as_of=counted.as_of_ms),
    )


def _done_document(done: Done) -> BulkDocument:
    following = None if done.after is None else encoded(f"2:{done.as_of_ms}:{done.after}")
    return BulkDocument(
        changed=done.changed,
        stopping=done.stopping,
        already=done.already,
        moved=done.moved,
        refused=done.refused,
        next=following,
        **twins(as_of=done.as_of_ms),
    )


def _read_cursor(cursor: str | None) -> tuple[int | None, str | None]:
    """When the command began, and the last instance that it looked at."""
    if cursor is None:
        return None, None
    match = _CURSOR.fullmatch(decoded(cursor))
    if match is None:
        message = "is no cursor of this command; pass on the last answer's next, unchanged"
        raise InvalidInput([Problem("next", message, cursor)])
    return int(match[1]), match[2]
