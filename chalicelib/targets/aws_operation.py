"""The kind ``aws``: any operation of any service that the operator permits, with how to follow it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from chalicelib.aws import Caller, Rejected
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
from chalicelib.model.document import Document
from chalicelib.targets.aws_kind import AwsKind, AwsTarget, Need, formed, gone

_SERVICE = formed(r"[a-z0-9][a-z0-9-]{0,60}", "service as boto3 names it, such as emr-serverless")
_OPERATION = formed(r"[A-Z][A-Za-z0-9]{1,100}", "operation as AWS writes it, such as StartJobRun")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PATH = formed(
    r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+|\[\d+\])*", "path such as jobRun.state or tasks[0].id"
)
ID = "{id}"
Path = Annotated[str, _PATH]
Operation = Annotated[str, _OPERATION]


class Poll(Document):
    """How the run is asked how it goes."""

    operation: Operation = Field(description="Of the same service", examples=["GetJobRun"])
    parameters: dict[str, Any] = Field({}, description="`{id}` in a text becomes what was started")
    state: Path = Field(description="Where the state is in the answer", examples=["jobRun.state"])
    success: list[str] = Field(min_length=1, description="States that mean success")
    failure: list[str] = Field(min_length=1, description="States that mean failure")
    stopped: list[str] = Field([], description="States that mean that it was stopped")
    error: Path | None = Field(None, description="Where the reason of a failure is in the answer")


class Cancel(Document):
    """How the run is asked to end."""

    operation: Operation = Field(description="Of the same service", examples=["CancelJobRun"])
    parameters: dict[str, Any] = Field({}, description="`{id}` in a text becomes what was started")


class OperationTarget(AwsTarget):
    """One call. Without `poll` the run succeeds as soon as AWS has accepted it."""

    kind: Literal["aws"]
    service: Annotated[str, _SERVICE] = Field(
        description="As boto3 names it", examples=["emr-serverless"]
    )
    operation: Operation = Field(description="As AWS writes it", examples=["StartJobRun"])
    parameters: dict[str, Any] = Field(
        {}, description="Of the operation; a token that it takes is ${token}"
    )
    id: Path | None = Field(
        None,
        description="Where the answer names what was started; without it that is the run's token",
        examples=["jobRunId"],
    )
    exists: list[str] = Field(
        [], description="Error codes that mean that it was started under this token before"
    )
    poll: Poll | None = Field(None, description="How its end is learned")
    cancel: Cancel | None = Field(None, description="How it is ended; without it, it cannot be")

    @model_validator(mode="after")
    def _follows(self) -> OperationTarget:
        if self.cancel and not self.poll:
            raise ValueError("what is to be cancelled must be followed: add poll")
        if self.exists and self.id:
            raise ValueError("an error names no id: with exists, leave id out and poll by ${token}")
        return self

    @property
    def resources(self) -> Sequence[str]:
        others = [each.operation for each in (self.poll, self.cancel) if each]
        return [f"{self.service}:{name}" for name in (self.operation, *others)]


class OperationKind(AwsKind[OperationTarget]):
    """A call that carries the token may be repeated; any other is given up when its answer was lost."""

    name = "aws"
    spec = OperationTarget
    searches = False
    needs = (Need("of each operation that it names", "what its parameters name"),)

    def start(self, spec: OperationTarget, request: LaunchRequest, call: Caller) -> Outcome:
        if request.repeated and not _carries(spec.parameters, request.token):
            return gone("whether it has begun is not known, and the call carries no ${token}")
        try:
            answer = call(spec.service, spec.operation, spec.parameters)
        except Rejected as error:
            if error.code not in spec.exists:
                raise
            answer = {}
        external_id = str(at(answer, spec.id) or "") if spec.id else request.token
        if not spec.poll:
            return Succeeded(external_id=external_id or request.token)
        if not external_id:
            return Failed(f"it was started, but the answer has nothing at {spec.id}", retry=False)
        return Launched(external_id)

    def find(self, spec: OperationTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        """Without ``id`` the token is what it is polled by."""
        del call
        if spec.id:
            raise Rejected("NoId", "what was started under this token cannot be found")
        return Launched(request.token)

    def look(self, spec: OperationTarget, external_id: str, call: Caller) -> Outcome:
        poll = spec.poll
        if poll is None:
            return Succeeded(external_id=external_id)
        answer = call(spec.service, poll.operation, _with_id(poll.parameters, external_id))
        state = str(at(answer, poll.state))
        if state in poll.success:
            return Succeeded()
        if state in poll.stopped:
            return Stopped()
        if state in poll.failure:
            why = at(answer, poll.error) if poll.error else None
            return Failed(f"{state}: {why}" if why else state)
        return Running()

    def end(self, spec: OperationTarget, external_id: str, call: Caller) -> None:
        if spec.cancel:
            asked = _with_id(spec.cancel.parameters, external_id)
            call(spec.service, spec.cancel.operation, asked)

    def _cancel(self, request: LaunchRequest) -> Outcome:
        """An id that only the lost answer knew cannot be found: the stop stays unconfirmed."""
        spec = self._form(request)
        if request.external_id is None and (spec.id or not spec.poll):
            return Pending()
        return super()._cancel(request)


def at(document: Any, path: str) -> Any:
    """What is there; None for nothing."""
    for name, index in _STEP.findall(path):
        if isinstance(document, Mapping) and name:
            document = document.get(name)
        elif isinstance(document, list) and index and int(index) < len(document):
            document = document[int(index)]
        else:
            return None
    return document


def _with_id(document: Any, external_id: str) -> Any:
    if isinstance(document, str):
        return document.replace(ID, external_id)
    if isinstance(document, list):
        return [_with_id(each, external_id) for each in document]
    if isinstance(document, dict):
        return {key: _with_id(each, external_id) for key, each in document.items()}
    return document


def _carries(document: Any, token: str) -> bool:
    if isinstance(document, str):
        return token in document
    if isinstance(document, dict):
        return any(_carries(each, token) for each in document.values())
    return isinstance(document, list) and any(_carries(each, token) for each in document)
