"""The arithmetic of the cost page: what is paid anyway, and what grows with the jobs."""

from __future__ import annotations

import pytest

from infra.costs import HOURS, INSTANCE_HOUR, NAT_HOUR, SIZES, cost


def test_database_and_egress_are_paid_from_the_first_job_on() -> None:
    none = cost(0, "db.t4g.small")
    assert none.database >= INSTANCE_HOUR["db.t4g.small"] * HOURS
    assert none.egress == pytest.approx(NAT_HOUR * HOURS)
    assert none.scheduler == 0


def test_a_job_more_never_costs_less() -> None:
    totals = [cost(*size).total for size in SIZES]
    assert totals == sorted(totals)


def test_scheduler_is_a_dollar_for_a_million_calls() -> None:
    assert cost(10_000, "db.m7g.large").scheduler == pytest.approx(7.3)
