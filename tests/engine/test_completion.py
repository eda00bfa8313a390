"""What follows from an outcome, one instance at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.engine.completion import Followed, follow, retried, retry_delay_ms
from chalicelib.engine.deciding import Standing, decide
from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Refused,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.engine.stopping import request_stop
from chalicelib.model.definition import Policies, Retries
from chalicelib.model.instance import Claim
from chalicelib.model.states import TERMINAL, InstanceKind, InstanceState, JobState, StopKind
from tests.engine.builders import a_job, an_instance
from tests.engine.world import MINUTE, NOON

LAUNCHING, LAUNCHED, RUNNING = (
    InstanceState.LAUNCHING,
    InstanceState.LAUNCHED,
    InstanceState.RUNNING,
)


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("outcome", [Succeeded(), Failed("late"), Launched("x"), Stopped()])
def test_a_run_that_has_ended_stays_as_it_ended(state: InstanceState, outcome: Outcome) -> None:
    before = an_instance(state)
    assert follow(before, outcome, NOON) == Followed(before)


@pytest.mark.parametrize("state", [LAUNCHING, LAUNCHED, RUNNING])
def test_an_end_frees_the_slot_and_leaves_nothing_to_look_at(state: InstanceState) -> None:
    after = follow(an_instance(state), Succeeded("out.csv"), NOON + 1).instance
    assert after.state is InstanceState.SUCCEEDED
    assert (after.active, after.wake_ms, after.ended_ms) == (False, None, NOON + 1)
    assert after.result_path == "out.csv"


def test_a_lost_answer_decides_nothing() -> None:
    before = an_instance(LAUNCHING)
    assert follow(before, Unknown("timeout"), NOON).instance is before


def test_a_refusal_keeps_the_run_and_its_slot() -> None:
    after = follow(an_instance(LAUNCHING), Refused("throttled"), NOON).instance
    assert after.state is InstanceState.WAITING
    assert (after.active, after.run, after.waiting_on) == (True, 1, "throttled")


def test_the_runs_own_end_wins_over_a_stop_request() -> None:
    asked = request_stop(an_instance(RUNNING), StopKind.KILL, "ada", None, NOON)
    assert follow(asked, Succeeded(), NOON).instance.state is InstanceState.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "state", "may_retry"),
    [
        (StopKind.KILL, InstanceState.KILLED, False),
        (StopKind.TIME_OUT, InstanceState.TIMED_OUT, True),
    ],
)
def test_a_confirmed_stop_ends_as_requested(
    kind: StopKind, state: InstanceState, may_retry: bool
) -> None:
    asked = request_stop(an_instance(RUNNING), kind, "ada", None, NOON)
    followed = follow(asked, Stopped(), NOON)
    assert (followed.instance.state, followed.may_retry) == (state, may_retry)


@pytest.mark.parametrize(
    ("kind", "state", "may_retry"),
    [
        (StopKind.KILL, InstanceState.KILLED, False),
        (StopKind.REPLACE, InstanceState.KILLED, False),
        (StopKind.TIME_OUT, InstanceState.TIMED_OUT, True),
    ],
)
def test_a_stop_that_meets_a_refusal_has_nothing_left_to_stop(
    kind: StopKind, state: InstanceState, may_retry: bool
) -> None:
    """It would wait for another launch else, only to be cancelled before it began."""
    asked = request_stop(an_instance(LAUNCHING), kind, "ada", None, NOON)
    followed = follow(asked, Refused("no room"), NOON)
    assert (followed.instance.state, followed.may_retry) == (state, may_retry)
    assert not followed.instance.active


def test_a_killed_run_that_fails_is_not_tried_again() -> None:
    asked = request_stop(an_instance(RUNNING), StopKind.KILL, "ada", None, NOON)
    assert not follow(asked, Failed("terminated"), NOON).may_retry


def test_a_retry_is_a_new_run_that_keeps_the_slot() -> None:
    policies = Policies(retries=Retries(max_attempts=2, delay="PT10S", jitter=0))
    failed = follow(an_instance(RUNNING), Failed("boom"), NOON).instance
    again = retried(failed, policies, NOON)
    assert (again.state, again.run, again.attempt, again.active) == (
        InstanceState.WAITING,
        2,
        2,
        True,
    )
    assert again.wake_ms == NOON + 10_000
    assert again.token != failed.token
    assert again.error is None
    assert retried(replace(failed, attempt=2), policies, NOON).state is InstanceState.FAILED


def test_delays_grow_up_to_their_limit_and_are_the_same_at_every_repeat() -> None:
    retries = Retries(max_attempts=9, delay="PT10S", factor=3.0, max_delay="PT1M", jitter=0)
    delays = [retry_delay_ms(an_instance(attempt=n), retries, n) for n in range(1, 5)]
    assert delays == [10_000, 30_000, 60_000, 60_000]
    spread = Retries(delay="PT10S", jitter=0.5)
    first, second = (retry_delay_ms(an_instance(run=2), spread, 1) for _ in range(2))
    assert first == second
    assert 5_000 <= first <= 15_000


def test_a_held_lease_is_left_alone_and_a_lost_one_is_claimed_with_a_new_epoch() -> None:
    held = an_instance(LAUNCHING)
    assert decide(held, a_job(), Policies(), Standing(active=1), NOON) is held
    again = decide(held, a_job(), Policies(), Standing(active=1), NOON + MINUTE)
    assert again.claim == Claim(epoch=2, lease_ms=NOON + 2 * MINUTE, count=2)
    assert again.token == held.token


def test_after_five_claims_without_an_outcome_the_run_is_lost() -> None:
    tired = an_instance(LAUNCHING, claim=Claim(epoch=5, lease_ms=NOON, count=5))
    after = decide(tired, a_job(), Policies(), Standing(active=1), NOON + MINUTE)
    assert (after.state, after.reason) == (InstanceState.FAILED, "LAUNCH_LOST")


def test_a_suspended_job_holds_what_its_schedule_made_and_not_what_a_person_asked_for() -> None:
    job = a_job(state=JobState.SUSPENDED)
    held = decide(an_instance(job=job), job, Policies(), Standing(), NOON)
    assert (held.state, held.wake_ms, held.active) == (InstanceState.WAITING, None, False)
    manual = an_instance(job=job, kind=InstanceKind.MANUAL)
    assert decide(manual, job, Policies(), Standing(), NOON).state is LAUNCHING


@pytest.mark.parametrize(
    ("overlap", "active", "state"),
    [
        ("allow", 1, LAUNCHING),
        ("allow", 2, InstanceState.WAITING),
        ("queue", 1, InstanceState.WAITING),
        ("skip", 1, InstanceState.SKIPPED),
        ("skip", 0, LAUNCHING),
    ],
)
def test_overlap(overlap: str, active: int, state: InstanceState) -> None:
    job = a_job({"policies": {"overlap": overlap, "max_active": 2}})
    after = decide(an_instance(), job, Policies(), Standing(active=active), NOON)
    assert after.state is state
