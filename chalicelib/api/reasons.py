"""Why: an instance or a job, explained in words."""

from __future__ import annotations

from chalice.app import Response
from pydantic import Field

from chalicelib.api.call import Call
from chalicelib.api.documents import (
    Answer,
    GroupMemberDocument,
    MaybeMs,
    MaybeTime,
    Ms,
    Time,
    twins,
)
from chalicelib.api.rendering import answer
from chalicelib.api.requests import Query
from chalicelib.api.resource import Resource
from chalicelib.engine.explaining import why
from chalicelib.engine.explaining_jobs import why_job
from chalicelib.model.states import InstanceState, JobState

resource = Resource(__name__, "why")


class FindingDocument(Answer):
    """What the latest check found of one prerequisite."""

    kind: str
    what: str = Field(description="The concrete path, query, URL or job")
    met: bool
    found: str
    late: bool = Field(default=False, description="It gave no answer in time")


class WhyDocument(Answer):
    """Why an instance is where it is."""

    instance_id: str
    job_id: str
    name: str
    nominal_ms: Ms
    nominal_time: Time
    state: InstanceState
    reason: str | None
    why: str = Field(description="One sentence, for people; it changes with time")
    findings: list[FindingDocument]
    checks: int = Field(description="How often the prerequisites of this run were checked")
    checked_ms: MaybeMs
    checked_time: MaybeTime
    next_ms: MaybeMs = Field(description="When it is looked at again")
    next_time: MaybeTime
    gives_up_ms: MaybeMs = Field(description="When its wait, or the time of its run, is over")
    gives_up_time: MaybeTime
    holders: list[GroupMemberDocument] = Field(
        description="Instances that hold the slots it waits for, at most five"
    )


class JobWhyDocument(Answer):
    """Why a job does or does not run."""

    job_id: str
    name: str
    state: JobState
    why: str
    lately: list[str] = Field(description="Its latest instance, and what was skipped lately")


@resource.route(
    "GET", "/instances/{instance_id}/why", {200: WhyDocument}, refusals=frozenset({404})
)
def why_instance(call: Call, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """Why an instance is where it is: what it waits for, what was found, who is before it."""
    found = why(call.engine, call.principal, call.path["instance_id"])
    one = found.view.instance
    document = WhyDocument(
        instance_id=one.id,
        job_id=one.job_id,
        name=found.view.job_name,
        state=one.state,
        reason=one.reason,
        why=found.because,
        findings=[FindingDocument.model_validate(each) for each in found.findings],
        checks=one.checks,
        holders=[
            GroupMemberDocument(
                instance_id=each.id,
                job_id=each.job_id,
                name=name,
                state=each.state,
                **twins(nominal=each.nominal_ms),
            )
            for each, name in found.holders
        ],
        **twins(
            nominal=one.nominal_ms,
            checked=one.checked_ms,
            next=one.wake_ms,
            gives_up=found.gives_up_ms,
        ),
    )
    return answer(document)


@resource.route("GET", "/jobs/{job_id}/why", {200: JobWhyDocument}, refusals=frozenset({404, 409}))
def explain_job(call: Call, query: Query) -> Response:  # noqa: ARG001
    """Why a job does or does not run: its state, its latest instance, and what was skipped lately."""
    found = why_job(call.engine, call.principal, call.job_ref)
    document = JobWhyDocument(
        job_id=found.job.id,
        name=found.job.name,
        state=found.job.state,
        why=found.because,
        lately=list(found.lately),
    )
    return answer(document)
