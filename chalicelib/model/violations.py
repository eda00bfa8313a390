"""What pydantic found wrong, in words: the field, the value, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from chalicelib.model.errors import Problem


def problems_of(error: ValidationError, model: type[BaseModel], at: str = "") -> list[Problem]:
    """One problem a finding; ``at`` is put before the fields."""
    return [_problem(finding, model, at) for finding in error.errors(include_url=False)]


def _problem(finding: Any, model: type[BaseModel], at: str) -> Problem:
    path = [str(part) for part in finding["loc"]]
    field = ".".join([at, *path] if at else path)
    kind = finding["type"]
    if kind == "missing":
        return Problem(field, "is missing")
    if kind == "extra_forbidden":
        return Problem(field, _unknown(path, model), finding["input"])
    message = finding["msg"]
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return Problem(field, message, _shown(finding["input"]))


def _unknown(path: list[str], model: type[BaseModel]) -> str:
    known = sorted(_fields_at(path[:-1], model))
    near = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"is no field of a definition; {hint}" if known else "is not known"


def _fields_at(path: list[str], model: type[BaseModel]) -> Iterator[str]:
    """The names that the document knows at that place, as far as its models tell."""
    for part in path:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return
        model = inner
    for name, info in model.model_fields.items():
        yield info.alias or name


def _shown(value: object) -> object:
    """Long values are cut: an error is to be read."""
    text = repr(value)
    return value if len(text) <= 200 else f"{text[:197]}..."
