"""What somebody wants backfilled, and whether that can be had: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chalicelib.engine.backfill_times import chosen_limits, times
from chalicelib.engine.commands.instances import checked_parameters
from chalicelib.engine.disposition import timetable_of
from chalicelib.model.backfill import Reprocess
from chalicelib.model.definition import Value
from chalicelib.model.errors import InvalidInput, Problem, QuotaExceeded, WrongState
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job
from chalicelib.model.states import JobState
from chalicelib.schedule import Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants backfilled: [from_ms, to_ms) of nominal time; to_ms None is now.

    ``overlap`` and ``max_active`` None: as suits the job, see ``chosen_limits``.
    """

    from_ms: int
    to_ms: int | None = None
    reprocess: Reprocess = "none"
    overlap: str | None = None
    max_active: int | None = None
    newest_first: bool = False
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """The wish with everything decided. ``nominal``: its times, in its order."""

    from_ms: int
    to_ms: int
    overlap: str
    max_active: int
    nominal: Sequence[int]
    parameters_json: str


def check_wish(job: Job, wish: Wish, now_ms: int, most: int) -> Checked:
    """The wish, if it can be had. ``most``: so many nominal times its owner's backfills may have."""
    if job.state is JobState.DELETED:
        raise WrongState(f"the job {job.name} is deleted; it runs no more")
    to_ms = now_ms if wish.to_ms is None else wish.to_ms
    parameters = checked_parameters(job, wish.parameters)
    overlap, max_active = _limits(job, wish)
    _check_range(job, wish.from_ms, to_ms, now_ms)
    timetable = timetable_of(job)
    found = times(timetable, wish.from_ms, to_ms, newest_first=wish.newest_first)
    nominal = list(islice(found, most + 1))
    _check_count(job, timetable, nominal, wish.from_ms, to_ms)
    _check_size(job, nominal, most)
    return Checked(wish.from_ms, to_ms, overlap, max_active, nominal, parameters)


def _limits(job: Job, wish: Wish) -> tuple[str, int]:
    overlap, most = chosen_limits(job.definition.policies, wish.overlap, wish.max_active)
    if overlap != "allow" and wish.max_active is not None and wish.max_active > 1:
        message = f"is for overlap allow; with {overlap} there is one at a time"
        raise InvalidInput([Problem("max_active", message, wish.max_active)])
    return overlap, most


def _check_range(job: Job, from_ms: int, to_ms: int, now_ms: int) -> None:
    if to_ms > now_ms:
        message = (
            f"lies ahead: it is {format_instant(now_ms)} now, and a backfill is for what has passed; "
            f"what comes is the schedule's of {job.name}"
        )
        raise InvalidInput([Problem("to", message, format_instant(to_ms))])
    if from_ms >= to_ms:
        message = f"must be before the end of the range, {format_instant(to_ms)}"
        raise InvalidInput([Problem("from", message, format_instant(from_ms))])


def _check_count(
    job: Job, timetable: Timetable, nominal: Collection[int], from_ms: int, to_ms: int
) -> None:
    shown = f"{format_instant(from_ms)} to {format_instant(to_ms)}"
    if not nominal:
        first, last = timetable.next_after(to_ms - 1), timetable.previous_before(from_ms)
        near = [format_instant(at) for at in (last, first) if at is not None]
        hint = f"; the nearest are {' and '.join(near)}" if near else ""
        raise InvalidInput(
            [Problem("from", f"no nominal time of {job.name} is in it{hint}", shown)]
        )


def _check_size(job: Job, nominal: Collection[int], most: int) -> None:
    if len(nominal) > most:
        raise QuotaExceeded(
            f"the range holds more than the {most} nominal times that a backfill of {job.owner} may have; "
            f"take shorter ranges, one after the other, or ask an admin for more: "
            f"noonday owner set {job.owner} --max-backfill N"
        )
