"""Write the generated parts of the documents anew, from the code that they describe (``make docs``).

A document marks such a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; a test checks that
what stands between them is what this would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from chalicelib.model.states import TERMINAL, InstanceState, JobState
from chalicelib.settings import SETTINGS
from chalicelib.state_machine import INSTANCE_MOVES, JOB_MOVES, InstanceEvent, JobEvent

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)
Part = Callable[[], Iterator[str]]


def job_diagram() -> Iterator[str]:
    yield from _diagram(JOB_MOVES, first=JobState.NEW)


def instance_diagram() -> Iterator[str]:
    """The ends are drawn as one box: every move into it is labelled with the events that end."""
    yield from _diagram(INSTANCE_MOVES, first=InstanceState.WAITING, box=TERMINAL)


def _diagram(
    moves: Mapping[tuple[State, Event], State], *, first: State, box: Set[State] = frozenset()
) -> Iterator[str]:
    """Mermaid. Moves that change nothing are left to the table."""
    labels: dict[tuple[str, str], dict[str, None]] = {}
    for (before, event), after in moves.items():
        if before is not after:
            edge = ("Ended" if before in box else before, "Ended" if after in box else after)
            labels.setdefault(edge, {})[event.value] = None
    yield from ("```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}")
    for (source, target), events in labels.items():
        yield f"    {source} --> {target}: {', '.join(events)}"
    if box:
        yield "    state Ended {"
        yield from (f"        {state.value}" for state in type(first) if state in box)
        yield "    }"
    yield "```"


def job_table() -> Iterator[str]:
    yield from _moves_table(JOB_MOVES, JobState, JobEvent)


def instance_table() -> Iterator[str]:
    yield from _moves_table(INSTANCE_MOVES, InstanceState, InstanceEvent)


def _moves_table(
    moves: Mapping[tuple[State, Event], State], states: Iterable[State], events: Iterable[Event]
) -> Iterator[str]:
    """A row per event, so that the table of ten events stays narrower than a page."""
    columns, rows = list(states), list(events)
    yield from _table(
        ["event", *(state.value for state in columns)],
        (
            [event.value, *(_cell(state, moves.get((state, event))) for state in columns)]
            for event in rows
        ),
    )


def _cell(before: StrEnum, after: StrEnum | None) -> str:
    if after is None:
        return "-"
    return "stays" if after is before else after.value


def settings() -> Iterator[str]:
    rows = (
        [f"`{name}`", f"`{default}`" if default else "", meaning.replace("<", "&lt;")]
        for name, (default, meaning) in SETTINGS.items()
    )
    yield from _table(["setting", "default", "meaning"], rows)


def _table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


PARTS: Mapping[str, Part] = {
    "job-diagram": job_diagram,
    "job-table": job_table,
    "instance-diagram": instance_diagram,
    "instance-table": instance_table,
    "settings": settings,
}


def current(text: str) -> str:
    """The document, with its generated parts as they should be now."""

    def write(part: re.Match[str]) -> str:
        return "\n".join((part[1], *PARTS[part[2]](), "", part[3]))

    return PART.sub(write, text)


def main() -> int:
    for path in sorted(DOCS.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = current(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.name} written anew\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
