"""The kind ``ecs``: a task, started under the run's token and marked with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from chalicelib.aws import Caller, NotTaken, Rejected
from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Pending,
    Running,
    Stopped,
    Succeeded,
)
from chalicelib.engine.ports import LaunchRequest
from chalicelib.targets.aws_kind import (
    AwsKind,
    AwsTarget,
    Completion,
    Name,
    Need,
    environment_of,
    given,
    gone,
    pairs,
)

_FULL = ("RESOURCE:", "AGENT", "CAPACITY", "Capacity")
_GOING = frozenset({"RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"})


class EcsTarget(AwsTarget):
    """One task of a task definition. It succeeds when its containers exit with 0."""

    kind: Literal["ecs"]
    cluster: Name = Field("default", description="Name or ARN")
    task_definition: Name = Field(
        description="Family, family:revision or ARN", examples=["nightly-report:3"]
    )
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"] | None = Field(
        None, description="By default what the cluster's capacity providers say"
    )
    subnets: list[str] = Field([], max_length=16, description="For the network mode awsvpc")
    security_groups: list[str] = Field([], max_length=5, description="For the network mode awsvpc")
    public_ip: bool = Field(default=False, description="For the network mode awsvpc")
    container: str | None = Field(
        None, description="Whose command and environment are given here, and whose exit code counts"
    )
    command: list[str] | None = Field(None, description="Instead of the container's own")
    environment: dict[str, str] = Field(
        {}, max_length=100, description="Added to the container's; NOONDAY_TOKEN comes with it"
    )
    completion: Completion = "service"

    @model_validator(mode="after")
    def _whose(self) -> EcsTarget:
        if self.container is None and (self.command or self.environment):
            raise ValueError("command and environment are a container's; name it with container")
        if self.container is None and self.completion == "either":
            raise ValueError("completion: either needs the container that reports; name it")
        return self

    @property
    def resources(self) -> Sequence[str]:
        return [f"{self.cluster}/{self.task_definition}"]


class EcsKind(AwsKind[EcsTarget]):
    """The token is the clientToken, which ECS remembers, and startedBy, by which a task is found."""

    name = "ecs"
    spec = EcsTarget
    needs = (
        Need("ecs:RunTask", "arn:aws:ecs:*:*:task-definition/{task_definition}"),
        Need("ecs:ListTasks", "*"),
        Need("ecs:DescribeTasks", "arn:aws:ecs:*:*:task/{cluster}/*"),
        Need("ecs:StopTask", "arn:aws:ecs:*:*:task/{cluster}/*"),
        Need("iam:PassRole", "the task definition's roles", on_behalf=True),
    )

    def start(self, spec: EcsTarget, request: LaunchRequest, call: Caller) -> Outcome:
        try:
            answer = call("ecs", "RunTask", _asked(spec, request))
        except Rejected as error:
            found = self.find(spec, request, call) if error.code == "ConflictException" else None
            if found is None:
                raise
            return found
        if answer["tasks"]:
            return self._launched(spec, answer["tasks"][0]["taskArn"])
        why = answer["failures"][0] if answer["failures"] else {}
        reason = f"{why.get('reason', 'no task')} {why.get('detail', '')}".strip()
        if reason.startswith(_FULL):
            raise NotTaken("RunTask", reason)
        return Failed(f"no task was started: {reason}", retry=False)

    def find(self, spec: EcsTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        """Tasks that run; ended ones ECS does not list by mark, but it remembers the clientToken."""
        asked = {"cluster": spec.cluster, "startedBy": request.token}
        arns = call("ecs", "ListTasks", asked)["taskArns"]
        return self._launched(spec, arns[0]) if arns else None

    def look(self, spec: EcsTarget, external_id: str, call: Caller) -> Outcome:
        asked = {"cluster": spec.cluster, "tasks": [external_id]}
        tasks = call("ecs", "DescribeTasks", asked)["tasks"]
        if not tasks:
            return gone("ECS does not know the task any more; it forgets them after an hour")
        state = tasks[0]["lastStatus"]
        if state == "STOPPED":
            return _ended(spec, tasks[0])
        return Running() if state in _GOING else Pending()

    def end(self, spec: EcsTarget, external_id: str, call: Caller) -> None:
        asked = {"cluster": spec.cluster, "task": external_id, "reason": "stopped by Noonday"}
        call("ecs", "StopTask", asked)

    def _launched(self, spec: EcsTarget, arn: str) -> Launched:
        cluster = spec.cluster.rpartition("/")[2]
        path = f"ecs/v2/clusters/{cluster}/tasks/{arn.rpartition('/')[2]}"
        return Launched(arn, self.console(path, arn.split(":")[3]))


def _asked(spec: EcsTarget, request: LaunchRequest) -> dict[str, Any]:
    network = given(
        subnets=spec.subnets,
        securityGroups=spec.security_groups,
        assignPublicIp="ENABLED" if spec.public_ip else None,
    )
    override = {}
    if spec.container is not None:
        environment = {**spec.environment, **environment_of(request)}
        mine = given(name=spec.container, command=spec.command, environment=pairs(environment))
        override = {"containerOverrides": [mine]}
    return given(
        cluster=spec.cluster,
        taskDefinition=spec.task_definition,
        launchType=spec.launch_type,
        count=1,
        clientToken=request.token,
        startedBy=request.token,
        networkConfiguration={"awsvpcConfiguration": network} if network else None,
        overrides=override,
    )


def _ended(spec: EcsTarget, task: Mapping[str, Any]) -> Outcome:
    """A stop that somebody asked for is one, whatever the containers made of it."""
    mine = [one for one in task.get("containers", []) if spec.container in (None, one.get("name"))]
    codes = [one.get("exitCode") for one in mine]
    if task.get("stopCode") == "UserInitiated":
        return Stopped()
    if task.get("stopCode") != "TaskFailedToStart" and codes and all(code == 0 for code in codes):
        return Succeeded()
    reasons = [
        f"{one.get('name')} {one.get('reason', '')}".strip() for one in mine if one.get("reason")
    ]
    told = [task.get("stoppedReason", ""), f"exit codes {codes}" if codes else "", *reasons]
    return Failed("; ".join(part for part in told if part) or "the task stopped")
