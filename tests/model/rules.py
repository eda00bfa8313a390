"""The rules of Noonday, said once more in the plainest way, from the design and not from the engine.

What a person asks for and what time does are foretold here exactly; who launches when is read from the
targets' record and must have been allowed. A broken rule is an AssertionError that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    Stopped,
    Succeeded,
    Unknown,
)
from tests.model.stage import Call

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
LEASE = MINUTE
LOOK = 30 * SECOND
CONFIRM = 5 * MINUTE
LOST_AFTER = 5
IN_FLIGHT = ("LAUNCHING", "LAUNCHED", "RUNNING")
TERMINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "KILLED", "SKIPPED")

JOB_MOVES: Mapping[str, Mapping[str, str]] = {
    "schedule": {"NEW": "SCHEDULED", "SCHEDULED": "SCHEDULED", "EXPIRED": "SCHEDULED"},
    "suspend": {"SCHEDULED": "SUSPENDED", "SUSPENDED": "SUSPENDED"},
    "resume": {"SCHEDULED": "SCHEDULED", "SUSPENDED": "SCHEDULED"},
    "expire": dict.fromkeys(("NEW", "SCHEDULED", "SUSPENDED", "EXPIRED"), "EXPIRED"),
    "delete": dict.fromkeys(("NEW", "SCHEDULED", "SUSPENDED", "EXPIRED", "DELETED"), "DELETED"),
    "update": {name: name for name in ("NEW", "SCHEDULED", "SUSPENDED", "EXPIRED")},
}
STOPS = {
    "KILL": ("KILLED", "KILLED"),
    "TIME_OUT": ("TIMED_OUT", "RUN_TIMEOUT"),
    "REPLACE": ("KILLED", "REPLACED"),
}


@dataclass(frozen=True)
class Policies:
    """Those that the model knows; times in milliseconds."""

    overlap: str = "allow"
    max_active: int = 2
    catch_up: str = "all"
    limit: int = 3
    window: int | None = None
    attempts: int = 1
    launch_attempts: int = 2
    delay: int = MINUTE
    wait: int = DAY
    run: int = DAY
    suspend_after: int | None = None
    group: str | None = None

    @property
    def room(self) -> int:
        return self.max_active if self.overlap == "allow" else 1

    def document(self) -> dict[str, Any]:
        retry = {"factor": 2, "jitter": 0}
        return {
            "overlap": self.overlap,
            "max_active": self.max_active,
            "catch_up": {
                "mode": self.catch_up,
                "limit": self.limit,
                "window": None if self.window is None else _iso(self.window),
            },
            "retries": {
                **retry,
                "max_attempts": self.attempts,
                "delay": _iso(self.delay),
                "launch": {
                    **retry,
                    "max_attempts": self.launch_attempts,
                    "delay": _iso(self.delay),
                },
            },
            "timeouts": {"wait": _iso(self.wait), "run": _iso(self.run)},
            "on_failure": {"suspend_after": self.suspend_after},
            "group": self.group,
        }

    def submitted(self) -> dict[str, Any]:
        """In a patch null takes away; in a new definition what is not said is not there."""
        written = {name: value for name, value in self.document().items() if value is not None}
        if self.suspend_after is None:
            written["on_failure"] = {}
        if self.window is None:
            del written["catch_up"]["window"]
        return written


def _iso(ms: int) -> str:
    return f"PT{ms // SECOND}S"


@dataclass(eq=False)
class Instance:
    """``deadline``: of its wait, then of its run. ``due``: when a retry or a refused launch may go on.

    ``since``: when it was ready first. ``asked``: when a person asked for its run. ``looked``: the last call.
    """

    id: str
    job: Job
    nominal: int
    manual: bool
    policies: Policies
    created: int
    deadline: int
    state: str = "WAITING"
    reason: str | None = None
    run: int = 1
    attempt: int = 1
    launch_attempt: int = 1
    active: bool = False
    held_place: bool = False
    asked: int | None = None
    due: int | None = None
    since: int | None = None
    stop: str | None = None
    stop_deadline: int = 0
    claims: int = 0
    looked: int = 0

    def __repr__(self) -> str:
        where = f"{self.job.name}@{self.nominal}"
        return f"<{where} run {self.run} {self.state} {self.reason} stop={self.stop}>"

    @property
    def waits(self) -> bool:
        return self.state == "WAITING"

    @property
    def held(self) -> bool:
        return self.waits and self.reason == "JOB_SUSPENDED"

    def gives_back(self, ms: int) -> None:
        """Its wait stood still for so long."""
        self.deadline += ms
        if self.since is not None:
            self.since += ms

    def ends(self, state: str, reason: str | None) -> None:
        self.state, self.reason = state, reason
        self.active = self.held_place = False
        self.due = None


@dataclass(eq=False)
class Job:
    """``every``: nominal times are at start, start + every, …, before ``end``."""

    id: str
    name: str
    kind: str
    start: int
    every: int
    end: int | None
    policies: Policies
    cursor: int
    state: str = "NEW"
    since: int = 0
    until: int | None = None
    streak: int = 0
    instances: dict[int, Instance] = field(default_factory=dict)
    skips: list[tuple[int, int, str]] = field(default_factory=list)
    fresh: list[range] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)

    def times(self, low: int, high: int) -> range:
        """The nominal times in [low, high)."""
        if self.end is not None:
            high = min(high, self.end)
        first = max(0, -((self.start - low) // self.every))
        return range(self.start + first * self.every, max(high, self.start), self.every)

    def next(self, low: int) -> int | None:
        return next(iter(self.times(low, low + 2 * self.every + max(0, self.start - low))), None)

    def dispose(self, until: int, now: int) -> None:
        """Account for [cursor, until) as the state demands."""
        if self.state in ("NEW", "DELETED") or until <= self.cursor:
            return
        low, self.cursor = self.cursor, until
        self.fresh.append(self.times(low, until))
        if self.state == "SUSPENDED":
            end = min(until, max(low, until if self.until is None else self.until))
            self._skip(low, end, "SUSPENDED")
            low = end
        elif self.state == "EXPIRED":
            self._skip(low, until, "EXPIRED")
            return
        self._catch_up(low, until, now)

    def _catch_up(self, low: int, high: int, now: int) -> None:
        policies = self.policies
        mode, window = policies.catch_up, policies.window
        if mode == "none":
            window = MINUTE
        floor = low if window is None else min(high, max(low, now - window))
        wanted = 1 if mode == "latest" else policies.limit
        kept = [at for at in self.times(low, high)[-wanted:] if at >= floor]
        for at in kept:
            self.add(at, now, manual=False)
        self._skip(low, floor, "CATCH_UP_NONE" if mode == "none" else "CATCH_UP_WINDOW")
        many = "CATCH_UP_LATEST" if mode == "latest" else "CATCH_UP_LIMIT"
        self._skip(floor, kept[0] if kept else floor, many)

    def catch_up_suspension(self, mode: str, now: int) -> None:
        """What a resume asks for: the newest of the whole suspension, whatever was settled in its midst."""
        wanted = 1 if mode == "latest" else self.policies.limit
        low, high = self.cursor, now if self.until is None else min(now, self.until)
        spans = [
            (max(begin, self.since), end)
            for begin, end, reason in self.skips
            if reason == "SUSPENDED" and end > self.since
        ]
        missed: list[int] = []
        for begin, end in [*spans, (low, high)]:
            missed += self.times(begin, max(begin, end))[-wanted:]
        kept = sorted(missed)[-wanted:]
        for at in kept:
            self.add(at, now, manual=False)
        if low < high:
            self.fresh.append(self.times(low, high))
            self.cursor = high
            fresh = [at for at in kept if at >= low]
            self._skip(
                low,
                fresh[0] if fresh else high,
                f"CATCH_UP_{'LIMIT' if mode == 'all' else 'LATEST'}",
            )
        self.state = "SCHEDULED"
        self.dispose(now, now)

    def _skip(self, low: int, high: int, reason: str) -> None:
        if low < high and self.times(low, high):
            self.skips.append((low, high, reason))

    def add(self, nominal: int, now: int, *, manual: bool, id_: str = "") -> None:
        """An instance, unless that time has one."""
        if nominal not in self.instances:
            self.instances[nominal] = Instance(
                id_, self, nominal, manual, self.policies, now, now + self.policies.wait
            )

    def skip_reason(self, at: int) -> str | None:
        return next((reason for low, high, reason in self.skips if low <= at < high), None)

    @property
    def waiting(self) -> Iterator[Instance]:
        return (one for one in self.instances.values() if one.waits)

    @property
    def holders(self) -> int:
        return sum(one.active for one in self.instances.values())

    def hold(self) -> None:
        for one in self.waiting:
            if not one.manual and not one.held:
                one.reason, one.active, one.held_place, one.due = (
                    "JOB_SUSPENDED",
                    False,
                    False,
                    None,
                )

    def release(self, now: int, paused: int | None) -> None:
        """The time of a pause is given back at its end."""
        until = now if paused is None else min(now, paused)
        for one in self.waiting:
            if not one.manual and one.held:
                one.reason = None
                one.gives_back(max(0, until - max(one.created, self.since)))
        self.streak, self.until = 0, None

    def arm(self) -> None:
        """A calendar without a future has expired."""
        if self.state == "SCHEDULED" and self.next(self.cursor) is None:
            self.state = "EXPIRED"


@dataclass
class Model:
    """``paused``: since when all is."""

    jobs: list[Job] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    paused: int | None = None

    @property
    def instances(self) -> list[Instance]:
        return [one for job in self.jobs for one in job.instances.values()]

    def by_id(self, id_: str) -> Instance:
        return next(one for one in self.instances if one.id == id_)

    def in_group(self, name: str) -> int:
        return sum(one.held_place for one in self.instances if one.policies.group == name)

    # ---- commands on jobs: what they do, or that they are refused

    def command(self, job: Job, verb: str, now: int, **how: Any) -> int:
        """The status of the answer; what the command does is done."""
        after = JOB_MOVES[verb].get(job.state)
        if after is None:
            return 409
        if after == job.state and verb != "update" and not self._asks_anew(job, verb, now, how):
            return 200
        if not getattr(self, f"_{verb}")(job, now, **how):
            return 409
        job.verbs.append(verb.upper())
        return 200

    def _schedule(self, job: Job, now: int) -> bool:
        cursor = job.cursor if job.state == "NEW" else max(job.cursor, now)
        if job.next(cursor) is None:
            return False
        job.dispose(now, now)
        job.state = "SCHEDULED"
        return True

    def _asks_anew(self, job: Job, verb: str, now: int, how: Mapping[str, Any]) -> bool:
        """A suspension may be asked to last until another time."""
        over = job.until is not None and job.until <= now
        return verb == "suspend" and (over or how.get("until") != job.until)

    def _suspend(self, job: Job, now: int, *, until: int | None = None) -> bool:
        job.dispose(now, now)
        if job.state == "SUSPENDED" and job.until is not None and job.until < now:
            job.release(now, self.paused)
            job.state = "SCHEDULED"
        again = job.state == "SUSPENDED"
        job.state, job.until = "SUSPENDED", until
        if not again:
            job.since = now
            job.hold()
        return True

    def _resume(self, job: Job, now: int, *, catch_up: str | None = None) -> bool:
        if catch_up in ("all", "latest"):
            job.catch_up_suspension(catch_up, now)
        else:
            job.dispose(now, now)
        self._released(job, now, "SCHEDULED")
        return True

    def _released(self, job: Job, now: int, state: str) -> None:
        job.release(now, self.paused)
        job.state = state
        job.arm()

    def _expire(self, job: Job, now: int) -> bool:
        job.dispose(now, now)
        self._released(job, now, "EXPIRED")
        return True

    def _delete(self, job: Job, now: int, *, kill: bool = False) -> bool:
        job.dispose(now, now)
        job.state, job.until = "DELETED", None
        for one in list(job.waiting):
            one.ends("SKIPPED", "JOB_DELETED")
        for one in job.instances.values():
            if kill and one.state in IN_FLIGHT and one.stop in (None, "TIME_OUT"):
                self.ask_to_stop(one, "KILL", now)
        return True

    def _update(self, job: Job, now: int, *, policies: Policies, every: int) -> bool:
        job.dispose(now, now)
        if (policies, every) == (
            job.policies,
            job.every,
        ):  # no update, and what is next is found by a sweep
            return True
        job.policies, job.every = policies, every
        if job.state == "NEW":
            job.cursor = job.start
        job.arm()
        return True

    # ---- commands on everything

    def pause(self, now: int) -> None:
        self.paused = now if self.paused is None else self.paused

    def resume_all(self, now: int) -> None:
        """Waits have the time of the pause given back; what a suspension holds, the time before that."""
        if self.paused is None:
            return
        for one in self.instances:
            begin = max(one.created, self.paused)
            if one.held:
                one.gives_back(max(0, one.job.since - begin))
            elif one.waits:
                one.gives_back(now - begin)
        self.paused = None

    # ---- commands on instances: the status of the answer

    def kill(self, one: Instance, now: int) -> int:
        if one.waits:
            one.ends("KILLED", "KILLED")
            return 200
        if one.state in TERMINAL:
            return 200 if one.state == "KILLED" else 409
        if one.stop != "KILL":
            self.ask_to_stop(one, "KILL", now)
        return 202

    def skip(self, one: Instance) -> int:
        if one.waits:
            one.ends("SKIPPED", "SKIPPED")
        return 200 if one.state == "SKIPPED" else 409

    def rerun(self, one: Instance, now: int) -> int:
        if one.job.state == "DELETED" or one.state not in TERMINAL:
            return 409
        one.policies = one.job.policies
        one.attempt = one.launch_attempt = 1
        one.asked = now
        self._next_run(one, None, now)
        one.deadline = now + one.policies.wait
        return 200

    def ask_to_stop(self, one: Instance, kind: str, now: int) -> None:
        one.stop, one.stop_deadline = kind, now + CONFIRM

    def _next_run(self, one: Instance, reason: str | None, now: int) -> None:
        one.state, one.reason, one.run = "WAITING", reason, one.run + 1
        one.created, one.stop, one.claims, one.since = now, None, 0, None

    # ---- time

    def sweep(self, now: int) -> None:
        """What a sweep does without asking a target; while all is paused, only for runs in flight."""
        for job in self.jobs if self.paused is None else ():
            if job.state == "SUSPENDED" and job.until is not None and job.until <= now:
                job.dispose(now + 1, now)
                self._released(job, now, "SCHEDULED")
                if job.state == "EXPIRED":  # it is armed once more, after what is due
                    job.state = "SCHEDULED"
            if job.state == "SCHEDULED":
                if job.times(job.cursor, now + 1):
                    job.dispose(now + 1, now)
                job.arm()
        for one in self.instances:
            self._time_out(one, now)

    def _time_out(self, one: Instance, now: int) -> None:
        if one.waits:
            late = not one.held and one.deadline <= now and (one.due or 0) <= now
            if late and self.paused is None:
                one.ends("TIMED_OUT", "WAIT_TIMEOUT")
        elif one.state in IN_FLIGHT and one.stop and one.stop_deadline <= now:
            one.ends(STOPS[one.stop][0], "STOP_UNCONFIRMED")
            self.count([one], now)

    def count(self, ended: Iterable[Instance], now: int) -> None:
        """Series of failures, in order of nominal times."""
        touched: dict[str, tuple[Job, int]] = {}
        for one in sorted(ended, key=lambda each: (each.nominal, each.id)):
            if one.manual or one.job.policies.suspend_after is None:
                continue
            _, streak = touched.get(one.job.id, (one.job, one.job.streak))
            failed = one.state == "FAILED" or one.reason in ("RUN_TIMEOUT", "STOP_UNCONFIRMED")
            if one.state == "SUCCEEDED":
                touched[one.job.id] = (one.job, 0)
            elif failed and one.state != "KILLED":
                touched[one.job.id] = (one.job, streak + 1)
        for job, streak in touched.values():
            changed, job.streak = streak != job.streak, streak
            limit = job.policies.suspend_after
            if changed and limit is not None and streak >= limit and job.state == "SCHEDULED":
                self._suspend(job, now)

    # ---- what the targets saw

    def follow(self, calls: Iterable[Call], now: int, stops: Mapping[tuple[str, int], str]) -> None:
        """The calls of one delivery: each was allowed, and what it says follows.

        ``stops``: of each run, as what it is shown to have been asked to stop.
        """
        ended = []
        for call in calls:
            one = self.by_id(call.instance_id)
            assert call.run == one.run, f"{one}: {call.verb} of run {call.run}"
            assert one.state not in TERMINAL, f"{one} has ended, and its target was called: {call}"
            if call.verb in ("launch", "run"):
                self._launches(one, call, now)
            elif call.verb == "cancel":
                self._cancels(one, stops.get((one.id, one.run)), now)
            else:
                assert one.state in ("LAUNCHED", "RUNNING"), f"{one}: described"
            one.looked = now
            self._outcome(one, call.outcome, now)
            if one.state in TERMINAL:
                ended.append(one)
        self.count(ended, now)

    def _launches(self, one: Instance, call: Call, now: int) -> None:
        assert one.stop is None, f"{one}: launched although it was asked to stop"
        assert self.paused is None or one.state == "RUNNING", f"{one}: launched while all is paused"
        if one.state in IN_FLIGHT:
            assert one.claims, f"{one}: launched again without a reason"
            assert now >= one.looked + LEASE, f"{one}: launched again under somebody's lease"
        else:
            self._may_begin(one, now)
            one.since = one.since or now
            one.deadline = now + one.policies.run
            one.state, one.reason, one.due = "LAUNCHING", None, None
        one.claims += 1
        if call.verb == "run":
            one.state = "RUNNING"

    def _may_begin(self, one: Instance, now: int) -> None:
        job = one.job
        assert job.state != "DELETED", f"{one}: launched after its job was deleted"
        assert (one.due or 0) <= now, f"{one}: launched before its delay was over"
        if job.state == "SUSPENDED":
            assert self.may_run_suspended(one), f"{one}: launched during a suspension"
        if not one.active:
            assert job.holders < job.policies.room, f"{one}: {job.holders} are active already"
            one.active = True
        group = one.policies.group
        if group is not None and not one.held_place:
            assert group in self.groups, f"{one}: launched in a group that there is not"
            assert self.in_group(group) < self.groups[group], f"{one}: its group is full"
            one.held_place = True

    def may_run_suspended(self, one: Instance) -> bool:
        return one.manual or (one.asked is not None and one.asked >= one.job.since)

    def _cancels(self, one: Instance, shown: str | None, now: int) -> None:
        """``shown``: as what it was asked to stop in the end; a newer request replaces a time-out."""
        assert one.state in IN_FLIGHT, f"{one}: cancelled"
        for kind in (shown, "TIME_OUT", "KILL", "REPLACE"):
            if kind is not None and self.may_ask(one, kind, now):
                self.ask_to_stop(one, kind, now)
                break
        assert one.stop is not None, f"{one}: cancelled, and nobody had asked for it"

    def may_ask(self, one: Instance, kind: str | None, now: int) -> bool:
        """Whether Noonday itself may ask the run to stop."""
        if one.stop not in (None, "TIME_OUT"):
            return False
        if kind == "TIME_OUT":
            return one.stop is None and one.deadline <= now
        if kind == "KILL":  # it was claimed, nobody knows whether it began, and its job is gone
            return one.job.state == "DELETED" and one.state == "LAUNCHING"
        newer = (other for other in one.job.instances.values() if other.nominal > one.nominal)
        return one.job.policies.overlap == "replace" and any(newer)

    def _outcome(self, one: Instance, outcome: Outcome, now: int) -> None:
        match outcome:
            case Unknown():
                return
            case Launched():
                one.state, one.claims = "LAUNCHED", 0
            case Running():
                one.state, one.claims = "RUNNING", 0
            case Pending():
                one.claims = 0
            case Succeeded():
                one.ends("SUCCEEDED", None)
            case Refused() if one.stop is None:
                one.state, one.reason, one.claims, one.due = (
                    "WAITING",
                    "TARGET_REFUSED",
                    0,
                    now + LOOK,
                )
                one.deadline = (one.since or now) + one.policies.wait
            case Refused() | Stopped():
                assert one.stop is not None
                self._ends_or_again(one, *STOPS[one.stop], now, may=one.stop == "TIME_OUT")
            case Failed(_, retry):
                began = one.state in ("LAUNCHED", "RUNNING")
                reason = f"{'RUN' if began else 'LAUNCH'}_{'LOST' if outcome.lost else 'FAILED'}"
                may = retry and one.stop in (None, "TIME_OUT")
                self._ends_or_again(one, "FAILED", reason, now, may=may)

    def _ends_or_again(
        self, one: Instance, state: str, reason: str, now: int, *, may: bool
    ) -> None:
        of_launch = reason in ("LAUNCH_FAILED", "LAUNCH_LOST")
        tried = one.launch_attempt if of_launch else one.attempt
        budget = one.policies.launch_attempts if of_launch else one.policies.attempts
        if not may or tried >= budget or one.job.state == "DELETED":
            one.ends(state, reason)
            return
        one.attempt += not of_launch
        one.launch_attempt = one.launch_attempt + 1 if of_launch else 1
        self._next_run(one, "RETRY", now)
        one.due = one.since = now + one.policies.delay * 2 ** (tried - 1)
        one.deadline = one.due + one.policies.wait
