"""Limits of an account that would stop a deployment half-way are told before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infra.account import Account
from infra.functions import declared
from infra.problems import Stuck
from infra.quotas import look
from infra.stage import Network, Stage

RESERVED = sum(one.size.concurrency for one in declared() if one.limits_by_reserve)
ALL = sum(one.size.concurrency for one in declared())
NETWORK = Network(
    vpc="vpc-0123456789abcdef0",
    subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
)


@dataclass(frozen=True, slots=True)
class Limits(Account):
    """An account that answers what it is told to."""

    answers: Mapping[str, Any]

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        del service, parameters
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer


def an_account(total: int = 1000, free: int | None = None, **more: Any) -> Limits:
    limit = {
        "ConcurrentExecutions": total,
        "UnreservedConcurrentExecutions": total if free is None else free,
    }
    offered = [{"EngineVersion": "8.4.7"}]
    answers = {
        "get_account_settings": {"AccountLimit": limit},
        "get_function_concurrency": {},
        "describe_vpcs": {"Vpcs": [{}]},
        "describe_addresses": {"Addresses": []},
        "get_service_quota": {"Quota": {"Value": 5.0}},
        "describe_orderable_db_instance_options": {"OrderableDBInstanceOptions": offered},
        **more,
    }
    return Limits("1", "eu-central-1", "arn:aws:iam::1:user/ada", None, answers)


def looked(account: Account, stage: Stage, *, new: bool = True) -> list[str]:
    return list(look(account, stage, declared(), new=new))


def test_an_account_that_is_not_new_has_room() -> None:
    assert looked(an_account(), Stage(name="dev")) == []


@pytest.mark.parametrize("total", [10, 50, 100, 100 + RESERVED - 1])
def test_what_cannot_be_reserved_stops_it(total: int) -> None:
    """New accounts have 10, and AWS wants 100 left over, or all where there are fewer."""
    with pytest.raises(
        Stuck, match=rf"runs {total} functions at once.*L-B99A9384.*reserve_concurrency"
    ):
        looked(an_account(total), Stage(name="dev"))


def test_what_the_stage_has_reserved_already_counts_for_it() -> None:
    """Ten for each of those that reserve, which is more than it wants; a repetition is not refused."""
    account = an_account(
        200, free=100, get_function_concurrency={"ReservedConcurrentExecutions": 10}
    )
    assert looked(account, Stage(name="dev"), new=False) == []
    with pytest.raises(Stuck):
        looked(an_account(200, free=100), Stage(name="dev"))


def test_an_account_with_few_functions_is_warned_of() -> None:
    stage = Stage(name="dev", reserve_concurrency=False)
    [warning] = looked(an_account(10), stage)
    assert f"those of the stage may be {ALL}" in warning
    assert "the alarm clock too" in warning


def test_a_network_needs_room() -> None:
    full: dict[str, Any] = {"Vpcs": [{}] * 5}
    with pytest.raises(Stuck, match=r"has 5 VPCs in eu-central-1, and may have 5.*L-F678F1CE"):
        looked(an_account(describe_vpcs=full), Stage(name="dev"))
    addresses: dict[str, Any] = {"Addresses": [{}] * 5}
    with pytest.raises(Stuck, match=r"elastic IP addresses.*egress: endpoints"):
        looked(an_account(describe_addresses=addresses), Stage(name="dev"))
    assert looked(an_account(describe_vpcs=full), Stage(name="dev"), new=False) == []
    existing = Stage(name="dev", network=NETWORK, egress="existing")
    assert looked(an_account(describe_vpcs=full), existing) == []


def test_a_class_that_the_region_does_not_list_is_warned_of() -> None:
    account = an_account(describe_orderable_db_instance_options={"OrderableDBInstanceOptions": []})
    assert looked(account, Stage(name="dev")) == [
        "RDS does not list db.t4g.small for MySQL 8.4 in eu-central-1; another class may be needed"
    ]


def test_who_may_not_look_goes_on() -> None:
    account = an_account(get_account_settings=Stuck("ada may not call it"))
    [warning] = looked(account, Stage(name="dev"))
    assert warning == "a limit of the account was not looked at: ada may not call it"
