"""Why an instance is where it is: every state and every reason says so in words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.engine import commands
from chalicelib.engine.commands import Wish
from chalicelib.engine.explaining import Why, why
from chalicelib.engine.explaining_jobs import why_job
from chalicelib.engine.outcomes import Failed, Refused, Stopped
from chalicelib.engine.queries import instance as shown
from chalicelib.engine.telling import ago, listed, moment, span, times
from chalicelib.model.errors import NotFound
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import TERMINAL, InstanceState
from tests.engine.history import instances_of
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

S = InstanceState
HOUR = 60 * MINUTE


def submitted(world: World, name: str = "sample", **changes: Any) -> str:
    fields = {"name": name, "schedule": {"at": "2026-01-01T12:00:00"}, **changes}
    job = commands.submit(world.engine, ADMIN, a_definition(**fields), schedule=True)
    assert isinstance(job, Job)
    return job.id


def run(world: World, name: str = "sample", **changes: Any) -> str:
    job_id = submitted(world, name, **changes)
    world.minute()
    world.deliver()
    return job_id


def only(world: World, job_id: str) -> Instance:
    [one] = instances_of(world.engine.store, job_id)
    return one


def told(world: World, job_id: str) -> Why:
    return why(world.engine, ADMIN, only(world, job_id).id)


def data(world: World) -> str:
    job_id = run(
        world,
        schedule={"at": "2026-01-01T13:00:00", "timezone": "Europe/Berlin"},
        prerequisites=[{"data": "orders/${nominal_time:%Y/%m/%d}/_SUCCESS"}, {"data": "there"}],
    )
    world.places.there.add("there")
    world.advance(HOUR)
    world.clock.now += 12_000
    return job_id


def suspended(world: World) -> str:
    job_id = run(world, schedule={"every": "P1D"}, prerequisites=[{"data": "x"}])
    until = NOON + 26 * HOUR
    commands.suspend(world.engine, ADMIN, job_id, reason="the lake is drained", until_ms=until)
    return job_id


def retry(world: World) -> str:
    world.targets.run_outcomes = [Failed("the disk is full")]
    return run(world, policies={"retries": {"max_attempts": 3, "delay": "PT10M", "jitter": 0}})


def refused(world: World) -> str:
    world.targets.launch_outcomes = [Refused("too many requests")]
    return run(world, target={"kind": "started"})


def group(world: World) -> str:
    commands.set_group(world.engine, ADMIN, "g", 1)
    run(world, "first", target={"kind": "started"}, policies={"group": "g"})
    return run(world, policies={"group": "g"})


def launched(world: World) -> str:
    job_id = run(world, target={"kind": "started"}, policies={"timeouts": {"run": "PT1H"}})
    world.clock.now += MINUTE
    return job_id


def stopping(world: World) -> str:
    job_id = launched(world)
    commands.kill(world.engine, ADMIN, only(world, job_id).id, reason="wrong input")
    return job_id


def killed(world: World) -> str:
    job_id = run(world, prerequisites=[{"data": "x"}])
    commands.kill(world.engine, ADMIN, only(world, job_id).id, reason="not today")
    return job_id


def stopped(world: World) -> str:
    job_id = stopping(world)
    world.targets.when_cancelled = Stopped()
    world.minute()
    world.deliver()
    assert only(world, job_id).state is S.KILLED
    return job_id


def skipped(world: World) -> str:
    job_id = run(world, prerequisites=[{"data": "x"}])
    commands.skip(world.engine, ADMIN, only(world, job_id).id, reason="a holiday")
    return job_id


def deleted(world: World) -> str:
    job_id = run(world, prerequisites=[{"data": "x"}])
    commands.delete(world.engine, ADMIN, job_id)
    return job_id


def gave_up(world: World) -> str:
    job_id = run(world, prerequisites=[{"data": "x"}], policies={"timeouts": {"wait": "PT5M"}})
    world.advance(10 * MINUTE)
    return job_id


def failed(world: World) -> str:
    world.targets.run_outcomes = [Failed("exit code 3")]
    return run(world)


def succeeded(world: World) -> str:
    return run(world)


def about_to_be_checked(world: World) -> str:
    job_id = submitted(world, prerequisites=[{"data": "x"}])
    world.minute()
    return job_id


def about_to_be_launched(world: World) -> str:
    job_id = submitted(world)
    world.minute()
    return job_id


CASES: dict[Callable[[World], str], list[str]] = {
    data: [
        "waits for orders/2026/01/01/_SUCCESS (no), checked",
        "last ",
        "; gives up at 13:00 Europe/Berlin tomorrow",
    ],
    suspended: [
        "the job sample is suspended by ada since 12:00 UTC (the lake is drained), until 14:00",
        " UTC tomorrow; meanwhile its wait does not count",
    ],
    retry: ["waits for its retry, attempt 2 of 3, in 10 min; the one before ended with: the disk"],
    refused: ["its target refused to take it: too many requests; it is tried again in 30 s"],
    group: [
        "waits for a slot of the group g: its size is 1; held by first of 2026-01-01T12:00:00Z"
    ],
    launched: ["its target accepted it 1 min ago", "its time is over at 13:00 UTC"],
    stopping: ["was asked to stop by ada (wrong input)", "at 12:06 UTC"],
    killed: ["killed at 12:00 UTC: it was killed; asked for by ada (not today)"],
    stopped: ["killed at 12:01 UTC after 1 min", "asked for by ada (wrong input)"],
    skipped: ["skipped at 12:00 UTC: it was skipped; asked for by ada (a holiday)"],
    deleted: ["its job was deleted"],
    gave_up: ["timed out at 12:05 UTC: it waited longer than timeouts.wait allows", "waited for x"],
    failed: ["failed at 12:00 UTC", "its run failed; exit code 3"],
    succeeded: ["succeeded at 12:00 UTC"],
    about_to_be_checked: ["its prerequisites are about to be checked; gives up at 12:00 UTC tomo"],
    about_to_be_launched: ["is about to be launched; if nobody takes it"],
}


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_every_reason_is_told(world: World, made: Callable[[World], str]) -> None:
    job_id = made(world)
    answer = told(world, job_id)
    for words in CASES[made]:
        assert words in answer.because, answer.because
    one = only(world, job_id)
    view = shown(world.engine, ADMIN, one.id)
    if one.reason is not None and one.state is S.WAITING:
        assert view.waiting_on
    if one.state in TERMINAL:
        assert answer.gives_up_ms is None


def test_what_is_missing_and_what_is_there_are_both_told(world: World) -> None:
    answer = told(world, data(world))
    assert [(one["what"], one["met"]) for one in answer.findings] == [
        ("orders/2026/01/01/_SUCCESS", False),
        ("there", True),
    ]
    one = shown(world.engine, ADMIN, answer.view.instance.id)
    assert one.waiting_on is not None
    assert one.waiting_on.startswith(f"orders/2026/01/01/_SUCCESS, checked {one.instance.checks}")
    assert one.waiting_on.endswith("; gives up at 2026-01-02T12:00:00Z")


def test_who_holds_the_slot_is_named(world: World) -> None:
    job_id = submitted(
        world,
        schedule={"every": "PT1M"},
        target={"kind": "started"},
        policies={"overlap": "queue"},
    )
    world.targets.otherwise = Refused("")  # it goes on: whatever its poll says is no end
    world.minute()
    world.deliver()
    world.clock.now += MINUTE
    world.minute()
    world.deliver()
    [first, second] = sorted(
        instances_of(world.engine.store, job_id), key=lambda one: one.nominal_ms
    )
    answer = why(world.engine, ADMIN, second.id)
    assert "the job sample runs one instance at once (overlap: queue)" in answer.because
    assert f"held by sample of 2026-01-01T12:00:00Z (launched, {first.id[:16]})" in answer.because
    assert [one.id for one, _ in answer.holders] == [first.id]


def test_the_limit_of_a_backfill_is_told(world: World) -> None:
    job_id = submitted(
        world,
        schedule={"every": "PT1M", "start": "2026-01-01T11:50:00"},
        target={"kind": "started"},
        policies={"catch_up": {"mode": "none"}},
    )
    commands.suspend(world.engine, ADMIN, job_id)
    commands.resume(world.engine, ADMIN, job_id)
    wish = Wish(from_ms=NOON - 8 * MINUTE, to_ms=NOON - 5 * MINUTE, overlap="queue")
    commands.create_backfill(world.engine, ADMIN, job_id, wish)
    world.minute()
    world.deliver()
    mine = [one for one in instances_of(world.engine.store, job_id) if one.backfill]
    waiting = [one for one in mine if one.state is S.WAITING]
    assert waiting
    assert f"the backfill {waiting[0].backfill} runs one instance at once" in (
        why(world.engine, ADMIN, waiting[0].id).because
    )


def test_somebody_elses_instance_is_not_explained(world: World) -> None:
    one = only(world, run(world))
    with pytest.raises(NotFound):
        why(world.engine, Principal("eve"), one.id)
    with pytest.raises(NotFound):
        why_job(world.engine, Principal("eve"), one.job_id)


def test_why_a_job_does_not_run(world: World) -> None:
    def because(name: str) -> str:
        return why_job(world.engine, ADMIN, name).because

    definition = a_definition(name="new", schedule={"every": "P1D"})
    commands.submit(world.engine, ADMIN, definition)
    assert "has never been scheduled" in because("new")
    assert why_job(world.engine, ADMIN, "new").lately == ["it has no instance yet"]
    commands.schedule(world.engine, ADMIN, "new")
    world.minute()
    assert because("new") == "it is scheduled, and fires next at 12:00 UTC tomorrow, in 1 d"
    commands.suspend(world.engine, ADMIN, "new", reason="a break")
    world.clock.now += 30 * HOUR
    assert "suspended by ada since 12:00 UTC yesterday (a break), until somebody" in because("new")
    commands.resume(world.engine, ADMIN, "new")
    lately = why_job(world.engine, ADMIN, "new").lately
    assert "its latest instance, of 2026-01-01T12:00:00Z" in lately[0]
    assert lately[1].endswith(": suspended")
    commands.expire(world.engine, ADMIN, "new")
    assert "has ended" in because("new")


def test_times_are_told_as_people_say_them() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert [span(ms) for ms in (-5, 0, 999, 59_999, 61_000, 2 * HOUR, 26 * HOUR + 1)] == [
        "0 s", "0 s", "0 s", "59 s", "1 min 1 s", "2 h", "1 d 2 h",
    ]  # fmt: skip
    assert [times(count) for count in (1, 2, 14)] == ["once", "twice", "14 times"]
    assert ago(NOON, NOON) == "now"
    assert ago(NOON, NOON + 12_000) == "12 s ago"
    assert moment(NOON + HOUR + 5_000, NOON, berlin) == "14:00:05 Europe/Berlin"
    assert moment(NOON + 24 * HOUR, NOON, berlin) == "13:00 Europe/Berlin tomorrow"
    assert moment(NOON - 24 * HOUR, NOON, berlin) == "13:00 Europe/Berlin yesterday"
    assert moment(NOON + 48 * HOUR, NOON, berlin) == "2026-01-03 13:00 Europe/Berlin"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"], 4) == "a and 4 more"
