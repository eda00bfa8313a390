"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.client import Client
from cli.errors import Misused
from cli.names import JOB, server_now
from cli.times import instant_ms, iso, span_ms
from cli.yaml_reader import resolve

F = TypeVar("F", bound=Callable[..., Any])


def job_argument(function: F) -> F:
    return click.argument("job", type=JOB)(function)


def job_argument_or_none(function: F) -> F:
    return click.argument("job", type=JOB, required=False)(function)


def reason_option(function: F) -> F:
    return click.option("--reason", metavar="TEXT", help="Why; kept in the history.")(function)


def ignore_option(function: F) -> F:
    return click.option(
        "--ignore-prerequisites", is_flag=True, help="Wait for no prerequisite, only for its turn."
    )(function)


def paging_options(function: F) -> F:
    """``--limit``, ``--next`` and ``--all``."""
    function = click.option("--all", "everything", is_flag=True, help="All of them, page by page.")(
        function
    )
    function = click.option(
        "--next", "cursor", metavar="CURSOR", help="Go on where the page before ended."
    )(function)
    return click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        default=50,
        show_default=True,
        help="At most N.",
    )(function)


def span_options(function: F) -> F:
    """``--from`` and ``--to``."""
    function = click.option("--to", "until", metavar="TIME", help="Before this time.")(function)
    return click.option(
        "--from",
        "since",
        metavar="TIME",
        help="From this time: ISO in your zone or with an offset, or 90m, 2h, 7d ago.",
    )(function)


def page_of(api: Client, path: str, query: dict[str, Any], paging: dict[str, Any]) -> Any:
    """One page, or all of them, by the paging options."""
    limit = None if paging["everything"] else paging["limit"]
    return api.pages(path, {**query, "next": paging["cursor"]}, limit=limit)


def past(api: Client, text: str | None) -> str | None:
    """A time as the server takes it; ``2h`` is two hours ago, no offset is the zone of this machine."""
    return _relative(api, text, -1)


def future(api: Client, text: str | None) -> str | None:
    """A time as the server takes it; ``2h`` is two hours from now, no offset as above."""
    return _relative(api, text, +1)


def parameters_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``--param name=value``: numbers, true and false are what they look like; quotes make text.

    Raises:
        Misused: a pair is none.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Misused(f"--param {pair}: write it as NAME=VALUE")
        if name in found:
            raise Misused(f"--param {name} is given twice")
        value = value_of(f"--param {name}", text)
        found[name] = text if value is None else value
    return found


def value_of(name: str, text: str) -> str | int | float | bool | None:
    """A value on the command line is what it looks like; quotes inside the shell's make it a text.

    Raises:
        Misused: it is no number that Noonday takes.
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return resolve(text)
    except ValueError as error:
        raise Misused(f"{name}: {error}") from error


def _relative(api: Client, text: str | None, direction: int) -> str | None:
    if text is None:
        return None
    distance = span_ms(text)
    if distance is None:
        return iso(instant_ms(text, None))
    return iso(server_now(api) + direction * distance)
