"""Every kind that AWS executes, launched by the zip: its ends, and what comes twice, early or not at all."""

from __future__ import annotations

import pytest

from tests.cloud.amazon import Answer, Environ, Gate, answered, lose
from tests.cloud.offers import OFFERS, Offer
from tests.cloud_zip.account import Account, Run


@pytest.fixture(params=OFFERS, ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, account: Account) -> Offer:
    made: Offer = request.param(account.amazon)
    return made


def launched(account: Account, offer: Offer) -> Run:
    run = account.submit(offer.kind, offer.spec)
    account.drain()
    shown = run.shown()
    assert shown["state"] == "LAUNCHED", shown
    return run


@pytest.mark.parametrize(("well", "state"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_a_completion_that_is_lost_is_found_by_polling(
    account: Account, offer: Offer, well: bool, state: str
) -> None:
    run = launched(account, offer)
    offer.end(run.external_id, well=well)
    account.look_again()
    assert run.shown()["state"] == state
    assert offer.runs() == 1
    assert account.failed == []


def test_a_run_is_killed(account: Account, offer: Offer) -> None:
    run = launched(account, offer)
    account.call("POST", f"/instances/{run.id}/kill", {"reason": "of no use"})
    account.drain()
    offer.stopped(run.external_id)
    account.look_again()
    assert run.shown()["state"] == "KILLED"
    assert offer.runs() == 1


def test_a_launch_whose_process_died_right_after_the_call_is_the_same_run(
    account: Account, offer: Offer
) -> None:
    def die(gate: Gate, environ: Environ, body: bytes) -> Answer:
        gate.carry_out(environ, body)
        account.functions["launch"].kill()
        return answered(500, "InternalFailure")

    account.amazon.fail(offer.starts, die)
    run = account.submit(offer.kind, offer.spec)
    account.drain()
    assert len(account.failed) == 1
    assert run.shown()["state"] == "LAUNCHING"
    assert offer.runs() == 1
    account.look_again()
    assert run.shown()["state"] == "LAUNCHED"
    assert offer.runs() == 1
    offer.end(run.external_id, well=True)
    account.look_again()
    assert run.shown()["state"] == "SUCCEEDED"


def test_an_answer_that_was_lost_is_no_second_run(account: Account, offer: Offer) -> None:
    account.amazon.fail(offer.starts, lose)
    run = account.submit(offer.kind, offer.spec)
    account.drain()
    account.look_again()
    assert run.shown()["state"] == "LAUNCHED"
    assert offer.runs() == 1
    assert account.failed == []


def test_messages_that_come_twice_launch_once(account: Account, offer: Offer) -> None:
    run = account.submit(offer.kind, offer.spec)
    account.poll("wake")
    account.poll("launch", times=3)
    assert run.shown()["state"] == "LAUNCHED"
    assert offer.runs() == 1
    assert account.amazon.gate.calls[offer.starts] == 1
