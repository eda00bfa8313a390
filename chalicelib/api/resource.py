"""Routes: a view parses nothing, and is described once, for Chalice and for OpenAPI alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_type_hints
from urllib.parse import unquote

from chalice.app import Blueprint, Request, Response
from pydantic import BaseModel

from chalicelib.api.authentication import authenticate
from chalicelib.api.authorizers import authorizer_of
from chalicelib.api.call import Call
from chalicelib.api.problems import Defect, refusal
from chalicelib.api.reading import raw_body, read_body, read_query
from chalicelib.api.strict_json import MAX_BYTES
from chalicelib.model.errors import NoondayError, NotFound
from chalicelib.model.principal import Principal
from chalicelib.settings import environment
from chalicelib.wiring import noonday

View = Callable[..., Response]
NOBODY = Principal("nobody")
AUTHORIZER = authorizer_of(environment())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """All that is to be known about a route. ``answers``: status to the body's model, or media type.

    ``guarded``: it honours If-Match. ``creates``: it honours Idempotency-Key. ``public``: anybody may
    ask, or whom ``admits`` does not refuse. ``most_bytes``: of its body. ``located``: what it creates has
    a place of its own.
    ``refusals``: statuses besides those that follow from the rest.
    """

    method: str
    path: str
    tag: str
    name: str
    summary: str
    detail: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: Mapping[int, type[BaseModel] | str]
    guarded: bool = False
    creates: bool = False
    public: bool = False
    admits: Callable[[Call], None] | None = None
    most_bytes: int = MAX_BYTES
    located: bool = True
    refusals: frozenset[int] = frozenset()


class Resource:
    """A blueprint whose views get a ``Call`` and, by their annotations, a ``body`` and a ``query``."""

    def __init__(self, module: str, tag: str) -> None:
        self.blueprint = Blueprint(module)
        self.tag = tag
        self.operations: list[Operation] = []

    def route(
        self, method: str, path: str, answers: Mapping[int, type[BaseModel] | str], **traits: Any
    ) -> Callable[[View], View]:
        """Register a view; its docstring's first line is the summary, the rest the description."""

        def register(view: View) -> View:
            hints = get_type_hints(view)
            summary, _, detail = (inspect.getdoc(view) or "").partition("\n")
            operation = Operation(
                method=method,
                path=path,
                tag=self.tag,
                name=view.__name__,
                summary=summary.rstrip("."),
                detail=detail.strip(),
                body=hints.get("body"),
                query=hints.get("query"),
                answers=answers,
                **traits,
            )
            self.operations.append(operation)
            handler = self._handler(operation, view)
            register_route = self.blueprint.route(
                path,
                methods=[method],
                content_types=["*/*"],
                authorizer=None if operation.public else AUTHORIZER,
            )
            register_route(handler)
            return view

        return register

    def _handler(self, operation: Operation, view: View) -> View:
        def handle(**path: str) -> Response:
            try:
                return _answer(operation, view, self.blueprint.current_request, path)
            except NoondayError as error:
                return refusal(error)
            except Exception as error:  # noqa: BLE001 -- the edge: whatever it is, the client is answered
                return _defect(error, operation)

        handle.__name__ = operation.name
        return handle


def _answer(
    operation: Operation, view: View, request: Request, path: Mapping[str, str]
) -> Response:
    """Know who asks, read what is asked, answer."""
    here = noonday()
    headers = _Headers(request.headers)
    principal = NOBODY if operation.public else authenticate(here, headers, request.context)
    query = _query(request)
    call = Call(
        noonday=here,
        principal=principal,
        method=operation.method,
        route=operation.path,
        path={name: _decoded(value) for name, value in path.items()},
        headers=headers,
        query=query,
        raw=raw_body(request, operation.most_bytes) if operation.body else b"",
    )
    if operation.admits is not None:  # before anything is said of what they sent
        operation.admits(call)
    inputs: dict[str, BaseModel] = {}
    if operation.query is not None:
        inputs["query"] = read_query(operation.query, query)
    if operation.body is not None:
        inputs["body"] = read_body(operation.body, headers, call.raw)
    response = view(call, **inputs)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _defect(error: Exception, operation: Operation) -> Response:
    """What nobody foresaw is logged in full and told to nobody."""
    with suppress(NoondayError):
        noonday().log.unexpected(error, method=operation.method, route=operation.path)
    return refusal(Defect())


def _query(request: Request) -> dict[str, list[str]]:
    params = request.query_params
    return {} if params is None else {name: list(params.getlist(name)) for name in params}


def _decoded(value: str) -> str:
    """Path variables arrive as they were sent, percent-encoded."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise NotFound(f"there is nothing at {value!r}: it is not UTF-8") from None


class _Headers(dict[str, str]):
    """Names in lower case, whatever the client wrote."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})
