"""What targets and receivers were told, judged: each run has one token, each event is told once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from chalicelib.engine.notifying import hearing
from chalicelib.engine.outcomes import Failed, Outcome, Stopped, Succeeded
from chalicelib.model.definition import Occasion
from chalicelib.model.instance import Instance
from chalicelib.model.job import read_definition
from chalicelib.model.notification import Notification, Told
from chalicelib.model.states import TERMINAL, InstanceState, JobState, Reason
from tests.model.invariants import asked_for, ends
from tests.model.sight import Sight
from tests.model.stage import Call

S = InstanceState
ENDED: tuple[type[Outcome], ...] = (Succeeded, Failed, Stopped)
OCCASIONS: dict[InstanceState, tuple[Occasion, Told]] = {
    S.SUCCEEDED: ("success", Told.SUCCEEDED),
    S.FAILED: ("failure", Told.FAILED),
    S.TIMED_OUT: ("timeout", Told.TIMED_OUT),
    S.KILLED: ("kill", Told.KILLED),
}
OF_ENDS = {told.value: state for state, (_, told) in OCCASIONS.items()}
LATE = (Told.NOT_STARTED, Told.NOT_ENDED, Told.RUNNING_LONG)


class Launches:
    """Every launch was allowed, and a token is of one run, which has not ended."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[str, int]] = {}
        self._tokens: dict[tuple[str, int], str] = {}
        self._finished: set[str] = set()

    def check(
        self, calls: Sequence[Call], before: Sight, after: Sight, there: frozenset[str]
    ) -> None:
        """``before``: when the sweep began. ``there``: the data that could be found."""
        begun: set[str] = set()
        for call in calls:
            run = call.instance_id, call.run
            assert self._runs.setdefault(call.token, run) == run, f"two runs, one token: {call}"
            assert self._tokens.setdefault(run, call.token) == call.token, f"two tokens: {call}"
            if call.verb in ("launch", "run"):
                assert call.token not in self._finished, f"it had ended, and is launched: {call}"
                earlier = before.instances.get(call.instance_id)
                if call.token not in begun:
                    self._may_begin(call, earlier, before, after)
                    if _is_first(earlier, call):
                        _had_all(after.instances.get(call.instance_id), earlier, after, there)
                begun.add(call.token)
            if isinstance(call.outcome, ENDED):
                self._finished.add(call.token)
        for one in after.instances.values():
            self._finished |= {f"{one.id}-{run}" for run in range(1, one.run)}
            if one.state in TERMINAL:
                self._finished.add(one.token)

    def _may_begin(self, call: Call, earlier: Instance | None, before: Sight, after: Sight) -> None:
        if earlier is not None and earlier.run == call.run and earlier.state is S.RUNNING:
            return  # it is looked for by the program that does its work
        assert not after.paused, f"launched while all is paused: {call}"
        if earlier is None:
            return
        job = before.jobs[earlier.job_id]
        assert job.state is not JobState.DELETED, f"its job was deleted: {call}"
        if earlier.run != call.run or earlier.state is not S.WAITING:
            return
        if earlier.reason in (Reason.RETRY, Reason.TARGET_REFUSED) and not after.paused:
            assert (earlier.wake_ms or 0) <= after.now, f"before its delay was over: {earlier}"
        still = after.jobs[job.id].suspension
        if job.suspension is not None and still == job.suspension:
            assert asked_for(earlier, job), f"launched during a suspension: {earlier}"


def _is_first(earlier: Instance | None, call: Call) -> bool:
    """Whether its prerequisites had to be looked at in this step."""
    if earlier is None:
        return True
    if earlier.run != call.run:
        return False  # a retry has what the run before it waited for
    return earlier.state is S.WAITING and earlier.ready_ms is None


def _had_all(
    one: Instance | None, earlier: Instance | None, sight: Sight, there: frozenset[str]
) -> None:
    if one is None:
        return
    job = sight.jobs[one.job_id]
    if job.revision != one.revision:
        return
    if earlier is None and one.run > 1:
        return
    for wanted in read_definition(job.definition_json).prerequisites:
        if wanted.data is not None:
            assert wanted.data in there, f"launched without {wanted.data}: {one}"
        if wanted.job is not None:
            up = [
                each
                for each in sight.instances.values()
                if sight.jobs[each.job_id].name == wanted.job and each.nominal_ms == one.nominal_ms
            ]
            assert any(each.state is S.SUCCEEDED for each in up), f"without {wanted.job}: {one}"


class Tellings:
    """Each event is decided once, in the step in which it happens, and told in the same words always."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def check(self, before: Sight, after: Sight) -> None:
        new = [one for key, one in after.outbox.items() if key not in before.outbox]
        of_ends = Counter(
            (one.instance_id, _run_of(one), one.event, one.channel_json)
            for one in new
            if one.event in OF_ENDS
        )
        assert not [key for key, count in of_ends.items() if count > 1], "told twice of one end"
        late = Counter(
            (one.instance_id, one.event, one.channel_json)
            for one in after.outbox.values()
            if one.event in LATE
        )
        assert not [key for key, count in late.items() if count > 1], "told twice of one lateness"
        expected = {
            (one.id, one.run, told.value, json.dumps(entry.channel, sort_keys=True))
            for one in ends(before, after)
            if one.state in OCCASIONS
            for occasion, told in [OCCASIONS[one.state]]
            for entry in hearing(after.jobs[one.job_id], occasion)
        }
        assert expected <= of_ends.keys(), f"not told of: {expected - of_ends.keys()}"
        for key in of_ends.keys() - expected:
            assert self._ended_and_went_on(key, before, after), f"told of what was not: {key}"

    def _ended_and_went_on(
        self, key: tuple[str | None, int, str, str], before: Sight, after: Sight
    ) -> bool:
        """A backfill may run again in a step what ended in it; and what ended may be purged in it."""
        one = after.instances.get(key[0] or "")
        earlier = before.instances.get(key[0] or "")
        went_on = one is not None and one.run > key[1] and one.backfill is not None
        return went_on or (one is None and earlier is not None)

    def delivered(self, notifications: Sequence[Notification]) -> None:
        for one in notifications:
            said = one.channel_json + one.payload_json
            assert self._said.setdefault(one.id, said) == said, f"told in other words: {one}"


def _run_of(one: Notification) -> int:
    return int(json.loads(one.payload_json)["data"]["run"])
