"""The states of a job and of an instance, as they are stored and shown."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class JobState(StrEnum):
    NEW = "NEW"
    SCHEDULED = "SCHEDULED"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"


class InstanceState(StrEnum):
    WAITING = "WAITING"
    LAUNCHING = "LAUNCHING"
    LAUNCHED = "LAUNCHED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    KILLED = "KILLED"
    SKIPPED = "SKIPPED"


IN_FLIGHT = frozenset({InstanceState.LAUNCHING, InstanceState.LAUNCHED, InstanceState.RUNNING})
TERMINAL = frozenset(InstanceState) - IN_FLIGHT - {InstanceState.WAITING}


class InstanceKind(StrEnum):
    """Why an instance exists: its schedule, a person's trigger, or a backfill."""

    SCHEDULED = "SCHEDULED"
    MANUAL = "MANUAL"
    BACKFILL = "BACKFILL"


class StopKind(StrEnum):
    """What a run in flight was asked to end as."""

    KILL = "KILL"
    TIME_OUT = "TIME_OUT"
    REPLACE = "REPLACE"
    HEARTBEAT = "HEARTBEAT"


BY_ITSELF = frozenset({StopKind.TIME_OUT, StopKind.HEARTBEAT})
"""Nobody asked for these: who kills or replaces goes before, and another run may help."""


class Reason(StrEnum):
    """Why an instance is in its state, or why a range of nominal times has no instance."""

    # of an instance that waits
    RETRY = "RETRY"
    PREREQUISITES = "PREREQUISITES"
    MAX_ACTIVE = "MAX_ACTIVE"
    GROUP_FULL = "GROUP_FULL"
    JOB_SUSPENDED = "JOB_SUSPENDED"
    TARGET_REFUSED = "TARGET_REFUSED"
    # of an instance that ended
    RUN_FAILED = "RUN_FAILED"
    LAUNCH_FAILED = "LAUNCH_FAILED"
    LAUNCH_LOST = "LAUNCH_LOST"
    RUN_LOST = "RUN_LOST"
    RUN_TIMEOUT = "RUN_TIMEOUT"
    HEARTBEAT_MISSED = "HEARTBEAT_MISSED"
    WAIT_TIMEOUT = "WAIT_TIMEOUT"
    KILLED = "KILLED"
    SKIPPED = "SKIPPED"
    STOP_UNCONFIRMED = "STOP_UNCONFIRMED"
    OVERLAP = "OVERLAP"
    REPLACED = "REPLACED"
    JOB_DELETED = "JOB_DELETED"
    BACKFILL_CANCELLED = "BACKFILL_CANCELLED"
    # of a skip range
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    CATCH_UP_LIMIT = "CATCH_UP_LIMIT"
    CATCH_UP_LATEST = "CATCH_UP_LATEST"
    CATCH_UP_NONE = "CATCH_UP_NONE"
    CATCH_UP_WINDOW = "CATCH_UP_WINDOW"
    QUOTA = "QUOTA"
    PURGED = "PURGED"


class GroupPlace(IntEnum):
    """Where an instance is in its concurrency group: it waits for a slot of the group, or holds one."""

    QUEUED = 0
    HELD = 1


class Role(StrEnum):
    """What a principal may do with an owner's jobs; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"
