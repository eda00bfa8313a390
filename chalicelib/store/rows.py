"""Values to rows and back. Rows travel to the database as JSON objects without their nulls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.engine.housekeeping_ports import Ended
from chalicelib.engine.ports import Remembered, Slots
from chalicelib.model.calendar import StoredCalendar
from chalicelib.model.event import Event
from chalicelib.model.group import Group
from chalicelib.model.instance import Claim, Instance, Run, Stop
from chalicelib.model.job import Job, Revision, RevisionEntry, SkipRange, Suspension
from chalicelib.model.principal import Membership
from chalicelib.model.states import (
    GroupPlace,
    InstanceKind,
    InstanceState,
    JobState,
    Role,
    StopKind,
)
from chalicelib.store.driver import Row

# A statement takes at most so much at once: MariaDB's packets end at 16 MB unless told otherwise.
BATCH_ROWS = 1000
BATCH_CHARACTERS = 2_000_000

JsonRow = Mapping[str, Any]


def as_list(values: Iterable[str]) -> str:
    """A list of ids or names, sorted, as one parameter: who locks a list locks it in order."""
    return json.dumps(sorted(set(values)))


def batches(rows: Iterable[JsonRow]) -> Iterator[str]:
    """The rows as JSON arrays, each small enough for one statement."""
    texts: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps({key: _text(value) for key, value in row.items() if value is not None})
        if texts and (len(texts) == BATCH_ROWS or size + len(text) > BATCH_CHARACTERS):
            yield f"[{','.join(texts)}]"
            texts, size = [], 0
        texts.append(text)
        size += len(text)
    if texts:
        yield f"[{','.join(texts)}]"


def _text(value: Any) -> Any:
    """What output of programs may hold and no JSON column takes: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def slices(ids: Iterable[str]) -> Iterator[list[str]]:
    """Sorted ids without repetition, at most ``BATCH_ROWS`` at a time."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), BATCH_ROWS):
        yield ordered[start : start + BATCH_ROWS]


def job_of(row: Row) -> Job:
    (id_, owner, name, state, revision, definition, cursor_ms, wake_ms, by, reason, since_ms, until_ms,
     failures, edit, created_ms, created_by, modified_ms, modified_by, calendars, group,
     streak) = row  # fmt: skip
    return Job(
        id=id_,
        owner=owner,
        name=name,
        state=JobState(state),
        revision=revision,
        definition_json=definition,
        cursor_ms=cursor_ms,
        wake_ms=wake_ms,
        suspension=None if since_ms is None else Suspension(by, reason, since_ms, until_ms),
        failures=failures,
        edit=edit,
        created_ms=created_ms,
        created_by=created_by,
        modified_ms=modified_ms,
        modified_by=modified_by,
        calendars_json=calendars,
        group=group,
        streak=streak,
    )


def job_row(job: Job) -> JsonRow:
    suspension = job.suspension
    return {
        "id": job.id,
        "owner": job.owner,
        "name": job.name,
        "name_key": None if job.state is JobState.DELETED else job.name,
        "state": job.state.value,
        "revision": job.revision,
        "definition": job.definition_json,
        "cursor_ms": job.cursor_ms,
        "wake_ms": job.wake_ms,
        "suspended_by": suspension.by if suspension else None,
        "suspended_reason": suspension.reason if suspension else None,
        "suspended_since_ms": suspension.since_ms if suspension else None,
        "suspended_until_ms": suspension.until_ms if suspension else None,
        "failures": job.failures,
        "edit": job.edit,
        "created_ms": job.created_ms,
        "created_by": job.created_by,
        "modified_ms": job.modified_ms,
        "modified_by": job.modified_by,
        "calendars": job.calendars_json,
        "grp": job.group,
        "streak": job.streak,
    }


_UNSAVED = (
    "owner",
    "name",
    "name_key",
    "definition",
    "created_ms",
    "created_by",
    "calendars",
    "grp",
)


def saved_job_row(job: Job) -> JsonRow:
    """What ``save_jobs`` writes: a sweep of a thousand jobs need not carry a thousand definitions."""
    row = dict(job_row(job))
    for name in _UNSAVED:
        del row[name]
    return row


def calendar_of(row: Row) -> StoredCalendar:
    owner, name, document, edit, created_ms, created_by, modified_ms, modified_by = row
    return StoredCalendar(
        owner=owner,
        name=name,
        document_json=document,
        edit=edit,
        created_ms=created_ms,
        created_by=created_by,
        modified_ms=modified_ms,
        modified_by=modified_by,
    )


def calendar_row(calendar: StoredCalendar) -> JsonRow:
    return {
        "owner": calendar.owner,
        "name": calendar.name,
        "document": calendar.document_json,
        "edit": calendar.edit,
        "created_ms": calendar.created_ms,
        "created_by": calendar.created_by,
        "modified_ms": calendar.modified_ms,
        "modified_by": calendar.modified_by,
    }


def group_of(row: Row) -> Group:
    owner, name, size, description, edit, created_ms, created_by, modified_ms, modified_by = row
    return Group(
        owner=owner,
        name=name,
        size=size,
        description=description,
        edit=edit,
        created_ms=created_ms,
        created_by=created_by,
        modified_ms=modified_ms,
        modified_by=modified_by,
    )


def group_row(group: Group) -> JsonRow:
    return {
        "owner": group.owner,
        "name": group.name,
        "size": group.size,
        "description": group.description,
        "edit": group.edit,
        "created_ms": group.created_ms,
        "created_by": group.created_by,
        "modified_ms": group.modified_ms,
        "modified_by": group.modified_by,
    }


def by_owner(keys: Iterable[tuple[str, str]]) -> Sequence[tuple[str, Sequence[str]]]:
    """Names by their owner, both in order: who locks them locks them in order."""
    found: dict[str, list[str]] = {}
    for owner, name in sorted(set(keys)):
        found.setdefault(owner, []).append(name)
    return list(found.items())


def slots_of(row: Row) -> Slots:
    backfill, group, place, count = row
    return Slots(backfill, group, None if place is None else GroupPlace(place), int(count))


def revision_entry_of(row: Row) -> RevisionEntry:
    job_id, revision, created_ms, created_by, reason, changed = row
    names = tuple(json.loads(changed)) if changed is not None else ()
    return RevisionEntry(job_id, revision, created_ms, created_by, reason, names)


def revision_of(row: Row) -> Revision:
    *entry, definition = row
    return Revision(revision_entry_of(tuple(entry)), definition)


def instance_of(row: Row) -> Instance:
    (id_, job_id, owner, nominal_ms, kind, parameters, state, reason, revision, run, attempt, version,
     wake_ms, deadline_ms, active, epoch, lease_ms, claims, stop_kind, stop_by, stop_reason, stop_ms,
     external_id, external_url, handle, result_path, log_path, error, waiting_on, created_ms,
     run_created_ms, ready_ms, launched_ms, started_ms, ended_ms, tzdata, backfill, overlap, max_active,
     group, place, checks, checked_ms, findings, launch_attempt,
     asked_ms, heard_ms, said) = row  # fmt: skip
    return Instance(
        id=id_,
        job_id=job_id,
        owner=owner,
        nominal_ms=nominal_ms,
        kind=InstanceKind(kind),
        parameters_json=parameters,
        state=InstanceState(state),
        reason=reason,
        revision=revision,
        run=run,
        attempt=attempt,
        version=version,
        wake_ms=wake_ms,
        deadline_ms=deadline_ms,
        active=bool(active),
        claim=Claim(epoch, lease_ms, claims),
        stop=None
        if stop_kind is None
        else Stop(StopKind(stop_kind), stop_by, stop_reason, stop_ms),
        external_id=external_id,
        external_url=external_url,
        handle=handle,
        result_path=result_path,
        log_path=log_path,
        error=error,
        waiting_on=waiting_on,
        created_ms=created_ms,
        run_created_ms=run_created_ms,
        ready_ms=ready_ms,
        launched_ms=launched_ms,
        started_ms=started_ms,
        ended_ms=ended_ms,
        tzdata=tzdata,
        backfill=backfill,
        overlap=overlap,
        max_active=max_active,
        group=group,
        place=None if place is None else GroupPlace(place),
        checks=checks,
        checked_ms=checked_ms,
        findings_json=findings,
        launch_attempt=launch_attempt,
        asked_ms=asked_ms,
        heard_ms=heard_ms,
        said=said,
    )


def instance_row(instance: Instance) -> JsonRow:
    stop = instance.stop
    return {
        "id": instance.id,
        "job_id": instance.job_id,
        "owner": instance.owner,
        "nominal_ms": instance.nominal_ms,
        "kind": instance.kind.value,
        "parameters": instance.parameters_json,
        "state": instance.state.value,
        "reason": instance.reason,
        "revision": instance.revision,
        "run": instance.run,
        "attempt": instance.attempt,
        "version": instance.version,
        "wake_ms": instance.wake_ms,
        "deadline_ms": instance.deadline_ms,
        "active": int(instance.active),
        "claim_epoch": instance.claim.epoch,
        "lease_ms": instance.claim.lease_ms,
        "claim_count": instance.claim.count,
        "stop_kind": stop.kind.value if stop else None,
        "stop_by": stop.by if stop else None,
        "stop_reason": stop.reason if stop else None,
        "stop_deadline_ms": stop.deadline_ms if stop else None,
        "external_id": instance.external_id,
        "external_url": instance.external_url,
        "handle": instance.handle,
        "result_path": instance.result_path,
        "log_path": instance.log_path,
        "error": instance.error,
        "waiting_on": instance.waiting_on,
        "created_ms": instance.created_ms,
        "run_created_ms": instance.run_created_ms,
        "ready_ms": instance.ready_ms,
        "launched_ms": instance.launched_ms,
        "started_ms": instance.started_ms,
        "ended_ms": instance.ended_ms,
        "tzdata": instance.tzdata,
        "backfill": instance.backfill,
        "overlap": instance.overlap,
        "max_active": instance.max_active,
        "grp": instance.group,
        "place": None if instance.place is None else int(instance.place),
        "checks": instance.checks,
        "checked_ms": instance.checked_ms,
        "findings": instance.findings_json,
        "launch_attempt": instance.launch_attempt,
        "asked_ms": instance.asked_ms,
        "heard_ms": instance.heard_ms,
        "said": instance.said,
    }


def run_of(row: Row) -> Run:
    _, number, state, *facts = row
    return Run(number, InstanceState(state), *facts)


def run_row(instance: Instance) -> JsonRow:
    run = instance.latest_run
    return {
        "instance_id": instance.id,
        "number": run.number,
        "state": run.state.value,
        "reason": run.reason,
        "external_id": run.external_id,
        "external_url": run.external_url,
        "handle": run.handle,
        "result_path": run.result_path,
        "log_path": run.log_path,
        "error": run.error,
        "created_ms": run.created_ms,
        "launched_ms": run.launched_ms,
        "started_ms": run.started_ms,
        "ended_ms": run.ended_ms,
    }


def skip_range_of(row: Row) -> SkipRange:
    return SkipRange(*row)


def skip_range_row(span: SkipRange) -> JsonRow:
    return {
        "job_id": span.job_id,
        "from_ms": span.from_ms,
        "to_ms": span.to_ms,
        "reason": span.reason,
        "revision": span.revision,
        "run": span.run,
    }


def ended_of(row: Row) -> Ended:
    id_, nominal_ms, kind, run, revision, claim_epoch = row
    return Ended(id_, nominal_ms, kind, run, revision, claim_epoch > 0)


def event_of(row: Row) -> Event:
    id_, owner, job_id, instance_id, at_ms, actor, verb, reason, detail = row
    return Event(
        id=id_,
        owner=owner,
        job_id=job_id,
        instance_id=instance_id,
        at_ms=at_ms,
        actor=actor,
        verb=verb,
        reason=reason,
        detail_json=detail,
    )


def event_row(event: Event) -> JsonRow:
    return {
        "id": event.id,
        "owner": event.owner,
        "job_id": event.job_id,
        "instance_id": event.instance_id,
        "at_ms": event.at_ms,
        "actor": event.actor,
        "verb": event.verb,
        "reason": event.reason,
        "detail": event.detail_json,
    }


def remembered_of(row: Row) -> Remembered:
    return Remembered(*row)


def remembered_row(answer: Remembered) -> JsonRow:
    return {
        "id": request_id(answer.owner, answer.key),
        "owner": answer.owner,
        "request_key": answer.key,
        "fingerprint": answer.fingerprint,
        "status": answer.status,
        "body": answer.body,
        "created_ms": answer.created_ms,
    }


def request_id(owner: str, key: str) -> str:
    """Two keys are the same only byte for byte, whatever a column's collation thinks."""
    return hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()


def membership_of(row: Row) -> Membership:
    principal, owner, role = row
    return Membership(principal, owner, Role(role))


def grouped(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    """Rows by their first column, in the order they came."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return groups
