"""What must be true of Noonday at every moment, and of every step from one moment to the next.

Nothing is foretold here: what was seen is judged. A broken rule is an AssertionError that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from chalicelib.model.backfill import BackfillState
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.states import (
    IN_FLIGHT,
    TERMINAL,
    GroupPlace,
    InstanceKind,
    InstanceState,
    JobState,
    Reason,
)
from tests.model.sight import Sight, Times, times_of

S = InstanceState
DAY = 86_400_000


def asked_for(one: Instance, job: Job) -> bool:
    """Whether a person wants it although its job is suspended."""
    if one.backfill is not None:
        return False
    since = job.suspension.since_ms if job.suspension is not None else 0
    return one.kind is InstanceKind.MANUAL or (one.asked_ms is not None and one.asked_ms >= since)


def check_alone(sight: Sight) -> None:
    """What is true of each instance at every moment."""
    seen = Counter((one.job_id, one.nominal_ms) for one in sight.instances.values())
    assert not [key for key, count in seen.items() if count > 1], "a nominal time twice"
    for one in sight.instances.values():
        job = sight.jobs[one.job_id]
        if one.state in TERMINAL:
            assert (one.active, one.place, one.wake_ms) == (False, None, None), f"it holds: {one}"
            assert one.ended_ms is not None, one
        if one.state in IN_FLIGHT:
            assert one.active, f"in flight without a slot: {one}"
            assert one.wake_ms is not None, f"in flight, and nobody looks: {one}"
            assert (one.place is GroupPlace.HELD) == (one.group is not None), one
        if one.place is GroupPlace.HELD:
            assert one.active, f"a place without a slot: {one}"
            assert one.group in sight.groups, f"it holds a place in a group that is gone: {one}"
        if one.state is S.WAITING:
            assert job.state is not JobState.DELETED, f"it waits, and its job is deleted: {one}"
            held = job.state is JobState.SUSPENDED
            assert one.wake_ms is not None or held, f"nobody wakes {one}"
        if one.reason == Reason.JOB_SUSPENDED:
            assert job.state is JobState.SUSPENDED, f"held, and its job is {job.state}: {one}"


def check_at_rest(sight: Sight) -> None:
    """After everything that was due has happened."""
    for one in sight.instances.values():
        if one.state in IN_FLIGHT and one.stop is not None:
            assert one.stop.deadline_ms > sight.now, f"its stop's time is over: {one}"
        if one.state is S.WAITING and not sight.paused:
            _check_waiting(sight, one)
    for backfill in sight.backfills.values():
        of_it = list(sight.of_backfill(backfill.id))
        unended = [one for one in of_it if one.state not in TERMINAL]
        job = sight.jobs[backfill.job_id]
        if job.state is JobState.DELETED:
            assert backfill.state is not BackfillState.RUNNING, "its job is deleted"
        if backfill.state is BackfillState.COMPLETED:
            assert not unended, f"completed, and still at it: {unended}"
            assert backfill.disposed == backfill.total, f"completed too early: {backfill}"
        elif backfill.state is BackfillState.RUNNING and not sight.paused:
            held = job.state is JobState.SUSPENDED or (  # or its owner's quota has no room
                backfill.error is not None and (backfill.wake_ms or 0) > sight.now
            )
            assert unended or held, f"it is stuck: {backfill}"


def _check_waiting(sight: Sight, one: Instance) -> None:
    job = sight.jobs[one.job_id]
    if one.wake_ms is None:
        return
    assert one.wake_ms > sight.now, f"it is due still: {one}"
    assert one.deadline_ms is None or one.deadline_ms > sight.now, f"its wait is over: {one}"
    if one.reason == Reason.MAX_ACTIVE and one.overlap is None:
        active = sight.slots[one.job_id, one.backfill]
        assert active >= sight.room(one), f"it waits beside a free slot: {one}"
    if one.place is GroupPlace.QUEUED:
        group = sight.groups.get(one.group or "")
        full = group is None or sight.places[group.name] >= group.size
        assert full, f"it waits beside a free place: {one}"
    later = one.reason in (Reason.RETRY, Reason.TARGET_REFUSED)  # held once it is due
    if job.state is JobState.SUSPENDED and not asked_for(one, job) and not later:
        assert one.reason == Reason.JOB_SUSPENDED, f"it is not held: {one}"


def check_limits(before: Sight, after: Sight) -> None:
    """Who took a slot or a place took one that was free. A limit that was lowered takes none away."""
    taken: dict[tuple[str, str | None], int] = {}
    joined: set[str] = set()
    for one in after.instances.values():
        earlier = before.instances.get(one.id)
        scope = one.job_id, one.backfill
        if one.active and not (earlier and earlier.active and earlier.backfill == one.backfill):
            taken[scope] = max(taken.get(scope, 0), after.room(one))
        if one.place is GroupPlace.HELD and not (earlier and earlier.place is GroupPlace.HELD):
            joined.add(one.group or "")
    for scope, room in taken.items():
        assert after.slots[scope] <= room, f"{after.slots[scope]} of {scope} hold {room} slots"
    for group in joined:
        size = after.groups[group].size
        assert after.places[group] <= size, f"{after.places[group]} hold {size} places of {group}"


def check_moves(before: Sight, after: Sight) -> None:
    """What one row may become: ends are final, runs only grow, and nobody writes without a version."""
    for one in after.instances.values():
        earlier = before.instances.get(one.id)
        if earlier is None or earlier == one:
            continue
        assert one.version > earlier.version, f"written without a version: {one}"
        assert one.run >= earlier.run, f"its runs go back: {one}"
        assert one.nominal_ms == earlier.nominal_ms
        if earlier.run == one.run:
            assert earlier.state not in TERMINAL, f"it had ended: {earlier}, and is {one}"
        else:
            assert one.revision >= earlier.revision or one.asked_ms or one.backfill, one
    for job in after.jobs.values():
        earlier_job = before.jobs.get(job.id)
        if earlier_job is not None and earlier_job.state is not JobState.NEW:
            assert job.cursor_ms >= earlier_job.cursor_ms, f"its cursor goes back: {job}"
            assert job.revision >= earlier_job.revision
            assert job.edit >= earlier_job.edit


class Accounts:
    """For each job the nominal times that its revisions gave it: each is accounted for exactly once.

    An era is [from, to) of nominal time under one revision.
    """

    def __init__(self) -> None:
        self._eras: dict[str, list[tuple[int, int]]] = {}  # begins, revisions
        self._known: dict[tuple[str, int], Times] = {}

    def check(self, before: Sight, after: Sight) -> None:
        for job in after.jobs.values():
            self._known[job.id, job.revision] = times_of(job.definition_json)
            if job.state is JobState.NEW:
                continue
            eras = self._eras.setdefault(job.id, [])
            if not eras:
                eras.append((self._first(before, job), job.revision))
            elif eras[-1][1] != job.revision:
                earlier = before.jobs[job.id]
                eras.append((max(earlier.cursor_ms, after.now), job.revision))
            self._check_job(after, job)

    def _first(self, before: Sight, job: Job) -> int:
        earlier = before.jobs.get(job.id)
        return self._known[job.id, job.revision if earlier is None else earlier.revision].start

    def _check_job(self, sight: Sight, job: Job) -> None:
        ranges = sight.ranges[job.id]
        assert all(a.to_ms <= b.from_ms for a, b in pairwise(ranges)), f"{job.name}: they overlap"
        rows = list(sight.of_job(job.id))
        nominal = {one.nominal_ms for one in rows}
        for one in rows:
            self._check_its_time(one, job)
        if job.state is JobState.DELETED:  # in the end it is purged, and nothing remains to say so
            return
        for times, low, high in self._spans(job):
            for begin, end in _gaps(low, high, [(one.from_ms, one.to_ms) for one in ranges]):
                expected = times.within(begin, end)
                assert len(expected) <= len(nominal), f"{job.name}: {len(expected)} are lost"
                lost = set(expected) - nominal
                assert not lost, f"{job.name}: nothing accounts for {sorted(lost)[:5]}"

    def _spans(self, job: Job) -> Iterator[tuple[Times, int, int]]:
        eras = self._eras[job.id]
        ends = [*(begin for begin, _ in eras[1:]), job.cursor_ms]
        for (begin, revision), end in zip(eras, ends, strict=True):
            yield self._known[job.id, revision], begin, min(end, job.cursor_ms)

    def _check_its_time(self, one: Instance, job: Job) -> None:
        if one.kind is InstanceKind.MANUAL and one.nominal_ms % 1000:
            return
        known = (times for (owner, _), times in self._known.items() if owner == job.id)
        assert any(one.nominal_ms in times for times in known), f"of no nominal time: {one}"
        if one.kind is InstanceKind.SCHEDULED:
            assert one.nominal_ms < job.cursor_ms, f"ahead of its job's cursor: {one}"


def _gaps(low: int, high: int, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, end in spans:
        if begin >= high:
            break
        if low < begin:
            yield low, begin
        low = max(low, end)
    if low < high:
        yield low, high


def check_purged(before: Sight, after: Sight) -> None:
    """What is gone had ended long ago, may be wanted by nobody, and left its mark."""
    for key in before.instances.keys() - after.instances.keys():
        one, job = before.instances[key], before.jobs[before.instances[key].job_id]
        assert one.state in TERMINAL, f"it was at work, and is purged: {one}"
        assert (one.ended_ms or 0) < after.now - DAY, f"purged within a day: {one}"
        if job.state is JobState.DELETED:
            continue
        retention = job.definition.policies.retention
        assert retention.age is not None or retention.count is not None, f"purged: {one}"
        alike = [each.nominal_ms for each in before.of_job(job.id) if each.state is one.state]
        last = one.state is S.SUCCEEDED and one.nominal_ms == max(alike)
        assert not last, f"the last success: {one}"
        for backfill in after.backfills.values():
            about = backfill.from_ms <= one.nominal_ms < backfill.to_ms
            wanted = backfill.job_id == job.id and backfill.state is BackfillState.RUNNING
            assert not (about and wanted), f"a backfill wants it: {one}"
        if one.kind is not InstanceKind.MANUAL or one.nominal_ms % 1000 == 0:
            marks = [
                span
                for span in after.ranges[job.id]
                if span.from_ms <= one.nominal_ms < span.to_ms and span.reason == Reason.PURGED
            ]
            assert marks, f"it left no mark: {one}"
            assert (marks[0].run or 0) >= one.run, f"its run {one.run} is forgotten: {marks}"


def ends(before: Sight, after: Sight) -> Iterator[Instance]:
    """Those that ended in between."""
    for one in after.instances.values():
        earlier = before.instances.get(one.id)
        same = earlier is not None and earlier.run == one.run and earlier.state in TERMINAL
        if one.state in TERMINAL and not same:
            yield one
