"""For each started kind: a target that moto has, and how its run ends."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from moto.backends import get_backend

from tests.cloud.amazon import ACCOUNT, REGION, Amazon

ROLE = f"arn:aws:iam::{ACCOUNT}:role/run"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "*"}, "Action": "sts:AssumeRole"},
    ],
}  # fmt: skip


class Offer(ABC):
    """A kind on AWS. ``starts``: the operation that begins a run. ``allow``: what the operator permits."""

    kind: str
    starts: str
    allow: str = "*"

    def __init__(self, amazon: Amazon) -> None:
        self.amazon = amazon
        self.spec = self.prepare()

    @abstractmethod
    def prepare(self) -> dict[str, Any]:
        """Make what is launched; the target's document."""

    @abstractmethod
    def runs(self) -> int:
        """How many AWS has begun."""

    @abstractmethod
    def end(self, external_id: str, *, well: bool) -> None:
        """The run ends."""

    def stopped(self, external_id: str) -> None:  # noqa: B027 - most need nothing
        """AWS confirms the stop that was asked for, where moto does not at once."""

    def backend(self, service: str) -> Any:
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        return backends[ACCOUNT][REGION]


class StepFunctions(Offer):
    kind, starts = "step_functions", "StartExecution"

    def prepare(self) -> dict[str, Any]:
        wait = {"Type": "Wait", "Seconds": 3600, "End": True}
        states = {"StartAt": "Wait", "States": {"Wait": wait}}
        machine = self.amazon.client("stepfunctions").create_state_machine(
            name="nightly", definition=json.dumps(states), roleArn=ROLE
        )
        self.machine = machine["stateMachineArn"]
        return {"state_machine": self.machine}

    def runs(self) -> int:
        listed = self.amazon.client("stepfunctions").list_executions(stateMachineArn=self.machine)
        return len(listed["executions"])

    def end(self, external_id: str, *, well: bool) -> None:
        execution = self.backend("stepfunctions").describe_execution(external_id)
        execution.status = "SUCCEEDED" if well else "FAILED"


class Athena(Offer):
    kind, starts, allow = "athena", "StartQueryExecution", "pri*"

    def prepare(self) -> dict[str, Any]:
        return {"query": "SELECT ?", "parameters": ["it's"], "result": "s3://results/"}

    def runs(self) -> int:
        return len(self.backend("athena").executions)

    def end(self, external_id: str, *, well: bool) -> None:
        execution = self.backend("athena").executions[external_id]
        execution.status = "SUCCEEDED" if well else "FAILED"


class Ecs(Offer):
    kind, starts, allow = "ecs", "RunTask", "default/report:*"

    def prepare(self) -> dict[str, Any]:
        client = self.amazon.client("ecs")
        client.create_cluster(clusterName="default")
        client.register_task_definition(
            family="report",
            containerDefinitions=[{"name": "main", "image": "report", "memory": 128}],
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
        )
        network = self.amazon.client("ec2")
        subnet = network.describe_subnets()["Subnets"][0]
        group = network.describe_security_groups()["SecurityGroups"][0]
        return {
            "task_definition": "report:1",
            "launch_type": "FARGATE",
            "subnets": [subnet["SubnetId"]],
            "security_groups": [group["GroupId"]],
            "container": "main",
            "environment": {"DAY": "${nominal_time:%Y-%m-%d}"},
        }

    def runs(self) -> int:
        return sum(len(tasks) for tasks in self.backend("ecs").tasks.values())

    def end(self, external_id: str, *, well: bool) -> None:
        task = self.backend("ecs").tasks["default"][external_id]
        task.status = "STOPPED"
        for container in task.containers:
            container.exitCode = 0 if well else 3


class Batch(Offer):
    kind, starts, allow = "batch", "SubmitJob", "nightly/report"

    def prepare(self) -> dict[str, Any]:
        roles = self.amazon.client("iam")
        role = roles.create_role(RoleName="run", AssumeRolePolicyDocument=json.dumps(TRUST))
        batch = self.amazon.client("batch")
        batch.create_compute_environment(
            computeEnvironmentName="all",
            type="UNMANAGED",
            state="ENABLED",
            serviceRole=role["Role"]["Arn"],
        )
        batch.create_job_queue(
            jobQueueName="nightly",
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "all"}],
        )
        batch.register_job_definition(
            jobDefinitionName="report",
            type="container",
            containerProperties={"image": "report", "vcpus": 1, "memory": 128},
        )
        return {"queue": "nightly", "definition": "report", "command": ["report", "--all"]}

    def runs(self) -> int:
        return len(self.backend("batch")._jobs)

    def end(self, external_id: str, *, well: bool) -> None:
        job = self.backend("batch")._jobs[external_id]
        job.status = "SUCCEEDED" if well else "FAILED"

    def stopped(self, external_id: str) -> None:
        job = self.backend("batch")._jobs[external_id]
        assert job.stop
        job.status = "FAILED"


class Glue(Offer):
    kind, starts, allow = "glue", "StartJobRun", "load-*"

    def prepare(self) -> dict[str, Any]:
        self.amazon.client("glue").create_job(
            Name="load-orders", Role=ROLE, Command={"Name": "glueetl"},
            ExecutionProperty={"MaxConcurrentRuns": 2},
        )  # fmt: skip
        return {"job": "load-orders", "arguments": {"--day": "2026-01-31"}}

    def runs(self) -> int:
        return len(self.backend("glue").jobs["load-orders"].job_runs)

    def end(self, external_id: str, *, well: bool) -> None:
        self._run(external_id).status = "SUCCEEDED" if well else "FAILED"

    def stopped(self, external_id: str) -> None:
        assert self.amazon.gate.calls["BatchStopJobRun"]
        self._run(external_id).status = "STOPPED"

    def _run(self, external_id: str) -> Any:
        runs = self.backend("glue").jobs["load-orders"].job_runs
        return next(run for run in runs if run.job_run_id == external_id)


class RedshiftData(Offer):
    kind, starts, allow = "redshift_data", "ExecuteStatement", "reports/analytics/iam"

    def prepare(self) -> dict[str, Any]:
        return {"query": "CALL refresh(:day)", "parameters": {"day": "2026-01-31"},
                "database": "analytics", "workgroup": "reports"}  # fmt: skip

    def runs(self) -> int:
        return len(self.backend("redshift-data").statements)

    def end(self, external_id: str, *, well: bool) -> None:
        statement = self.backend("redshift-data").statements[external_id]
        statement.status = "FINISHED" if well else "FAILED"


class CodeBuild(Offer):
    kind, starts, allow = "codebuild", "StartBuild", "nightly"

    def prepare(self) -> dict[str, Any]:
        self.amazon.client("codebuild").create_project(
            name="nightly",
            source={"type": "S3", "location": "bucket/path"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=ROLE,
        )  # fmt: skip
        return {"project": "nightly", "source_version": "main"}

    def runs(self) -> int:
        return len(self.backend("codebuild").list_builds_for_project("nightly"))

    def end(self, external_id: str, *, well: bool) -> None:
        self.amazon.gate.builds[external_id]["buildStatus"] = "SUCCEEDED" if well else "FAILED"


OFFERS = (StepFunctions, Athena, Ecs, Batch, Glue, RedshiftData, CodeBuild)
