"""The two state machines, drawn and tabulated from the tables that decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from enum import StrEnum
from typing import TypeVar

from chalicelib.model.states import TERMINAL, InstanceState, JobState
from chalicelib.state_machine import INSTANCE_MOVES, JOB_MOVES, InstanceEvent, JobEvent
from docs.markdown import table

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


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
    """A row per event: there are fewer states than events."""
    columns = list(states)
    yield from table(
        ["event", *(state.value for state in columns)],
        (
            [event.value, *(_cell(state, moves.get((state, event))) for state in columns)]
            for event in events
        ),
    )


def _cell(before: StrEnum, after: StrEnum | None) -> str:
    if after is None:
        return "-"
    return "stays" if after is before else after.value
