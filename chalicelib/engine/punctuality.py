"""How late a launch is, which is Noonday's own doing: what it waited for is not counted."""

from __future__ import annotations

from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceKind, Reason

_WAITED = frozenset(
    {Reason.MAX_ACTIVE, Reason.GROUP_FULL, Reason.JOB_SUSPENDED, Reason.TARGET_REFUSED}
)


def lateness_ms(waiting: Instance, job: Job, now_ms: int) -> int | None:
    """From when the run was due until its claim, in milliseconds; None where nobody can say.

    It was due when its prerequisites held, or its retry's delay was over (``ready_ms``); else, one of the
    schedule, at its nominal time, or when somebody last changed its job if that was later (a job that is
    submitted or resumed with a start in the past is not late); and one that a person or a backfill asked
    for, when it was created. Who waited for a slot, a suspension's end or a target that refused is not
    measured. A pause of everything is not known here, and counts.
    """
    had_a_slot = waiting.active and waiting.reason != Reason.RETRY
    if waiting.reason in _WAITED or had_a_slot:
        return None
    return max(now_ms - _due_ms(waiting, job), 0)


def _due_ms(waiting: Instance, job: Job) -> int:
    if waiting.ready_ms is not None:
        return waiting.ready_ms
    of_schedule = waiting.kind is InstanceKind.SCHEDULED and waiting.backfill is None
    if of_schedule and waiting.run == 1:
        return max(waiting.nominal_ms, job.modified_ms)
    return waiting.run_created_ms
