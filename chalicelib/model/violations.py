"""What pydantic found wrong, in words: the field, the value, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

from chalicelib.model.errors import Problem

KEY = "[key]"
_SHOWN = 200
_TYPES = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "none_required": "null",
}
_WORDS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be text that UTF-8 can write",
    "too_long": "must have at most {max_length} entries; it has {actual_length}",
    "too_short": "must have at least {min_length} entries; it has {actual_length}",
    "int_parsing_size": "has too many digits",
}


def problems_of(error: ValidationError, model: type[BaseModel], at: str = "") -> list[Problem]:
    """One problem a field; ``at`` is put before the fields."""
    merged: dict[str, _Findings] = {}
    for finding in error.errors(include_url=False):
        path, holders = _place(finding["loc"], model)
        field = ".".join([at, *path] if at else path)
        within = None if any(part.isdecimal() for part in path) else model
        merged.setdefault(field, _Findings()).add(finding, holders, within, at)
    return [Problem(field, found.sentence, found.value) for field, found in merged.items()]


class _Findings:
    """All that is wrong with one field. A choice of types that fails is one fault, not one for each."""

    def __init__(self) -> None:
        self._types: dict[str, None] = {}
        self._others: dict[str, None] = {}
        self.value: object = None

    def add(
        self,
        finding: Any,
        holders: Sequence[type[BaseModel]],
        within: type[BaseModel] | None,
        at: str,
    ) -> None:
        kind = finding["type"]
        if kind in _TYPES:
            self._types[_TYPES[kind]] = None
        else:
            elsewhere = _elsewhere(finding, within, at) if within else None
            self._others[elsewhere or _sentence(finding, holders)] = None
        self.value = None if kind == "missing" else _shown(finding["input"])

    @property
    def sentence(self) -> str:
        """A value of the right type that breaks a rule is told the rule, not the types it is not."""
        if self._others:
            return "; ".join(self._others)
        *some, last = self._types
        return f"must be {', '.join(some)} or {last}" if some else f"must be {last}"


def _sentence(finding: Any, holders: Sequence[type[BaseModel]]) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown(str(finding["loc"][-1]), holders)
    if kind in ("literal_error", "enum"):
        return _choice(str(context["expected"]), finding["input"])
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    message: str = finding["msg"]
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.removeprefix("Input ")


def _elsewhere(finding: Any, model: type[BaseModel], at: str) -> str | None:
    """What stands one level off its place: ``timeouts`` is a field of the policies, not of the job."""
    if finding["type"] != "extra_forbidden":
        return None
    name = str(finding["loc"][-1]).lower()
    places = {
        f"{outer}.{inner}"
        for outer, annotation in _fields(model).items()
        for part in _bare(annotation)
        if _is_model(part)
        for inner in _fields(part)
    }
    # A plural or a singular is the same word; anything less alike is likelier a slip where it stands.
    words = {name, f"{name}s", name.removesuffix("s")}
    found = [place for place in places if place.rpartition(".")[2] in words]
    if len(found) != 1:
        return None
    place = f"{at}.{found[0]}" if at else found[0]
    return f"is not known here; did you mean {place}?"


def _choice(expected: str, value: object) -> str:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    same = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(str(value).lower(), list(same), n=1)
    hint = f"; did you mean {same[near[0]]}?" if near else ""
    return (
        f"must be one of {', '.join(choices)}{hint}"
        if len(choices) > 1
        else f"must be {choices[0]}"
    )


def _unknown(name: str, holders: Sequence[type[BaseModel]]) -> str:
    known = sorted({field for holder in holders for field in _fields(holder)})
    near = difflib.get_close_matches(name.lower(), known, n=1)
    if near:
        return f"is not known here; did you mean {near[0]}?"
    return f"is not known here; there are {', '.join(known)}" if known else "is not known here"


def _place(
    loc: Sequence[str | int], model: type[BaseModel]
) -> tuple[list[str], list[type[BaseModel]]]:
    """The fields of pydantic's path, and the models that hold the last of them.

    Where several types may stand, the path goes on with the name of the one that was tried; a fault of a
    key ends with a mark. Neither is a field of the document.
    """
    types: list[Any] = [model]
    path: list[str] = []
    holders: list[type[BaseModel]] = []
    chosen = False
    for part in loc:
        if part == KEY:
            continue
        if len(types) > 1 and not chosen:
            chosen = True
            continue
        chosen = False
        holders = [one for one in types if _is_model(one)]
        path.append(str(part))
        types = [bare for one in types for bare in _bare(_inside(one, part))]
    return path, holders


def _bare(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows, without null and what is annotated to them."""
    if get_origin(annotation) is Annotated:
        yield from _bare(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _bare(part)
    elif _is_model(annotation) and issubclass(annotation, RootModel):
        yield from _bare(annotation.model_fields["root"].annotation)
    elif annotation not in (None, NoneType):
        yield annotation


def _inside(annotation: Any, part: str | int) -> Any:
    """The annotation of a field of a model, of the values of an object or of the entries of a list."""
    if _is_model(annotation):
        return _fields(annotation).get(str(part))
    if get_origin(annotation) in (dict, Mapping):
        return get_args(annotation)[1]
    if get_origin(annotation) in (list, tuple, set, frozenset):
        return get_args(annotation)[0]
    return None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> Mapping[str, Any]:
    fields = model.model_fields.items()
    return {info.alias or name: info.annotation for name, info in fields}


def _shown(value: object) -> object:
    """Long values are cut: an error is to be read."""
    text = repr(value)
    return value if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
