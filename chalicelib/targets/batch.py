"""The kind ``batch``: a job of AWS Batch, named by the run's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from chalicelib.aws import Caller, region_of
from chalicelib.engine.outcomes import Failed, Launched, Outcome, Stopped, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.targets.aws_kind import (
    AwsKind,
    AwsTarget,
    Completion,
    Name,
    Need,
    by_state,
    environment_of,
    given,
    gone,
    pairs,
)

_BY_US = "stopped by Noonday"


class BatchTarget(AwsTarget):
    """A job in a queue."""

    kind: Literal["batch"]
    queue: Name = Field(description="Name or ARN of the job queue", examples=["nightly"])
    definition: Name = Field(
        description="Name, name:revision or ARN of the job definition", examples=["report:7"]
    )
    parameters: dict[str, str] = Field({}, description="Placeholders of the job definition")
    command: list[str] | None = Field(None, description="Instead of the container's own")
    environment: dict[str, str] = Field(
        {}, max_length=100, description="Added to the container's; NOONDAY_TOKEN comes with it"
    )
    completion: Completion = "service"

    @property
    def resources(self) -> Sequence[str]:
        return [f"{self.queue}/{self.definition}"]


class BatchKind(AwsKind[BatchTarget]):
    """Batch takes no token: a job of the token's name is looked for before a launch is repeated."""

    name = "batch"
    spec = BatchTarget
    needs = (
        Need("batch:SubmitJob", "arn:aws:batch:*:*:job-queue/{queue}"),
        Need("batch:SubmitJob", "arn:aws:batch:*:*:job-definition/{definition}"),
        Need("batch:ListJobs", "*"),
        Need("batch:DescribeJobs", "*"),
        Need("batch:TerminateJob", "arn:aws:batch:*:*:job/*"),
    )

    def start(self, spec: BatchTarget, request: LaunchRequest, call: Caller) -> Outcome:
        environment = {**spec.environment, **environment_of(request)}
        overrides = given(command=spec.command, environment=pairs(environment))
        asked = given(
            jobName=request.token,
            jobQueue=spec.queue,
            jobDefinition=spec.definition,
            parameters=spec.parameters,
            containerOverrides=overrides,
        )
        return self._launched(spec, call("batch", "SubmitJob", asked)["jobId"])

    def find(self, spec: BatchTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        """With a filter all states are listed."""
        named = [{"name": "JOB_NAME", "values": [request.token]}]
        answer = call("batch", "ListJobs", {"jobQueue": spec.queue, "filters": named})
        jobs = [one for one in answer["jobSummaryList"] if one["jobName"] == request.token]
        return self._launched(spec, jobs[0]["jobId"]) if jobs else None

    def look(self, spec: BatchTarget, external_id: str, call: Caller) -> Outcome:
        del spec
        jobs = call("batch", "DescribeJobs", {"jobs": [external_id]})["jobs"]
        if not jobs:
            return gone("Batch does not know the job any more")
        state, why = jobs[0]["status"], jobs[0].get("statusReason", "")
        outcome = by_state(
            state,
            waiting=["SUBMITTED", "PENDING", "RUNNABLE", "STARTING"],
            running=["RUNNING"],
            succeeded=Succeeded,
            stopped=[],
            error=why,
        )
        return Stopped() if isinstance(outcome, Failed) and why == _BY_US else outcome

    def end(self, spec: BatchTarget, external_id: str, call: Caller) -> None:
        del spec
        call("batch", "TerminateJob", {"jobId": external_id, "reason": _BY_US})

    def _launched(self, spec: BatchTarget, job_id: str) -> Launched:
        path = f"batch/home?region={{region}}#jobs/detail/{job_id}"
        return Launched(job_id, self.console(path, region_of(spec.queue)))
