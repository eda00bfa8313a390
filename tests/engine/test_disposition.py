"""Every nominal time of a span ends as an instance or in one skip range, whatever the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.disposition import armed, dispose
from chalicelib.model.states import JobState
from tests.engine.builders import a_job
from tests.engine.world import MINUTE, NOON

HOUR = 60 * MINUTE


def with_catch_up(catch_up: Any, **changes: Any) -> Any:
    return a_job({"policies": {"catch_up": catch_up}}, **changes)


def test_a_span_without_trouble_becomes_instances() -> None:
    found = dispose(a_job(), NOON + 3 * MINUTE, NOON + 3 * MINUTE)
    assert [one.nominal_ms for one in found.instances] == [NOON + k * MINUTE for k in range(3)]
    assert found.skipped == ()
    assert found.job.cursor_ms == NOON + 3 * MINUTE


def test_the_span_is_half_open() -> None:
    assert dispose(a_job(), NOON, NOON).instances == ()
    assert len(dispose(a_job(), NOON + 1, NOON).instances) == 1


def test_the_cursor_never_goes_back() -> None:
    job = a_job(cursor_ms=NOON + HOUR)
    assert dispose(job, NOON + MINUTE, NOON).job == job


@pytest.mark.parametrize(
    ("catch_up", "kept", "reason"),
    [
        ("all", 100, "CATCH_UP_LIMIT"),
        ({"mode": "all", "limit": 7}, 7, "CATCH_UP_LIMIT"),
        ("latest", 1, "CATCH_UP_LATEST"),
        ("none", 1, "CATCH_UP_NONE"),
        ({"mode": "all", "window": "PT5M"}, 5, "CATCH_UP_WINDOW"),
    ],
)
def test_after_an_outage_the_newest_are_kept_and_the_rest_is_one_range(
    catch_up: Any, kept: int, reason: str
) -> None:
    now = NOON + 10 * HOUR
    found = dispose(with_catch_up(catch_up), now, now)
    assert len(found.instances) == kept
    assert found.instances[-1].nominal_ms == now - MINUTE
    [skip] = found.skipped
    assert (skip.from_ms, skip.to_ms) == (NOON, found.instances[0].nominal_ms)
    assert skip.reason == reason


def test_ten_years_of_a_minutely_job_cost_the_limit() -> None:
    now = NOON + 3653 * 24 * HOUR
    found = dispose(a_job(), now, now)
    assert len(found.instances) == 100
    assert len(found.skipped) == 1


@pytest.mark.parametrize("state", [JobState.SUSPENDED, JobState.EXPIRED])
def test_what_does_not_fire_is_skipped_with_the_state_as_its_reason(state: JobState) -> None:
    found = dispose(a_job(state=state), NOON + HOUR, NOON + HOUR)
    assert found.instances == ()
    assert [(skip.from_ms, skip.to_ms, skip.reason) for skip in found.skipped] == [
        (NOON, NOON + HOUR, state.value)
    ]


def test_a_range_without_a_nominal_time_is_not_written() -> None:
    job = a_job(state=JobState.SUSPENDED, cursor_ms=NOON + 1)
    assert dispose(job, NOON + MINUTE, NOON + MINUTE).skipped == ()


def test_a_new_job_accounts_for_nothing() -> None:
    job = a_job(state=JobState.NEW)
    assert dispose(job, NOON + HOUR, NOON + HOUR).job == job


def test_the_last_nominal_time_expires_the_job() -> None:
    schedule = {"every": "PT1M", "start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:02:00Z"}
    job = a_job({"schedule": schedule})
    assert armed(job).wake_ms == NOON
    after = armed(replace(job, cursor_ms=NOON + MINUTE + 1))
    assert (after.state, after.wake_ms) == (JobState.EXPIRED, None)
