"""``noonday data``: say that data has arrived."""

from __future__ import annotations

import click

from cli.command import Group
from cli.output import emit
from cli.session import Session


@click.group(
    cls=Group,
    examples="""
        noonday data arrived orders/2026/11/23/_SUCCESS
    """,
)
def data() -> None:
    """Say that data has arrived, so that who waits for it is checked now."""


@data.command(
    "arrived",
    examples="""
        noonday data arrived orders/2026/11/23/_SUCCESS
        noonday data arrived s3://orders/2026/11/23/_SUCCESS daily/2026-11-23.csv
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.pass_obj
def arrived(session: Session, paths: tuple[str, ...]) -> None:
    """Check now who waits for these paths.

    Also those that wait for a folder or prefix above one of them, or for a glob. It is a hint: what is
    there is looked at. Paths are as in prerequisites: under the files' root, or s3://bucket/key.
    """
    document = session.api.post("/events/data", {"paths": list(paths)})
    emit(session, document, lambda _: [_woken(document)])


def _woken(document: dict[str, int]) -> str:
    woken = document.get("woken", 0)
    if not woken:
        return "nobody waits for that"
    return "1 instance is checked now" if woken == 1 else f"{woken} instances are checked now"
