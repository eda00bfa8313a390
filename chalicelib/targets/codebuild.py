"""The kind ``codebuild``: a build of a project, under the run's token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from chalicelib.aws import Caller
from chalicelib.engine.outcomes import Launched, Outcome, Succeeded
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
    quoted,
)

TOKEN = "NOONDAY_TOKEN"  # noqa: S105 - the name of a variable


class CodeBuildTarget(AwsTarget):
    """A build. What it does is the project's to say, not the definition's."""

    kind: Literal["codebuild"]
    project: Name = Field(description="The project's name", examples=["nightly-tests"])
    source_version: str | None = Field(None, description="Branch, tag, commit or version to build")
    environment: dict[str, str] = Field(
        {}, max_length=100, description="Added to the project's; NOONDAY_TOKEN comes with it"
    )
    completion: Completion = "service"

    @property
    def resources(self) -> Sequence[str]:
        return [self.project]


class CodeBuildKind(AwsKind[CodeBuildTarget]):
    """CodeBuild remembers a token for five minutes; after that the build is found by its variable."""

    name = "codebuild"
    spec = CodeBuildTarget
    needs = (
        Need("codebuild:StartBuild", "arn:aws:codebuild:*:*:project/{project}"),
        Need("codebuild:ListBuildsForProject", "arn:aws:codebuild:*:*:project/{project}"),
        Need("codebuild:BatchGetBuilds", "arn:aws:codebuild:*:*:project/{project}"),
        Need("codebuild:StopBuild", "arn:aws:codebuild:*:*:project/{project}"),
    )

    def start(self, spec: CodeBuildTarget, request: LaunchRequest, call: Caller) -> Outcome:
        environment = {**spec.environment, **environment_of(request)}
        asked = given(
            projectName=spec.project,
            idempotencyToken=request.token,
            sourceVersion=spec.source_version,
            environmentVariablesOverride=pairs(environment),
        )
        return self._launched(spec, call("codebuild", "StartBuild", asked)["build"]["id"])

    def find(self, spec: CodeBuildTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        """Among the newest hundred builds of the project."""
        asked = {"projectName": spec.project, "sortOrder": "DESCENDING"}
        ids = call("codebuild", "ListBuildsForProject", asked).get("ids", [])[:100]
        builds = call("codebuild", "BatchGetBuilds", {"ids": ids})["builds"] if ids else []
        mine = [one["id"] for one in builds if _token_of(one) == request.token]
        return self._launched(spec, mine[0]) if mine else None

    def look(self, spec: CodeBuildTarget, external_id: str, call: Caller) -> Outcome:
        del spec
        builds = call("codebuild", "BatchGetBuilds", {"ids": [external_id]})["builds"]
        if not builds:
            return gone("CodeBuild does not know the build any more")
        state = builds[0]["buildStatus"]
        return by_state(
            state,
            waiting=[],
            running=["IN_PROGRESS"],
            succeeded=Succeeded,
            stopped=["STOPPED"],
            error=f"the build is {state} in {builds[0].get('currentPhase', 'no phase')}",
        )

    def end(self, spec: CodeBuildTarget, external_id: str, call: Caller) -> None:
        del spec
        call("codebuild", "StopBuild", {"id": external_id})

    def _launched(self, spec: CodeBuildTarget, build_id: str) -> Launched:
        path = f"codesuite/codebuild/projects/{quoted(spec.project)}/build/{quoted(build_id)}"
        return Launched(build_id, self.console(path))


def _token_of(build: Mapping[str, Any]) -> str | None:
    variables = build.get("environment", {}).get("environmentVariables", [])
    return next((str(one["value"]) for one in variables if one["name"] == TOKEN), None)
