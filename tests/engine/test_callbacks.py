"""Runs whose targets report themselves: their credentials, their signs of life, their ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.callbacks import Callbacks, Keys, SigningKey
from chalicelib.engine.commands import Report, Said
from chalicelib.engine.commands.reports import Answered
from chalicelib.engine.facts import Reported
from chalicelib.engine.outcomes import Unknown
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.definition import Definition
from chalicelib.model.errors import InvalidInput, NotFound, RunOver, Unauthenticated
from chalicelib.model.instance import Instance
from chalicelib.model.states import TERMINAL, InstanceState, Reason, StopKind
from chalicelib.store import SqlStore
from tests.engine.history import assert_accounted
from tests.engine.world import ADMIN, CALLBACKS, MINUTE, NOON, World, a_definition

S = InstanceState
HOUR = 60 * MINUTE
ALIVE = [Report.RUNNING, Report.HEARTBEAT]


def calling_back(kind: str = "started", **policies: Any) -> Definition:
    return a_definition(
        schedule={"at": "2026-01-01T12:00:00Z"},
        target={"kind": kind, "completion": "callback", "payload": "${callback_token}"},
        policies=policies,
    )


def begin(world: World, kind: str = "started", **policies: Any) -> Instance:
    """A run that its target has."""
    world.clock.now = NOON - MINUTE
    job = commands.submit(
        world.engine, ADMIN, calling_back(kind, **policies), owner="blue", schedule=True
    )
    world.advance_to(NOON)
    [instance] = world.engine.store.read(
        lambda reader: reader.instances_by_id([launched(world).instance_id])
    )
    assert instance.job_id == getattr(job, "id", None)
    return instance


def launched(world: World) -> LaunchRequest:
    return next(
        request for what, request in reversed(world.targets.calls) if what in ("launch", "run")
    )


def say(
    world: World, report: Report, request: LaunchRequest | None = None, **said: Any
) -> Answered:
    request = request or launched(world)
    assert request.callback is not None
    words = Said(report, **said)
    return commands.report(world.engine, request.token, request.callback.credential, words)


def now(world: World, one: Instance) -> Instance:
    [present] = world.engine.store.read(lambda reader: reader.instances_by_id([one.id]))
    return present


@pytest.mark.parametrize("kind", ["started", "inline"])
@pytest.mark.parametrize(
    ("report", "state", "reason"),
    [
        (Report.SUCCEEDED, S.SUCCEEDED, None),
        (Report.FAILED, S.FAILED, Reason.RUN_FAILED),
    ],
)
def test_a_run_ends_by_what_its_target_reports(
    world: World, kind: str, report: Report, state: S, reason: str | None
) -> None:
    one = begin(world, kind)
    world.advance(HOUR)
    assert now(world, one).state in (S.LAUNCHED, S.RUNNING)
    calls = len(world.targets.calls)
    answered = say(world, report)
    assert answered.run.state is state
    ended = now(world, one)
    assert (ended.state, ended.reason, ended.active) == (state, reason, False)
    world.advance(HOUR)
    assert len(world.targets.calls) == calls
    assert_accounted(world.engine.store, one.job_id, [NOON])


def test_nobody_looks_after_a_run_until_its_time_is_over(world: World) -> None:
    one = begin(world)
    world.advance(2 * MINUTE)
    version = now(world, one).version
    world.advance(10 * HOUR)
    assert now(world, one).version == version
    assert [what for what, _ in world.targets.calls] == ["launch"]


def test_the_launch_carries_url_and_token_in_what_the_definition_says(world: World) -> None:
    one = begin(world)
    request = launched(world)
    assert request.callback is not None
    assert request.callback.url == f"http://noonday.test/runs/{one.token}/callback"
    assert request.spec["payload"] == request.callback.credential
    assert request.callback.credential not in repr(request.callback)


def test_a_launch_that_is_repeated_carries_the_same_bytes(world: World) -> None:
    world.targets.launch_outcomes = [Unknown("no answer")]
    begin(world)
    first = launched(world)
    world.advance(2 * MINUTE)
    second = launched(world)
    assert second is not first
    assert (second.callback, second.spec) == (first.callback, first.spec)


@pytest.mark.parametrize("report", ALIVE)
def test_signs_of_life_are_written_down(world: World, report: Report) -> None:
    one = begin(world)
    world.advance(5 * MINUTE)
    answered = say(world, report, message="page 4")
    present = now(world, one)
    assert answered.run.state is S.RUNNING
    assert (present.state, present.heard_ms, present.said) == (S.RUNNING, world.clock.now, "page 4")
    assert present.started_ms == world.clock.now
    [fact] = [fact for fact in world.facts if isinstance(fact, Reported)]
    assert (fact.token, fact.report) == (one.token, report.value)


@pytest.mark.parametrize("report", [Report.SUCCEEDED, Report.FAILED])
def test_a_report_that_is_repeated_changes_nothing(world: World, report: Report) -> None:
    one = begin(world)
    say(world, report)
    before = now(world, one)
    world.advance(MINUTE)
    assert say(world, report).run.state is before.state
    assert now(world, one) == before


@pytest.mark.parametrize("first", [Report.SUCCEEDED, Report.FAILED])
@pytest.mark.parametrize("second", [*ALIVE, Report.SUCCEEDED, Report.FAILED])
def test_a_run_that_is_over_has_no_other_end(world: World, first: Report, second: Report) -> None:
    if first is second:
        return
    one = begin(world)
    say(world, first)
    before = now(world, one)
    with pytest.raises(RunOver, match=f"run 1 is {before.state}"):
        say(world, second)
    assert now(world, one) == before


def test_a_failure_is_retried_as_policies_say_and_the_old_target_is_told_to_stop(
    world: World,
) -> None:
    one = begin(world, retries={"max_attempts": 2, "delay": "PT1M", "jitter": 0})
    old = launched(world)
    say(world, Report.FAILED, error="no disk")
    waiting = now(world, one)
    assert (waiting.state, waiting.run, waiting.heard_ms) == (S.WAITING, 2, None)
    assert say(world, Report.FAILED, old).run.state is S.FAILED  # again
    with pytest.raises(RunOver, match="run 1 is FAILED"):
        say(world, Report.HEARTBEAT, old)
    world.advance(2 * MINUTE)
    assert launched(world).token != old.token
    say(world, Report.SUCCEEDED)
    assert now(world, one).state is S.SUCCEEDED
    with pytest.raises(RunOver):
        say(world, Report.SUCCEEDED, old)


def test_a_failure_that_another_run_cannot_mend_is_not_retried(world: World) -> None:
    one = begin(world, retries={"max_attempts": 3})
    say(world, Report.FAILED, error="bad input", retry=False)
    assert (now(world, one).state, now(world, one).error) == (S.FAILED, "bad input")


def test_missed_heartbeats_end_the_run(world: World) -> None:
    one = begin(world, timeouts={"heartbeat": "PT30S"})
    for _ in range(10):
        world.advance(25_000)
        say(world, Report.HEARTBEAT)
    assert now(world, one).state is S.RUNNING
    last = world.clock.now
    world.advance(MINUTE)
    ended = now(world, one)
    assert (ended.state, ended.reason) == (S.FAILED, Reason.HEARTBEAT_MISSED)
    assert ended.ended_ms is not None
    assert ended.ended_ms - last == 30_000
    with pytest.raises(RunOver, match="HEARTBEAT_MISSED"):
        say(world, Report.HEARTBEAT)


def test_a_target_that_never_reports_is_missed_from_its_launch_on(world: World) -> None:
    one = begin(
        world, timeouts={"heartbeat": "PT30S"}, retries={"max_attempts": 2, "delay": "PT1S"}
    )
    old = launched(world)
    world.advance(35_000)
    assert now(world, one).run == 2
    assert launched(world).token != old.token
    with pytest.raises(RunOver, match="HEARTBEAT_MISSED"):
        say(world, Report.SUCCEEDED, old)
    world.advance(MINUTE)
    assert (now(world, one).state, now(world, one).reason) == (S.FAILED, Reason.HEARTBEAT_MISSED)


def test_the_time_of_a_run_ends_it(world: World) -> None:
    one = begin(world, timeouts={"run": "PT10M"})
    world.advance(9 * MINUTE)
    say(world, Report.HEARTBEAT)
    world.advance(MINUTE)
    ended = now(world, one)
    assert (ended.state, ended.reason) == (S.TIMED_OUT, Reason.RUN_TIMEOUT)
    assert ended.ended_ms == NOON + 10 * MINUTE
    with pytest.raises(RunOver, match="RUN_TIMEOUT"):
        say(world, Report.SUCCEEDED)


@pytest.mark.parametrize("report", ALIVE)
def test_after_a_kill_the_target_is_told_to_stop_and_confirms_it(
    world: World, report: Report
) -> None:
    one = begin(world)
    commands.kill(world.engine, ADMIN, one.id, reason="wrong day")
    world.advance(MINUTE)
    stop = say(world, report).stop
    assert stop is not None
    assert (stop.kind, stop.reason) == (StopKind.KILL, "wrong day")
    assert say(world, Report.STOPPED).run.state is S.KILLED
    assert say(world, Report.STOPPED).run.state is S.KILLED
    assert now(world, one).reason == Reason.KILLED
    with pytest.raises(RunOver, match="KILLED"):
        say(world, report)


def test_its_own_end_wins_over_a_kill_that_came_too_late(world: World) -> None:
    one = begin(world)
    commands.kill(world.engine, ADMIN, one.id)
    say(world, Report.SUCCEEDED)
    assert now(world, one).state is S.SUCCEEDED


def test_a_kill_that_nobody_confirms_ends_the_run_all_the_same(world: World) -> None:
    one = begin(world, timeouts={"heartbeat": "PT1M"})
    commands.kill(world.engine, ADMIN, one.id)
    world.advance(6 * MINUTE)
    assert (now(world, one).state, now(world, one).reason) == (S.KILLED, Reason.STOP_UNCONFIRMED)


@pytest.mark.parametrize("kind", ["started", "inline"])
@pytest.mark.parametrize("report", [*ALIVE, Report.SUCCEEDED, Report.FAILED])
def test_a_report_may_come_before_the_launch_returns(
    open_empty: Callable[[str], SqlStore], kind: str, report: Report
) -> None:
    world = World(open_empty("sqlite-memory"))
    calls = world.targets._launch if kind == "started" else world.targets.run

    def hasty(request: LaunchRequest, *rest: Any) -> Any:
        outcome = calls(request, *rest)
        say(world, report, request)
        return outcome

    setattr(world.targets, "_launch" if kind == "started" else "run", hasty)
    one = begin(world, kind)
    world.advance(10 * MINUTE)
    present = now(world, one)
    wanted = {Report.SUCCEEDED: S.SUCCEEDED, Report.FAILED: S.FAILED}.get(report, S.RUNNING)
    assert present.state is wanted
    assert len(world.targets.executions) == 1
    if present.state is S.RUNNING:
        assert present.claim.lease_ms is None
        assert present.external_id == (f"x-{one.token}" if kind == "started" else None)
        say(world, Report.SUCCEEDED)
        assert now(world, one).state is S.SUCCEEDED
    if present.state is S.FAILED:
        assert present.reason == Reason.RUN_FAILED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "anything",
        lambda text: text[:-1],
        lambda text: text[:-2] + ("AA" if text[-2:] != "AA" else "BB"),
        lambda text: text.replace(".k1.", ".k2."),
        lambda text: ".".join([*text.split(".")[:2], "ffffffffff", text.split(".")[3]]),
        lambda text: text + "\n",
        lambda text: text.upper(),
    ],
)
def test_what_is_no_credential_of_the_run_is_refused(
    world: World, spoil: Callable[[str], str]
) -> None:
    one = begin(world)
    callback = launched(world).callback
    assert callback is not None
    before = now(world, one)
    with pytest.raises(Unauthenticated) as refused:
        commands.report(world.engine, one.token, spoil(callback.credential), Said(Report.SUCCEEDED))
    assert callback.credential not in refused.value.message
    assert now(world, one) == before


def test_the_credential_of_one_run_is_none_of_another(world: World) -> None:
    one = begin(world, retries={"max_attempts": 2, "delay": "PT1S"})
    old = launched(world)
    say(world, Report.FAILED)
    world.advance(MINUTE)
    assert old.callback is not None
    with pytest.raises(Unauthenticated):
        commands.report(
            world.engine, launched(world).token, old.callback.credential, Said(Report.SUCCEEDED)
        )
    assert now(world, one).state is S.LAUNCHED


def test_a_credential_expires_a_day_after_its_run_must_have_ended(world: World) -> None:
    one = begin(world, timeouts={"run": "PT1H"})
    world.clock.now = NOON + 25 * HOUR - 1
    world.advance(0)
    with pytest.raises(RunOver):
        say(world, Report.HEARTBEAT)
    world.clock.now += 1
    with pytest.raises(Unauthenticated, match="expired"):
        say(world, Report.HEARTBEAT)
    assert now(world, one).state in TERMINAL


def keys_of(*keys: SigningKey) -> Keys:
    return lambda: keys


def test_a_new_key_signs_and_the_one_before_still_vouches() -> None:
    old, new = SigningKey("old", b"o" * 32), SigningKey("new", b"n" * 32)
    signed = Callbacks("http://x", keys_of(old)).of("t", NOON, NOON)
    rotated = Callbacks("http://x", keys_of(new, old))
    rotated.verify("t", signed.credential, NOON)
    assert ".new." in rotated.of("t", NOON, NOON).credential
    with pytest.raises(Unauthenticated):
        Callbacks("http://x", keys_of(new)).verify("t", signed.credential, NOON)


def test_a_run_whose_record_is_gone_is_not_found(world: World) -> None:
    token = f"{'0' * 32}-1"
    credential = CALLBACKS.of(token, NOON, NOON).credential
    for report in Report:
        with pytest.raises(NotFound):
            commands.report(world.engine, token, credential, Said(report))


def test_credentials_that_targets_repeat_are_not_kept(world: World) -> None:
    one = begin(world)
    callback = launched(world).callback
    assert callback is not None
    say(world, Report.HEARTBEAT, message=f"with {callback.credential}")
    say(world, Report.FAILED, error=f"env: {callback.credential}!")
    present = now(world, one)
    assert (present.said, present.error) == ("with (hidden)", "env: (hidden)!")


@pytest.mark.parametrize(
    ("target", "policies", "field"),
    [
        ({"kind": "started", "payload": "${callback_token}"}, {}, "target.payload"),
        (
            {"kind": "started", "completion": "callback", "url": "x?${callback_token}"},
            {},
            "target.url",
        ),
        (
            {"kind": "started", "completion": "callback", "name": "${callback_uri}"},
            {},
            "target.name",
        ),
    ],
)
def test_templates_are_refused_where_they_would_be_seen(
    world: World, target: dict[str, Any], policies: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        commands.submit(
            world.engine, ADMIN, a_definition(target=target, policies=policies), owner="blue"
        )
    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_server_that_nobody_can_reach_takes_no_such_job(world: World) -> None:
    world.engine = replace(world.engine, callbacks=Callbacks())
    with pytest.raises(InvalidInput, match="NOONDAY_URL"):
        commands.submit(world.engine, ADMIN, calling_back(), owner="blue")


@pytest.mark.parametrize(
    ("heartbeat", "completion"), [("PT9S", "callback"), ("P2D", "callback"), ("PT1M", "accepted")]
)
def test_a_heartbeat_has_limits_and_needs_callbacks(heartbeat: str, completion: str) -> None:
    with pytest.raises(ValueError, match=r"heartbeat|10 seconds"):
        a_definition(
            target={"kind": "started", "completion": completion},
            policies={"timeouts": {"heartbeat": heartbeat}},
        )
