"""Every kind that AWS executes: its ends, stops, refusals, and launches that are repeated after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import (
    Failed,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    Stopped,
    Succeeded,
    Unknown,
)
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.errors import InvalidInput
from chalicelib.targets import Allowance, Permission, TargetRegistry, TargetSettings
from tests.cloud.amazon import REGION, Amazon, lose, refuse, tell
from tests.cloud.offers import OFFERS, CodeBuild, Ecs, Offer, RedshiftData, StepFunctions
from tests.targets.hands import FixedClock, a_request


@pytest.fixture(params=OFFERS, ids=lambda offer: offer.kind)
def offer(request: pytest.FixtureRequest, amazon: Amazon) -> Offer:
    made: Offer = request.param(amazon)
    return made


@pytest.fixture
def registry(offer: Offer, tmp_path: Path) -> TargetRegistry:
    return registry_for(tmp_path, Permission("team", offer.kind, offer.allow))


def registry_for(tmp_path: Path, *entries: Permission) -> TargetRegistry:
    settings = TargetSettings(
        files=tmp_path, runs=tmp_path, allow=Allowance(entries), aws_region=REGION
    )
    return TargetRegistry(settings, FixedClock())


def a_run(offer: Offer, **changes: Any) -> LaunchRequest:
    return replace(a_request(offer.kind, offer.spec), **changes)


def launched(registry: TargetRegistry, request: LaunchRequest) -> LaunchRequest:
    """The request as it is when the launch has been recorded."""
    [outcome] = registry.launch([request])
    assert isinstance(outcome, Launched), outcome
    return replace(request, external_id=outcome.external_id)


def described(registry: TargetRegistry, request: LaunchRequest) -> Outcome:
    [outcome] = registry.describe([request])
    return outcome


def test_a_run_succeeds(registry: TargetRegistry, offer: Offer) -> None:
    registry.validate({"kind": offer.kind, **offer.spec}, owner="team")
    run = launched(registry, a_run(offer))
    assert isinstance(described(registry, run), Pending | Running)
    offer.end(run.external_id or "", well=True)
    assert isinstance(described(registry, run), Succeeded)
    assert offer.runs() == 1


def test_a_run_fails(registry: TargetRegistry, offer: Offer) -> None:
    run = launched(registry, a_run(offer))
    offer.end(run.external_id or "", well=False)
    outcome = described(registry, run)
    assert isinstance(outcome, Failed)
    assert outcome.error
    assert outcome.retry


def test_the_page_of_a_run_is_on_the_console(registry: TargetRegistry, offer: Offer) -> None:
    [outcome] = registry.launch([a_run(offer)])
    assert isinstance(outcome, Launched)
    assert (outcome.external_url or "").startswith(f"https://{REGION}.console.aws.amazon.com/")


def test_a_run_is_stopped(registry: TargetRegistry, offer: Offer) -> None:
    run = launched(registry, a_run(offer))
    [asked] = registry.cancel([run])
    assert isinstance(asked, Pending | Stopped)
    offer.stopped(run.external_id or "")
    [outcome] = registry.cancel([run])
    assert isinstance(outcome, Stopped)


def test_a_run_that_ended_first_keeps_its_end(registry: TargetRegistry, offer: Offer) -> None:
    run = launched(registry, a_run(offer))
    offer.end(run.external_id or "", well=True)
    [outcome] = registry.cancel([run])
    assert isinstance(outcome, Succeeded)


def test_an_answer_that_was_lost_is_no_second_run(registry: TargetRegistry, offer: Offer) -> None:
    """The process dies right after the call: the same run is launched again, and is the same."""
    offer.amazon.fail(offer.starts, lose)
    [outcome] = registry.launch([a_run(offer)])
    assert isinstance(outcome, Unknown)
    again = launched(registry, a_run(offer, repeated=True))
    assert offer.runs() == 1
    offer.end(again.external_id or "", well=True)
    assert isinstance(described(registry, again), Succeeded)


@pytest.mark.parametrize(
    ("made", "code"),
    [(StepFunctions, "ExecutionAlreadyExists"), (Ecs, "ConflictException")],
    ids=["step_functions", "ecs"],
)
def test_what_the_service_says_it_has_already_is_adopted(
    made: type[Offer], code: str, amazon: Amazon, tmp_path: Path
) -> None:
    """Another process has launched it meanwhile: the token is taken, and whoever has it is the run."""
    offer = made(amazon)
    registry = registry_for(tmp_path, Permission("team", offer.kind, offer.allow))
    first = launched(registry, a_run(offer))
    amazon.fail(offer.starts, refuse(400, code))
    again = launched(registry, a_run(offer))
    assert again.external_id == first.external_id
    assert offer.runs() == 1
    assert isinstance(described(registry, again), Pending | Running)
    offer.end(again.external_id or "", well=True)
    assert isinstance(described(registry, again), Succeeded)


@pytest.mark.parametrize(
    ("made", "search", "found_nothing"),
    [
        (CodeBuild, "ListBuildsForProject", {"ids": []}),
        (RedshiftData, "ListStatements", {"Statements": []}),
    ],
    ids=["codebuild", "redshift_data"],
)
def test_a_token_that_is_taken_is_looked_for_once_more(
    made: type[Offer], search: str, found_nothing: Any, amazon: Amazon, tmp_path: Path
) -> None:
    """The search came too early to see it; that its token is refused says that it is there."""
    offer = made(amazon)
    registry = registry_for(tmp_path, Permission("team", offer.kind, offer.allow))
    first = launched(registry, a_run(offer))
    amazon.fail(search, tell(found_nothing))
    amazon.fail(offer.starts, refuse(400, "InvalidInputException", "the token is in use"))
    again = launched(registry, a_run(offer, repeated=True))
    assert again.external_id == first.external_id
    assert offer.runs() == 1


def test_dying_before_the_call_is_one_run(registry: TargetRegistry, offer: Offer) -> None:
    launched(registry, a_run(offer, repeated=True))
    assert offer.runs() == 1


def test_another_run_is_another_run(registry: TargetRegistry, offer: Offer) -> None:
    first = launched(registry, a_run(offer))
    second = launched(registry, a_run(offer, token=first.token[:-1] + "11"))
    assert first.external_id != second.external_id
    assert offer.runs() == 2


def test_throttled_is_refused_and_nothing_runs(registry: TargetRegistry, offer: Offer) -> None:
    offer.amazon.fail(offer.starts, refuse(400, "ThrottlingException"))
    [outcome] = registry.launch([a_run(offer)])
    assert isinstance(outcome, Refused)
    assert offer.runs() == 0
    assert offer.amazon.gate.calls[offer.starts] == 1  # nobody repeats behind the engine's back


def test_denied_is_a_failure_that_no_retry_mends(registry: TargetRegistry, offer: Offer) -> None:
    offer.amazon.fail(offer.starts, refuse(403, "AccessDeniedException", "may not"))
    [outcome] = registry.launch([a_run(offer)])
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "AccessDenied" in outcome.error


def test_a_stop_of_an_unknown_id_finds_the_run(registry: TargetRegistry, offer: Offer) -> None:
    """Killed while its launch was being called, and the caller died: found by its token, and stopped."""
    offer.amazon.fail(offer.starts, lose)
    registry.launch([a_run(offer)])
    registry.cancel([a_run(offer)])
    assert offer.runs() <= 1


def test_what_nobody_permitted_is_refused(offer: Offer, tmp_path: Path) -> None:
    registry = registry_for(tmp_path, Permission("others", "*", "*"))
    with pytest.raises(InvalidInput, match="NOONDAY_TARGETS_ALLOW"):
        registry.validate({"kind": offer.kind, **offer.spec}, owner="team")
    [outcome] = registry.launch([a_run(offer)])
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert sum(offer.amazon.gate.calls.values()) == _prepared(offer)
    assert offer.runs() == 0


def test_a_resource_that_nobody_permitted_is_refused(offer: Offer, tmp_path: Path) -> None:
    registry = registry_for(tmp_path, Permission("team", offer.kind, "something-else"))
    with pytest.raises(InvalidInput, match="nothing permits team to launch"):
        registry.validate({"kind": offer.kind, **offer.spec}, owner="team")


def test_a_role_is_assumed_for_the_owner(offer: Offer, tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/noonday-team"
    registry = registry_for(tmp_path, Permission("team", offer.kind, offer.allow, role))
    run = launched(registry, a_run(offer))
    described(registry, run)
    assert offer.amazon.gate.calls["AssumeRole"] == 1


def _prepared(offer: Offer) -> int:
    """Calls that the preparation itself made."""
    mine: Mapping[str, int] = offer.amazon.gate.calls
    return sum(count for name, count in mine.items() if name != offer.starts)
