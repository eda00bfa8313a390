"""Events of the services, brought to the zip: in time, twice, before the launch returned, forged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.cloud.amazon import Answer, Environ, Gate
from tests.cloud.offers import OFFERS, Offer
from tests.cloud.service_events import ended
from tests.cloud_zip.account import Account, Run


@pytest.fixture(params=OFFERS, ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, account: Account) -> Offer:
    made: Offer = request.param(account.amazon)
    return made


STARTED: Mapping[str, Callable[[Any], Any]] = {
    "step_functions": lambda answer: answer["executionArn"],
    "athena": lambda answer: answer["QueryExecutionId"],
    "ecs": lambda answer: answer["tasks"][0]["taskArn"],
    "batch": lambda answer: answer["jobId"],
    "glue": lambda answer: answer["JobRunId"],
    "redshift_data": lambda answer: answer["Id"],
    "codebuild": lambda answer: answer["build"]["id"],
}
"""How each service calls what it has just started."""


def announce(
    account: Account, offer: Offer, run: Run, times: int = 1, external_id: str | None = None
) -> None:
    """EventBridge brings the event of its end, at least once."""
    event = ended(offer.kind, f"{run.id}-1", external_id or run.external_id)
    for _ in range(times):
        account.functions["completion"].invoke(event)


@pytest.mark.parametrize(("well", "state"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_a_completion_settles_the_run_at_once(
    account: Account, offer: Offer, well: bool, state: str
) -> None:
    run = account.submit(offer.kind, offer.spec)
    account.drain()
    offer.end(run.external_id, well=well)
    announce(account, offer, run)
    assert account.poll("launch") == 1  # no alarm rang, and no time passed
    assert run.shown()["state"] == state
    assert offer.runs() == 1
    assert account.failed == []


def test_what_comes_twice_or_is_forged_changes_nothing(account: Account, offer: Offer) -> None:
    run = account.submit(offer.kind, offer.spec)
    account.drain()
    announce(account, offer, run)  # it has not ended
    account.drain()
    assert run.shown()["state"] in ("LAUNCHED", "RUNNING")
    offer.end(run.external_id, well=True)
    announce(account, offer, run, times=3)
    account.drain()
    first = run.shown()
    assert first["state"] == "SUCCEEDED"
    announce(account, offer, run, times=2)
    account.look_again()
    assert run.shown() == first
    assert offer.runs() == 1
    assert account.failed == []


def test_an_end_before_its_launch_returned(account: Account, offer: Offer) -> None:
    """The service was quicker than its own answer: the event finds a run that somebody still holds."""

    def quick(gate: Gate, environ: Environ, body: bytes) -> Answer:
        answer = gate.carry_out(environ, body)
        with gate.aside():
            started = str(STARTED[offer.kind](json.loads(answer[2])))
            offer.end(started, well=True)
            announce(account, offer, run, external_id=started)
        return answer

    run = account.submit(offer.kind, offer.spec)
    account.amazon.fail(offer.starts, quick)
    account.drain()
    assert run.shown()["state"] in ("LAUNCHED", "SUCCEEDED")
    account.look_again()
    assert run.shown()["state"] == "SUCCEEDED"
    assert offer.runs() == 1
    assert account.failed == []
