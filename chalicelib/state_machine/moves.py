"""Apply an event to a state: look it up, or say what would have been allowed."""

from __future__ import annotations

from chalicelib.model.errors import WrongState
from chalicelib.model.states import InstanceState, JobState
from chalicelib.state_machine.tables import INSTANCE_MOVES, JOB_MOVES, InstanceEvent, JobEvent


def move_job(state: JobState, event: JobEvent) -> JobState:
    """The state that follows.

    Raises:
        WrongState: the job's machine has no such move.
    """
    after = JOB_MOVES.get((state, event))
    if after is None:
        raise WrongState(_refusal("job", state, event), _commands(state))
    return after


def move_instance(state: InstanceState, event: InstanceEvent) -> InstanceState:
    """The state that follows.

    Raises:
        WrongState: the instance's machine has no such move.
    """
    after = INSTANCE_MOVES.get((state, event))
    if after is None:
        raise WrongState(_refusal("instance", state, event), _commands(state))
    return after


def allowed_events(state: JobState | InstanceState) -> tuple[str, ...]:
    """The events that the state accepts, in the order of the table."""
    moves = JOB_MOVES if isinstance(state, JobState) else INSTANCE_MOVES
    return tuple(event.value for before, event in moves if before is state)


def _commands(state: JobState | InstanceState) -> tuple[str, ...]:
    return tuple(name.lower() for name in allowed_events(state))


def _refusal(what: str, state: JobState | InstanceState, event: str) -> str:
    choices = ", ".join(_commands(state)) or "nothing"
    article = "an" if what[0] in "aeiou" else "a"
    return f"{article} {what} that is {state} does not take {event.lower()}; it takes {choices}"
