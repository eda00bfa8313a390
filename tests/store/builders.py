"""Values as the store keeps them: consistent, and a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.engine.ports import Transaction
from chalicelib.model.backfill import Backfill, BackfillState
from chalicelib.model.event import Event
from chalicelib.model.identity import instance_id
from chalicelib.model.instance import Claim, Instance
from chalicelib.model.job import Job, Suspension
from chalicelib.model.notification import Notification
from chalicelib.model.states import IN_FLIGHT, TERMINAL, InstanceKind, InstanceState, JobState
from chalicelib.store import SqlStore

NOON = 1_767_268_800_000
MINUTE = 60_000


def an_id(number: int) -> str:
    return f"{number:032x}"


JOB = an_id(1)


def a_job(number: int = 1, **changes: Any) -> Job:
    """A scheduled job, due at noon; jobs of different numbers have different names."""
    job = Job(
        id=an_id(number),
        owner="default",
        name=f"job-{number}",
        state=JobState.SCHEDULED,
        revision=1,
        definition_json=f'{{"name": "job-{number}"}}',
        cursor_ms=NOON,
        wake_ms=NOON,
        created_ms=NOON,
        created_by="ada",
        modified_ms=NOON,
        modified_by="ada",
    )
    job = replace(job, **changes)
    if job.state is JobState.SUSPENDED and job.suspension is None:
        job = replace(job, suspension=Suspension("ada", "a break", NOON))
    return job


def an_instance(minute: int = 0, job: str = JOB, **changes: Any) -> Instance:
    """The job's instance of that minute after noon, with what goes with its state."""
    nominal_ms = changes.pop("nominal_ms", NOON + minute * MINUTE)
    one = Instance(
        id=instance_id(job, nominal_ms),
        job_id=job,
        owner="default",
        nominal_ms=nominal_ms,
        kind=InstanceKind.SCHEDULED,
        revision=1,
        wake_ms=nominal_ms,
        deadline_ms=nominal_ms + 60 * MINUTE,
        created_ms=nominal_ms,
        run_created_ms=nominal_ms,
    )
    state = changes.get("state", InstanceState.WAITING)
    if state in IN_FLIGHT:
        one = replace(one, active=True, claim=Claim(1, nominal_ms + MINUTE, 1))
    if state in TERMINAL:
        one = replace(one, wake_ms=None, deadline_ms=None, ended_ms=nominal_ms + 1)
    return replace(one, **changes)


def moved(instance: Instance, state: InstanceState, **changes: Any) -> Instance:
    """The next version of the instance, in that state."""
    after = replace(instance, state=state, version=instance.version + 1, active=state in IN_FLIGHT)
    if state in TERMINAL:
        after = replace(after, wake_ms=None, deadline_ms=None, ended_ms=NOON)
    return replace(after, **changes)


def insert_jobs(store: SqlStore, *jobs: Job) -> None:
    def unit(tx: Transaction) -> None:
        for job in jobs:
            tx.insert_job(job)

    store.transact(unit)


def insert_instances(store: SqlStore, *instances: Instance) -> None:
    store.transact(lambda tx: tx.insert_instances(instances))


def a_backfill(number: int = 1, job: str = JOB, **changes: Any) -> Backfill:
    """One of the hour after noon, due at noon, with what goes with its state."""
    one = Backfill(
        id=an_id(number),
        owner="default",
        job_id=job,
        from_ms=NOON,
        to_ms=NOON + 60 * MINUTE,
        cursor_ms=NOON,
        overlap="allow",
        max_active=4,
        revision=1,
        total=60,
        wait_ms=MINUTE,
        wake_ms=NOON,
        created_ms=NOON,
        created_by="ada",
    )
    if changes.get("state", BackfillState.RUNNING) is not BackfillState.RUNNING:
        one = replace(one, wake_ms=None, ended_ms=NOON)
    return replace(one, **changes)


def insert_backfills(store: SqlStore, *backfills: Backfill) -> None:
    def unit(tx: Transaction) -> None:
        for one in backfills:
            tx.insert_backfill(one)

    store.transact(unit)


def an_event(number: int, **changes: Any) -> Event:
    event = Event(
        id=an_id(number),
        owner="default",
        job_id=JOB,
        at_ms=NOON + number,
        actor="ada",
        verb="SUSPEND",
    )
    return replace(event, **changes)


def a_notification(number: int = 1, **changes: Any) -> Notification:
    """A pending one, due at noon."""
    one = Notification(
        id=an_id(number),
        owner="default",
        job_id=JOB,
        instance_id=None,
        event="instance.failed",
        channel_json='{"kind": "webhook", "url": "https://example.com/"}',
        payload_json='{"type": "instance.failed", "data": {}}',
        wake_ms=NOON,
        give_up_ms=NOON + 60 * MINUTE,
        created_ms=NOON,
    )
    return replace(one, **changes)
