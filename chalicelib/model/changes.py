"""What is different between two definitions: by what they mean, not by how they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.model.job import read_definition

MOST_NAMED = 50
_LONGEST = 200
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One field by its dotted path; None is also what is not there. Lists change as a whole."""

    field: str
    before: Any
    after: Any


def changes(before_json: str, after_json: str) -> Sequence[Change]:
    """The fields in which two stored definitions differ, a default and its absence being the same.

    >>> [change.field for change in changes('{"tags": {}}', '{"tags": {"tier": "gold"}}')]
    ['tags.tier']
    """
    if before_json == after_json:
        return ()
    return tuple(_changes(_normal_form(before_json), _normal_form(after_json), ""))


def named(found: Sequence[Change]) -> Sequence[str]:
    """Names of the fields, for the record: no more and no longer ones than a person reads."""
    names = [change.field[:_LONGEST] for change in found[:MOST_NAMED]]
    more = len(found) - len(names)
    return [*names, f"and {more} more"] if more else names


def _normal_form(text: str) -> dict[str, Any]:
    """With all defaults. A target's kind knows its own defaults; null is none there, too."""
    try:
        document = read_definition(text).model_dump(mode="json")
    except ValueError:  # of another version of this program; as it is written, then
        document = json.loads(text)
    target = document.get("target")
    if isinstance(target, dict):
        document["target"] = {name: value for name, value in target.items() if value is not None}
    return document


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], at: str) -> Iterator[Change]:
    for key in (*before, *(key for key in after if key not in before)):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{at}{key}.")
        elif old is _ABSENT or new is _ABSENT or _text(old) != _text(new):
            yield Change(f"{at}{key}", _known(old), _known(new))


def _text(value: Any) -> str:
    """For comparing: to Python 1, 1.0 and true are equal, to a template they are not."""
    return json.dumps(value, sort_keys=True)


def _known(value: Any) -> Any:
    return None if value is _ABSENT else value
