"""The state machine of a job and of an instance: two tables, and the function that applies an event."""

from chalicelib.state_machine.moves import allowed_events, move_instance, move_job
from chalicelib.state_machine.tables import INSTANCE_MOVES, JOB_MOVES, InstanceEvent, JobEvent

__all__ = [
    "INSTANCE_MOVES",
    "JOB_MOVES",
    "InstanceEvent",
    "JobEvent",
    "allowed_events",
    "move_instance",
    "move_job",
]
