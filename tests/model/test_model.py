"""Every command in every state, in random order, with a clock that jumps: all goes as the model says."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from chalicelib import wiring
from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, open_store
from tests.databases import Server
from tests.engine.history import assert_settled
from tests.model.rules import (
    DAY,
    HOUR,
    IN_FLIGHT,
    MINUTE,
    SECOND,
    TERMINAL,
    Instance,
    Job,
    Model,
    Policies,
)
from tests.model.stage import LAUNCHES, Stage
from tests.model.watching import Watcher

# The clocks of Europe go forward on 29 March 2026 at 01:00 UTC.
BEGIN = 1_774_699_200_000  # 2026-03-28T12:00:00Z
MOST_JOBS = 3
LAST_STEPS = 60
JUMPS = (SECOND, 31 * SECOND, 61 * SECOND, 6 * MINUTE, HOUR, 7 * HOUR, DAY, 9 * DAY, 30 * DAY)
COUNTED: Counter[str] = Counter()

policies = st.builds(
    Policies,
    overlap=st.sampled_from(["allow", "skip", "queue", "queue_one", "replace"]),
    max_active=st.integers(1, 3),
    catch_up=st.sampled_from(["all", "all", "latest", "none"]),
    limit=st.integers(1, 4),
    window=st.sampled_from([None, None, 2 * HOUR, 3 * DAY]),
    attempts=st.integers(1, 3),
    launch_attempts=st.integers(1, 3),
    wait=st.sampled_from([30 * MINUTE, DAY]),
    run=st.sampled_from([10 * MINUTE, DAY]),
    suspend_after=st.sampled_from([None, None, 1, 2, 3]),
    group=st.sampled_from([None, None, "g"]),
)
periods = st.sampled_from([5 * MINUTE, 20 * MINUTE, HOUR, DAY])
some = st.integers(0, 11)
ENDS: tuple[Outcome, ...] = (
    Succeeded(),
    Failed("broken"),
    Failed("hopeless", retry=False),
    Failed("vanished", lost=True),
)


class Life(RuleBasedStateMachine):
    """``open_store`` is set by the test."""

    open_store: Callable[[], SqlStore]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).open_store()
        self.stage: Stage | None = None
        self.broken = False
        COUNTED["histories"] += 1

    def teardown(self) -> None:
        try:
            if self.stage is not None and not self.broken:
                self._end()
        finally:
            wiring.provide(_nobody)
            self.store.close()

    # ---- what people do

    @precondition(lambda self: self.stage is None or len(self.model.jobs) < MOST_JOBS)
    @rule(
        kind=st.sampled_from(["started", "started", "inline"]),
        every=periods,
        offset=st.integers(-3, 2),
        lasts=st.sampled_from([None, None, 2, 5]),
        policies=policies,
        scheduled=st.booleans(),
        together=st.booleans(),
    )
    def submit(
        self,
        *,
        kind: str,
        every: int,
        offset: int,
        lasts: int | None,
        policies: Policies,
        scheduled: bool,
        together: bool,
    ) -> None:
        if self.stage is None:
            self.stage = Stage(self.store, now_ms=BEGIN, together=together)
            self.model = Model(groups={"g": 2})
            assert self.stage("PUT", "/groups/g", {"size": 2}).status == 201
            self.watcher = Watcher(self.stage, self.model)
        now = self.stage.now
        start = now - now % MINUTE + offset * every
        end = None if lasts is None else start + lasts * every
        name = f"job-{len(self.model.jobs)}"
        schedule = {
            "every": f"PT{every // SECOND}S",
            "start": _iso(start),
            "timezone": "Europe/Berlin",
        }
        if end is not None:
            schedule["end"] = _iso(end)
        body = {
            "name": name,
            "schedule": schedule,
            "target": {"kind": kind},
            "policies": policies.submitted(),
        }
        query = {"schedule": "true"} if scheduled else {}
        answer = self.stage("POST", "/jobs", body, **query)
        assert answer.status == 201, answer
        job = Job(answer.body["id"], name, kind, start, every, end, policies, cursor=start)
        job.verbs.append("SUBMIT")
        if scheduled:
            job.state = "SCHEDULED"
            job.arm()
        self.model.jobs.append(job)
        self._after("submit", job.state)

    @precondition(lambda self: self.stage is not None)
    @rule(which=some)
    def schedule(self, which: int) -> None:
        self._command(which, "schedule")

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, lasts=st.sampled_from([None, None, 2 * MINUTE, 3 * HOUR, 20 * DAY]))
    def suspend(self, which: int, lasts: int | None) -> None:
        until = None if lasts is None else self.now + lasts
        body = {} if until is None else {"until": until}
        self._command(which, "suspend", body, until=until)

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, catch_up=st.sampled_from([None, "none", "latest", "all"]))
    def resume(self, which: int, catch_up: str | None) -> None:
        self._command(
            which, "resume", {"catch_up": catch_up} if catch_up else {}, catch_up=catch_up
        )

    @precondition(lambda self: self.stage is not None)
    @rule(which=some)
    def expire(self, which: int) -> None:
        self._command(which, "expire")

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, kill=st.booleans(), really=st.integers(0, 3))
    def delete(self, which: int, kill: bool, really: int) -> None:
        if really:  # or else most of a history is that of jobs that are gone
            return
        job = self._job(which)
        state = job.state
        expected = self.model.command(job, "delete", self.now, kill=kill)
        query = {"kill": "true"} if kill else {}
        assert self._stage("DELETE", f"/jobs/{job.id}", **query).status == expected
        self._after("delete", state)

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, policies=st.none() | policies, every=st.none() | periods)
    def update(self, which: int, policies: Policies | None, every: int | None) -> None:
        job = self._job(which)
        state = job.state
        policies, every = policies or job.policies, every or job.every
        same = (policies, every) == (job.policies, job.every)
        body = {"policies": policies.document(), "schedule": {"every": f"PT{every // SECOND}S"}}
        expected = self.model.command(job, "update", self.now, policies=policies, every=every)
        if same and expected == 200:
            job.verbs.pop()
        answer = self._stage("PATCH", f"/jobs/{job.id}", body)
        assert answer.status == expected, answer
        self._after("update", state)

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, back=st.none() | st.integers(-2, 30))
    def trigger(self, which: int, back: int | None) -> None:
        job, now = self._job(which), self.now
        state = job.state
        nominal = None if back is None else job.start + back * job.every
        answer = self._stage(
            "POST", f"/jobs/{job.id}/trigger", {} if nominal is None else {"nominal_ms": nominal}
        )
        assert answer.status == self._triggers(job, nominal), (answer, nominal)
        if answer.status == 201:
            at = answer.body["nominal_ms"]
            assert at == nominal if nominal is not None else now <= at < now + 2 * MINUTE
            assert at % SECOND or nominal is not None
            assert at not in job.instances
            job.add(at, now, manual=True, id_=answer.body["id"])
            job.verbs.append("TRIGGER")
        self._after("trigger", state)

    def _triggers(self, job: Job, nominal: int | None) -> int:
        if job.state == "DELETED":
            return 409
        if nominal is None:
            return 201
        if nominal not in job.times(nominal, nominal + 1):
            return 400
        if nominal in job.instances:
            return 409
        return 400 if job.state == "SCHEDULED" and nominal >= job.cursor else 201

    @precondition(lambda self: self.stage is not None)
    @rule(which=some)
    def kill(self, which: int) -> None:
        one = self._instance(which)
        if one is not None:
            self._on(one, "kill", self.model.kill(one, self.now))

    @precondition(lambda self: self.stage is not None)
    @rule(which=some)
    def skip(self, which: int) -> None:
        one = self._instance(which)
        if one is not None:
            self._on(one, "skip", self.model.skip(one))

    @precondition(lambda self: self.stage is not None)
    @rule(which=some)
    def rerun(self, which: int) -> None:
        one = self._instance(which)
        if one is not None:
            self._on(one, "rerun", self.model.rerun(one, self.now))

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, verb=st.sampled_from(["kill", "skip", "rerun"]))
    def many(self, which: int, verb: str) -> None:
        """All of a job that the verb is for."""
        job = self._job(which)
        states = {"kill": ("WAITING", *IN_FLIGHT), "skip": ("WAITING",)}.get(
            verb, ("FAILED", "TIMED_OUT", "KILLED")
        )
        chosen = [one for one in job.instances.values() if one.id and one.state in states]
        changed = [one for one in chosen if verb != "kill" or one.stop != "KILL"]
        if verb == "rerun" and job.state == "DELETED":
            changed = []
        for one in sorted(changed, key=lambda each: each.id):
            if verb == "skip":
                self.model.skip(one)
            else:
                (self.model.kill if verb == "kill" else self.model.rerun)(one, self.now)
            job.verbs.append(verb.upper())
        answer = self._stage("POST", f"/instances/{verb}", {"filter": {"jobs": [job.id]}})
        told = answer.status, answer.body["changed"], answer.body["next"]
        assert told == (202, len(changed), None), (answer, changed)
        self._after(f"{verb} many", "")

    @precondition(lambda self: self.stage is not None)
    @rule()
    def pause(self) -> None:
        assert self._stage("POST", "/pause", {"reason": "an incident"}).status == 200
        self.model.pause(self.now)
        self._after("pause", "")

    @precondition(lambda self: self.stage is not None)
    @rule()
    def resume_all(self) -> None:
        assert self._stage("POST", "/resume", {}).status == 200
        self.model.resume_all(self.now)
        self._after("resume all", "")

    @precondition(lambda self: self.stage is not None)
    @rule(size=st.integers(0, 3))
    def set_group(self, size: int) -> None:
        assert self._stage("PUT", "/groups/g", {"size": size}).status == 200
        self.model.groups["g"] = size
        self._after("set group", "")

    # ---- what the world does

    @precondition(lambda self: self.stage is not None)
    @rule(jump=st.sampled_from(JUMPS))
    def time_passes(self, jump: int) -> None:
        self._stage.world.clock.now += jump
        self._after("time passes", "")

    @precondition(lambda self: self.stage is not None)
    @rule(jump=st.sampled_from(JUMPS))
    def the_alarm_is_late(self, jump: int) -> None:
        """What comes next finds a world in which nothing happened since."""
        self._stage.world.clock.now += jump
        COUNTED["rules"] += 1

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, outcome=st.sampled_from(ENDS))
    def a_run_ends(self, which: int, outcome: Outcome) -> None:
        flying = [one for one in self.model.instances if one.state in IN_FLIGHT and one.id]
        if flying:
            token = self.watcher.docs[flying[which % len(flying)].id]["token"]
            self._stage.puppets.endings[token] = outcome
            self._stage.world.clock.now += 31 * SECOND
            self._after("a run ends", "")

    @precondition(lambda self: self.stage is not None)
    @rule(which=some, mode=st.sampled_from(["accept", "accept", *LAUNCHES]), deaf=st.booleans())
    def a_target_changes(self, which: int, mode: str, deaf: bool) -> None:
        name = self._job(which).name
        self._stage.puppets.modes[name] = mode
        (self._stage.puppets.deaf.add if deaf else self._stage.puppets.deaf.discard)(name)
        COUNTED["rules"] += 1

    # ---- around them

    @property
    def _stage(self) -> Stage:
        assert self.stage is not None
        return self.stage

    @property
    def now(self) -> int:
        return self._stage.now

    def _job(self, which: int) -> Job:
        return self.model.jobs[which % len(self.model.jobs)]

    def _instance(self, which: int) -> Instance | None:
        """The newest are asked for more often: the others have ended long ago."""
        known = sorted(
            (one for one in self.model.instances if one.id),
            key=lambda one: (one.state in TERMINAL, -one.nominal, one.id),
        )
        return known[which % len(known)] if known else None

    def _command(self, which: int, verb: str, body: Any = None, **how: Any) -> None:
        job = self._job(which)
        state = job.state
        expected = self.model.command(job, verb, self.now, **how)
        answer = self._stage("POST", f"/jobs/{job.id}/{verb}", body)
        assert answer.status == expected, (verb, state, answer)
        self._after(verb, state)

    def _on(self, one: Instance, verb: str, expected: int) -> None:
        before = self.watcher.docs[one.id]
        answer = self._stage("POST", f"/instances/{one.id}/{verb}", {})
        assert answer.status == expected, (verb, one, answer)
        stopped = before["stop"] and before["stop"]["kind"] == "KILL"
        nothing_new = verb == "kill" and expected == 202 and stopped
        repeated = (
            expected == 200
            and answer.body["run"] == before["run"]
            and (before["state"] == answer.body["state"])
        )
        if expected < 300 and not nothing_new and not repeated:
            one.job.verbs.append(verb.upper())
        self._after(verb, before["state"])

    def _after(self, what: str, state: str) -> None:
        COUNTED["rules"] += 1
        COUNTED[f"{what} {state}".strip()] += 1
        try:
            self.watcher.step()
        except BaseException:
            self.broken = True
            raise

    def _end(self) -> None:
        """After all deadlines everything is terminal, nothing holds anything, and history is whole."""
        stage = self._stage
        stage.puppets.modes.clear()
        stage.puppets.deaf.clear()
        stage.puppets.otherwise = Succeeded()
        self.resume_all()
        self.set_group(9)
        for job in list(self.model.jobs):
            if job.state != "DELETED":
                self._command(self.model.jobs.index(job), "expire")
        for _ in range(LAST_STEPS):
            if all(one.state in TERMINAL for one in self.model.instances):
                break
            stage.world.clock.now += 2 * MINUTE
            self.watcher.step()
        for job in self.model.jobs:
            assert_settled(self.store, job.id)
        self.watcher.compare_history()


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _nobody() -> Any:
    raise Unavailable("the test is over")


EXAMPLES = int(os.environ.get("NOONDAY_TEST_MODEL", "0"))


def live(histories: int, give: Callable[[], SqlStore]) -> None:
    profile = settings(
        max_examples=EXAMPLES or histories,
        stateful_step_count=60 if EXAMPLES else 35,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=bool(EXAMPLES),
        report_multiple_bugs=False,
    )
    machine = type("Life", (Life,), {"open_store": staticmethod(give)})
    run_state_machine_as_test(machine, settings=profile)


def test_on_sqlite() -> None:
    def give() -> SqlStore:
        store = open_store("sqlite://")
        store.migrate(BEGIN)
        return store

    live(80, give)


def test_on_mariadb(mariadb: Server) -> None:
    live(15, lambda: open_store(mariadb.empty(0)))
