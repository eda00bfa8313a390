"""What an update would change, asked of the server and shown line by line; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from cli.client import path
from cli.differences import diff_lines
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line

F = TypeVar("F", bound=Callable[..., Any])
Document = dict[str, Any]


def try_option(function: F) -> F:
    return click.option("--dry-run", is_flag=True, help="Change nothing; show what would change.")(
        function
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """``before``: the job as it is; ``planned``: the server's word on what the change would make of it."""

    before: Document
    planned: Document

    def lines(self, screen: Screen) -> Iterator[str]:
        """The difference, and what somebody should know before doing it."""
        name = str(self.before["name"])
        if not self.planned["changes"]:
            yield f"{one_line(name)} is so already; nothing would change"
            return
        titles = (f"{name} now", f"{name} as revision {int(self.planned['revision']) + 1}")
        yield from diff_lines(self.before["definition"], self.planned["definition"], titles, screen)
        yield from (f"warning: {one_line(text)}" for text in self.planned["warnings"])


def tried(session: Session, method: str, job: str, body: object, tag: str | None) -> Tried:
    """Try a PUT or PATCH of a job.

    Raises:
        Failure: it would be refused, in the words with which the change itself would be.
    """
    before: Document = session.api.get(path("jobs", job))
    change = session.api.put if method == "PUT" else session.api.patch
    where = path("jobs", str(before["id"]))
    planned: Document = change(
        where, body, {"dry_run": True}, if_match=tag or f'"{before["edit"]}"'
    )
    return Tried(before, planned)
