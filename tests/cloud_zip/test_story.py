"""From the request to the end of the run, through the zip alone."""

from __future__ import annotations

from tests.cloud.offers import StepFunctions
from tests.cloud_zip.account import MINUTE_MS, Account, a_job


def test_the_api_answers(account: Account) -> None:
    answer = account.front.call("GET", "/health", caller=None)
    assert (answer.status, answer.body["status"]) == (200, "ok"), answer.body


def test_nobody_gets_in_without_an_identity(account: Account) -> None:
    assert account.front.call("GET", "/jobs", caller=None).status == 401


def test_from_the_request_to_the_end(account: Account) -> None:
    machine = StepFunctions(account.amazon)
    job = account.call("POST", "/jobs?schedule=true", a_job("step_functions", machine.spec))
    account.discard("wake")  # the rule finds what is due by itself
    account.ring()
    account.drain()
    [listed] = account.call("GET", f"/jobs/{job['id']}/instances")["items"]
    shown = account.instance(listed["id"])
    assert shown["state"] == "LAUNCHED"
    assert machine.runs() == 1
    machine.end(shown["runs"][-1]["external_id"], well=True)
    account.later(MINUTE_MS)
    account.ring()
    account.drain()
    assert account.instance(listed["id"])["state"] == "SUCCEEDED"
    assert account.failed == []
