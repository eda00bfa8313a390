"""OpenAPI 3.1, from the same operations and models that serve and validate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib import api
from chalicelib.api.documents import ProblemDocument
from chalicelib.api.problems import PROBLEM_JSON
from chalicelib.api.resource import Operation
from chalicelib.api.service import VERSION
from chalicelib.model.calendar import Calendar
from chalicelib.model.definition import Definition

REF = "#/components/schemas/{model}"
_VARIABLE = re.compile(r"\{(\w+)\}")
_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be understood; `problems` names every field",
    401: "Nobody is named by the request",
    403: "The principal's role does not allow this",
    404: "There is none, or it belongs to somebody else",
    406: "The result is bytes and the request accepts none",
    409: "It does not fit the present state",
    412: "If-Match named an older edit",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "The Idempotency-Key was used for another request",
    500: "A mistake of Noonday's own",
    503: "The database cannot serve now; try again after Retry-After",
}
_VARIABLES: Mapping[str, str] = {
    "job_id": "Id, name, or owner:name of a job",
    "backfill_id": "The backfill's id",
    "notification_id": "A notification's id; receivers see it as webhook-id",
    "revision": "Number of a revision: 1, 2, 3…",
    "instance_id": "Id of an instance",
    "calendar": "Name of a calendar",
    "group": "Name of the group, within the owner",
    "owner": "Name of an owner",
    "principal": "Name of a principal",
    "token": "A run's name, which its target was told: an instance's id and the number of the run",
}
_BODY_REFUSALS = frozenset({413, 415})


def description(targets: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """The whole API. ``targets``: the document of each kind of target."""
    operations = api.operations()
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Noonday",
            "version": VERSION,
            "summary": "A job scheduler with a memory",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(list(operations), targets),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def documented_statuses(operation: Operation) -> frozenset[int]:
    """Every status that the operation may answer with."""
    always = {400, 500, 503} if operation.public else {400, 401, 500, 503}
    return frozenset(operation.answers) | operation.refusals | always | _conditional(operation)


def _conditional(operation: Operation) -> frozenset[int]:
    statuses = set(_BODY_REFUSALS if operation.body else ())
    if operation.guarded:
        statuses.add(412)
    if operation.creates:
        statuses.add(422)
    return frozenset(statuses)


def _operation(operation: Operation) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {
            str(status): _response(operation, status)
            for status in sorted(documented_statuses(operation))
        },
    }
    if operation.detail:
        document["description"] = operation.detail
    if operation.public:
        document["security"] = []
    if operation.body is not None:
        document["requestBody"] = {
            "required": not _may_be_empty(operation.body),
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    return document


def _may_be_empty(body: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in body.model_fields.values())


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _VARIABLE.findall(operation.path):
        yield _parameter("path", name, _VARIABLES[name], {"type": "string"}, required=True)
    if operation.query is not None:
        schema = operation.query.model_json_schema(ref_template=REF)
        for name, detail in schema["properties"].items():
            inline = _inlined({k: v for k, v in detail.items() if k != "title"}, schema)
            yield _parameter("query", name, inline.pop("description", ""), inline)
    if not operation.public:
        text = "The owner (team) that is meant, where the principal has several"
        yield _parameter("header", "X-Noonday-Owner", text, {"type": "string"})
    if operation.guarded:
        text = "The ETag that was seen: refused with 412 if it has moved on"
        yield _parameter("header", "If-Match", text, {"type": "string"})
    if operation.creates:
        text = "A repeat of the request with the same key gets the same answer, for 24 hours"
        schema = {"type": "string", "minLength": 1, "maxLength": 200}
        yield _parameter("header", "Idempotency-Key", text, schema)


def _parameter(
    place: str, name: str, text: str, schema: Mapping[str, Any], *, required: bool = False
) -> dict[str, Any]:
    parameter = {"in": place, "name": name, "required": required, "schema": dict(schema)}
    if text:
        parameter["description"] = text
    return parameter


def _inlined(schema: Any, root: Mapping[str, Any]) -> Any:
    """A query's schema refers to enums of its own; parameters have no place to keep them."""
    if isinstance(schema, list):
        return [_inlined(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return {key: _inlined(value, root) for key, value in schema.items()}


def _response(operation: Operation, status: int) -> dict[str, Any]:
    if status not in operation.answers:
        content = {PROBLEM_JSON: {"schema": _ref(ProblemDocument)}}
        response: dict[str, Any] = {"description": _MEANINGS[status], "content": content}
        if status == 503:
            response["headers"] = {"Retry-After": _header("Seconds", "integer")}
        return response
    answered = operation.answers[status]
    if isinstance(answered, str):
        return _plain(answered)
    content = {"application/json": {"schema": _ref(answered)}}
    response = {
        "description": (answered.__doc__ or "What was asked for").strip(),
        "content": content,
    }
    headers = _headers(operation, status)
    return {**response, "headers": headers} if headers else response


def _plain(kind: str) -> dict[str, Any]:
    if kind == "none":
        return {"description": "Done"}
    return {"description": "What was asked for", "content": {kind: {}}}


def _headers(operation: Operation, status: int) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if status == 201 and operation.located:
        headers["Location"] = _header("Where the new thing is", "string")
    if operation.guarded or operation.path in ("/jobs", "/jobs/{job_id}"):
        headers["ETag"] = _header("The job's edit", "string")
    return headers


def _header(text: str, kind: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def _schemas(operations: list[Operation], targets: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """All documents by name; the target of a definition is one of the kinds, told apart by ``kind``."""
    read: set[type[BaseModel]] = {Definition, *targets.values()}
    read |= {operation.body for operation in operations if operation.body is not None}
    written: set[type[BaseModel]] = {ProblemDocument}
    for operation in operations:
        written |= {model for model in operation.answers.values() if not isinstance(model, str)}
    models: list[tuple[type[BaseModel], str]] = [(model, "validation") for model in read]
    models += [(model, "serialization") for model in written]
    ordered = sorted(models, key=lambda pair: pair[0].__name__)
    _, definitions = models_json_schema(ordered, ref_template=REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = dict(sorted(definitions["$defs"].items()))
    schemas["Target"] = _one_of(targets)
    described = schemas["Definition"]["properties"]["target"].get("description", "")
    schemas["Definition"]["properties"]["target"] = {
        "$ref": REF.format(model="Target"),
        "description": described,
    }
    for schema in schemas.values():
        if schema.get("properties", {}).get("definition"):
            schema["properties"]["definition"] = _ref(Definition)
        if schema.get("properties", {}).get("calendar"):
            schema["properties"]["calendar"] = _ref(Calendar)
    return schemas


def _one_of(targets: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    refs = {kind: REF.format(model=model.__name__) for kind, model in targets.items()}
    return {
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "kind", "mapping": refs},
    }
