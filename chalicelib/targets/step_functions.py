"""The kind ``step_functions``: an execution of a standard state machine, named by the run's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.aws import Caller, Rejected
from chalicelib.engine.outcomes import Failed, Launched, Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.targets.aws_kind import (
    ACCOUNT,
    PARTITION,
    AwsKind,
    AwsTarget,
    Need,
    about,
    by_state,
    compact,
    formed,
)

_MACHINE = rf"{PARTITION}:states:[a-z0-9-]+:{ACCOUNT}:stateMachine:[A-Za-z0-9._:-]{{1,160}}"


class StepFunctionsTarget(AwsTarget):
    """A state machine of the type STANDARD. Its end is the run's."""

    kind: Literal["step_functions"]
    state_machine: Annotated[
        str, formed(_MACHINE, "ARN of a state machine: arn:aws:states:REGION:ACCOUNT:stateMachine:NAME")
    ] = Field(
        description="Its ARN; a version or an alias may follow",
        examples=["arn:aws:states:eu-central-1:123456789012:stateMachine:nightly"],
    )  # fmt: skip
    input: dict[str, Any] | None = Field(
        None, description="What the execution begins with; without it, what the run is", examples=[{}]
    )  # fmt: skip

    @property
    def resources(self) -> Sequence[str]:
        return [self.state_machine]


class StepFunctionsKind(AwsKind[StepFunctionsTarget]):
    """A name that was used is refused even when that execution has ended: then it is the one we look for."""

    name = "step_functions"
    spec = StepFunctionsTarget
    needs = (
        Need("states:StartExecution", "arn:aws:states:*:*:stateMachine:{machine}"),
        Need("states:DescribeExecution", "arn:aws:states:*:*:execution:{machine}:*"),
        Need("states:StopExecution", "arn:aws:states:*:*:execution:{machine}:*"),
    )

    def start(self, spec: StepFunctionsTarget, request: LaunchRequest, call: Caller) -> Outcome:
        data = spec.input if spec.input is not None else about(request)
        asked = {
            "stateMachineArn": spec.state_machine,
            "name": request.token,
            "input": compact(data),
        }
        try:
            arn = call("stepfunctions", "StartExecution", asked)["executionArn"]
        except Rejected as error:
            if error.code != "ExecutionAlreadyExists":
                raise
            arn = _execution(spec.state_machine, request.token)
        if ":express:" in arn:
            return Failed(
                f"{arn} was started, but it is an express workflow, whose end cannot be learned;"
                " use a standard one",
                retry=False,
            )
        return self._launched(arn)

    def find(
        self, spec: StepFunctionsTarget, request: LaunchRequest, call: Caller
    ) -> Launched | None:
        arn = _execution(spec.state_machine, request.token)
        try:
            call("stepfunctions", "DescribeExecution", {"executionArn": arn})
        except Rejected as error:
            if error.code != "ExecutionDoesNotExist":
                raise
            return None
        return self._launched(arn)

    def look(self, spec: StepFunctionsTarget, external_id: str, call: Caller) -> Outcome:
        del spec
        answer = call("stepfunctions", "DescribeExecution", {"executionArn": external_id})
        state = answer["status"]
        told = (answer.get("error"), answer.get("cause"))
        error = ": ".join(part for part in told if part) or f"the execution is {state}"
        return by_state(
            state,
            waiting=["PENDING_REDRIVE"],
            running=["RUNNING"],
            succeeded=Succeeded,
            stopped=["ABORTED"],
            error=error,
        )

    def end(self, spec: StepFunctionsTarget, external_id: str, call: Caller) -> None:
        del spec
        asked = {
            "executionArn": external_id,
            "error": "Noonday.Stopped",
            "cause": "stopped by Noonday",
        }
        call("stepfunctions", "StopExecution", asked)  # fmt: skip

    def _launched(self, arn: str) -> Launched:
        region = arn.split(":")[3]
        path = f"states/home?region={{region}}#/v2/executions/details/{arn}"
        return Launched(arn, self.console(path, region))


def _execution(machine: str, token: str) -> str:
    """The ARN of an execution follows from its machine's, whatever version or alias was named."""
    parts = machine.split(":")
    return ":".join([*parts[:5], "execution", parts[6], token])
