"""The kind ``http``: one request to a URL, and its answer in a file if it is wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from chalicelib.engine.outcomes import Dropped, Failed, HandedOver, Outcome, Stopped, Succeeded
from chalicelib.engine.ports import Clock, Control, LaunchRequest
from chalicelib.model.definition import Duration
from chalicelib.model.document import Document
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.files import Folders
from chalicelib.targets.http_addresses import (
    Allowed,
    Resolver,
    forbidden_literal,
    system_resolver,
)
from chalicelib.targets.kind import Check, InlineKind, check_of
from chalicelib.targets.run_log import RunLog

JUST_BEFORE_S = 0.1
STOP_S = 2.0  # for the engine to say so: a write to its store
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_CLASS = re.compile(r"[1-5]xx")
_HOST_PART = re.compile(r"https?://[^/?#]*", re.IGNORECASE)

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HeaderValue = Annotated[str, Field(max_length=8000)]


class HttpTarget(Document):
    """A request. Its answer decides: a status that is expected is success."""

    kind: Literal["http"]
    method: Method = Field("GET", description="In capitals")
    url: str = Field(
        max_length=8000,
        description="http or https; private addresses only if the operator permits them",
        examples=["https://api.example.com/v1/refresh?day=${nominal_time:%Y-%m-%d}"],
    )
    headers: dict[str, HeaderValue] = Field(
        {},
        max_length=100,
        description="Sent as they are; another host that it redirects to does not see them",
        examples=[{"Accept": "application/json"}],
    )
    body: str | dict[str, Any] | list[Any] | None = Field(
        None,
        description="A string is sent as it is, anything else as JSON",
        examples=[{"day": "${nominal_time:%Y-%m-%d}"}],
    )
    expected_status: list[int | str] = Field(
        ["2xx"],
        min_length=1,
        max_length=100,
        description="Statuses, or classes of them, that mean success",
        examples=[["2xx", 304]],
    )
    idempotency_header: str | None = Field(
        "Idempotency-Key", description="Carries the run's token at every repeat; null for none"
    )
    timeout: Duration = Field("PT1M", description="For the whole exchange, redirects included")
    follow_redirects: bool = Field(
        default=False, description="Each hop is checked like the first; at most 5"
    )
    result: str | None = Field(
        None,
        description="File under the files' root that receives the body",
        examples=["downloads/${nominal_time:%Y-%m-%d}.json"],
    )
    completion: Literal["answer", "callback"] = Field(
        "answer",
        description="answer: the run ends with the answer; callback: an expected answer means that the work"
        " was taken, and whoever does it reports its end",
    )
    max_bytes: int = Field(
        100_000_000, ge=1, le=10_000_000_000, description="A larger body is a failure"
    )

    @field_validator("url")
    @classmethod
    def _url(cls, url: str, info: ValidationInfo) -> str:
        check = check_of(info)
        complaint = url_complaint(url, check) if check else None
        if complaint:
            raise ValueError(complaint)
        return url

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _OURS:
                raise ValueError(f"{name} follows from the request; leave it out")
            if not _is_header_value(value):
                raise ValueError(f"{name}: a value is one line of Latin letters and signs")
        return headers

    @field_validator("idempotency_header")
    @classmethod
    def _idempotency(cls, name: str | None) -> str | None:
        if name is not None and (not _HEADER.fullmatch(name) or name.lower() in _OURS):
            raise ValueError(
                f"{name!r} cannot carry the token; use Idempotency-Key or another header"
            )
        return name

    @field_validator("expected_status")
    @classmethod
    def _statuses(cls, statuses: list[int | str]) -> list[int | str]:
        for status in statuses:
            known = _CLASS.fullmatch(status) if isinstance(status, str) else 200 <= status <= 599
            if not known:
                raise ValueError(f"{status!r} is no status; write 200 to 599, or classes like 2xx")
        return statuses

    @field_validator("result")
    @classmethod
    def _place(cls, path: str | None, info: ValidationInfo) -> str | None:
        check = check_of(info)
        return check.place(path) if check else path

    @model_validator(mode="after")
    def _one_end(self) -> HttpTarget:
        if self.completion == "callback" and self.result is not None:
            raise ValueError("result keeps the answer of a run that ends with it; leave one out")
        return self

    def expects(self, status: int) -> bool:
        return status in self.expected_status or f"{status // 100}xx" in self.expected_status


class HttpKind(InlineKind[HttpTarget]):
    name = "http"
    spec = HttpTarget

    def __init__(
        self, settings: TargetSettings, clock: Clock, resolve: Resolver = system_resolver
    ) -> None:
        self._clock = clock
        self._allowed = Allowed(settings.http_allow)
        self._resolve = resolve
        self._folders = Folders(settings.files, settings.runs)
        self._keeps_files = settings.keeps_files

    def run(self, spec: HttpTarget, request: LaunchRequest, control: Control) -> Outcome:
        """A repetition sends the same request with the same token: whoever answers tells them apart."""
        from chalicelib.targets.http_call import Call  # noqa: PLC0415  http.client and ssl: 27 ms

        log = RunLog(self._folders, request.token, self._clock, kept=self._keeps_files)
        left = (request.deadline_ms - self._clock.now_ms()) / 1000
        call = Call(spec, request, self._allowed, self._resolve, self._folders, log, left_s=left)
        calls_back = spec.completion == "callback"
        if calls_back and request.heard:  # whoever launched it died, and the work was taken
            return HandedOver(log_path=log.path)
        if control.stopping:
            return Stopped(log_path=log.path)
        control.begin({"method": spec.method, "url": without_query(spec.url)})
        control.on_stop(call.cancel)
        outcome = call.outcome()
        if calls_back and isinstance(outcome, Succeeded):
            return HandedOver(log_path=outcome.log_path)
        if not isinstance(outcome, Failed):
            return outcome
        self._let_the_stop_come(request, control)
        return outcome_of_stop(outcome, control, log)

    def _let_the_stop_come(self, request: LaunchRequest, control: Control) -> None:
        """The request gives up when the run's time is over, a moment before the engine says so."""
        left_s = (request.deadline_ms - self._clock.now_ms()) / 1000
        if left_s <= JUST_BEFORE_S:
            control.wait(max(0.0, left_s) + STOP_S)


def outcome_of_stop(failed: Failed, control: Control, log: RunLog) -> Outcome:
    """A failure while the run has to stop is the stop."""
    if not control.stopping:
        return failed
    log.say("stopped")
    return Dropped() if control.lost else Stopped(log_path=log.path)


def url_complaint(url: str, check: Check) -> str | None:
    """What is wrong with a URL, as far as it can be told before its templates are rendered."""
    if not check.final(url):
        fixed = _HOST_PART.match(url)
        if fixed is None or not check.final(fixed[0]):
            return None
        url = f"{fixed[0]}/"
    try:
        parts = urlsplit(url)
        port = port_of(parts)
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is no URL of a web server; write https://host/path"
    if parts.username is not None or parts.password is not None:
        return "carries credentials; put them into a header"
    if not url.isascii() or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        return "contains spaces or letters that a URL has to escape, like %20"
    return forbidden_literal(parts.hostname, port, Allowed(check.settings.http_allow))


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def without_query(url: str) -> str:
    """Queries carry keys more often than one would wish: neither handles nor logs keep them."""
    head, mark, _ = url.partition("?")
    return f"{head}?…" if mark else head


def encoded(
    body: str | dict[str, Any] | list[Any] | None,
) -> tuple[bytes | None, Mapping[str, str]]:
    """The body's bytes and the header that names their type."""
    if body is None:
        return None, {}
    if isinstance(body, str):
        return body.encode(), {"Content-Type": "text/plain; charset=utf-8"}
    text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    return text.encode(), {"Content-Type": "application/json"}


def _is_header_value(value: str) -> bool:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
