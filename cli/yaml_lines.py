"""On which line a field is: looked for only when there is something wrong with it."""

from __future__ import annotations

import yaml


def line_of(text: str, number: int, field: str) -> int | None:
    """The line of a field of the document with that number (from 0), or of what it is missing in.

    ``field`` is a dotted path as the server writes it. JSON is read as the YAML that it nearly is; None
    where nothing can be told.
    """
    try:
        roots = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    documents = [root for root in roots if root is not None]
    if len(documents) == 1 and isinstance(documents[0], yaml.SequenceNode):
        documents = list(documents[0].value)
    if number >= len(documents):
        return None
    return _line(documents[number], field) if field else None


def _line(node: yaml.Node, field: str) -> int:
    found = _inside(node, field)
    if found is None:
        return int(node.start_mark.line) + 1
    place, inner, rest = found
    return _line(inner, rest) if rest else place


def _inside(node: yaml.Node, field: str) -> tuple[int, yaml.Node, str] | None:
    """Where the beginning of the path is, what is there, and the rest of the path. Keys may hold dots."""
    if isinstance(node, yaml.SequenceNode):
        head, _, rest = field.partition(".")
        if head.isdecimal() and int(head) < len(node.value):
            item = node.value[int(head)]
            return int(item.start_mark.line) + 1, item, rest
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        name = str(key.value)
        if field == name or field.startswith((f"{name}.", f"{name}[")):
            return int(key.start_mark.line) + 1, value, field[len(name) :].lstrip(".")
    return None
