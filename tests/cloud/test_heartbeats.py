"""Programs that AWS executes and that report, too: told where to, and stopped when they fall silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.engine.commands import Report, Said, report
from tests.cloud.amazon import Amazon
from tests.cloud.composed import call, deliver, sweep
from tests.cloud.offers import Batch, Ecs, Offer
from tests.cloud.test_completion import Later, Run

ADDRESS = "https://noonday.example.com"


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the stack gives it to the functions that launch."""
    monkeypatch.setenv("NOONDAY_URL", ADDRESS)


@pytest.fixture(params=[Ecs, Batch], ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, address: None, amazon: Amazon) -> Offer:
    del address
    made: Offer = request.param(amazon)
    made.spec |= {"completion": "either"}
    return made


class Reporting(Run):
    """Its job wants to hear of it every half minute."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(offer)
        patch = {"policies": {"timeouts": {"heartbeat": "PT30S"}}}
        call("PATCH", "/jobs/{job_id}", patch, pathParameters={"job_id": "nightly"})
        made = call("POST", "/jobs/{job_id}/trigger", {}, pathParameters={"job_id": "nightly"})
        self.id, self.token = made["id"], f"{made['id']}-1"


def environment(offer: Offer, external_id: str) -> dict[str, str]:
    """Of the container, as its service has it."""
    if isinstance(offer, Ecs):
        task = offer.backend("ecs").tasks["default"][external_id]
        listed: Any = task.overrides["containerOverrides"][0]["environment"]
    else:
        listed = offer.backend("batch")._jobs[external_id].container_overrides["environment"]
    return {one["name"]: one["value"] for one in listed}


def later(noonday: wiring.Noonday, seconds: int) -> None:
    moved = replace(noonday.engine, clock=Later(noonday.engine.clock.now_ms() + seconds * 1000))
    wiring.provide(lambda: replace(noonday, engine=moved))


def begun(offer: Offer) -> Reporting:
    run = Reporting(offer)
    while deliver(offer.amazon, "wake", "second"):
        pass
    while deliver(offer.amazon, "launch", "launch"):
        pass
    assert run.state in ("LAUNCHED", "RUNNING")
    return run


def test_it_is_told_where_to_report_and_its_report_ends_the_run(
    noonday: wiring.Noonday, offer: Offer
) -> None:
    run = begun(offer)
    told = environment(offer, run.external_id)
    assert told["NOONDAY_CALLBACK_URL"] == f"{ADDRESS}/runs/{run.token}/callback"
    credential = told["NOONDAY_CALLBACK_TOKEN"]
    report(noonday.engine, run.token, credential, Said(Report.SUCCEEDED))
    assert run.state == "SUCCEEDED"


def test_what_falls_silent_is_stopped_and_fails(noonday: wiring.Noonday, offer: Offer) -> None:
    run = begun(offer)
    external_id = run.external_id
    credential = environment(offer, external_id)["NOONDAY_CALLBACK_TOKEN"]
    report(noonday.engine, run.token, credential, Said(Report.RUNNING, "begun"))
    later(noonday, 31)
    sweep()
    assert deliver(offer.amazon, "launch", "launch") >= 1
    offer.stopped(external_id)
    later(noonday, 70)
    sweep()
    deliver(offer.amazon, "launch", "launch")
    shown = run.shown
    assert (shown["state"], shown["reason"]) == ("FAILED", "HEARTBEAT_MISSED")
    assert "was not heard of for 30 s, and was stopped" in shown["error"]
