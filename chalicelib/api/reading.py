"""Requests become documents: bodies by their models, query strings by theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_origin

from chalice.app import Request
from pydantic import BaseModel, ValidationError

from chalicelib.api.problems import TooLarge, UnsupportedMediaType
from chalicelib.api.strict_json import MAX_BYTES, parse
from chalicelib.model.errors import InvalidInput, Malformed, Problem
from chalicelib.model.violations import problems_of

WHOLE = "whole"
"""Annotates a list whose items may hold commas: then it can only be repeated."""
Model = TypeVar("Model", bound=BaseModel)


def raw_body(request: Request, most: int = MAX_BYTES) -> bytes:
    """Raises TooLarge beyond so many bytes."""
    raw = request.raw_body
    body = raw.encode() if isinstance(raw, str) else raw
    if len(body) > most:
        raise TooLarge(f"the body has {len(body)} bytes; at most {most} are read")
    return body


def read_body(model: type[Model], headers: Mapping[str, str], raw: bytes) -> Model:
    """The body as its document; an empty body is an empty document.

    Raises:
        UnsupportedMediaType, Malformed, InvalidInput: it is none.
    """
    if raw:
        _check_media_type(headers.get("content-type", ""))
    document = parse(raw) if raw else {}
    if not isinstance(document, dict):
        raise Malformed(f"the body is {_named(document)}; send a JSON object")
    return validated(model, document)


def validated(model: type[Model], document: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, model)) from None


def read_query(model: type[Model], query: Mapping[str, list[str]]) -> Model:
    """The query string as its document: lists may be repeated or
    separated by commas, the rest come once."""
    document: dict[str, Any] = {}
    problems = []
    for name, values in query.items():
        field = next(
            (info for key, info in model.model_fields.items() if (info.alias or key) == name), None
        )
        if field is not None and get_origin(field.annotation) is tuple:
            document[name] = tuple(values if WHOLE in field.metadata else _split(values))
        elif len(values) > 1:
            problems.append(Problem(name, "is given more than once; give it once", values))
        else:
            document[name] = values[0]
    if problems:
        raise InvalidInput(problems)
    return validated(model, document)


def _split(values: Iterable[str]) -> Iterator[str]:
    parts = (part.strip() for value in values for part in value.split(","))
    return (part for part in parts if part)


def _check_media_type(content_type: str) -> None:
    """None at all is taken for JSON; a form, which curl sends unless told, is named as what it is."""
    kind, _, parameters = content_type.lower().partition(";")
    kind = kind.strip()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"the body is announced as {kind}; send JSON with Content-Type: application/json"
        )
    charset = parameters.partition("charset=")[2].partition(";")[0].strip().strip('"')
    if charset and charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"the body is announced as {charset}; send JSON in UTF-8")


def _named(value: object) -> str:
    return {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number"
    )
