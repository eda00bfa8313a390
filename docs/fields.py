"""The fields of a document, as a table: from the same JSON schema that the API publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from docs.markdown import code, table

Schema = Mapping[str, Any]
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
}


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    """One row a field: what it may be, its default, its meaning."""
    schema = model.model_json_schema()
    definitions, required = schema.get("$defs", {}), schema.get("required", [])
    yield from table(
        ["field", "value", "default", "meaning"],
        (
            [
                code(name),
                _kind(field, definitions),
                _default(name, field, required),
                _meaning(field, definitions),
            ]
            for name, field in schema["properties"].items()
        ),
    )


def _kind(field: Schema, definitions: Mapping[str, Schema]) -> str:
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        kinds = (_kind(each, definitions) for each in field["anyOf"] if each.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(code(value) for value in field["enum"])
    if "const" in field:
        return code(field["const"])
    return _word(field, definitions)


def _word(field: Schema, definitions: Mapping[str, Schema]) -> str:
    word = WORDS.get(field.get("type", ""), "any value")
    if field.get("type") == "array" and "items" in field:
        return f"list of {_kind(field['items'], definitions)}"
    least, most = field.get("minimum"), field.get("maximum")
    if least is not None and most is not None:
        return f"{word}, {least:,} to {most:,}"
    return word if least is None else f"{word}, {least:,} or more"


def _default(name: str, field: Schema, required: list[str]) -> str:
    if name in required or "const" in field:
        return "required"
    value = field.get("default")
    if value is None or value in ("", {}) or isinstance(value, dict):
        return ""
    return code(value if isinstance(value, str) else json.dumps(value))


def _meaning(field: Schema, definitions: Mapping[str, Schema]) -> str:
    variants = [_resolved(each, definitions) for each in (field, *field.get("anyOf", ()))]
    described = next((each["description"] for each in variants if "description" in each), "")
    examples = [each for each in field.get("examples", ()) if not isinstance(each, dict | list)]
    is_choice = any("enum" in each for each in variants)
    shown = f"; such as {code(examples[0])}" if examples and not is_choice else ""
    return f"{described.rstrip('.')}{shown}".removeprefix("; ")


def _resolved(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The field itself, or what it refers to."""
    if "$ref" not in field or "description" in field:
        return field
    return definitions[field["$ref"].rpartition("/")[2]]
