"""Jobs, instances and their history as the documents of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from chalice.app import Response
from pydantic import BaseModel

from chalicelib.api.documents import (
    EventDocument,
    EventPage,
    FireDocument,
    InstanceDocument,
    InstancePage,
    JobDocument,
    JobPage,
    PauseDocument,
    PreviewDocument,
    RevisionDocument,
    RevisionEntryDocument,
    RevisionPage,
    RunDocument,
    StopDocument,
    SuspensionDocument,
    twins,
)
from chalicelib.api.paging import write_cursor, write_number
from chalicelib.engine import queries
from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Remembered
from chalicelib.engine.views import InstanceView, Page
from chalicelib.model.event import Event
from chalicelib.model.identity import run_token
from chalicelib.model.instance import Run
from chalicelib.model.job import Job, Revision, RevisionEntry, Suspension
from chalicelib.model.pause import Pause
from chalicelib.schedule import Explanation, Fire

T = TypeVar("T")
JSON = "application/json"


def answer(document: BaseModel, status: int = 200, **headers: str) -> Response:
    """``headers``: names with underscores for hyphens."""
    named: dict[str, str | list[str]] = {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return Response(
        body=document.model_dump_json(),
        headers={"Content-Type": JSON, **named},
        status_code=status,
    )


def job_answer(engine: Engine, job: Job, status: int = 200) -> Response:
    return answer(job_document(engine, job), status, ETag=f'"{job.edit}"')


def created(
    result: T | Remembered, render: Callable[[T], str], path: str, status: int = 201
) -> Response:
    """The answer to what created something; for a repeat of the request, the answer it had then."""
    replayed = isinstance(result, Remembered)
    body = result.body if isinstance(result, Remembered) else render(result)
    document = json.loads(body)
    headers: dict[str, str | list[str]] = {"Content-Type": JSON}
    headers["Location"] = f"{path}/{document['id']}"
    if "edit" in document:
        headers["ETag"] = f'"{document["edit"]}"'
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(body=body, headers=headers, status_code=status)


def job_document(engine: Engine, job: Job) -> JobDocument:
    return JobDocument(
        id=job.id,
        owner=job.owner,
        name=job.name,
        state=job.state,
        revision=job.revision,
        definition=json.loads(job.definition_json),
        suspension=_suspension(job.suspension),
        group=job.group,
        streak=job.streak,
        created_by=job.created_by,
        modified_by=job.modified_by,
        edit=job.edit,
        **twins(
            next=queries.next_fire(engine, job), created=job.created_ms, modified=job.modified_ms
        ),
    )


def job_page(engine: Engine, page: Page[Job]) -> JobPage:
    items = [job_document(engine, job) for job in page.items]
    return JobPage(items=items, next=write_cursor(page.next), paused=pause_document(page.pause))


def instance_document(view: InstanceView) -> InstanceDocument:
    instance = view.instance
    stop = instance.stop
    return InstanceDocument(
        id=instance.id,
        job_id=instance.job_id,
        name=view.job_name,
        owner=instance.owner,
        kind=instance.kind,
        state=instance.state,
        reason=instance.reason,
        revision=instance.revision,
        run=instance.run,
        attempt=instance.attempt,
        launch_attempt=instance.launch_attempt,
        backfill_id=instance.backfill,
        overlap=instance.overlap,
        group=instance.group,
        tzdata=instance.tzdata,
        runs=[_run(instance.id, run) for run in view.runs],
        parameters=json.loads(instance.parameters_json),
        waiting_on=view.waiting_on,
        stop=StopDocument(kind=stop.kind, by=stop.by, reason=stop.reason) if stop else None,
        result_path=instance.result_path,
        error=instance.error,
        token=instance.token,
        said=instance.said,
        **twins(
            heard=instance.heard_ms,
            nominal=instance.nominal_ms,
            created=instance.created_ms,
            ready=instance.ready_ms,
            launched=instance.launched_ms,
            started=instance.started_ms,
            ended=instance.ended_ms,
        ),
    )


def instance_page(page: Page[InstanceView]) -> InstancePage:
    items = [instance_document(view) for view in page.items]
    return InstancePage(
        items=items, next=write_cursor(page.next), paused=pause_document(page.pause)
    )


def pause_document(pause: Pause | None) -> PauseDocument | None:
    if pause is None:
        return None
    return PauseDocument(by=pause.by, reason=pause.reason, **twins(since=pause.since_ms))


def event_page(page: Page[Event]) -> EventPage:
    return EventPage(items=[_event(event) for event in page.items], next=write_cursor(page.next))


def revision_page(rows: Sequence[RevisionEntry], following: int | None) -> RevisionPage:
    items = [RevisionEntryDocument(**_entry(row)) for row in rows]
    return RevisionPage(items=items, next=write_number(following))


def revision_document(revision: Revision) -> RevisionDocument:
    definition = json.loads(revision.definition_json)
    return RevisionDocument(**_entry(revision.entry), definition=definition)


def _entry(entry: RevisionEntry) -> dict[str, Any]:
    return {
        "job_id": entry.job_id,
        "revision": entry.revision,
        "reason": entry.reason,
        "changed": list(entry.changed),
        "created_by": entry.created_by,
        **twins(created=entry.created_ms),
    }


def preview_document(explanation: Explanation) -> PreviewDocument:
    return PreviewDocument(
        fires=fire_documents(explanation.fires),
        warnings=list(explanation.warnings),
        description=explanation.description,
        next_clock_change=explanation.next_clock_change,
        eventbridge=explanation.eventbridge,
        tzdata=explanation.tzdata,
    )


def fire_documents(fires: Iterable[Fire]) -> list[FireDocument]:
    return [
        FireDocument(
            nominal_ms=fire.nominal_ms,
            local=fire.local,
            note=fire.note or None,
            excluded_by=fire.excluded_by,
            **twins(rolls_to=fire.rolls_to_ms),
        )
        for fire in fires
    ]


def listed(items: Sequence[Any]) -> dict[str, Any]:
    """A list that comes whole."""
    return {"items": list(items), "next": None}


def _suspension(suspension: Suspension | None) -> SuspensionDocument | None:
    if suspension is None:
        return None
    times = twins(since=suspension.since_ms, until=suspension.until_ms)
    return SuspensionDocument(by=suspension.by, reason=suspension.reason, **times)


def _run(instance_id: str, run: Run) -> RunDocument:
    return RunDocument(
        run=run.number,
        token=run_token(instance_id, run.number),
        state=run.state,
        reason=run.reason,
        external_id=run.external_id,
        external_url=run.external_url,
        result_path=run.result_path,
        log_path=run.log_path,
        error=run.error,
        **twins(
            created=run.created_ms,
            launched=run.launched_ms,
            started=run.started_ms,
            ended=run.ended_ms,
        ),
    )


def _event(event: Event) -> EventDocument:
    return EventDocument(
        id=event.id,
        owner=event.owner,
        job_id=event.job_id,
        instance_id=event.instance_id,
        actor=event.actor,
        verb=event.verb,
        reason=event.reason,
        detail=json.loads(event.detail_json),
        **twins(at=event.at_ms),
    )
