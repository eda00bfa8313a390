"""What the account allows, looked at before anything is changed: a limit that is met half-way through a
deployment costs a quarter of an hour, and one that is met later stops the alarm clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from infra.account import Account, refused
from infra.functions import Function
from infra.problems import Stuck
from infra.stage import Stage

UNRESERVED = 100
"""So many concurrent functions AWS keeps for those that reserve none; all, where the account has no more."""
CONCURRENCY = "L-B99A9384"
VPCS = "L-F678F1CE"
ADDRESSES = "L-0263D0A3"
ENOUGH = 1_000
"""What AWS gives accounts that are not new."""


Look = Callable[[Account, Stage, Sequence[Function]], Iterator[str]]


def look(
    account: Account, stage: Stage, functions: Sequence[Function], *, new: bool
) -> Iterator[str]:
    """Warnings. ``new``: the stage is not there yet.

    Raises:
        Stuck: CloudFormation would fail, and take everything back.
    """
    looks: list[Look] = [_concurrency]
    if new:
        looks += [_class_is_offered]
        if stage.network is None:
            looks += [_room_for_a_network]
    for one in looks:
        yield from _unless_refused(one, account, stage, functions)


def _unless_refused(
    look_at: Look, account: Account, stage: Stage, functions: Sequence[Function]
) -> Iterator[str]:
    """Who may not look at limits may still be within them."""
    try:
        yield from look_at(account, stage, functions)
    except _Denied as denied:
        yield f"a limit of the account was not looked at: {denied}"


class _Denied(Exception):
    """The look itself failed."""


def _concurrency(account: Account, stage: Stage, functions: Sequence[Function]) -> Iterator[str]:
    limit = _asked(account, "lambda", "get_account_settings")["AccountLimit"]
    total, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    reserving = [one for one in functions if one.limits_by_reserve and stage.reserve_concurrency]
    wanted = sum(one.size.concurrency for one in reserving)
    held = sum(_reserved(account, f"{stage.prefix}-{one.name}") for one in reserving)
    least = min(UNRESERVED, total)
    if wanted and free + held - wanted < least:
        raise Stuck(
            f"this account runs {total} functions at once in {account.region}, {free} of them not reserved; "
            f"the stage reserves {wanted}, and AWS wants {least} left over. Ask for more: aws service-quotas "
            f"request-service-quota-increase --service-code lambda --quota-code {CONCURRENCY} "
            f"--desired-value {ENOUGH} --region {account.region}; or set reserve_concurrency: false in "
            f"infra/stages/{stage.name}.yaml"
        )
    most = sum(one.size.concurrency for one in functions)
    if total < most:
        yield (
            f"this account runs {total} functions at once in {account.region}, and those of the stage may be "
            f"{most}: when many are busy, others wait, the alarm clock too. Ask for more: aws service-quotas "
            f"request-service-quota-increase --service-code lambda --quota-code {CONCURRENCY} "
            f"--desired-value {ENOUGH} --region {account.region}"
        )


def _reserved(account: Account, name: str) -> int:
    """What a function that is there has reserved already."""
    try:
        found = account.call("lambda", "get_function_concurrency", FunctionName=name)
    except ClientError as error:
        if refused(error, "ResourceNotFoundException"):
            return 0
        raise _Denied(str(error)) from error
    except Stuck as stuck:
        raise _Denied(str(stuck)) from stuck
    return int(found.get("ReservedConcurrentExecutions", 0))


def _room_for_a_network(
    account: Account, stage: Stage, functions: Sequence[Function]
) -> Iterator[str]:
    del functions
    there = len(_asked(account, "ec2", "describe_vpcs", MaxResults=1000)["Vpcs"])
    _room(account, there, VPCS, "VPCs", "network: an existing one")
    if stage.egress == "nat":
        there = len(_asked(account, "ec2", "describe_addresses")["Addresses"])
        _room(account, there, ADDRESSES, "elastic IP addresses", "egress: endpoints")
    yield from ()


def _room(account: Account, there: int, quota: str, what: str, instead: str) -> None:
    service = "vpc" if quota == VPCS else "ec2"
    found = _asked(
        account, "service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=quota
    )
    most = int(found["Quota"]["Value"])
    if there >= most:
        raise Stuck(
            f"this account has {there} {what} in {account.region}, and may have {most}: delete one, ask for "
            f"more (aws service-quotas request-service-quota-increase --service-code {service} --quota-code "
            f"{quota} --desired-value {most + 5} --region {account.region}), or choose {instead}"
        )


def _class_is_offered(
    account: Account, stage: Stage, functions: Sequence[Function]
) -> Iterator[str]:
    del functions
    wanted = stage.database.instance
    found = _asked(
        account,
        "rds",
        "describe_orderable_db_instance_options",
        Engine="mysql",
        DBInstanceClass=wanted,
    )
    offered = found["OrderableDBInstanceOptions"]
    if not any(one.get("EngineVersion", "").startswith("8.4") for one in offered):
        yield f"RDS does not list {wanted} for MySQL 8.4 in {account.region}; another class may be needed"


def _asked(account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
    try:
        return account.call(service, operation, **parameters)
    except (ClientError, Stuck) as error:
        raise _Denied(str(error)) from error
