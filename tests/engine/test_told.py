"""A story in which nearly everything happens, and what the log says of it: every line and every query."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine import commands
from chalicelib.engine.announcing import Announced, end_announced
from chalicelib.engine.commands import Report, Said
from chalicelib.engine.facts import Fact, LaunchBegun, RunEnded
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.outcomes import Failed, Pending, Refused, Succeeded
from chalicelib.model.errors import Unauthenticated
from chalicelib.model.job import Job
from chalicelib.model.states import Role
from chalicelib.notifications.invocation import Invocation, invoked
from chalicelib.notifications.log import JsonLog
from docs.log_lines import every_fact, fields_of
from tests.engine.test_callbacks import calling_back, launched, say
from tests.engine.world import ADMIN, MINUTE, NOON, World, a_definition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observability.md"
ELSEWHERE = {"OverQuota", "BackfillSetAside", "Purged", "PurgeSetAside"}
"""Told in tests of their own: quotas, backfills and retention take a story each."""
ALWAYS = {"time", "level", "fact", "stage", "function", "request_id", "api_request_id"}
LANGUAGE = {
    "fields", "filter", "sort", "stats", "limit", "by", "as", "and", "or", "in", "asc", "desc", "count",
    "max", "avg", "pct", "bin", "h", "m", "runs",
}  # fmt: skip


def submit(world: World, name: str, **changes: Any) -> Job:
    job = commands.submit(
        world.engine, ADMIN, a_definition(name=name, **changes), owner="blue", schedule=True
    )
    assert isinstance(job, Job)
    return job


ONCE = {"at": "2026-01-01T12:00:00Z"}


def runs_go_well_and_badly(world: World) -> None:
    world.targets.otherwise = Pending()
    submit(world, "polled", schedule=ONCE, target={"kind": "started"})
    world.advance(2 * MINUTE)
    token = launched(world).token
    end_announced(world.engine, "aws.states", Announced(token))
    end_announced(world.engine, "aws.states", Announced("somebody-elses"))
    world.targets.otherwise = Succeeded()
    world.advance(MINUTE)
    world.targets.launch_outcomes = [Refused("throttled"), Failed("no such thing")]
    retries = {"launch": {"max_attempts": 2}}
    submit(
        world, "refused", schedule=ONCE, target={"kind": "started"}, policies={"retries": retries}
    )
    world.advance(5 * MINUTE)


def some_wait_and_some_are_skipped(world: World) -> None:
    world.targets.otherwise = Pending()
    for overlap in ("queue_all", "skip"):
        job = submit(
            world,
            overlap.replace("_", "-"),
            target={"kind": "started"},
            policies={"overlap": "skip"} if overlap == "skip" else {"max_active": 1},
        )
        world.advance(3 * MINUTE)
        commands.suspend(world.engine, ADMIN, job.id)
        world.advance(2 * MINUTE)
        commands.resume(world.engine, ADMIN, job.id)
        world.advance(MINUTE)
        commands.delete(world.engine, ADMIN, job.id, kill=True)
    world.targets.otherwise = Succeeded()
    lazy = {"catch_up": {"mode": "none"}}
    job = submit(world, "lazy", policies=lazy)
    world.clock.now += 30 * MINUTE
    world.minute()
    commands.delete(world.engine, ADMIN, job.id)
    world.advance(MINUTE)


def data_is_awaited(world: World) -> None:
    waiting = [{"data": "in.csv"}]
    submit(world, "data", schedule=ONCE, prerequisites=waiting)
    world.advance(MINUTE)
    world.places.there.add("in.csv")
    commands.data_arrived(world.engine, ADMIN, ["in.csv"])
    world.advance(MINUTE)


def somebody_is_told(world: World) -> None:
    world.channels.receipts = [Receipt("no answer"), Receipt()]
    notify = [{"url": "https://example.org/hook", "on": ["success"]}]
    submit(world, "told", schedule=ONCE, policies={"notify": notify})
    world.advance(10 * MINUTE)


def targets_call_back(world: World) -> None:
    definition = calling_back().model_copy(update={"name": "calling"})
    commands.submit(world.engine, ADMIN, definition, owner="blue", schedule=True)
    world.advance(MINUTE)
    request = launched(world)
    with suppress(Unauthenticated):
        commands.report(world.engine, request.token, "wrong", Said(Report.RUNNING))
    say(world, Report.SUCCEEDED)


def one_is_poisonous(world: World) -> None:
    poison = submit(world, "poison")
    broken = replace(poison, revision=2, definition_json='{"name": "sample"}')
    world.engine.store.transact(lambda tx: tx.revise_job(broken))
    world.advance(2 * MINUTE)


@pytest.fixture
def told(world: World) -> Sequence[Fact]:
    for chapter in (
        runs_go_well_and_badly,
        some_wait_and_some_are_skipped,
        data_is_awaited,
        somebody_is_told,
        targets_call_back,
        one_is_poisonous,
    ):
        chapter(world)
    return world.facts


def written(facts: Sequence[Fact]) -> Sequence[Mapping[str, Any]]:
    stream = io.StringIO()
    log = JsonLog(stream, "debug", lambda: NOON)
    log.stage = "dev"
    with invoked(Invocation("launch", "request", "gateway")):
        for fact in facts:
            log(fact)
        log.unexpected(ValueError("a defect"), route="/jobs", method="GET")
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_fact_is_told_with_fields_that_are_documented(told: Sequence[Fact]) -> None:
    names = {type(one).__name__ for one in told}
    assert names | ELSEWHERE == {one.__name__ for one in every_fact()}
    fields = {one.__name__: set(fields_of(one)) for one in every_fact()}
    for line in written(told):
        if line["fact"] in fields:
            assert line.keys() - ALWAYS <= fields[line["fact"]], line


def test_every_line_of_a_run_names_its_job_its_owner_and_its_token(told: Sequence[Fact]) -> None:
    for line in written(told):
        if line["fact"] in ("LaunchBegun", "RunEnded", "RunLaunched", "InstanceSkipped"):
            assert line["token"] == f"{line['instance_id']}-{line['run']}"
            assert (line["owner"], line["request_id"]) == ("blue", "request")
            assert line["job"]
            assert line["nominal"].endswith("Z")


def queries() -> Sequence[str]:
    return re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_query_asks_for_fields_and_facts_that_are_there(told: Sequence[Fact]) -> None:
    lines = written(told)
    there = {name for line in lines for name in line} | {"@timestamp"}
    facts = {line["fact"] for line in lines} | ELSEWHERE
    assert len(queries()) > 8
    for query in queries():
        for fact in re.findall(r'fact = "(\w+)"', query):
            assert fact in facts
        words = set(re.findall(r"@?[a-z_]+", re.sub(r'"[^"]*"', "", query)))
        assert words - LANGUAGE <= there, query


def test_what_admins_do_is_told_and_no_token_is(world: World) -> None:
    engine = world.engine
    commands.create_owner(engine, ADMIN, "red")
    commands.set_member(engine, ADMIN, "red", "eve", Role.OPERATOR)
    commands.remove_member(engine, ADMIN, "red", "eve")
    token = commands.create_token(engine, ADMIN, "eve")
    commands.set_group(engine, ADMIN, "warehouse", 3, owner="red")
    commands.delete_group(engine, ADMIN, "warehouse", owner="red")
    lines = written(world.facts)[:-1]
    assert [(line["verb"], line["subject"]) for line in lines] == [
        ("OWNER", "owner red"),
        ("MEMBER", "eve is operator"),
        ("MEMBER", "eve has no role"),
        ("TOKEN", "a token for eve"),
        ("GROUP", "group warehouse: 3"),
        ("GROUP_DELETE", "group warehouse"),
    ]
    assert {line["actor"] for line in lines} == {"ada"}
    assert token not in json.dumps(lines)


def test_a_launch_is_late_from_when_it_was_due(world: World) -> None:
    """Not from its nominal time where it waited for data, for its retry, or for a slot."""
    world.places.there.clear()
    submit(world, "data", schedule=ONCE, prerequisites=[{"data": "in.csv"}])
    submit(world, "plain", schedule=ONCE)
    world.targets.run_outcomes = []
    world.clock.now += 7_000  # nobody swept before
    world.minute()
    world.deliver()
    world.advance(10 * MINUTE)
    world.places.there.add("in.csv")
    commands.data_arrived(world.engine, ADMIN, ["in.csv"])
    world.deliver()
    world.deliver()
    late = {one.job: one.lateness_ms for one in world.facts if isinstance(one, LaunchBegun)}
    assert late == {"plain": 7_000, "data": 0}


def test_who_waited_for_a_slot_is_not_late(world: World) -> None:
    world.targets.otherwise = Pending()
    submit(world, "slow", target={"kind": "started"}, policies={"max_active": 1})
    world.advance(3 * MINUTE)
    world.targets.otherwise = Succeeded()
    world.advance(2 * MINUTE)
    begun = [one for one in world.facts if isinstance(one, LaunchBegun)]
    ended = [one for one in world.facts if isinstance(one, RunEnded)]
    assert len(ended) > 2
    assert begun[0].lateness_ms == 0
    assert None in [one.lateness_ms for one in begun[1:]]
    assert all(not one.lateness_ms for one in begun)
