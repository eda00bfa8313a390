"""Clocks: one corrected by the database, one moved by hand."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field

import pytest

from chalicelib.entropy import SystemChance, SystemIds
from chalicelib.local.manual_clock import ManualClock
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.clock import CorrectedClock, NotQuiet


@dataclass
class World:
    """A wall clock, a stop watch and a database's clock."""

    wall_ms: int = 1_000_000
    watch_s: float = 0.0
    database_ms: int | None = 1_000_000
    asked: int = 0

    def database(self) -> int:
        self.asked += 1
        if self.database_ms is None:
            raise Unavailable("the database is away")
        return self.database_ms

    def clock(self) -> CorrectedClock:
        return CorrectedClock(
            self.database,
            wall=lambda: self.wall_ms,
            monotonic=lambda: self.watch_s,
            beside=lambda sample: sample(),
        )


def test_now_is_the_databases_now() -> None:
    world = World(database_ms=1_005_000)
    clock = world.clock()
    assert clock.now_ms() == 1_005_000
    world.wall_ms += 10
    assert clock.now_ms() == 1_005_010


def test_the_database_is_asked_at_the_start_and_then_once_a_minute() -> None:
    world = World()
    clock = world.clock()
    for _ in range(100):
        clock.now_ms()
    assert world.asked == 1
    world.watch_s, world.database_ms = 61.0, 1_000_500
    assert clock.now_ms() == 1_000_500
    clock.now_ms()
    assert world.asked == 2


def test_while_the_database_is_away_the_last_correction_holds() -> None:
    world = World(database_ms=1_005_000)
    clock = world.clock()
    world.watch_s, world.database_ms = 61.0, None
    assert clock.now_ms() == 1_005_000
    world.watch_s, world.database_ms = 122.0, 1_006_000
    assert clock.now_ms() == 1_006_000


def test_an_answer_that_was_long_on_its_way_is_not_believed() -> None:
    world = World(database_ms=1_005_000)
    clock = world.clock()
    world.watch_s = 61.0
    answer = world.database

    def slow() -> int:
        world.watch_s += 5
        return answer() + 99_000

    clock._database_now_ms = slow
    assert clock.now_ms() == 1_005_000


def test_of_a_first_answer_that_had_to_connect_and_a_second_the_quicker_is_believed() -> None:
    world = World(database_ms=1_000_000)
    answer = world.database

    def connecting() -> int:
        """A tenth of a second passes before it is asked, the first time."""
        passed_ms = 0 if world.asked else 100
        world.wall_ms += passed_ms
        world.watch_s += passed_ms / 1000
        return answer() + 100

    world.database = connecting  # type: ignore[method-assign]
    clock = world.clock()
    assert world.asked == 2
    assert clock.now_ms() == world.wall_ms == 1_000_100


def test_whoever_wants_the_time_does_not_wait_for_the_database() -> None:
    asked, answer = threading.Event(), threading.Event()
    watch_s, calls = [0.0], []

    def slow() -> int:
        calls.append(threading.current_thread())
        if len(calls) > 1:
            asked.set()
            answer.wait(10)
        return 1_000

    clock = CorrectedClock(slow, wall=lambda: 1_000, monotonic=lambda: watch_s[0])
    watch_s[0] = 61.0
    assert clock.now_ms() == 1_000
    assert asked.wait(10)
    assert clock.now_ms() == 1_000
    answer.set()
    assert calls[0] is threading.current_thread()
    assert len(calls) == 2


@dataclass
class Plan:
    """What is due when; ringing at a time takes what is due then and notes it."""

    due: list[int]
    clock: ManualClock
    rung: list[int] = field(default_factory=list)
    busy: bool = False
    stuck: bool = False

    def next_wake(self, before_ms: int) -> int | None:
        return min((at for at in self.due if at < before_ms), default=None)

    def ring(self, wait_s: float) -> bool:
        assert wait_s > 0
        self.rung.append(self.clock.now_ms())
        if not self.stuck:
            self.due = [at for at in self.due if at > self.clock.now_ms()]
        return True

    def quiet(self, wait_s: float) -> bool:
        assert wait_s > 0
        return not self.busy


def planned(*due: int) -> tuple[ManualClock, Plan]:
    clock = ManualClock(1_000)
    plan = Plan(list(due), clock)
    clock.attach(plan)
    return clock, plan


def test_everything_due_on_the_way_happens_at_its_own_time() -> None:
    clock, plan = planned(5_000, 3_000, 9_000)
    clock.move_to(6_000, wait_s=1)
    assert plan.rung == [3_000, 5_000, 6_000]
    assert clock.now_ms() == 6_000
    assert plan.due == [9_000]


def test_what_is_late_happens_now() -> None:
    clock, plan = planned(500)
    clock.move_to(2_000, wait_s=1)
    assert plan.rung == [1_000, 2_000]


def test_time_does_not_go_back() -> None:
    clock, _ = planned()
    with pytest.raises(ValueError, match="forward only"):
        clock.move_to(999, wait_s=1)


def test_while_runs_are_at_work_time_stands_where_they_began() -> None:
    clock, plan = planned(3_000, 5_000)
    plan.busy = True
    with pytest.raises(NotQuiet, match="wait_seconds: 0"):
        clock.move_to(9_000, wait_s=1)
    assert clock.now_ms() == 3_000
    clock.move_to(9_000, wait_s=0)
    assert clock.now_ms() == 9_000


def test_what_stays_due_does_not_hold_time_up_for_ever() -> None:
    clock, plan = planned(3_000)
    plan.stuck = True
    clock.move_to(9_000, wait_s=1)
    assert clock.now_ms() == 9_000


def test_a_long_way_is_gone_in_several_moves() -> None:
    watch = itertools.count(step=8)
    clock = ManualClock(1_000, monotonic=lambda: float(next(watch)))
    plan = Plan([2_000, 3_000, 4_000, 5_000], clock)
    clock.attach(plan)
    with pytest.raises(NotQuiet, match="1970-01-01T00:00:04Z; move on from there"):
        clock.move_to(9_000, wait_s=1)
    assert clock.now_ms() == 4_000
    clock.move_to(9_000, wait_s=1)
    assert plan.rung == [2_000, 3_000, 4_000, 5_000, 9_000]


class Still:
    def now_ms(self) -> int:
        return 1_700_000_000_000


def test_ids_grow_even_when_time_stands() -> None:
    ids = SystemIds(Still())
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(set(made))
    assert all(len(one) == 32 and int(one[:12], 16) == Still().now_ms() for one in made)
    assert len({ids.secret() for _ in range(100)}) == 100


def test_chance_stays_within_its_bounds() -> None:
    chance = SystemChance()
    assert all(2.0 <= chance.between(2.0, 3.0) < 3.0 for _ in range(1000))
