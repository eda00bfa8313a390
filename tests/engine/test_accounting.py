"""Whatever happens in whatever order, each nominal time ends as exactly what the policies of its moment say.

The expected is computed from the schedule's arithmetic alone, one nominal time at a time; outages, commands,
updates and a clock that jumps in both directions come at random.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.engine import commands
from chalicelib.model.definition import Definition
from chalicelib.model.errors import WrongState
from chalicelib.model.job import Job
from chalicelib.schedule import compile_schedule, fires
from chalicelib.store import open_store
from tests.engine.history import instances_of, skips_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

EXAMPLES = int(os.environ.get("NOONDAY_TEST_MODEL", "0"))
OWNER = "default"
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
START = "2025-12-30T00:00:00Z"
BERLIN, YORK = "Europe/Berlin", "America/New_York"
SCHEDULES: tuple[dict[str, str], ...] = (
    {"every": "PT17M", "cron": ""},
    {"every": "PT5H", "cron": ""},
    {"cron": "0 30 2,14 * * ?", "timezone": BERLIN},
    {"cron": "0 0/40 8-18 ? * MON-FRI", "timezone": YORK},
    {"frequency": "DAILY", "cron": "", "timezone": YORK},
)
CATCH_UPS: tuple[dict[str, Any], ...] = (
    {"mode": "all", "limit": 10_000},
    {"mode": "all", "limit": 3},
    {"mode": "all", "limit": 4, "window": "PT12H"},
    {"mode": "latest"},
    {"mode": "latest", "window": "PT1H"},
    {"mode": "none"},
)
WINDOWS = {"PT12H": 12 * HOUR, "PT1H": HOUR, None: None}

moves = st.one_of(
    st.tuples(st.just("sweep"), st.sampled_from([1, 59_999, 20 * MINUTE, 9 * HOUR, 11 * DAY])),
    st.tuples(st.just("outage"), st.sampled_from([MINUTE, 7 * HOUR, 3 * DAY, 90 * DAY])),
    st.tuples(st.just("back"), st.sampled_from([1, HOUR, 2 * DAY])),
    st.tuples(st.just("suspend"), st.sampled_from([None, HOUR, 2 * DAY, 2 * DAY])),
    st.tuples(st.just("resume"), st.sampled_from([None, "all", "latest"])),
    st.tuples(st.just("policy"), st.sampled_from(CATCH_UPS)),
    st.tuples(st.just("schedule"), st.sampled_from(SCHEDULES)),
    st.tuples(st.sampled_from(["expire", "again"]), st.none()),
    st.tuples(st.just("quota"), st.sampled_from([None, 0, 2, 30])),
)


@dataclass
class Ledger:
    """What is expected: of each nominal time ``RUN``, or the reason why not.

    ``closed``: spans of the present suspension that an update in its midst has settled. ``room``: so many
    may be added to what waits.
    """

    definition: Definition
    cursor: int
    state: str = "SCHEDULED"
    since: int = 0
    until: int | None = None
    said: dict[int, str] = field(default_factory=dict)
    closed: list[tuple[int, int]] = field(default_factory=list)
    room: int = 1_000_000

    def times(self, low: int, high: int) -> list[int]:
        timetable = compile_schedule(self.definition.schedule, submitted_ms=NOON)
        found = []
        for at in fires(timetable, low - 1):
            if at >= high:
                break
            found.append(at)
        return found

    def settle(self, high: int, now: int) -> None:
        if high <= self.cursor:
            return
        low, self.cursor = self.cursor, high
        if self.state == "SUSPENDED":
            end = high if self.until is None else max(low, min(high, self.until))
            self.said |= dict.fromkeys(self.times(low, end), "SUSPENDED")
            low = end
        elif self.state == "EXPIRED":
            self.said |= dict.fromkeys(self.times(low, high), "EXPIRED")
            return
        self._catch_up(low, high, now)

    def _catch_up(self, low: int, high: int, now: int) -> None:
        policy = self.definition.policies.catch_up
        window = MINUTE if policy.mode == "none" else WINDOWS[policy.window]
        many = 1 if policy.mode == "latest" else policy.limit
        for at in reversed(self.times(low, high)):
            if window is not None and at < now - window:
                self.said[at] = "CATCH_UP_NONE" if policy.mode == "none" else "CATCH_UP_WINDOW"
            elif many:
                many -= 1
                self.said[at] = "RUN" if self._fits() else "QUOTA"
            else:
                self.said[at] = "CATCH_UP_LATEST" if policy.mode == "latest" else "CATCH_UP_LIMIT"

    def _fits(self) -> bool:
        self.room -= 1
        return self.room >= 0

    def resume(self, mode: str | None, now: int) -> None:
        kept: list[int] = []
        fresh: list[int] = []
        if mode is not None:
            end = now if self.until is None else min(now, self.until)
            many = 1 if mode == "latest" else self.definition.policies.catch_up.limit
            open_ = [at for at in self.times(self.since, end) if self._is_open(at)]
            kept = open_[-many:]
            fresh = self.times(self.cursor, end)
            full = "CATCH_UP_LATEST" if mode == "latest" else "CATCH_UP_LIMIT"
            self.said |= dict.fromkeys(fresh, full)
            self.cursor = max(self.cursor, end)
            self.state = "SCHEDULED"
        self.settle(now, now)
        for at in reversed(kept):
            if self._fits():
                self.said[at] = "RUN"
            elif at in fresh:
                self.said[at] = "QUOTA"
        self.state, self.until = "SCHEDULED", None

    def _is_open(self, at: int) -> bool:
        """Not settled, or settled as suspended; also what only the present schedule has."""
        if at >= self.cursor:
            return True
        return any(low <= at < high for low, high in self.closed)


class Story:
    def __init__(self) -> None:
        self.store = open_store("sqlite://")
        self.store.migrate(0)
        self.world = World(self.store)
        self.definition = a_definition(
            schedule={"every": "PT5H", "start": START},
            policies={"catch_up": {"mode": "all", "limit": 10_000}},
        )
        job = commands.submit(self.world.engine, ADMIN, self.definition, schedule=True)
        assert isinstance(job, Job)
        self.id = job.id
        self.ledger = Ledger(job.definition, job.cursor_ms)

    def happens(self, what: str, how: Any) -> None:
        owner = self.store.read(lambda reader: reader.waiting([OWNER])[OWNER])
        self.ledger.room = (100_000 if owner.most is None else owner.most) - owner.count
        match what:
            case "sweep":
                self.world.clock.now += how
                self._sweep()
            case "outage":
                self.world.clock.now += how
            case "back":
                self.world.clock.now -= how
            case "quota":
                commands.set_quotas(self.world.engine, ADMIN, OWNER, {"max_waiting": how})
            case _:
                self._asked(what, how, self.world.clock.now)

    def _asked(self, what: str, how: Any, now: int) -> None:
        ledger, engine = self.ledger, self.world.engine
        match what:
            case "suspend" if ledger.state in ("SCHEDULED", "SUSPENDED"):
                self._suspend(None if how is None else now + how, now)
            case "resume" if ledger.state == "SUSPENDED":
                self._note_closed()
                commands.resume(engine, ADMIN, self.id, catch_up=how)
                ledger.resume(how, now)
            case "policy":
                self._patch({"policies": {"catch_up": {"window": None, "limit": None, **how}}}, now)
            case "schedule":
                wanted = {"every": None, "frequency": None, "timezone": None, **how}
                self._patch(
                    {"schedule": {key: value or None for key, value in wanted.items()}}, now
                )
            case "expire" if ledger.state != "EXPIRED":
                commands.expire(engine, ADMIN, self.id)
                ledger.settle(now, now)
                ledger.state, ledger.until = "EXPIRED", None
            case "again" if ledger.state == "EXPIRED":
                try:
                    commands.schedule(engine, ADMIN, self.id)
                except WrongState:
                    return
                ledger.settle(now, now)
                ledger.state = "SCHEDULED"

    def _sweep(self) -> None:
        self.world.minute()
        self.world.queue.messages.clear()
        ledger, now = self.ledger, self.world.clock.now
        over = ledger.until is not None and ledger.until <= now
        if ledger.state == "SUSPENDED" and over:
            ledger.settle(now + 1, now)
            ledger.state, ledger.until = "SCHEDULED", None
        elif ledger.state == "SCHEDULED" and ledger.times(ledger.cursor, now + 1):
            ledger.settle(now + 1, now)

    def _suspend(self, until: int | None, now: int) -> None:
        ledger = self.ledger
        commands.suspend(self.world.engine, ADMIN, self.id, until_ms=until)
        over = ledger.until is not None and ledger.until <= now
        if ledger.state == "SUSPENDED" and until == ledger.until and not over:
            return
        ledger.settle(now, now)
        ended = ledger.until is not None and ledger.until < now
        if ledger.state == "SCHEDULED" or ended:
            ledger.since = now
        ledger.state, ledger.until = "SUSPENDED", until

    def _patch(self, patch: dict[str, Any], now: int) -> None:
        after = commands.patch(self.world.engine, ADMIN, self.id, patch)
        self.ledger.settle(now, now)
        self.ledger.definition = after.definition

    def _note_closed(self) -> None:
        ledger = self.ledger
        ledger.closed = [
            (max(one.from_ms, ledger.since), one.to_ms)
            for one in skips_of(self.store, self.id)
            if one.reason == "SUSPENDED"
        ]

    def judge(self) -> None:
        rows = instances_of(self.store, self.id)
        ranges = skips_of(self.store, self.id)
        assert all(a.to_ms <= b.from_ms for a, b in pairwise(ranges))
        ran = {one.nominal_ms for one in rows}
        assert ran == {at for at, what in self.ledger.said.items() if what == "RUN"}
        for at, what in self.ledger.said.items():
            if at not in ran:
                assert [one.reason for one in ranges if one.from_ms <= at < one.to_ms] == [what]
        self.store.close()


@settings(
    max_examples=EXAMPLES or 250,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(moves, min_size=6, max_size=16))
def test_each_nominal_time_ends_as_its_moment_says(story: list[tuple[str, Any]]) -> None:
    told = Story()
    for what, how in story:
        told.happens(what, how)
    told.judge()
