"""Every command in every state, over REST: what it answers, what is allowed instead, and that a repeat is
harmless. And a job that is deleted in whatever state its instances are leaves nothing that is stuck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.engine.outcomes import Failed, Running, Succeeded
from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore
from tests.engine.world import MINUTE, NOON
from tests.model.stage import Answer, Stage

HOUR = 60 * MINUTE
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "KILLED", "SKIPPED")
IN_FLIGHT = ("LAUNCHING", "LAUNCHED", "RUNNING")


@pytest.fixture
def stage(open_empty: Callable[[str], SqlStore]) -> Iterator[Stage]:
    yield Stage(open_empty("sqlite-memory"), now_ms=NOON, together=False)
    wiring.provide(_nobody)


def _nobody() -> Any:
    raise Unavailable("the test is over")


def submitted(stage: Stage, *, scheduled: bool = False, **fields: Any) -> str:
    definition = {
        "name": "sample",
        "schedule": {"every": "PT1H", "start": "2026-01-01T13:00:00Z"},
        "target": {"kind": "started"},
        **fields,
    }
    answer = stage("POST", "/jobs", definition, **({"schedule": "true"} if scheduled else {}))
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def triggered(stage: Stage, job: str) -> str:
    answer = stage("POST", f"/jobs/{job}/trigger", {})
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def state_of(stage: Stage, instance: str) -> str:
    return str(stage("GET", f"/instances/{instance}").body["state"])


def an_instance(stage: Stage, state: str, **policies: Any) -> tuple[str, str]:
    """A job and an instance of it in that state."""
    job = submitted(stage, policies={"timeouts": {"wait": "PT10M", "run": "PT30M"}, **policies})
    if state == "TIMED_OUT":  # waits for the slot of another too long
        stage("PATCH", f"/jobs/{job}", {"policies": {"max_active": 1}})
        triggered(stage, job)
        stage.quiet()
    if state in ("LAUNCHING", "FAILED"):
        stage.puppets.modes["sample"] = "lose" if state == "LAUNCHING" else "hopeless"
    instance = triggered(stage, job)
    if state != "WAITING":
        stage.quiet()
    if state == "TIMED_OUT":
        stage.world.clock.now += 11 * MINUTE
        stage.quiet()
    if state in ("RUNNING", "SUCCEEDED"):
        stage.puppets.otherwise = Running() if state == "RUNNING" else Succeeded()
        stage.world.clock.now += MINUTE
        stage.quiet()
    if state in ("KILLED", "SKIPPED"):
        stage.world.clock.now = NOON
        instance = triggered(stage, job)
        stage("POST", f"/instances/{instance}/{'kill' if state == 'KILLED' else 'skip'}", {})
    assert state_of(stage, instance) == state
    return job, instance


# What a command answers: a status, then the state that follows or what is allowed instead.
KILL: dict[str, tuple[int, Any]] = {
    "WAITING": (200, "KILLED"),
    **dict.fromkeys(IN_FLIGHT, (202, None)),
    **dict.fromkeys(ENDED, (409, ["rerun"])),
    "KILLED": (200, "KILLED"),
}
SKIP: dict[str, tuple[int, Any]] = {
    "WAITING": (200, "SKIPPED"),
    **dict.fromkeys(IN_FLIGHT, (409, ["kill"])),
    **dict.fromkeys(ENDED, (409, ["rerun"])),
    "SKIPPED": (200, "SKIPPED"),
}
RERUN: dict[str, tuple[int, Any]] = {
    "WAITING": (409, ["kill", "skip"]),
    **dict.fromkeys(IN_FLIGHT, (409, ["kill"])),
    **dict.fromkeys(ENDED, (200, "WAITING")),
}
ON_INSTANCES = {"kill": KILL, "skip": SKIP, "rerun": RERUN}


@pytest.mark.parametrize("state", KILL)
@pytest.mark.parametrize("verb", ON_INSTANCES)
def test_every_command_on_an_instance_in_every_state(stage: Stage, verb: str, state: str) -> None:
    _, instance = an_instance(stage, state)
    status, follows = ON_INSTANCES[verb][state]
    answer = stage("POST", f"/instances/{instance}/{verb}", {})
    assert answer.status == status, answer.body
    if status == 409:
        assert_refused(answer, follows, state)
        assert state_of(stage, instance) == state
        return
    assert answer.body["state"] == (follows or state)
    again = stage("POST", f"/instances/{instance}/{verb}", {})
    if verb == "rerun":
        assert_refused(again, ["kill", "skip"], "WAITING")
        assert len(stage("GET", f"/instances/{instance}").body["runs"]) == 2
    else:
        assert (again.status, again.body) == (answer.status, answer.body)


def assert_refused(answer: Answer, allowed: list[str], state: str) -> None:
    assert (answer.status, answer.body["code"]) == (409, "wrong_state")
    assert answer.body["allowed"] == allowed
    assert state in answer.body["detail"]
    assert all(name in answer.body["detail"] for name in allowed)


TAKES = {
    "NEW": ["schedule", "expire", "delete", "update"],
    "SCHEDULED": ["schedule", "suspend", "resume", "expire", "delete", "update"],
    "SUSPENDED": ["suspend", "resume", "expire", "delete", "update"],
    "EXPIRED": ["schedule", "expire", "delete", "update"],
    "DELETED": ["delete"],
}
LEADS_TO = {
    "schedule": "SCHEDULED",
    "suspend": "SUSPENDED",
    "resume": "SCHEDULED",
    "expire": "EXPIRED",
    "delete": "DELETED",
}


def a_job(stage: Stage, state: str) -> str:
    job = submitted(stage, scheduled=state not in ("NEW", "DELETED"))
    for verb, reached in LEADS_TO.items():
        if reached == state and state not in ("SCHEDULED", "DELETED"):
            assert stage("POST", f"/jobs/{job}/{verb}", {}).status == 200
    if state == "DELETED":
        assert stage("DELETE", f"/jobs/{job}").status == 200
    assert stage("GET", f"/jobs/{job}").body["state"] == state
    return job


def command(stage: Stage, job: str, verb: str) -> Answer:
    if verb == "delete":
        return stage("DELETE", f"/jobs/{job}")
    if verb == "update":
        return stage("PATCH", f"/jobs/{job}", {"description": "changed"})
    return stage("POST", f"/jobs/{job}/{verb}", {"reason": "why"})


@pytest.mark.parametrize("state", TAKES)
@pytest.mark.parametrize("verb", [*LEADS_TO, "update"])
def test_every_command_on_a_job_in_every_state(stage: Stage, verb: str, state: str) -> None:
    job = a_job(stage, state)
    answer = command(stage, job, verb)
    if verb not in TAKES[state]:
        assert_refused(answer, TAKES[state], state)
        assert stage("GET", f"/jobs/{job}").body["state"] == state
        return
    assert (answer.status, answer.body["state"]) == (200, LEADS_TO.get(verb, state))
    again = command(stage, job, verb)
    assert (again.status, again.body) == (200, answer.body)
    verbs = [one["verb"] for one in stage("GET", f"/jobs/{job}/events").body["items"]]
    if LEADS_TO.get(verb) != state:
        assert verbs.count(verb.upper()) == 1, "the repeat is in the history"


@pytest.mark.parametrize("state", TAKES)
def test_a_trigger_and_a_backfill_in_every_state(stage: Stage, state: str) -> None:
    job = a_job(stage, state)
    stage.world.clock.now += 3 * HOUR
    for path, body in (("trigger", {}), ("backfills", {"from": NOON, "to": NOON + 2 * HOUR})):
        answer = stage("POST", f"/jobs/{job}/{path}", body)
        if state == "DELETED":
            assert (answer.status, answer.body["code"]) == (409, "wrong_state")
            assert "runs no more" in answer.body["detail"]
        else:
            assert answer.status == 201, answer.body


@pytest.mark.parametrize("state", KILL)
def test_a_rerun_of_a_deleted_job_is_refused(stage: Stage, state: str) -> None:
    job, instance = an_instance(stage, state)
    stage("DELETE", f"/jobs/{job}")
    answer = stage("POST", f"/instances/{instance}/rerun", {})
    assert (answer.status, answer.body["code"]) == (409, "wrong_state")


@pytest.mark.parametrize("kill", [False, True], ids=["runs go on", "runs are killed"])
@pytest.mark.parametrize(
    "state",
    [
        "WAITING",
        *IN_FLIGHT,
        "queued",
        "in a group's queue",
        "retry",
        "backfill",
        "held",
        "upstream",
    ],
)
def test_a_deleted_job_leaves_nothing_stuck(stage: Stage, state: str, kill: bool) -> None:
    job = whatever(stage, state)
    answer = stage("DELETE", f"/jobs/{job}", **({"kill": "true"} if kill else {}))
    assert answer.status == 200
    open_ones = [one["state"] for one in instances(stage, job) if one["state"] not in ENDED]
    assert "WAITING" not in open_ones
    stage.puppets.otherwise = Running() if kill else Succeeded()
    for _ in range(15):
        stage.world.clock.now += MINUTE
        stage.quiet()
    assert {one["state"] for one in instances(stage, job)} <= set(ENDED)
    for one in stage("GET", "/backfills").body["items"]:
        assert one["state"] in ("CANCELLED", "COMPLETED")
    wakes = stage.world.engine.store.read(lambda reader: reader.next_wakes(1 << 52))
    assert wakes.earliest is None, "somebody still wants to be looked at"
    if state == "in a group's queue":
        assert stage("GET", "/groups/g").body["held"] == 0


def instances(stage: Stage, job: str) -> list[Any]:
    return list(stage("GET", f"/jobs/{job}/instances").body["items"])


def whatever(stage: Stage, state: str) -> str:
    """A job with an instance that waits or runs in the way that is named."""
    if state in KILL:
        return an_instance(stage, state)[0]
    special: dict[str, dict[str, Any]] = {
        "queued": {"max_active": 1},
        "in a group's queue": {"group": "g"},
        "retry": {"retries": {"max_attempts": 3, "delay": "PT5M"}},
    }
    policies = special.get(state, {})
    if "group" in policies:
        assert stage("PUT", "/groups/g", {"size": 1}).status in (200, 201)
    upstream = {"prerequisites": [{"job": "upstream"}]} if state == "upstream" else {}
    job = submitted(stage, scheduled=True, policies=policies, **upstream)
    if state == "backfill":
        stage.world.clock.now += 4 * HOUR
        span = {"from": NOON, "to": NOON + 3 * HOUR, "reprocess": "all", "max_active": 1}
        stage("POST", f"/jobs/{job}/suspend", {})
        stage("POST", f"/jobs/{job}/resume", {})
        assert stage("POST", f"/jobs/{job}/backfills", span).status == 201
        stage.quiet()
        return job
    triggered(stage, job)
    if state == "retry":
        stage.puppets.otherwise = Failed("broken")
    stage.quiet()
    if state == "retry":
        stage.world.clock.now += MINUTE
        stage.quiet()
        assert instances(stage, job)[0]["reason"] == "RETRY"
    elif state == "upstream":
        assert instances(stage, job)[0]["reason"] == "PREREQUISITES"
    elif state == "held":
        stage.world.clock.now = NOON + HOUR
        stage("POST", f"/jobs/{job}/suspend", {})
    else:
        triggered(stage, job)
        stage.quiet()
        assert {one["reason"] for one in instances(stage, job)} & {"MAX_ACTIVE", "GROUP_FULL"}
    return job
