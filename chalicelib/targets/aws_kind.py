"""What all kinds on AWS share: who may launch what, in which role, and what a failed call means."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from chalicelib.aws import Aws, AwsFailure, Caller, LostAnswer, NotTaken, Rejected, region_of
from chalicelib.engine.outcomes import (
    Failed,
    HandedOver,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.document import Document
from chalicelib.model.template import templated
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.kind import StartedKind, check_of, in_parallel

ACCOUNT = r"\d{12}"
PARTITION = r"arn:aws[a-z-]*"


@dataclass(frozen=True, slots=True)
class Need:
    """An action of IAM that a kind needs, and what on: an ARN whose ``{parts}`` the resource fills in.

    ``*`` where AWS has nothing finer. ``when``: the part without which it is not needed. ``on_behalf``: not
    called here; AWS does it in the caller's name. Words instead of an ARN: only a definition says on what.
    """

    action: str
    on: str
    when: str | None = None
    on_behalf: bool = False


def formed(pattern: str, wanted: str) -> AfterValidator:
    """A text that must have that form, as soon as its templates are rendered."""
    expression = re.compile(pattern)

    def check(text: str, info: ValidationInfo) -> str:
        context = check_of(info)
        final = context.final(text) if context else not templated(text)
        if final and not expression.fullmatch(text):
            raise ValueError(f"{text!r} is no {wanted}")
        return text

    return AfterValidator(check)


Name = Annotated[str, formed(r"[A-Za-z0-9][A-Za-z0-9 ._/:@+=,-]{0,2047}", "name or ARN")]
Text = Annotated[str, Field(max_length=100_000)]


class AwsTarget(Document):
    """The base of documents of targets on AWS."""

    @property
    @abstractmethod
    def resources(self) -> Sequence[str]:
        """What the operator's entries are compared with: all of them must be permitted."""

    @model_validator(mode="after")
    def _permitted(self, info: ValidationInfo) -> AwsTarget:
        check = check_of(info)
        if check is None or check.owner is None:
            return self
        kind = str(getattr(self, "kind", ""))
        for resource in self.resources:
            shown = resource if check.final(resource) else None  # judged when it is rendered
            complaint = check.settings.allow.complaint(check.owner, kind, shown)
            if complaint:
                raise ValueError(complaint)
        return self


T = TypeVar("T", bound=AwsTarget)


class AwsKind(StartedKind[T]):
    """A kind that AWS executes. ``needs``: the actions of IAM that its role has to permit.

    ``searches``: an earlier start is looked for before a launch is repeated.
    """

    needs: ClassVar[Sequence[Need]]
    searches: ClassVar[bool] = True

    def __init__(self, settings: TargetSettings, aws: Aws) -> None:
        self._settings = settings
        self._aws = aws

    @abstractmethod
    def start(self, spec: T, request: LaunchRequest, call: Caller) -> Outcome:
        """Start the run under its token."""

    @abstractmethod
    def find(self, spec: T, request: LaunchRequest, call: Caller) -> Launched | None:
        """What an earlier start under this token left; None: nothing.

        Asked when its answer was lost. Where AWS keeps the token itself, this may be another start.
        """

    @abstractmethod
    def look(self, spec: T, external_id: str, call: Caller) -> Outcome:
        """How it is now."""

    @abstractmethod
    def end(self, spec: T, external_id: str, call: Caller) -> None:
        """Ask it to end."""

    def launch(self, requests: Sequence[tuple[T, LaunchRequest]]) -> Sequence[Outcome]:
        return in_parallel(lambda asked: self._launch(*asked), requests)

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return in_parallel(self._describe, requests)

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return in_parallel(self._cancel, requests)

    def caller(self, spec: T, request: LaunchRequest) -> Caller:
        """Calls in the role that the operator's entry names, in the region that the resource names."""
        place = spec.resources[0]
        entry = self._settings.allow.find(request.owner, self.name, place)
        return self._aws.caller(
            entry.role if entry else None, request.owner, region=region_of(place)
        )

    def _launch(self, spec: T, request: LaunchRequest) -> Outcome:
        call = self.caller(spec, request)
        earlier = self._earlier(spec, request, call)
        if earlier is not None:
            return earlier
        try:
            return self.start(spec, request, call)
        except (
            NotTaken
        ) as error:  # what came before may have been taken: then it does not simply wait
            return Unknown(str(error)) if request.repeated else Refused(str(error))
        except LostAnswer as error:
            return Unknown(str(error))
        except (
            Rejected
        ) as error:  # for its token, perhaps, of a start that the search did not see yet
            return self._earlier(spec, request, call) or Failed(str(error), retry=False)

    def _earlier(self, spec: T, request: LaunchRequest, call: Caller) -> Outcome | None:
        """What an earlier launch of the same run began, before it is begun a second time."""
        if not (request.repeated and self.searches):
            return None
        try:
            return self.find(spec, request, call)
        except AwsFailure as error:
            return Unknown(f"whether it has begun cannot be seen: {error}")

    def _describe(self, request: LaunchRequest) -> Outcome:
        spec = self._form(request)
        call = self.caller(spec, request)
        try:
            external_id = self._id(spec, request, call)
            if external_id is None:
                return gone("nothing was started under its token")
            return self.look(spec, external_id, call)
        except Rejected as error:
            return gone(f"how it goes cannot be seen: {error}")
        except AwsFailure:  # asked again with the next poll; the run's time ends it if need be
            return Pending()

    def _cancel(self, request: LaunchRequest) -> Outcome:
        """Its own end wins if it came first."""
        spec = self._form(request)
        call = self.caller(spec, request)
        try:
            external_id = self._id(spec, request, call)
            if external_id is None:  # and whoever was to start it gave up before its claim ended
                return Stopped()
            outcome = self.look(spec, external_id, call)
            if not isinstance(outcome, Pending | Running):
                return outcome
            self.end(spec, external_id, call)
            outcome = self.look(spec, external_id, call)
            return Pending() if isinstance(outcome, Running) else outcome
        except AwsFailure:
            return Pending()

    def _id(self, spec: T, request: LaunchRequest, call: Caller) -> str | None:
        if request.external_id is not None:
            return request.external_id
        found = self.find(spec, request, call)
        return found.external_id if found else None

    def _form(self, request: LaunchRequest) -> T:
        """What was launched is looked after even if it would not be permitted any more."""
        return self.spec.model_validate({"kind": request.kind, **request.spec})

    def console(self, path: str, region: str | None = None) -> str | None:
        """A page of AWS's console; None where the region is not known. ``{region}`` may stand in it."""
        region = region or self._aws.region
        if region is None:
            return None
        return f"https://{region}.console.aws.amazon.com/{path.replace('{region}', region)}"


class AcceptingTarget(AwsTarget):
    """Work that is handed over: AWS says that it took it, and not what came of it."""

    completion: Literal["accepted", "callback"] = Field(
        "accepted",
        description="accepted: the run succeeds as soon as AWS has accepted it; callback: it runs until"
        " whoever does the work reports its end",
    )


P = TypeVar("P", bound=AcceptingTarget)

Completion = Annotated[
    Literal["service", "either"],
    Field(
        description="service: the run ends as AWS says; either: the program is given NOONDAY_CALLBACK_URL and"
        " NOONDAY_CALLBACK_TOKEN and reports how it goes, and whichever end comes first counts",
    ),
]
"""Of work that AWS executes and that can report itself."""


def environment_of(request: LaunchRequest) -> dict[str, str]:
    """What a program is told of its run."""
    callback = request.callback
    told = {"NOONDAY_TOKEN": request.token}
    if callback is not None:
        told |= {"NOONDAY_CALLBACK_URL": callback.url}
        told |= {"NOONDAY_CALLBACK_TOKEN": callback.credential}
    return told


class AcceptingKind(AwsKind[P]):
    """Nothing can be looked up afterwards. A launch whose answer was lost is repeated: at least once, with
    the token inside, by which whoever receives it tells a repetition."""

    def find(self, spec: P, request: LaunchRequest, call: Caller) -> Launched | None:
        del spec, request, call
        return None

    def look(self, spec: P, external_id: str, call: Caller) -> Outcome:
        del spec, call
        return Succeeded(external_id=external_id)

    def end(self, spec: P, external_id: str, call: Caller) -> None:
        """What was accepted cannot be taken back."""

    def _launch(self, spec: P, request: LaunchRequest) -> Outcome:
        """With a callback, what was accepted has only been handed over."""
        outcome = super()._launch(spec, request)
        if spec.completion == "callback" and isinstance(outcome, Succeeded):
            return HandedOver(outcome.external_id, outcome.external_url)
        return outcome

    def _describe(self, request: LaunchRequest) -> Outcome:
        if request.spec.get("completion") == "callback":
            return Pending()
        return Succeeded(external_id=request.external_id)

    def _cancel(self, request: LaunchRequest) -> Outcome:
        """Whether it was accepted cannot be seen: the stop stays unconfirmed."""
        del request
        return Pending()


def gone(why: str) -> Failed:
    """Nobody knows how it ended, so that it is not done a second time."""
    return Failed(why, retry=False, lost=True)


def about(request: LaunchRequest) -> Mapping[str, Any]:
    """What a target is told of its run when the definition does not say what."""
    told: dict[str, Any] = {
        "token": request.token,
        "job": request.job_name,
        "owner": request.owner,
        "instance": request.instance_id,
        "run": request.run,
        "nominal_time": request.bindings.get("nominal_time"),
    }
    callback = request.callback
    if callback is not None:
        told["callback"] = {"url": callback.url, "token": callback.credential}
    return told


def compact(document: Any) -> str:
    """The same bytes at every repeat."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def given(**parameters: Any) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in parameters.items() if value not in (None, [], {}, "")}


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Environment variables as AWS lists them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def quoted(text: str) -> str:
    """For a path or a fragment of the console."""
    return quote(text, safe="")


def by_state(
    state: str,
    *,
    waiting: Sequence[str],
    running: Sequence[str],
    succeeded: Callable[[], Outcome],
    stopped: Sequence[str],
    error: str,
) -> Outcome:
    """What a service's word for a state means; any other word is a failure."""
    if state in waiting:
        return Pending()
    if state in running:
        return Running()
    if state in stopped:
        return Stopped()
    return succeeded() if state in ("SUCCEEDED", "FINISHED") else Failed(error or state)
