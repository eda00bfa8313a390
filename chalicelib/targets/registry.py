"""All kinds of target by name: the ports Targets and Artifacts, and the one place where kinds are listed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError

from chalicelib.aws import Aws
from chalicelib.engine.outcomes import Dropped, Failed, Outcome, RunTaken, Stopped, Style, Unknown
from chalicelib.engine.ports import Clock, Control, LaunchRequest
from chalicelib.model.document import Document
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.violations import problems_of
from chalicelib.targets.aws_kind import AwsKind
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.files import Folders, OutsideFiles
from chalicelib.targets.kind import AnyKind, Check, InlineKind, StartedKind, broken


class TargetRegistry:
    """Implements ``Targets`` and ``Artifacts``."""

    def __init__(
        self, settings: TargetSettings, clock: Clock, kinds: Sequence[AnyKind] | None = None
    ) -> None:
        """``kinds``: instead of all that Noonday ships."""
        self._settings = settings
        self._folders = Folders(settings.files, settings.runs)
        self._kinds: dict[str, AnyKind] = {}
        self._shipped = Shipped(settings, clock) if kinds is None else None
        for kind in kinds or ():
            self.register(kind)

    def register(self, kind: AnyKind) -> None:
        """Raises ValueError for a second kind of the same name."""
        if kind.name in self._names:
            raise ValueError(f"there is a kind of target {kind.name!r} already")
        self._kinds[kind.name] = kind

    def specs(self) -> Mapping[str, type[BaseModel]]:
        """The document of each kind, for the description of the API."""
        return {name: self._kind(name).spec for name in self._names}

    def style(self, kind: str) -> Style:
        """Raises InvalidInput for a kind that is not known."""
        return self._kind(kind).style

    def validate(
        self,
        target: Mapping[str, Any],
        parameters: Collection[str] | None = None,
        *,
        owner: str | None = None,
    ) -> None:
        """``parameters``: the names the definition declares; None when they cannot be told here.
        ``owner``: who must be permitted to launch it; None when that is not asked.

        Raises:
            InvalidInput: with all that is wrong, each with its field under ``target``.
        """
        names = None if parameters is None else frozenset(parameters)
        self._read(target, Check(self._settings, names, owner=owner))

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        """Raises nothing: what nobody expected is a failure that another attempt may mend."""
        kind = self._find(request.kind)
        if not isinstance(kind, InlineKind):
            return _no_kind(request, Style.INLINE)
        try:
            spec = self._rendered(request)
            return kind.run(spec, request, control)
        except InvalidInput as error:
            return Failed(error=error.message, retry=False)
        except OutsideFiles as error:  # a folder became a link after it was checked
            return Failed(error=str(error), retry=False)
        except RunTaken:  # nothing of ours runs; only the holder of the claim can settle a stop
            return Stopped() if control.stopping and not control.lost else Dropped()
        except Exception as error:  # noqa: BLE001 - the port promises an outcome, whatever a driver raises
            return broken(error)

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._by_kind(requests, self._launch)

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._by_kind(requests, lambda kind, some: kind.describe(some))

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return self._by_kind(requests, lambda kind, some: kind.cancel(some))

    def read(self, path: str, *, offset: int = 0, limit: int = 5_000_000) -> bytes:
        """Raises NotFound when it is gone, was never written, or is no file of a run."""
        return self._folders.read(path, offset=offset, limit=limit)

    def forget(self, tokens: Sequence[str]) -> Sequence[str]:
        """The runs of which no folder is left. A program that is still at work keeps its folder."""
        return [token for token in tokens if self._folders.forget(token)]

    def _launch(
        self, kind: StartedKind[Any], requests: Sequence[LaunchRequest]
    ) -> Sequence[Outcome]:
        """Documents that are refused now never reach the target; the others keep their places."""
        outcomes: dict[int, Outcome] = {}
        sound: list[tuple[int, Document]] = []
        for place, request in enumerate(requests):
            try:
                sound.append((place, self._rendered(request)))
            except InvalidInput as error:
                outcomes[place] = Failed(error=error.message, retry=False)
        called = kind.launch([(spec, requests[place]) for place, spec in sound]) if sound else ()
        outcomes.update(zip((place for place, _ in sound), called, strict=True))
        return [outcomes[place] for place in range(len(requests))]

    def _by_kind(
        self,
        requests: Sequence[LaunchRequest],
        call: Callable[[StartedKind[Any], Sequence[LaunchRequest]], Sequence[Outcome]],
    ) -> Sequence[Outcome]:
        """One call a kind; the outcomes in the order of the requests."""
        outcomes: dict[int, Outcome] = {}
        places = sorted(range(len(requests)), key=lambda place: requests[place].kind)
        for name, group in groupby(places, key=lambda place: requests[place].kind):
            mine = list(group)
            asked = self._call(name, [requests[place] for place in mine], call)
            outcomes.update(zip(mine, asked, strict=True))
        return [outcomes[place] for place in range(len(requests))]

    def _call(
        self,
        name: str,
        requests: Sequence[LaunchRequest],
        call: Callable[[StartedKind[Any], Sequence[LaunchRequest]], Sequence[Outcome]],
    ) -> Sequence[Outcome]:
        kind = self._find(name)
        if not isinstance(kind, StartedKind):
            return [_no_kind(request, Style.STARTED) for request in requests]
        try:
            outcomes = call(kind, requests)
            if len(outcomes) != len(requests):
                raise ValueError(f"{len(outcomes)} outcomes for {len(requests)} requests")
        except Exception as error:  # noqa: BLE001 - it may have been accepted before it was raised
            return [Unknown(error=broken(error).error) for _ in requests]
        return outcomes

    def _rendered(self, request: LaunchRequest) -> Document:
        """Settings may have changed since the definition was accepted, and templates are values now."""
        check = Check(
            self._settings,
            frozenset(request.bindings),
            rendered=True,
            adopting=request.handle is not None,
            owner=request.owner,
        )
        return self._read({"kind": request.kind, **request.spec}, check)

    def _read(self, target: Mapping[str, Any], check: Check) -> Document:
        name = target.get("kind")
        if not isinstance(name, str):
            wanted = f"names what to launch: {', '.join(self._names)}"
            raise InvalidInput([Problem("target.kind", wanted, name)])
        model: type[Document] = self._kind(name).spec
        try:
            return model.model_validate(dict(target), context=check)
        except ValidationError as error:
            raise InvalidInput(problems_of(error, model, "target")) from error

    @property
    def _names(self) -> Sequence[str]:
        return sorted({*self._kinds, *(KINDS if self._shipped else ())})

    def _find(self, name: str) -> AnyKind | None:
        """Kinds that Noonday ships are loaded when they are first asked for: a process uses few of them."""
        if self._shipped and name in KINDS and name not in self._kinds:
            self._kinds.setdefault(name, self._shipped.make(name))
        return self._kinds.get(name)

    def _kind(self, name: str) -> AnyKind:
        kind = self._find(name)
        if kind is None:
            raise InvalidInput([Problem("target.kind", _unknown_kind(name, self._names), name)])
        return kind


KINDS: Mapping[str, tuple[str, str]] = {
    "athena": ("athena", "AthenaKind"),
    "aws": ("aws_operation", "OperationKind"),
    "batch": ("batch", "BatchKind"),
    "codebuild": ("codebuild", "CodeBuildKind"),
    "ecs": ("ecs", "EcsKind"),
    "events": ("aws_messages", "EventsKind"),
    "glue": ("glue", "GlueKind"),
    "http": ("http", "HttpKind"),
    "lambda": ("aws_lambda", "LambdaKind"),
    "lambda_sync": ("aws_lambda", "LambdaSyncKind"),
    "process": ("process", "ProcessKind"),
    "redshift_data": ("redshift_data", "RedshiftDataKind"),
    "sns": ("aws_messages", "SnsKind"),
    "sql": ("sql", "SqlKind"),
    "sqs": ("aws_messages", "SqsKind"),
    "step_functions": ("step_functions", "StepFunctionsKind"),
}
"""Here a new kind is registered: where its class is."""


def class_of(name: str) -> type[AnyKind]:
    """The kind, loaded."""
    module, class_ = KINDS[name]
    found: type[AnyKind] = getattr(import_module(f"chalicelib.targets.{module}"), class_)
    return found


def kinds_on_aws() -> Sequence[type[AwsKind[Any]]]:
    """All of them, loaded, by name."""
    return [kind for kind in map(class_of, sorted(KINDS)) if issubclass(kind, AwsKind)]


class Shipped:
    """Makes the kinds of ``KINDS``, each of which takes what it needs of this."""

    def __init__(self, settings: TargetSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._aws = Aws(settings.aws_region, clock.now_ms)

    def make(self, name: str) -> AnyKind:
        of: Any = class_of(name)
        made: AnyKind
        match name:
            case "process":
                made = of(self._settings)
            case "http":
                made = of(self._settings, self._clock)
            case "sql":
                made = of(self._settings, self._clock, self._aws)
            case "lambda_sync":
                made = of(self._settings, self._aws, self._clock)
            case _:
                made = of(self._settings, self._aws)
        return made


def _unknown_kind(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? There" if near else "there"
    return f"{name!r} is no kind of target; {hint} are {', '.join(sorted(known))}"


def _no_kind(request: LaunchRequest, style: Style) -> Outcome:
    return Failed(error=f"no {style.lower()} kind of target {request.kind!r} is here", retry=False)
