"""Why an instance or a job is where it is, as people read it: whole sentences, wrapped and never cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from cli.screen import Screen
from cli.table import Column, render
from cli.text import one_line
from cli.views import moment

Document = dict[str, Any]


def why_lines(document: Document, screen: Screen) -> Iterator[str]:
    """One instance."""
    nominal = moment(document.get("nominal_ms"), screen)
    head = f"{one_line(document.get('name', ''))} at {nominal}"
    yield f"{head}  {one_line(document.get('state', ''))}"
    yield from _paragraph(document.get("why"), screen)
    findings = document.get("findings") or []
    if findings:
        columns = [
            Column("MET", lambda row: "yes" if row.get("met") else "no"),
            Column("PREREQUISITE", lambda row: one_line(row.get("what", "")), least=24),
            Column("FOUND", lambda row: one_line(row.get("found", "")), least=16, yields=2),
        ]
        yield from render(findings, columns, screen)
    holders = document.get("holders") or []
    if holders:
        yield "held by:"
        columns = [
            Column("ID", lambda row: str(row.get("instance_id")), least=16, yields=4, is_id=True),
            Column("JOB", lambda row: one_line(row.get("name", "")), least=16),
            Column("NOMINAL TIME", lambda row: moment(row.get("nominal_ms"), screen)),
            Column("STATE", lambda row: one_line(row.get("state", ""))),
        ]
        yield from render(holders, columns, screen)


def job_why_lines(document: Document, screen: Screen) -> Iterator[str]:
    """One job."""
    yield f"{one_line(document.get('name', ''))}  {one_line(document.get('state', ''))}"
    yield from _paragraph(document.get("why"), screen)
    for sentence in document.get("lately") or []:
        yield from _paragraph(sentence, screen)


def _paragraph(text: object, screen: Screen) -> Iterator[str]:
    line = one_line(text or "")
    if screen.columns is None:
        return iter([f"  {line}"])
    return iter(
        textwrap.wrap(
            line,
            max(screen.columns - 1, 20),
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    )
