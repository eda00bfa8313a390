"""Two definitions, line by line as YAML: what goes, what comes, in the colours of every diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click

from cli.output import to_yaml
from cli.screen import Screen
from cli.text import safe_lines, shorten

Document = dict[str, Any]
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def diff_lines(
    before: Document | None, after: Document | None, names: tuple[str, str], screen: Screen
) -> Iterator[str]:
    """A unified diff; None is a definition that is not there. Without lines, they say the same."""
    old = safe_lines(to_yaml(before)) if before is not None else []
    new = safe_lines(to_yaml(in_order_of(before, after))) if after is not None else []
    for number, line in enumerate(difflib.unified_diff(old, new, *names, lineterm="")):
        shown = line if screen.columns is None else shorten(line, screen.columns)
        if not screen.colour:
            yield shown
        elif number < 2:
            yield click.style(shown, bold=True)
        else:
            yield click.style(shown, fg=_COLOURS.get(line[:1]))


def in_order_of(before: Any, after: Any) -> Any:
    """The second with its fields in the order of the first: order alone is no difference."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    keys = [*(key for key in before if key in after), *(key for key in after if key not in before)]
    return {key: in_order_of(before.get(key), after[key]) for key in keys}
