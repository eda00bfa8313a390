"""Completion events of every service that has them: they find the run, and its service is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from moto.events.models import EventPattern

from app import app
from chalicelib import wiring
from chalicelib.events.rules import ENDS
from chalicelib.local.context import EventContext
from tests.cloud.amazon import ACCOUNT, REGION, Amazon
from tests.cloud.composed import PREFIX, call, deliver, sweep
from tests.cloud.offers import OFFERS, Glue, Offer, StepFunctions
from tests.cloud.service_events import STEPS, an_event, ended


@pytest.fixture(params=OFFERS, ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, amazon: Amazon) -> Offer:
    made: Offer = request.param(amazon)
    return made


class Run:
    """A run that has been launched, as its service knows it."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        job = {
            "name": "nightly",
            "schedule": {"cron": "0 0 3 * * ?"},
            "target": {"kind": offer.kind, **offer.spec},
        }
        call("POST", "/jobs", job)
        parameters = {"job_id": "nightly"}
        made = call("POST", "/jobs/{job_id}/trigger", {}, pathParameters=parameters)
        self.id = made["id"]
        self.token = f"{self.id}-1"

    def launch(self) -> Run:
        assert deliver(self.offer.amazon, "wake", "second") == 1
        assert deliver(self.offer.amazon, "launch", "launch") == 1
        assert self.state == "LAUNCHED"
        return self

    @property
    def shown(self) -> Any:
        return call("GET", "/instances/{instance_id}", pathParameters={"instance_id": self.id})

    @property
    def state(self) -> str:
        return str(self.shown["state"])

    @property
    def external_id(self) -> str:
        return str(self.shown["runs"][0]["external_id"])

    def event(self, state: str | None = None) -> dict[str, Any]:
        return ended(self.offer.kind, self.token, self.external_id, state)

    def end(self, *, well: bool = True) -> None:
        self.offer.end(self.external_id, well=well)


def announce(event: Mapping[str, Any]) -> None:
    """As EventBridge does: only what the rule lets through."""
    assert passes(event)
    app.handler_map["completion"](dict(event), EventContext("completion", limit_s=60))


def passes(event: Mapping[str, Any]) -> bool:
    patterns: list[Any] = [EventPattern(None, one) for one in ENDS.values()]
    matching = sum(bool(one.matches_event(event)) for one in patterns)
    assert matching <= 1  # else the function would be called twice
    return matching == 1


def waiting(amazon: Amazon) -> int:
    """Messages for the launcher that nobody has taken."""
    asked = {"QueueUrl": PREFIX + "launch", "AttributeNames": ["ApproximateNumberOfMessages"]}
    told = amazon.client("sqs").get_queue_attributes(**asked)
    return int(told["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize("well", [True, False], ids=["succeeded", "failed"])
def test_an_event_completes_the_run(noonday: wiring.Noonday, offer: Offer, well: bool) -> None:
    del noonday
    run = Run(offer).launch()
    run.end(well=well)
    announce(run.event())
    assert deliver(offer.amazon, "launch", "launch") == 1
    assert run.state == ("SUCCEEDED" if well else "FAILED")
    assert offer.runs() == 1


def test_a_doubled_event_is_one_end(noonday: wiring.Noonday, offer: Offer) -> None:
    del noonday
    run = Run(offer).launch()
    run.end()
    event = run.event()
    announce(event)
    announce(event)
    assert deliver(offer.amazon, "launch", "launch") == 2
    after = run.shown
    assert after["state"] == "SUCCEEDED"
    announce(event)
    assert waiting(offer.amazon) == 0
    assert run.shown == after


def test_a_forged_event_changes_nothing(noonday: wiring.Noonday, offer: Offer) -> None:
    """It says that the run has ended; its service says that it has not, and counts."""
    del noonday
    run = Run(offer).launch()
    announce(run.event())
    assert deliver(offer.amazon, "launch", "launch") == 1
    assert run.state in ("LAUNCHED", "RUNNING")
    run.end()
    announce(run.event())
    assert deliver(offer.amazon, "launch", "launch") == 1
    assert run.state == "SUCCEEDED"


def test_an_event_ahead_of_the_launchs_return_is_made_good_by_the_poll(
    noonday: wiring.Noonday, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends at once, and its event is here before its launcher has written down what it is called."""
    run = Run(offer)
    launch = noonday.targets.launch

    def launch_and_end(requests: Any) -> Any:
        outcomes: Any = launch(requests)
        offer.end(outcomes[0].external_id, well=True)
        announce(ended(offer.kind, run.token, outcomes[0].external_id))
        return outcomes

    monkeypatch.setattr(noonday.targets, "launch", launch_and_end)
    run.launch()
    assert waiting(offer.amazon) == 0
    poll(noonday, offer, run)


def test_a_lost_event_is_made_good_by_the_poll(noonday: wiring.Noonday, offer: Offer) -> None:
    run = Run(offer).launch()
    run.end()
    poll(noonday, offer, run)


def poll(noonday: wiring.Noonday, offer: Offer, run: Run) -> None:
    later = replace(noonday.engine, clock=Later(noonday.engine.clock.now_ms() + 31_000))
    wiring.provide(lambda: replace(noonday, engine=later))
    sweep()
    assert deliver(offer.amazon, "launch", "launch") == 1
    assert run.state == "SUCCEEDED"


class Later:
    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


def test_somebody_elses_event_is_nobodys(noonday: wiring.Noonday, offer: Offer) -> None:
    del noonday
    run = Run(offer).launch()
    announce(ended(offer.kind, "their-nightly-report", "theirs:0123"))
    announce(ended(offer.kind, "0" * 32 + "-1", "theirs:0123"))
    assert waiting(offer.amazon) == 0
    assert run.state == "LAUNCHED"


def test_steps_on_the_way_do_not_pass_the_rule(offer: Offer) -> None:
    token = "0" * 32 + "-1"
    assert passes(ended(offer.kind, token, "x"))
    assert not passes(ended(offer.kind, token, "x", STEPS[offer.kind]))
    theirs = ended(offer.kind, token, "x")
    assert not passes({**theirs, "source": "my.application"})


def test_rules_are_within_the_limits_of_eventbridge() -> None:
    assert all(len(json.dumps(one)) < 2048 for one in ENDS.values())


def test_each_service_has_a_rule_and_each_rule_its_service(offer: Offer) -> None:
    """The words of one service do not let the events of another through."""
    event = ended(offer.kind, "0" * 32 + "-1", "x")
    assert event["source"] in ENDS
    assert len(ENDS) == len(OFFERS)
    for source in set(ENDS) - {event["source"]}:
        assert not passes({**event, "source": source})


@pytest.mark.parametrize(
    ("source", "kind", "detail"),
    [
        ("aws.states", "Step Functions Execution Status Change", {"name": 7}),
        ("aws.states", "ECS Task State Change", {}),
        ("aws.glue", "Glue Job State Change", {}),
        ("aws.athena", "Athena Query State Change", {"queryExecutionId": None}),
        ("aws.codebuild", "CodeBuild Build State Change", {"additional-information": []}),
        ("aws.codebuild", "CodeBuild Build State Change", {}),
        ("aws.ecs", "ECS Task State Change", []),
        ("my.application", "x", {"name": "0" * 32 + "-1"}),
    ],
)
def test_what_has_another_form_is_told_and_dropped(
    noonday: wiring.Noonday, source: str, kind: str, detail: Any, amazon: Amazon
) -> None:
    """It would not be better the next time, so nobody is asked to send it again."""
    lines: list[str] = []
    noonday.log.line = lambda level, fact, **_: lines.append(f"{level} {fact}")  # type: ignore[method-assign]
    event = an_event(source, kind, [], detail)
    app.handler_map["completion"](event, EventContext("completion", limit_s=60))
    assert lines == ["error Unread"]
    assert waiting(amazon) == 0


def test_a_service_of_ecs_has_no_mark_and_is_no_error(noonday: wiring.Noonday) -> None:
    lines: list[str] = []
    noonday.log.line = lambda level, fact, **_: lines.append(f"{level} {fact}")  # type: ignore[method-assign]
    event = ended("ecs", "", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/default/0")
    del event["detail"]["startedBy"]
    announce(event)
    assert lines == []


@pytest.mark.parametrize(("made", "statements"), [(StepFunctions, 0), (Glue, 1)])
def test_what_foreign_events_cost(
    noonday: wiring.Noonday, amazon: Amazon, made: type[Offer], statements: int
) -> None:
    """Names that are no tokens of ours cost nothing; ids that could be anybody's one look at an index."""
    asked: list[str] = []
    read = noonday.store.read

    def counting(work: Any) -> Any:
        asked.append("read")
        return read(work)

    noonday.store.read = counting  # type: ignore[method-assign]
    calls = amazon.gate.calls.total()
    announce(ended(made.kind, "their-nightly-report", "jr_theirs"))
    assert len(asked) == statements
    assert amazon.gate.calls.total() == calls
