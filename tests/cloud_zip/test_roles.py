"""The roles that were deployed are enough, and what a run needs is missed when it is not there."""

from __future__ import annotations

import pytest

from tests.cloud.offers import StepFunctions
from tests.cloud_zip.account import Account, Run


def as_far_as_it_goes(account: Account) -> tuple[StepFunctions, Run]:
    """A run that is launched and ends, as far as the roles let it; the alarm itself may fail."""
    machine = StepFunctions(account.amazon)
    run = account.submit(machine.kind, machine.spec)
    account.discard("wake")
    account.try_to_ring()
    account.drain_once()
    if run.shown()["state"] == "LAUNCHED":
        machine.end(run.external_id, well=True)
        account.later(120_000)
        account.try_to_ring()
        account.drain_once()
    return machine, run


def test_what_is_asked_of_aws_is_permitted(account: Account) -> None:
    _, run = as_far_as_it_goes(account)
    assert run.shown()["state"] == "SUCCEEDED"
    asked = {(one.function, one.action) for one in account.guard.asked}
    assert asked >= {
        ("api", "sqs:SendMessage"),
        ("minute", "sqs:SendMessage"),
        ("launch", "states:StartExecution"),
        ("launch", "states:DescribeExecution"),
    }
    assert {one.function for one in account.guard.asked} <= {"api", "minute", "second", "launch"}


@pytest.mark.parametrize(
    ("function", "action"),
    [
        ("minute", "sqs:SendMessage"),
        ("launch", "states:StartExecution"),
        ("launch", "states:DescribeExecution"),
    ],
)
def test_without_one_of_them_no_run_comes_to_its_end(
    account: Account, function: str, action: str
) -> None:
    with account.guard.without(function, action):
        machine, run = as_far_as_it_goes(account)
    assert run.shown()["state"] != "SUCCEEDED"
    assert {text.split(" on ")[0] for text in account.guard.denied} == {
        f"{function} is not permitted {action}"
    }
    assert machine.runs() == (action == "states:DescribeExecution")


@pytest.mark.parametrize("function", ["api", "launch"])
def test_without_the_secret_nothing_is_known(account: Account, function: str) -> None:
    """It is asked for by a process that has just started."""
    account.functions[function].end()
    with account.guard.without(function, "secretsmanager:GetSecretValue"):
        if function == "api":
            answer = account.front.call("GET", "/jobs")
            assert answer.status == 503, answer.body
            assert "secret" in answer.body["detail"]
        else:
            machine = StepFunctions(account.amazon)
            account.submit(machine.kind, machine.spec)
            account.drain_once()
            assert machine.runs() == 0
    account.functions[function].end()
    assert account.guard.denied
