"""The arithmetic of the cost page: what is paid anyway, and what grows with the jobs."""

from __future__ import annotations

import pytest

from chalicelib.notifications.metrics import METRICS
from infra.capacity import MEMORY_GB
from infra.costs import (
    HOURS,
    SIZES_SHOWN,
    a_run,
    bearable,
    cost,
    level_with_mwaa,
    metrics,
    rows,
)
from infra.functions import SIZES
from infra.prices import PRICES, dollars


def test_database_and_egress_are_paid_from_the_first_job_on() -> None:
    none = cost(0, "db.t4g.small")
    assert none.database >= dollars("db.t4g.small") * HOURS
    assert none.egress == pytest.approx((0.045 + 0.005) * HOURS)
    assert none.scheduler == 0


def test_a_job_more_never_costs_less() -> None:
    totals = [cost(*size).total for size in SIZES_SHOWN]
    assert totals == sorted(totals)


def test_a_standby_costs_the_database_twice() -> None:
    one, two = cost(10, "db.m7g.large"), cost(10, "db.m7g.large", standby=True)
    secrets = 2 * dollars("secret")
    assert two.database - secrets == pytest.approx(2 * (one.database - secrets))


def test_scheduler_is_a_dollar_for_a_million_calls() -> None:
    assert cost(10_000, "db.m7g.large").scheduler == pytest.approx(7.3)


def test_every_class_shown_can_be_packaged_and_has_a_price() -> None:
    for _, instance in SIZES_SHOWN:
        assert instance in MEMORY_GB
        assert instance in PRICES
    assert len(list(rows())) == len(SIZES_SHOWN)


def test_values_of_dimensions_are_metrics_of_their_own() -> None:
    apart = [one for one in METRICS.values() if one.by]
    assert metrics() >= len(METRICS) + 2 * len(apart)


def test_the_limits_are_what_a_run_takes_of_them() -> None:
    run = a_run()
    an_hour = SIZES["launch"].concurrency * 3600 / run.launch_s
    assert bearable() <= an_hour
    assert run.launch_s < run.seconds
    assert run.launch_s + run.completion_s == pytest.approx(run.seconds)


def test_what_the_page_says_a_million_needs_is_enough() -> None:
    """``concurrency: {launch: 60, completion: 16}``."""
    run = a_run()
    assert 60 * 3600 / run.launch_s >= 1_000_000
    assert 16 * 3600 / run.completion_s >= 1_000_000


def test_where_the_lines_cross() -> None:
    level = level_with_mwaa()
    idle = dollars("MWAA, small") * HOURS
    assert cost(level, "db.t4g.small").total <= idle < cost(level + 2_000, "db.t4g.small").total
