"""A thousand instances that wait cost a bounded number of statements a round, round after round."""

from __future__ import annotations

import pytest

from chalicelib.engine import commands
from chalicelib.engine.checking import check_waiting
from chalicelib.engine.ports import Lane
from chalicelib.engine.sweep import sweep_second
from chalicelib.model.instants import format_instant
from chalicelib.model.job import Job
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore
from tests.engine.counting import CountingDriver, counted
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

BATCH = 100  # so many travel in a message
LONGEST_POLL_MS = 5 * MINUTE
A_BATCH = 12  # statements of the check of a message
A_SWEEP = 16  # of a sweep that hands out whatever is due
PRIVATE = "orders/${nominal_time:%Y-%m-%dT%H%M}"  # each waits for something else


@pytest.mark.parametrize("waiting", [10, 1000])
def test_a_round_of_checks_costs_some_statements_a_message(world: World, waiting: int) -> None:
    store = world.engine.store
    assert isinstance(store, SqlStore)
    counting, driver = counted(store)
    world = World(counting)
    job = commands.submit(
        world.engine,
        ADMIN,
        a_definition(
            name="waits",
            schedule={
                "every": "PT1M",
                "start": format_instant(NOON - waiting * MINUTE),
                "end": format_instant(NOON),
            },
            prerequisites=[{"data": PRIVATE}],
            policies={"catch_up": {"limit": waiting}, "timeouts": {"wait": "PT240H"}},
        ),
        schedule=True,
    )
    assert isinstance(job, Job)
    while swept(world, driver) or any(checked(world, driver)):
        pass
    for number in range(3):
        world.clock.now += LONGEST_POLL_MS
        messages, sweeps = [], 0
        while cost := swept(world, driver):
            sweeps += 1
            assert cost <= A_SWEEP
            messages += checked(world, driver)
        assert max(messages) <= A_BATCH, messages
        assert len(messages) <= -(-waiting // BATCH) + sweeps, f"round {number}"
    world.clock.now += 1  # nobody is due: one question
    driver.count = 0
    sweep_second(world.engine, arm_until_ms=0, seconds_left=30)
    assert driver.count == 1
    states = {one.state for one in instances_of(store, job.id)}
    assert (states, len(instances_of(store, job.id))) == ({InstanceState.WAITING}, waiting)


def swept(world: World, driver: CountingDriver) -> int:
    """Statements of a sweep; 0 when it handed nothing out, and all is done for now."""
    world.queue.messages.clear()
    driver.count = 0
    sweep_second(world.engine, arm_until_ms=0, seconds_left=30)
    return driver.count if world.queue.messages else 0


def checked(world: World, driver: CountingDriver) -> list[int]:
    """Statements of the check of each message that a queue makes of what was handed out."""
    handed = [one for lane, one in world.queue.messages if lane is Lane.CHECK]
    found = []
    for start in range(0, len(handed), BATCH):
        driver.count = 0
        check_waiting(world.engine, handed[start : start + BATCH])
        found.append(driver.count)
    return found
