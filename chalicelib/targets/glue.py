"""The kind ``glue``: a run of a Glue job, which carries the run's token among its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from chalicelib.aws import Caller
from chalicelib.engine.outcomes import Launched, Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.targets.aws_kind import AwsKind, AwsTarget, Name, Need, by_state, given, quoted

TOKEN = "--noonday-token"  # noqa: S105 - the name of an argument
PAGES = 5  # of 200 runs, the newest first


class GlueTarget(AwsTarget):
    """A job that is defined in Glue."""

    kind: Literal["glue"]
    job: Name = Field(description="The job's name", examples=["load-orders"])
    arguments: dict[str, str] = Field(
        {},
        max_length=100,
        description="Given to the script, names with their hyphens; --noonday-token comes with them",
        examples=[{"--day": "${nominal_time:%Y-%m-%d}"}],
    )
    worker_type: str | None = Field(None, description="Instead of the job's own")
    workers: int | None = Field(None, ge=1, le=1000, description="Instead of the job's own number")

    @field_validator("arguments")
    @classmethod
    def _hyphens(cls, arguments: dict[str, str]) -> dict[str, str]:
        for name in arguments:
            if not name.startswith("--") or name == TOKEN:
                raise ValueError(
                    f"{name!r}: a name begins with --, and {TOKEN} is Noonday's; write --day"
                )
        return arguments

    @property
    def resources(self) -> Sequence[str]:
        return [self.job]


class GlueKind(AwsKind[GlueTarget]):
    """Glue takes no token: its newest runs are searched before a launch is repeated."""

    name = "glue"
    spec = GlueTarget
    needs = (
        Need("glue:StartJobRun", "arn:aws:glue:*:*:job/{job}"),
        Need("glue:GetJobRuns", "arn:aws:glue:*:*:job/{job}"),
        Need("glue:GetJobRun", "arn:aws:glue:*:*:job/{job}"),
        Need("glue:BatchStopJobRun", "arn:aws:glue:*:*:job/{job}"),
    )

    def start(self, spec: GlueTarget, request: LaunchRequest, call: Caller) -> Outcome:
        asked = given(
            JobName=spec.job,
            Arguments={**spec.arguments, TOKEN: request.token},
            WorkerType=spec.worker_type,
            NumberOfWorkers=spec.workers,
        )
        return self._launched(spec, call("glue", "StartJobRun", asked)["JobRunId"])

    def find(self, spec: GlueTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        asked: dict[str, Any] = {"JobName": spec.job, "MaxResults": 200}
        for _ in range(PAGES):
            page = call("glue", "GetJobRuns", asked)
            for run in page["JobRuns"]:
                if run.get("Arguments", {}).get(TOKEN) == request.token:
                    return self._launched(spec, run["Id"])
            if not page.get("NextToken"):
                break
            asked["NextToken"] = page["NextToken"]
        return None

    def look(self, spec: GlueTarget, external_id: str, call: Caller) -> Outcome:
        run = call("glue", "GetJobRun", {"JobName": spec.job, "RunId": external_id})["JobRun"]
        return by_state(
            run["JobRunState"],
            waiting=["STARTING", "WAITING"],
            running=["RUNNING", "STOPPING"],
            succeeded=Succeeded,
            stopped=["STOPPED"],
            error=run.get("ErrorMessage", ""),
        )

    def end(self, spec: GlueTarget, external_id: str, call: Caller) -> None:
        call("glue", "BatchStopJobRun", {"JobName": spec.job, "JobRunIds": [external_id]})

    def _launched(self, spec: GlueTarget, run_id: str) -> Launched:
        path = f"gluestudio/home?region={{region}}#/job/{quoted(spec.job)}/run/{run_id}"
        return Launched(run_id, self.console(path))
