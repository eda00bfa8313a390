"""Every answer is held against the API's own description: its status, its kind and its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from openapi_schema_validator import OAS31Validator

from tests.local.server import Answer, Server


@dataclass
class DescribedApi:
    """Calls the server as ``Server.call`` does, and fails when an answer is not described.

    ``seen``: the (method, route, status) of everything that was answered by a route.
    """

    server: Server
    description: Mapping[str, Any]
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        answer = self.server.call(method, path, body, **more)
        route = self._route(urlsplit(path).path)
        operation = self.description["paths"].get(route, {}).get(method.lower())
        if operation is not None:
            self.seen.add((method, str(route), answer.status))
            self._check(f"{method} {route}", operation, answer)
        elif answer.status not in (404, 405):
            raise AssertionError(f"{method} {path} is not described, and answers {answer.status}")
        return answer

    def get(self, path: str, **more: Any) -> Any:
        """The document of a sound question."""
        answer = self("GET", path, **more)
        assert answer.status == 200, answer.body
        return answer.body

    def _route(self, path: str) -> str | None:
        parts = path.rstrip("/").split("/")
        routes = [route.split("/") for route in self.description["paths"]]
        fitting = [route for route in routes if _fits(route, parts)]
        best = min(fitting, key=lambda route: sum("{" in part for part in route), default=None)
        return None if best is None else "/".join(best)

    def _check(self, name: str, operation: Mapping[str, Any], answer: Answer) -> None:
        described = operation["responses"].get(str(answer.status))
        assert described is not None, f"{name} does not say that it answers {answer.status}"
        for header in described.get("headers", {}):
            if header != "ETag":
                assert header.lower() in answer.headers, f"{name} {answer.status} lacks {header}"
        kind = answer.headers.get("content-type", "").partition(";")[0]
        content = described.get("content", {})
        if not content:
            assert answer.body == "", f"{name} says that it answers {answer.status} with nothing"
            return
        if "application/octet-stream" in content:
            return
        assert kind in content, f"{name} answers {answer.status} with {kind}, not {list(content)}"
        if schema := content[kind].get("schema"):
            whole = {**schema, "components": self.description["components"]}
            OAS31Validator(whole).validate(answer.body)


def _fits(route: list[str], parts: list[str]) -> bool:
    return len(route) == len(parts) and all(
        ("{" in wanted and part) or wanted == part
        for wanted, part in zip(route, parts, strict=True)
    )


def described(server: Server) -> DescribedApi:
    answer = server.call("GET", "/openapi.json", token="")
    return DescribedApi(server, json.loads(json.dumps(answer.body)))
