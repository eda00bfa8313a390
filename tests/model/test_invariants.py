"""Everything that can be asked of Noonday, in random order, with a clock that jumps: what must be true at
every moment is true, what is refused changes nothing, and in the end all has ended.

``test_model`` foretells what follows, for jobs and instances alone; here nothing is foretold, and all is
asked for: backfills, pauses, bulk commands, groups, revisions, prerequisites, quotas, notifications, purges.
NOONDAY_TEST_MODEL=N lives N histories, NOONDAY_TEST_MODEL_MINUTES=M goes on for so long; then each rule must
have been obeyed.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from chalicelib import wiring
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.model.backfill import BackfillState
from chalicelib.model.errors import Unavailable
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.notification import Told
from chalicelib.model.states import IN_FLIGHT, TERMINAL, InstanceState, JobState, Reason
from chalicelib.store import SqlStore, open_store
from tests.databases import Server
from tests.engine.history import assert_settled
from tests.model import wishes
from tests.model.invariants import (
    Accounts,
    check_alone,
    check_at_rest,
    check_limits,
    check_moves,
    check_purged,
)
from tests.model.rules import JOB_MOVES
from tests.model.sight import EVER, Sight, look, times_of
from tests.model.stage import LAUNCHES, Answer, Stage
from tests.model.telling import Launches, Tellings
from tests.model.wishes import BEGIN, DAY, GROUPS, HOUR, MINUTE, PLACES, SECOND, often, some

MOST_JOBS = 3
SWEEPS = 3
JUMPS = (SECOND, 31 * SECOND, 61 * SECOND, 6 * MINUTE, HOUR, 7 * HOUR, DAY, 9 * DAY)
COUNTED: Counter[str] = Counter()
ENDS: tuple[Outcome, ...] = (
    Succeeded(),
    Succeeded(),
    Failed("broken"),
    Failed("hopeless", retry=False),
    Failed("vanished", lost=True),
)
OF_WAITING = {
    Reason.RETRY,
    Reason.PREREQUISITES,
    Reason.MAX_ACTIVE,
    Reason.GROUP_FULL,
    Reason.JOB_SUSPENDED,
    Reason.TARGET_REFUSED,
}
begun = precondition(lambda self: self.stage is not None)


class Everything(RuleBasedStateMachine):
    """``open_store`` is set by the test. ``sight``: what was there after the step before."""

    open_store: Callable[[], SqlStore]
    sight: Sight

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).open_store()
        self.stage: Stage | None = None
        self.broken = False
        self.accounts, self.launches, self.tellings = Accounts(), Launches(), Tellings()
        self.calls = 0
        COUNTED["histories"] += 1

    def teardown(self) -> None:
        try:
            if self.stage is not None and not self.broken:
                self._end()
        finally:
            wiring.provide(_nobody)
            self.store.close()

    # ---- jobs

    @precondition(lambda self: self.stage is None or len(self.sight.jobs) < MOST_JOBS)
    @rule(
        kind=st.sampled_from(["started", "started", "inline"]),
        every=wishes.periods,
        offset=st.integers(-30, 2),
        lasts=st.sampled_from([None, None, None, 5, 40]),
        policies=wishes.policies,
        wanted=st.just([]) | wishes.prerequisites,
        scheduled=st.sampled_from([True, True, False]),
        together=often,
    )
    def submit(
        self,
        *,
        kind: str,
        every: int,
        offset: int,
        lasts: int | None,
        policies: dict[str, Any],
        wanted: list[dict[str, str]],
        scheduled: bool,
        together: bool,
    ) -> None:
        if self.stage is None:
            self.stage = Stage(self.store, now_ms=BEGIN, together=together)
            self.stage.world.places.there.add("a")
            for group in GROUPS:
                assert self.stage("PUT", f"/groups/{group}", {"size": 2}).status == 201
            self.sight = look(self.store, BEGIN)
        start = self.now - self.now % MINUTE + offset * every
        end = None if lasts is None else start + lasts * every
        name = f"job-{len(self.sight.jobs)}"
        wanted = [one for one in wanted if one.get("job") != name]
        more = {"policies": policies, "prerequisites": wanted, "parameters": {"x": 1}}
        body = wishes.definition(name, kind, start, every, end, more)
        query = {"schedule": "true"} if scheduled else {}
        full = self._is_full("max_jobs", self.sight.living)
        lacks = policies.get("group", "g") not in self.sight.groups and "group" in policies
        expected = {400} if lacks else {409} if full else {201}
        if any("job" in one for one in wanted):  # that may wait for this one
            expected |= {400}
        self._ask("submit", "POST", "/jobs", body, expected, query=query)

    @begun
    @rule(which=some, again=often)
    def schedule(self, which: int, again: bool) -> None:
        self._command("schedule", which, {}, again=again)

    @begun
    @rule(which=some, lasts=st.sampled_from([None, None, 2 * MINUTE, 3 * HOUR]), again=often)
    def suspend(self, which: int, lasts: int | None, again: bool) -> None:
        body = {} if lasts is None else {"until": self.now + lasts}
        self._command("suspend", which, body, again=again)

    @begun
    @rule(which=some, catch_up=st.sampled_from([None, "none", "latest", "all"]), again=often)
    def resume(self, which: int, catch_up: str | None, again: bool) -> None:
        body = {} if catch_up is None else {"catch_up": catch_up}
        self._command("resume", which, body, again=again)

    @begun
    @rule(which=some, again=often)
    def expire(self, which: int, again: bool) -> None:
        self._command("expire", which, {}, again=again)

    @begun
    @rule(which=some, kill=often, really=st.integers(0, 4))
    def delete(self, which: int, kill: bool, really: int) -> None:
        job = self._job(which)
        if (
            job is not None and not really
        ):  # or else most of a history is that of jobs that are gone
            query = {"kill": "true"} if kill else {}
            self._ask("delete", "DELETE", f"/jobs/{job.id}", None, {200}, query=query)

    @begun
    @rule(which=some, patch=wishes.patches, dry_run=st.sampled_from([False, False, True]))
    def patch(self, which: int, patch: dict[str, Any], dry_run: bool) -> None:
        job = self._job(which)
        if job is not None:
            query = {"dry_run": "true"} if dry_run else {}
            self._revise("patch", "PATCH", job, patch, query)

    @begun
    @rule(which=some, policies=wishes.policies, dry_run=st.sampled_from([False, False, True]))
    def update(self, which: int, policies: dict[str, Any], dry_run: bool) -> None:
        """The whole definition, with other policies and nothing else that is said beside the schedule."""
        job = self._job(which)
        if job is not None:
            body = self._document(job)
            body = {key: body[key] for key in ("name", "schedule", "target")}
            query = {"dry_run": "true"} if dry_run else {}
            self._revise("update", "PUT", job, {**body, "policies": policies}, query)

    @begun
    @rule(which=some, back=st.integers(1, 3))
    def roll_back(self, which: int, back: int) -> None:
        """An older revision's definition is put in force again."""
        job = self._job(which)
        if job is not None and job.revision > 1:
            number = max(1, job.revision - back)
            answer = self._stage("GET", f"/jobs/{job.id}/revisions/{number}")
            assert answer.status == 200, answer
            self._revise("roll back", "PUT", job, answer.body["definition"], {})

    # ---- instances

    @begun
    @rule(which=some, back=st.none() | st.none() | st.integers(-2, 30), body=wishes.trigger)
    def trigger(self, which: int, back: int | None, body: dict[str, Any]) -> None:
        job = self._job(which)
        if job is None:
            return
        if back is not None:
            times = times_of(job.definition_json)
            body = {**body, "nominal_ms": times.start + back * times.every}
        full = self._is_full("max_waiting", self.sight.waiting)
        path = f"/jobs/{job.id}/trigger"
        answer = self._ask("trigger", "POST", path, body, {201, 400, 409})
        if answer.status == 201:
            assert not full, "more wait than may"
            assert job.state is not JobState.DELETED
        else:
            assert full or answer.body["code"] != "quota_exceeded", answer

    @begun
    @rule(which=some, again=often)
    def kill(self, which: int, again: bool) -> None:
        one = self._instance(which)
        if one is not None:
            expected = 202 if one.state in IN_FLIGHT else 409
            if one.state in (InstanceState.WAITING, InstanceState.KILLED):
                expected = 200
            self._ask("kill", "POST", f"/instances/{one.id}/kill", {}, {expected}, again=again)

    @begun
    @rule(which=some, again=often)
    def skip(self, which: int, again: bool) -> None:
        one = self._instance(which)
        if one is not None:
            takes = one.state in (InstanceState.WAITING, InstanceState.SKIPPED)
            expected = 200 if takes else 409
            self._ask("skip", "POST", f"/instances/{one.id}/skip", {}, {expected}, again=again)

    @begun
    @rule(which=some, original=often, ignore=often)
    def rerun(self, which: int, original: bool, ignore: bool) -> None:
        one = self._instance(which)
        if one is None:
            return
        full = self._is_full("max_waiting", self.sight.waiting)
        gone = self.sight.jobs[one.job_id].state is JobState.DELETED
        expected = 409 if gone or full or one.state not in TERMINAL else 200
        body = {"original": original, "ignore_prerequisites": ignore}
        answer = self._ask("rerun", "POST", f"/instances/{one.id}/rerun", body, {expected})
        if answer.status == 200:
            assert answer.body["run"] == one.run + 1

    @begun
    @rule(
        verb=st.sampled_from(["kill", "skip", "rerun"]),
        which=st.none() | some,
        of_backfill=st.none() | some,
        group=st.sampled_from([None, None, "g"]),
        kind=st.sampled_from([None, None, "SCHEDULED", "MANUAL", "BACKFILL"]),
        dry_run=often,
    )
    def many(
        self,
        *,
        verb: str,
        which: int | None,
        of_backfill: int | None,
        group: str | None,
        kind: str | None,
        dry_run: bool,
    ) -> None:
        job = None if which is None else self._job(which)
        backfills = sorted(self.sight.backfills)
        backfill = backfills[of_backfill % len(backfills)] if backfills and of_backfill else None
        said = {"backfill": backfill, "group": group, "kind": kind}
        wanted: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
        if job is not None:
            wanted["jobs"] = [job.id]
        if not wanted:
            wanted["from"] = 0
        states = {"kill": {"WAITING", *IN_FLIGHT}, "skip": {"WAITING"}}.get(
            verb, {"FAILED", "TIMED_OUT", "KILLED"}
        )
        chosen = {
            one.id
            for one in self.sight.instances.values()
            if one.state in states
            and (job is None or one.job_id == job.id)
            and backfill in (None, one.backfill)
            and group in (None, one.group)
            and kind in (None, one.kind)
        }
        query = {"dry_run": "true"} if dry_run else {}
        before, path = self.sight, f"/instances/{verb}"
        status = 200 if dry_run else 202
        answer = self._ask(f"{verb} many", "POST", path, {"filter": wanted}, {status}, query=query)
        if dry_run:
            assert answer.body["total"] == len(chosen), (answer, chosen)
            return
        body = answer.body
        assert body["next"] is None
        told = body["changed"] + body["already"] + body["refused"] + body["moved"]
        assert (told, body["moved"]) == (len(chosen), 0), (body, chosen)
        now = self.asked.instances
        changed = {key for key, one in now.items() if one != before.instances.get(key)}
        assert changed >= {key for key in chosen if now[key] != before.instances[key]}
        did = {key for key in chosen if now[key].version > before.instances[key].version}
        assert len(did) >= body["changed"], (body, did)

    # ---- backfills

    @begun
    @rule(which=some, span=wishes.span, body=wishes.backfill, dry_run=often)
    def backfill(
        self, which: int, span: tuple[int, int], body: dict[str, Any], dry_run: bool
    ) -> None:
        job = self._job(which)
        if job is None:
            return
        times, (back, count) = times_of(job.definition_json), span
        last = (self.now - times.start) // times.every
        low = times.start + max(0, last - back) * times.every
        high = min(low + count * times.every, self.now)
        query = {"dry_run": "true"} if dry_run else {}
        path, before = f"/jobs/{job.id}/backfills", self.sight
        wanted = {**body, "from": low, "to": high}
        status = 200 if dry_run else 201
        answer = self._ask("backfill", "POST", path, wanted, {status, 400, 409}, query=query)
        if answer.status != status:
            return
        nominal = times.within(low, high)
        assert answer.body["total"] == len(nominal), (answer, nominal)
        assert not self._is_full("max_backfill", len(nominal) - 1), "more than a backfill may have"
        if dry_run:
            assert len(answer.body["items"]) == len(nominal)
            planned = {one["nominal_ms"]: one["action"] for one in answer.body["items"]}
            exist = {one.nominal_ms for one in before.of_job(job.id)} & set(nominal)
            creates = {at for at, action in planned.items() if action == "create"}
            assert not creates & exist, "it would create what there is"
        else:
            assert not self._is_full("max_waiting", before.waiting), "more wait than may"

    @begun
    @precondition(lambda self: self.stage is not None and self.sight.backfills)
    @rule(which=some, kill=often, again=often)
    def cancel(self, which: int, kill: bool, again: bool) -> None:
        one = self.sight.backfills[sorted(self.sight.backfills)[which % len(self.sight.backfills)]]
        expected = 409 if one.state is BackfillState.COMPLETED else 200
        path = f"/backfills/{one.id}/cancel"
        self._ask("cancel", "POST", path, {"kill": kill}, {expected}, again=again)
        waits = [each for each in self.asked.of_backfill(one.id) if each.state == "WAITING"]
        assert expected == 409 or not waits, f"cancelled, and it waits: {waits}"

    # ---- what all have in common

    @begun
    @rule(again=often)
    def pause(self, again: bool) -> None:
        self._ask("pause", "POST", "/pause", {"reason": "an incident"}, {200}, again=again)

    @begun
    @rule(again=often)
    def resume_all(self, again: bool) -> None:
        self._ask("resume all", "POST", "/resume", {}, {200}, again=again)

    @rule(name=st.sampled_from(GROUPS), size=st.integers(0, 3), again=often)
    @begun
    def set_group(self, name: str, size: int, again: bool) -> None:
        expected = 200 if name in self.sight.groups else 201
        path = f"/groups/{name}"
        self._ask("set group", "PUT", path, {"size": size}, {expected}, again=again)

    @begun
    @rule(name=st.sampled_from(GROUPS))
    def delete_group(self, name: str) -> None:
        named = any(
            job.group == name and job.state is not JobState.DELETED
            for job in self.sight.jobs.values()
        )
        members = any(
            one.group == name and one.state not in TERMINAL for one in self.sight.instances.values()
        )
        expected = 409 if named or members else 204
        if name not in self.sight.groups:
            expected = 404
        self._ask("delete group", "DELETE", f"/groups/{name}", None, {expected})

    @begun
    @precondition(lambda self: self.stage is not None and self.sight.owner is not None)
    @rule(
        limits=st.fixed_dictionaries(
            {},
            optional={
                "max_jobs": st.none() | st.integers(1, 3),
                "max_waiting": st.none() | st.integers(0, 6),
                "max_backfill": st.none() | st.integers(0, 12),
            },
        )
    )
    def set_quotas(self, limits: dict[str, int | None]) -> None:
        self._ask("set quotas", "PATCH", "/owners/default", limits, {200})

    # ---- what the world does

    @begun
    @rule(name=st.sampled_from(PLACES), told=often)
    def data_appears(self, name: str, told: bool) -> None:
        self._stage.world.places.there.add(name)
        if told:
            self._ask("data", "POST", "/events/data", {"path": name}, {202})
            for one in self.sight.instances.values():
                if one.state == "WAITING" and one.reason == "PREREQUISITES":
                    assert self.sight.paused or self._lacks(one), f"nobody told it: {one}"

    @begun
    @rule(name=st.sampled_from(PLACES))
    def data_disappears(self, name: str) -> None:
        self._stage.world.places.there.discard(name)
        COUNTED["data disappears"] += 1

    @begun
    @rule(jump=st.sampled_from(JUMPS))
    def time_passes(self, jump: int) -> None:
        self._stage.world.clock.now += jump
        self._step("time passes")

    @begun
    @rule(jump=st.sampled_from(JUMPS))
    def the_alarm_is_late(self, jump: int) -> None:
        """What comes next finds a world in which nothing happened since."""
        self._stage.world.clock.now += jump
        self.sight = look(self.store, self.now)
        COUNTED["the alarm is late"] += 1

    @begun
    @rule(days=st.integers(1, 4))
    def the_night_comes(self, days: int) -> None:
        """Housekeeping begins at 02:00 UTC."""
        clock = self._stage.world.clock
        clock.now = (clock.now // DAY + days) * DAY + 2 * HOUR
        purged = len(self.sight.instances)
        self._step("the night comes")
        for _ in range(3):
            clock.now += MINUTE
            self._step("the night goes on")
        COUNTED["purged"] += len(self.sight.instances) < purged

    @begun
    @rule(which=some, outcome=st.sampled_from(ENDS))
    def a_run_ends(self, which: int, outcome: Outcome) -> None:
        flying = [one for one in self._ordered() if one.state in IN_FLIGHT]
        if flying:
            self._stage.puppets.endings[flying[which % len(flying)].token] = outcome
            self._stage.world.clock.now += 31 * SECOND
            self._step("a run ends")

    @begun
    @rule(outcome=st.sampled_from([*ENDS, None]))
    def all_runs_end(self, outcome: Outcome | None) -> None:
        """From now on, until it is said otherwise; None: they go on."""
        puppets = self._stage.puppets
        puppets.otherwise = LAUNCHES["lose"] if outcome is None else outcome
        self._stage.world.clock.now += 31 * SECOND
        self._step("all runs end")

    @begun
    @rule(which=some, mode=st.sampled_from(["accept", "accept", *LAUNCHES]), deaf=often)
    def a_target_changes(self, which: int, mode: str, deaf: bool) -> None:
        job, puppets = self._job(which), self._stage.puppets
        if job is not None:
            puppets.modes[job.name] = mode
            (puppets.deaf.add if deaf else puppets.deaf.discard)(job.name)
            COUNTED["a target changes"] += 1

    @begun
    @rule(receipts=st.lists(st.sampled_from(["ok", "no answer", "gone"]), max_size=4))
    def receivers_change(self, receipts: list[str]) -> None:
        self._stage.world.channels.receipts = [
            Receipt() if one == "ok" else Receipt(error=one, give_up=one == "gone")
            for one in receipts
        ]
        COUNTED["receivers change"] += 1

    @begun
    @rule(which=some)
    def somebody_looks(self, which: int) -> None:
        """Whatever can be read is answered, and changes nothing."""
        job, one = self._job(which), self._instance(which)
        paths = ["/jobs", "/instances", "/backfills", "/groups", "/pause", "/stats", "/events"]
        paths += ["/notifications", "/owners/default", "/health"]
        if job is not None:
            of_job = ("", "/instances", "/stats", "/events", "/skips", "/upcoming", "/why")
            paths += [f"/jobs/{job.id}{what}" for what in (*of_job, "/revisions", "/backfills")]
        if one is not None:
            paths += [f"/instances/{one.id}", f"/instances/{one.id}/why"]
        paths += [f"/backfills/{key}" for key in self.sight.backfills]
        for path in paths:
            answer = self._stage("GET", path)
            assert answer.status == 200, (path, answer)
        assert look(self.store, self.now).same_but_now(self.sight), "looking changed something"
        COUNTED["somebody looks"] += 1

    # ---- around them

    @property
    def _stage(self) -> Stage:
        assert self.stage is not None
        return self.stage

    @property
    def now(self) -> int:
        return self._stage.now

    def _job(self, which: int) -> Job | None:
        """Deleted ones are asked for seldom."""
        jobs = sorted(self.sight.jobs.values(), key=lambda one: one.name)
        living = [job for job in jobs if job.state is not JobState.DELETED]
        chosen = jobs if which == 0 or not living else living
        return chosen[which % len(chosen)] if chosen else None

    def _ordered(self) -> list[Instance]:
        """The newest are asked for more often: the others have ended long ago."""
        rows = self.sight.instances.values()
        return sorted(rows, key=lambda one: (one.state in TERMINAL, -one.nominal_ms, one.id))

    def _instance(self, which: int) -> Instance | None:
        known = self._ordered()
        return known[which % len(known)] if known else None

    def _document(self, job: Job) -> dict[str, Any]:
        document: dict[str, Any] = self._stage("GET", f"/jobs/{job.id}").body["definition"]
        return document

    def _is_full(self, name: str, count: int) -> bool:
        most = None if self.sight.owner is None else getattr(self.sight.owner, name)
        return most is not None and count >= most

    def _lacks(self, one: Instance) -> bool:
        """Whether something that it waits for is not there, or another job's."""
        revision = {(one.job_id, one.revision)}
        text = self.store.read(lambda reader: reader.definitions(revision))
        job = self.sight.jobs[one.job_id]
        wanted = job.definition_json if not text else next(iter(text.values()))
        there = self._stage.world.places.there
        return any(f'"data":"{name}"' in wanted for name in PLACES if name not in there) or (
            '"job":' in wanted
        )

    def _command(self, verb: str, which: int, body: dict[str, Any], *, again: bool) -> None:
        job = self._job(which)
        if job is None:
            return
        lapsed = job.suspension is not None and (job.suspension.until_ms or EVER) <= self.now
        takes = job.state.value in JOB_MOVES[verb]
        expected = {200} if takes else {409}
        if takes and (verb == "schedule" or lapsed):
            expected = {200, 409}
        path = f"/jobs/{job.id}/{verb}"
        self._ask(f"{verb} {job.state}", "POST", path, body, expected, again=again)

    def _revise(self, what: str, method: str, job: Job, body: Any, query: dict[str, str]) -> None:
        """400: it names a group that there is not, waits for itself, or could never fire."""
        gone = job.state is JobState.DELETED
        answer = self._ask(
            what, method, f"/jobs/{job.id}", body, {409} if gone else {200, 400}, query=query
        )
        if answer.status == 200 and not query:
            assert self.asked.jobs[job.id].revision <= job.revision + 1

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        body: Any,
        expected: set[int],
        *,
        again: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One command. Refused, or only tried, it changes nothing; asked for once more, neither: it is done
        already, or a conflict where it led to a state that does not take it (resume, of what was new)."""
        query = query or {}
        answer = self._stage(method, path, body, **query)
        assert answer.status in expected, (what, body, answer, expected)
        COUNTED[what] += 1
        COUNTED[f"{what}: {answer.status}{' dry run' * ('dry_run' in query)}"] += 1
        self.asked = look(self.store, self.now)
        if answer.status >= 400 or "dry_run" in query:
            assert self.asked.same_but_now(self.sight), f"{what} changed something: {answer}"
        elif again:
            repeated = self._stage(method, path, body, **query)
            assert repeated.status in (answer.status, 200, 409), (what, answer, repeated)
            now = look(self.store, self.now)
            assert now.same_but_now(self.asked), f"{what}: its repeat changed something"
        self._judge(self.sight, self.asked)
        _count(self.sight, self.asked)
        self.sight = self.asked
        self._step(None)
        return answer

    def _step(self, what: str | None) -> None:
        """Let everything happen that is due now, and judge it."""
        if what is not None:
            COUNTED[what] += 1
            self.sight = look(self.store, self.now)
        before, stage = self.sight, self._stage
        try:
            self._quiet()
            after = look(self.store, self.now)
            calls = stage.puppets.record[self.calls :]
            self.calls += len(calls)
            self._judge(before, after)
            check_at_rest(after)
            check_purged(before, after)
            self.launches.check(calls, before, after, frozenset(stage.world.places.there))
            self.tellings.delivered(stage.world.channels.delivered)
            stage.world.channels.delivered.clear()
        except BaseException:
            self.broken = True
            raise
        _count(before, after)
        self.sight = after

    def _quiet(self) -> None:
        """What a sweep leaves due, the next one does, a tenth of a second later: then nothing is left."""
        for _ in range(SWEEPS):
            self._stage.quiet()
            wakes = self.store.read(lambda reader: reader.next_wakes(self.now + 1))
            if wakes.earliest is None or wakes.paused:
                return
        raise AssertionError(f"it is due still: {wakes}")

    def _judge(self, before: Sight, after: Sight) -> None:
        try:
            check_alone(after)
            check_limits(before, after)
            check_moves(before, after)
            self.accounts.check(before, after)
            self.tellings.check(before, after)
        except BaseException:
            self.broken = True
            raise

    def _end(self) -> None:
        """When nobody asks for anything any more, all ends, and nothing holds anything."""
        stage = self._stage
        stage.puppets.modes.clear()
        stage.puppets.deaf.clear()
        stage.puppets.endings.clear()
        stage.puppets.otherwise = Succeeded()
        stage.world.channels.receipts.clear()
        stage.world.places.there.update(PLACES)
        self._ask("end", "POST", "/resume", {}, {200})
        if self.sight.owner is not None:
            none = dict.fromkeys(("max_jobs", "max_waiting", "max_backfill"))
            self._ask("end", "PATCH", "/owners/default", none, {200})
        for name in GROUPS:
            self._ask("end", "PUT", f"/groups/{name}", {"size": 9}, {200, 201})
        for job in list(self.sight.jobs.values()):
            if job.state is not JobState.DELETED:
                self._ask("end", "POST", f"/jobs/{job.id}/expire", {}, {200})
        for number in range(90):
            if self._all_ended():
                break
            stage.world.clock.now += 2 * MINUTE if number < 60 else HOUR
            self._step("the end comes")
        for job in self.sight.jobs.values():
            assert_settled(self.store, job.id)
        assert self._all_ended(), self.sight.backfills
        stage.world.clock.now += 2 * DAY  # what was watched, and what was to be told
        self._step("the end comes")
        wakes = self.store.read(lambda reader: reader.next_wakes(EVER))
        assert wakes.earliest is None, f"somebody still wants to be looked at: {wakes}"

    def _all_ended(self) -> bool:
        states = {one.state for one in self.sight.backfills.values()}
        ended = all(one.state in TERMINAL for one in self.sight.instances.values())
        return ended and BackfillState.RUNNING not in states


def _count(before: Sight, after: Sight) -> None:
    """What there was to be judged."""
    for one in after.instances.values():
        if one != before.instances.get(one.id):
            COUNTED[f"seen {one.state} {one.reason or ''} {one.kind}"] += 1
    for backfill in after.backfills.values():
        if backfill != before.backfills.get(backfill.id):
            COUNTED[f"seen backfill {backfill.state}"] += 1
    for notice in after.outbox.values():
        if notice != before.outbox.get(notice.id):
            COUNTED[f"seen {notice.event} {notice.state}"] += 1
    for ranges in after.ranges.values():
        COUNTED.update({f"seen range {span.reason}" for span in ranges})


def _nobody() -> Any:
    raise Unavailable("the test is over")


ENOUGH = 500
NEEDED = (
    *("submit: 201", "submit: 400", "submit: 409", "delete: 200", "trigger: 201", "trigger: 400"),
    *("patch: 200", "patch: 200 dry run", "patch: 400", "update: 200", "update: 200 dry run"),
    *("roll back: 200", "trigger: 409", "kill: 200", "kill: 202", "skip: 200", "rerun: 200"),
    *("kill many: 202", "skip many: 202", "rerun many: 202", "rerun many: 200 dry run"),
    *("backfill: 201", "backfill: 200 dry run", "backfill: 409", "cancel: 200", "cancel: 409"),
    *("pause: 200", "resume all: 200", "set group: 201", "delete group: 204", "delete group: 409"),
    *("set quotas: 200", "data: 202", "data disappears", "time passes", "the alarm is late"),
    *("the night comes", "purged", "a run ends", "all runs end", "a target changes"),
    *("receivers change", "somebody looks"),
    *(
        f"{verb} {state}: 200"
        for verb in ("schedule", "suspend", "resume", "expire")
        for state in JOB_MOVES[verb]
        if state in ("SCHEDULED", "SUSPENDED") and (verb, state) != ("schedule", "SUSPENDED")
    ),
    *(f"seen WAITING {reason} SCHEDULED" for reason in Reason if reason in OF_WAITING),
    *(f"seen backfill {state}" for state in BackfillState),
    *(f"seen {told} DELIVERED" for told in Told if told is not Told.TEST),
    *("seen SKIPPED BACKFILL_CANCELLED BACKFILL", "seen range PURGED", "seen range SUSPENDED"),
)
EXAMPLES = int(os.environ.get("NOONDAY_TEST_MODEL", "0"))
MINUTES = float(os.environ.get("NOONDAY_TEST_MODEL_MINUTES", "0"))


def live(histories: int, give: Callable[[], SqlStore]) -> None:
    long = bool(EXAMPLES or MINUTES)
    profile = settings(
        max_examples=EXAMPLES or (100 if MINUTES else histories),
        stateful_step_count=60 if long else 35,
        derandomize=not long,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *([] if MINUTES else [Phase.shrink])],
        print_blob=long,
        report_multiple_bugs=False,
    )
    machine = type("Everything", (Everything,), {"open_store": staticmethod(give)})
    COUNTED.clear()
    until = time.monotonic() + 60 * MINUTES
    while True:
        run_state_machine_as_test(machine, settings=profile)
        if time.monotonic() >= until:
            break
    if long:
        _tell_and_check()


def _tell_and_check() -> None:
    """Nothing is vacuous: each rule was obeyed, and what it is about was there to be seen."""
    for name, count in sorted(COUNTED.items()):
        print(f"{count:8}  {name}")  # noqa: T201 - who runs it long wants to see it
    never = [name for name in NEEDED if not COUNTED[name]]
    assert not never or COUNTED["histories"] < ENOUGH, f"never seen: {never}"


def test_on_sqlite() -> None:
    def give() -> SqlStore:
        store = open_store("sqlite://")
        store.migrate(BEGIN)
        return store

    live(12, give)


def test_on_mariadb(mariadb: Server) -> None:
    live(3, lambda: open_store(mariadb.empty(0)))
