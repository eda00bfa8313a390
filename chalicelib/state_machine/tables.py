"""The two state machines, as tables that can be read at a glance.

What is not in a table is not allowed. The event that led to a state may be repeated there: that is a
move from the state to itself, and it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.model.states import InstanceState, JobState


class JobEvent(StrEnum):
    SCHEDULE = "SCHEDULE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    EXPIRE = "EXPIRE"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


class InstanceEvent(StrEnum):
    PREPARE = "PREPARE"
    CONDITIONS_NOT_MET = "CONDITIONS_NOT_MET"
    CONDITIONS_MET = "CONDITIONS_MET"
    RUN = "RUN"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    TIME_OUT = "TIME_OUT"
    KILL = "KILL"
    SKIP = "SKIP"
    RERUN = "RERUN"


_NEW, _SCHEDULED, _SUSPENDED, _EXPIRED, _DELETED = JobState

JOB_MOVES: Mapping[tuple[JobState, JobEvent], JobState] = {
    (_NEW, JobEvent.SCHEDULE): _SCHEDULED,
    (_NEW, JobEvent.EXPIRE): _EXPIRED,
    (_NEW, JobEvent.DELETE): _DELETED,
    (_NEW, JobEvent.UPDATE): _NEW,
    (_SCHEDULED, JobEvent.SCHEDULE): _SCHEDULED,
    (_SCHEDULED, JobEvent.SUSPEND): _SUSPENDED,
    (_SCHEDULED, JobEvent.RESUME): _SCHEDULED,
    (_SCHEDULED, JobEvent.EXPIRE): _EXPIRED,
    (_SCHEDULED, JobEvent.DELETE): _DELETED,
    (_SCHEDULED, JobEvent.UPDATE): _SCHEDULED,
    (_SUSPENDED, JobEvent.SUSPEND): _SUSPENDED,
    (_SUSPENDED, JobEvent.RESUME): _SCHEDULED,
    (_SUSPENDED, JobEvent.EXPIRE): _EXPIRED,
    (_SUSPENDED, JobEvent.DELETE): _DELETED,
    (_SUSPENDED, JobEvent.UPDATE): _SUSPENDED,
    (
        _EXPIRED,
        JobEvent.SCHEDULE,
    ): _SCHEDULED,  # if something can still fire: the engine looks first
    (_EXPIRED, JobEvent.EXPIRE): _EXPIRED,
    (_EXPIRED, JobEvent.DELETE): _DELETED,
    (_EXPIRED, JobEvent.UPDATE): _EXPIRED,
    (_DELETED, JobEvent.DELETE): _DELETED,
}

_WAITING = InstanceState.WAITING
_LAUNCHING = InstanceState.LAUNCHING
_LAUNCHED = InstanceState.LAUNCHED
_RUNNING = InstanceState.RUNNING
_ENDS: Mapping[InstanceEvent, InstanceState] = {
    InstanceEvent.SUCCESS: InstanceState.SUCCEEDED,
    InstanceEvent.FAILURE: InstanceState.FAILED,
    InstanceEvent.TIME_OUT: InstanceState.TIMED_OUT,
    InstanceEvent.KILL: InstanceState.KILLED,
}
_TERMINAL = (*_ENDS.values(), InstanceState.SKIPPED)

INSTANCE_MOVES: Mapping[tuple[InstanceState, InstanceEvent], InstanceState] = {
    (_WAITING, InstanceEvent.PREPARE): _LAUNCHING,
    (_WAITING, InstanceEvent.CONDITIONS_NOT_MET): _WAITING,
    (_WAITING, InstanceEvent.RUN): _RUNNING,
    (_WAITING, InstanceEvent.SKIP): InstanceState.SKIPPED,
    (
        _LAUNCHING,
        InstanceEvent.PREPARE,
    ): _LAUNCHING,  # the lease is over: the same run, claimed again
    (_LAUNCHING, InstanceEvent.CONDITIONS_NOT_MET): _WAITING,  # the target definitely refused
    (_LAUNCHING, InstanceEvent.CONDITIONS_MET): _LAUNCHED,
    (_LAUNCHING, InstanceEvent.RUN): _RUNNING,
    (_LAUNCHED, InstanceEvent.RUN): _RUNNING,
    (_RUNNING, InstanceEvent.RUN): _RUNNING,
    # An end may be reported from anywhere: completions come in any order, also before the launch returns.
    **{
        (state, event): end
        for state in (_WAITING, _LAUNCHING, _LAUNCHED, _RUNNING)
        for event, end in _ENDS.items()
    },
    # A second end of a run that has ended is recorded and changes nothing.
    **{(state, event): state for state in _TERMINAL for event in _ENDS},
    **{(state, InstanceEvent.SKIP): state for state in _TERMINAL},
    **{(state, InstanceEvent.RERUN): _WAITING for state in _TERMINAL},
}
