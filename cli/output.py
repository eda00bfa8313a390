"""Documents on standard output: as tables for people, or as the server's own JSON or YAML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import click

from cli.errors import Failure
from cli.screen import Screen, screen_of
from cli.session import Session


def emit(session: Session, document: Any, lines: Callable[[Screen], Iterable[str]]) -> None:
    """Show a document in the form that was asked for; ``lines`` draws the one for people."""
    if session.output == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif session.output == "yaml":
        click.echo(to_yaml(document), nl=False)
    else:
        screen = session.screen = session.screen or _dated(session, screen_of(session.environment))
        for line in lines(screen):
            click.echo(line, color=screen.colour)


def say_more(session: Session, document: Any) -> None:
    """A list that goes on says so, and that all is paused; on stderr, where it disturbs no program."""
    paused = document.get("paused") if isinstance(document, dict) else None
    if isinstance(paused, dict) and session.output == "table":
        from cli.pauses import told  # noqa: PLC0415 - seldom needed

        click.echo(f"{told(paused, session.screen)}; noonday resume goes on", err=True)
    following = document.get("next") if isinstance(document, dict) else None
    if following and session.output == "table":
        click.echo(f"there is more: --all, or --next {following}", err=True)


def to_yaml(document: Any) -> str:
    """YAML that our own reader reads back: texts of several lines as blocks, no aliases."""
    import yaml  # noqa: PLC0415 - tables must not wait for it

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: Any) -> bool:
            return True

        def increase_indent(self, flow: Any = None, indentless: Any = None) -> None:  # noqa: ARG002
            """Items of a list stand inside the list they belong to."""
            super().increase_indent(flow, indentless=False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else "'" if _looks_like_no_text(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return dumped.removesuffix("...\n")


def _looks_like_no_text(value: str) -> bool:
    """Whether our reader would take the bare word for something else; the library's own rules differ."""
    from cli.yaml_reader import resolve  # noqa: PLC0415 - as above

    try:
        return not isinstance(resolve(value), str)
    except ValueError:
        return True


def _dated(session: Session, screen: Screen) -> Screen:
    """Ages are told by the server's clock, which may be moved by hand, and only to people."""
    if not screen.is_terminal:
        return screen
    try:
        now = session.api.get("/health").get("now_ms")
    except (Failure, AttributeError):
        now = None
    return replace(screen, now_ms=now if isinstance(now, int) else None)
