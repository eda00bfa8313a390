"""What a kind of target is: a document, and what is done with it. A new kind is one module and one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ValidationInfo

from chalicelib.engine.outcomes import Failed, Outcome, Style
from chalicelib.engine.ports import Control, LaunchRequest
from chalicelib.model.document import Document
from chalicelib.model.template import templated
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.files import Folders, misplaced

S = TypeVar("S", bound=Document)

NO_FILES = (
    "this Noonday runs as functions of Lambda, which keep no files; leave it out, or have a target of the "
    "kind sql write to s3://BUCKET/KEY"
)


@dataclass(frozen=True, slots=True)
class Check:
    """What a document is held against. ``parameters``: None when they are not known here.

    ``rendered``: its templates have been replaced, so that every value can be judged. ``adopting``: the run
    has begun, when it was permitted. ``owner``: whose run it is; None when that is not known here.
    """

    settings: TargetSettings
    parameters: frozenset[str] | None = None
    rendered: bool = False
    adopting: bool = False
    owner: str | None = None

    def final(self, text: str) -> bool:
        """Whether the text is what the run will see."""
        return self.rendered or not templated(text)

    def place(self, path: str | None) -> str | None:
        """The same path of a file, if a result may be there as far as can be told now.

        Raises:
            ValueError: it may not.
        """
        if path is not None and not self.settings.keeps_files:
            raise ValueError(NO_FILES)
        if path is not None and self.final(path):
            complaint = misplaced(path)
            if complaint:
                raise ValueError(complaint)
            if self.rendered:  # links are looked at before the run has any effect
                Folders(self.settings.files, self.settings.runs).result(path)
        return path


def check_of(info: ValidationInfo) -> Check | None:
    """What a validator may ask of the operator's settings; None when only the form is judged."""
    return info.context if isinstance(info.context, Check) else None


class Kind(ABC, Generic[S]):
    """``name`` is what definitions write as ``kind``; ``spec`` the document of all other fields."""

    name: ClassVar[str]
    style: ClassVar[Style]
    spec: type[S]


class InlineKind(Kind[S]):
    """The call is the work."""

    style = Style.INLINE

    @abstractmethod
    def run(self, spec: S, request: LaunchRequest, control: Control) -> Outcome:
        """Prepare, ``control.begin(handle)``, work, and say how it ended.

        With ``request.handle`` an earlier claim of this run began: adopt what it left, or make sure that
        it is over. What it raises becomes a failure; RunTaken of ``begin`` is passed on.
        """


class StartedKind(Kind[S]):
    """The call returns an id in seconds; afterwards the target is asked how it goes."""

    style = Style.STARTED

    @abstractmethod
    def launch(self, requests: Sequence[tuple[S, LaunchRequest]]) -> Sequence[Outcome]:
        """One outcome a request, in order. The token makes a repetition harmless."""

    @abstractmethod
    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        """How they are now, found by external id or else by token."""

    @abstractmethod
    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        """Ask them to end; Pending until the target confirms."""


A = TypeVar("A")


def in_parallel(call: Callable[[A], Outcome], items: Sequence[A]) -> Sequence[Outcome]:
    """For targets that take one call a run: at most 16 at once, outcomes in order."""
    if len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(16, len(items))) as pool:
        return list(pool.map(call, items))


def broken(error: Exception) -> Failed:
    """The failure that stands for an exception nobody expected."""
    return Failed(error=f"{type(error).__name__}: {error}", retry=True)


AnyKind = Kind[Any]
