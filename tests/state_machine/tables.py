"""What must follow from every state and event, written down apart from the code that is tested.

A row is a state, a column an event; ``-`` is refused, ``=`` stays, anything else is the state that follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from chalicelib.model.states import InstanceState, JobState
from chalicelib.state_machine import InstanceEvent, JobEvent

JOB = """
           SCHEDULE   SUSPEND    RESUME     EXPIRE   DELETE   UPDATE
NEW        SCHEDULED  -          -          EXPIRED  DELETED  =
SCHEDULED  =          SUSPENDED  =          EXPIRED  DELETED  =
SUSPENDED  -          =          SCHEDULED  EXPIRED  DELETED  =
EXPIRED    SCHEDULED  -          -          =        DELETED  =
DELETED    -          -          -          -        =        -
"""

INSTANCE_WORK = """
           PREPARE    CONDITIONS_NOT_MET  CONDITIONS_MET  RUN
WAITING    LAUNCHING  =                   -               RUNNING
LAUNCHING  =          WAITING             LAUNCHED        RUNNING
LAUNCHED   -          -                   -               RUNNING
RUNNING    -          -                   -               =
SUCCEEDED  -          -                   -               -
FAILED     -          -                   -               -
TIMED_OUT  -          -                   -               -
KILLED     -          -                   -               -
SKIPPED    -          -                   -               -
"""

INSTANCE_ENDS = """
           SUCCESS    FAILURE  TIME_OUT   KILL    SKIP     RERUN
WAITING    SUCCEEDED  FAILED   TIMED_OUT  KILLED  SKIPPED  -
LAUNCHING  SUCCEEDED  FAILED   TIMED_OUT  KILLED  -        -
LAUNCHED   SUCCEEDED  FAILED   TIMED_OUT  KILLED  -        -
RUNNING    SUCCEEDED  FAILED   TIMED_OUT  KILLED  -        -
SUCCEEDED  =          =        =          =       =        WAITING
FAILED     =          =        =          =       =        WAITING
TIMED_OUT  =          =        =          =       =        WAITING
KILLED     =          =        =          =       =        WAITING
SKIPPED    =          =        =          =       =        WAITING
"""


def cells(*tables: str) -> Mapping[tuple[str, str], str | None]:
    """Of every (state, event), the name of the state that follows, or None where it is refused."""
    found: dict[tuple[str, str], str | None] = {}
    for table in tables:
        header, *rows = (line.split() for line in table.strip().splitlines())
        for state, *afters in rows:
            for event, after in zip(header, afters, strict=True):
                found[state, event] = {"-": None, "=": state}.get(after, after)
    return found


JOB_CELLS = cells(JOB)
INSTANCE_CELLS = cells(INSTANCE_WORK, INSTANCE_ENDS)
JOB_PAIRS = list(product(JobState, JobEvent))
INSTANCE_PAIRS = list(product(InstanceState, InstanceEvent))
