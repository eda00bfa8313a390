"""What API Gateway does in the cloud: HTTP requests become events of the app, its answers HTTP responses."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalice.app import Chalice, Request, Response

from chalicelib.api.problems import TooLarge, document_of, headers_of, refusal
from chalicelib.events.tracing import HEADER
from chalicelib.local.context import EventContext
from chalicelib.local.http_message import HttpRequest
from chalicelib.local.http_server import HttpResponse
from chalicelib.model.errors import Malformed, NoondayError, NotFound

MAX_PARAMETERS = 200


class ThreadedChalice(Chalice):
    """A Chalice app whose current request is each thread's own: Lambda has one at a time, we have many."""

    _of_thread = threading.local()

    @property
    def current_request(self) -> Request | None:
        return getattr(self._of_thread, "request", None)

    @current_request.setter
    def current_request(self, request: Request | None) -> None:
        self._of_thread.request = request

    @property
    def lambda_context(self) -> Any:
        return getattr(self._of_thread, "context", None)

    @lambda_context.setter
    def lambda_context(self, context: Any) -> None:
        self._of_thread.context = context


class Routes:
    """Finds the route of a path; plain segments win over variables, as at API Gateway."""

    def __init__(self, patterns: Mapping[str, Any]) -> None:
        self._patterns = sorted(
            (pattern.split("/") for pattern in patterns),
            key=lambda parts: [part.startswith("{") for part in parts],
        )

    def match(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The route and its variables, as they were sent."""
        parts = path.split("/")
        for pattern in self._patterns:
            if len(pattern) == len(parts):
                variables = _variables(pattern, parts)
                if variables is not None:
                    return "/".join(pattern), variables
        return None


def _variables(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    variables: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{") and part:
            variables[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return variables


class Gateway:
    """Answers HTTP requests by the app."""

    def __init__(self, app: Chalice) -> None:
        app.__class__ = ThreadedChalice
        self._app = app
        self._methods = {path: frozenset(entries) for path, entries in app.routes.items()}
        self._routes = Routes(self._methods)

    def handle(self, request: HttpRequest) -> HttpResponse:
        try:
            event = self._event(request)
        except NoondayError as error:
            response = refusal(error)
            response.headers[HEADER] = EventContext("api", limit_s=29).aws_request_id
            return _response(response.to_dict())
        return self._answered(event)

    def _answered(self, event: dict[str, Any]) -> HttpResponse:
        context = EventContext("api", limit_s=29)
        event["requestContext"]["requestId"] = context.aws_request_id
        return _response(self._app(event, context))

    def _event(self, request: HttpRequest) -> dict[str, Any]:
        """The event of a REST API's proxy integration, version 1.0."""
        parts = urlsplit(request.target)
        path = parts.path if parts.path in ("", "/") else parts.path.removesuffix("/")
        found = self._routes.match(path)
        if found is None:
            raise NotFound(f"there is nothing at {path[:200]}; /openapi.json lists what there is")
        route, variables = found
        query = _query(parts.query)
        many: dict[str, list[str]] = {}
        for name, value in request.headers:
            many.setdefault(name, []).append(value)
        body, encoded = _body(request.body)
        method = self._method(request.method, route)
        return {
            "resource": route,
            "path": path,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in many.items()},
            "multiValueHeaders": many,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": variables or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": route,
                "httpMethod": method,
                "path": path,
                "stage": "local",
                "protocol": "HTTP/1.1",
                "identity": {"sourceIp": request.peer, "userAgent": request.header("user-agent")},
            },
            "body": body,
            "isBase64Encoded": encoded,
        }

    def _method(self, method: str, route: str) -> str:
        """HEAD is GET whose body the server leaves out."""
        return "GET" if method == "HEAD" and "HEAD" not in self._methods[route] else method


def refuse(status: int, message: str) -> HttpResponse:
    """What is no request gets a problem document like everything else."""
    error = TooLarge(message) if status in (413, 431) else Malformed(message)
    title = HTTPStatus(status).phrase
    document = {**document_of(error), "status": status, "title": title}
    response = Response(body=document, headers=headers_of(error), status_code=status)
    return _response(response.to_dict())


def _query(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:
        raise Malformed(f"the query string cannot be read: {error}") from None


def _body(body: bytes) -> tuple[str | None, bool]:
    """Text as text; what is none travels in base64, so that the app sees the bytes that were sent."""
    if not body:
        return None, False
    try:
        return body.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), True


def _response(answer: Mapping[str, Any]) -> HttpResponse:
    body = answer["body"]
    if answer.get("isBase64Encoded"):
        raw = base64.b64decode(body)
    else:
        raw = body.encode("utf-8") if isinstance(body, str) else bytes(body)
    headers = {name: str(value) for name, value in answer["headers"].items()}
    return HttpResponse(answer["statusCode"], raw, headers)
