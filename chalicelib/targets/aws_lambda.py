"""The kinds ``lambda``, which hands an event over, and ``lambda_sync``, which waits for the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.aws import Aws, LostAnswer, NotTaken, Rejected, region_of
from chalicelib.aws.calling import Caller
from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.engine.ports import Clock, Control, LaunchRequest
from chalicelib.model.definition import Duration
from chalicelib.model.instants import parse_duration
from chalicelib.targets.aws_kind import (
    AcceptingKind,
    AcceptingTarget,
    AwsTarget,
    Need,
    about,
    compact,
    formed,
    gone,
)
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.kind import InlineKind

_FUNCTION = formed(r"[A-Za-z0-9:_$-]{1,200}", "name or ARN of a function")
LONGEST_S = 840  # what runs inline on AWS has 14 minutes
SHOWN = 2000
_NEEDS = (Need("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:{function}"),)


class LambdaTarget(AcceptingTarget):
    """A function that is called asynchronously: AWS queues the event, and calls it, perhaps twice."""

    kind: Literal["lambda"]
    function: Annotated[str, _FUNCTION] = Field(
        description="Name or ARN; a version or an alias may follow after a colon",
        examples=["nightly-report:live"],
    )
    payload: dict[str, Any] | None = Field(
        None, description="The event; without it, what the run is", examples=[{}]
    )

    @property
    def resources(self) -> Sequence[str]:
        return [self.function]


class LambdaKind(AcceptingKind[LambdaTarget]):
    name = "lambda"
    spec = LambdaTarget
    needs = _NEEDS

    def start(self, spec: LambdaTarget, request: LaunchRequest, call: Caller) -> Outcome:
        answer = call("lambda", "Invoke", _asked(spec, request, "Event"))
        name = spec.function.rpartition(":function:")[2].split(":")[0]
        path = f"lambda/home?region={{region}}#/functions/{name}"
        url = self.console(path, region_of(spec.function))
        return Succeeded(external_id=_request_id(answer), external_url=url)


class LambdaSyncTarget(AwsTarget):
    """A function that is called, and whose answer is the run's end. For what takes minutes."""

    kind: Literal["lambda_sync"]
    function: Annotated[str, _FUNCTION] = Field(
        description="Name or ARN; a version or an alias may follow after a colon",
        examples=["nightly-report:live"],
    )
    payload: dict[str, Any] | None = Field(
        None, description="The event; without it, what the run is", examples=[{}]
    )
    timeout: Duration = Field(
        "PT14M", description="How long the answer may take, 14 minutes at most"
    )
    idempotent: bool = Field(
        default=False,
        description="Calling it twice with the same token does no harm: a call whose answer was lost is"
        " repeated, instead of being given up as lost",
    )

    @property
    def resources(self) -> Sequence[str]:
        return [self.function]


class LambdaSyncKind(InlineKind[LambdaSyncTarget]):
    """A call cannot be taken back, so a stop leaves the function to itself."""

    name = "lambda_sync"
    spec = LambdaSyncTarget
    needs = _NEEDS

    def __init__(self, settings: TargetSettings, aws: Aws, clock: Clock) -> None:
        self._settings = settings
        self._aws = aws
        self._clock = clock

    def run(self, spec: LambdaSyncTarget, request: LaunchRequest, control: Control) -> Outcome:
        if request.handle is not None and not spec.idempotent:
            return gone("whether the function was called, and how it ended, is not known")
        entry = self._settings.allow.find(request.owner, self.name, spec.function)
        left_s = (request.deadline_ms - self._clock.now_ms()) / 1000
        seconds = min(parse_duration(spec.timeout) / 1000, left_s, LONGEST_S)
        read_s = float(max(1, round(seconds)))
        call = self._aws.caller(
            entry.role if entry else None,
            request.owner,
            read_s=read_s,
            region=region_of(spec.function),
        )
        control.begin({"function": spec.function})
        try:
            return _ended(call("lambda", "Invoke", _asked(spec, request, "RequestResponse")))
        except NotTaken as error:
            return Failed(f"not called: {error}")
        except Rejected as error:
            return Failed(str(error), retry=False)
        except LostAnswer as error:
            return _lost(spec, f"no answer: {error}; the function may have been called")


def _asked(
    spec: LambdaTarget | LambdaSyncTarget, request: LaunchRequest, how: str
) -> dict[str, Any]:
    payload = spec.payload if spec.payload is not None else about(request)
    return {
        "FunctionName": spec.function,
        "InvocationType": how,
        "Payload": compact(payload).encode(),
    }


def _lost(spec: LambdaSyncTarget, why: str) -> Outcome:
    """It may be at work still: another run beside it is for functions that take no harm."""
    return Failed(why, lost=True, retry=True) if spec.idempotent else gone(why)


def _ended(answer: Mapping[str, Any]) -> Outcome:
    text = answer["Payload"].read(SHOWN).decode(errors="replace") if "Payload" in answer else ""
    if answer.get("FunctionError"):
        return Failed(f"the function failed ({answer['FunctionError']}): {text}")
    return Succeeded(external_id=_request_id(answer), facts={"answer": text})


def _request_id(answer: Mapping[str, Any]) -> str | None:
    found = answer.get("ResponseMetadata", {}).get("RequestId")
    return str(found) if found else None
