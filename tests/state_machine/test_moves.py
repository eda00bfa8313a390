"""Every (state, event) has its answer: the state that follows, or a refusal that says what is allowed."""

from __future__ import annotations

import re

import pytest

from chalicelib.model.errors import WrongState
from chalicelib.model.states import TERMINAL, InstanceState, JobState
from chalicelib.state_machine import (
    INSTANCE_MOVES,
    JOB_MOVES,
    InstanceEvent,
    JobEvent,
    allowed_events,
    move_instance,
    move_job,
)
from tests.state_machine.tables import INSTANCE_CELLS, INSTANCE_PAIRS, JOB_CELLS, JOB_PAIRS


def test_the_tables_are_total() -> None:
    assert set(JOB_CELLS) == set(JOB_PAIRS)
    assert set(INSTANCE_CELLS) == set(INSTANCE_PAIRS)


@pytest.mark.parametrize(("state", "event"), JOB_PAIRS)
def test_a_job_moves_as_the_design_says(state: JobState, event: JobEvent) -> None:
    expected = JOB_CELLS[state, event]
    if expected is None:
        with pytest.raises(WrongState) as refusal:
            move_job(state, event)
        assert_says_what_is_allowed(
            str(refusal.value), state, event, {e for e in JobEvent if JOB_CELLS[state, e]}
        )
    else:
        assert move_job(state, event) is JobState(expected)


@pytest.mark.parametrize(("state", "event"), INSTANCE_PAIRS)
def test_an_instance_moves_as_the_design_says(state: InstanceState, event: InstanceEvent) -> None:
    expected = INSTANCE_CELLS[state, event]
    if expected is None:
        with pytest.raises(WrongState) as refusal:
            move_instance(state, event)
        assert_says_what_is_allowed(
            str(refusal.value),
            state,
            event,
            {e for e in InstanceEvent if INSTANCE_CELLS[state, e]},
        )
    else:
        assert move_instance(state, event) is InstanceState(expected)


def assert_says_what_is_allowed(
    message: str, state: JobState | InstanceState, event: str, allowed: set[str]
) -> None:
    assert state.value in message
    assert event.lower() in message
    listed = message.partition("it takes ")[2]
    assert set(re.findall(r"[a-z_]+", listed)) == {name.lower() for name in allowed}
    assert set(allowed_events(state)) == allowed


@pytest.mark.parametrize("event", JobEvent)
def test_repeating_a_command_changes_nothing(event: JobEvent) -> None:
    for (_, led_by), after in JOB_MOVES.items():
        if led_by is event:
            assert move_job(after, event) is after


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_instance_that_ended_leaves_its_state_only_for_another_run(state: InstanceState) -> None:
    leaving = {
        event for (before, event), after in INSTANCE_MOVES.items() if before is state is not after
    }
    assert leaving == {InstanceEvent.RERUN}


@pytest.mark.parametrize("state", sorted(set(InstanceState) - TERMINAL))
def test_whatever_has_not_ended_can_end_in_one_move(state: InstanceState) -> None:
    ends = {move_instance(state, event) for event in list(InstanceEvent)[4:8]}
    assert ends == TERMINAL - {InstanceState.SKIPPED}


def test_every_state_can_be_reached_from_the_first() -> None:
    assert reached(JobState.NEW) == set(JobState)
    assert reached(InstanceState.WAITING) == set(InstanceState)


def reached(first: JobState | InstanceState) -> set[str]:
    moves: list[tuple[str, str]] = [
        *((before, after) for (before, _), after in JOB_MOVES.items()),
        *((before, after) for (before, _), after in INSTANCE_MOVES.items()),
    ]
    found: set[str] = {first}
    while new := {after for before, after in moves if before in found} - found:
        found |= new
    return found
