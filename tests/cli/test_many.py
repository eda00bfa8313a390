"""Commands of many at the terminal: counted, asked about, done page by page, and said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.documents import a_job, an_instance
from tests.cli.stand_in import Answer, Asked, StandIn

KILL = "POST /instances/kill"
DONE = {"changed": 0, "stopping": 0, "already": 0, "moved": 0, "refused": 0, "next": None}


def counted(total: int, *, more: bool = False) -> dict[str, Any]:
    items = [an_instance()] if total else []
    states = {"WAITING": total} if total else {}
    return {"total": total, "more": more, "states": states, "items": items, "as_of_ms": 1234}


def test_a_dry_run_shows_how_many_and_which(run: Run, server: StandIn) -> None:
    server.on(KILL, counted(12_345))
    ran = run("instance", "kill", "--job", "daily-revenue", "--state", "waiting", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "kill 12,345 instances: 12,345 WAITING"
    assert ran.out.splitlines()[-1] == "… and others"
    [asked] = server.asked
    assert dict(asked.query) == {"dry_run": "true"}
    assert asked.document == {"filter": {"jobs": ["daily-revenue"], "states": ["WAITING"]}}
    server.on(KILL, counted(10_000, more=True))
    assert "more than 10,000" in run("instance", "kill", "--kind", "manual", "--dry-run").out


def test_everything_that_is_said_is_sent(run: Run, server: StandIn) -> None:
    server.on("POST /instances/rerun", counted(0))
    words = "--job a --job b --state FAILED --kind manual --group g --tag tier=gold --tag x=a=b"
    times = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z")
    ran = run("instance", "rerun", *words.split(), *times, "--original", "--reason", "why", "--yes")
    assert (ran.code, ran.out) == (0, "run again 0\n")
    assert server.asked[-1].document == {
        "filter": {
            "jobs": ["a", "b"],
            "states": ["FAILED"],
            "kind": "MANUAL",
            "group": "g",
            "tags": {"tier": "gold", "x": "a=b"},
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-02-01T00:00:00Z",
        },
        "original": True,
        "reason": "why",
    }


def test_it_goes_on_page_by_page_and_sums_up(run: Run, server: StandIn) -> None:
    server.then(
        Answer(200, counted(1500)),
        Answer(202, {**DONE, "changed": 990, "stopping": 5, "moved": 10, "next": "more"}),
        Answer(202, {**DONE, "changed": 490, "already": 8, "refused": 2}),
    )
    ran = run("instance", "kill", "--tag", "tier=gold", "--yes")
    assert ran.code == 0
    words = (
        "killed 1,475; asked to stop 5; passed over 8 so already, 10 changed meanwhile, "
        "2 of deleted jobs, or beyond their owner's quota"
    )
    assert ran.out.strip() == words
    assert [dict(asked.query).get("next") for asked in server.asked] == [None, None, "more"]
    assert {asked.document.get("as_of") for asked in server.asked[1:]} == {1234}
    server.then(Answer(200, counted(1)), Answer(202, {**DONE, "changed": 1}))
    ran = run("instance", "skip", "--job", "a", "--yes", "-o", "json")
    assert ran.document["changed"] == 1


def test_a_person_is_asked_and_a_program_told(
    run: Run, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(KILL, counted(3))
    ran = run("instance", "kill", "--job", "a")
    assert (ran.code, len(server.asked)) == (2, 1)
    assert "--yes" in ran.err
    monkeypatch.setattr("cli.commands.many._is_somebody_there", lambda: True)
    ran = run("instance", "kill", "--job", "a", stdin=b"n\n")
    assert (ran.code, len(server.asked)) == (130, 2)
    assert "kill 3 instances: 3 WAITING. Go on?" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        "instance kill",
        "instance kill --dry-run",
        "instance kill daily-revenue@latest --job a",
        "instance kill daily-revenue@latest --dry-run",
        "instance kill --job a --wait",
        "instance skip --tag gold",
        "job suspend",
        "job suspend daily-revenue --tag tier=gold",
        "job resume --yes",
    ],
)
def test_what_makes_no_sense_is_a_misuse(run: Run, server: StandIn, words: str) -> None:
    assert run(*words.split()).code == 2
    assert not server.asked


def test_the_servers_refusal_is_shown(run: Run, server: StandIn) -> None:
    problem = {"field": "filter.states", "message": "kill is for WAITING", "value": ["FAILED"]}
    body = {"title": "Bad Request", "status": 400, "code": "invalid_input", "problems": [problem]}
    server.on(KILL, body, status=400)
    ran = run("instance", "kill", "--state", "FAILED")
    assert ran.code == 1
    assert "filter.states: kill is for WAITING" in ran.err


def jobs(*names: str) -> dict[str, Any]:
    return {
        "items": [{**a_job(), "id": f"id-{name}", "name": name} for name in names],
        "next": None,
    }


def test_many_jobs_are_shown_then_suspended(run: Run, server: StandIn) -> None:
    server.on("GET /jobs", jobs("one", "two"))
    for name in ("one", "two"):
        server.on(f"POST /jobs/id-{name}/suspend", {"name": name, "state": "SUSPENDED"})
    ran = run("job", "suspend", "--tag", "tier=gold", "--dry-run")
    assert ran.out.splitlines()[0] == "suspend 2 jobs"
    assert [asked.method for asked in server.asked] == ["GET"]
    assert ("tag", "tier=gold") in server.asked[0].query
    assert ("state", "SCHEDULED") in server.asked[0].query
    ran = run("job", "suspend", "--tag", "tier=gold", "--yes", "--reason", "the move")
    assert (ran.code, ran.out) == (0, "suspend: 2 of 2 jobs\n")
    assert server.asked[-1].document == {"reason": "the move"}
    assert run("job", "suspend", "--all").code == 2
    moved = ("--until", "2026-12-01T06:00:00Z")
    run("job", "suspend", "--tag", "tier=gold", "--dry-run", *moved)
    assert ("state", "SUSPENDED") in server.asked[-1].query


def test_one_job_that_is_refused_does_not_hold_up_the_others(run: Run, server: StandIn) -> None:
    server.on("GET /jobs", jobs("one", "two", "three"))
    refusal = {"title": "Conflict", "status": 409, "code": "wrong_state", "detail": "no more fires"}
    for name in ("one", "three"):
        server.on(f"POST /jobs/id-{name}/schedule", {"name": name, "state": "SCHEDULED"})
    server.on("POST /jobs/id-two/schedule", refusal, status=409)
    ran = run("job", "schedule", "--all", "--yes")
    assert ran.code == 4
    assert ran.out == "schedule: 2 of 3 jobs\n"
    assert "two: no more fires" in ran.err
    server.on("GET /jobs", jobs())
    ran = run("job", "delete", "--name", "trial-")
    assert (ran.code, ran.out) == (0, "no job to delete\n")


def test_many_jobs_are_deleted_with_their_runs(run: Run, server: StandIn) -> None:
    server.on("GET /jobs", jobs("one"))
    server.on("DELETE /jobs/id-one", {"name": "one", "state": "DELETED"})
    ran = run("job", "delete", "--group", "g", "--kill", "--yes", "-o", "json")
    assert (ran.code, ran.document["items"][0]["state"]) == (0, "DELETED")
    assert dict(server.asked[-1].query) == {"kill": "true"}


def test_lists_are_narrowed(run: Run, server: StandIn) -> None:
    empty: dict[str, Any] = {"items": [], "next": None}

    def asked_for(asked: Asked) -> Answer:
        del asked
        return Answer(200, empty)

    server.routes["GET", "/instances"] = server.routes["GET", "/jobs"] = asked_for
    run("instance", "list", "--backfill", "f" * 32, "--group", "g")
    assert {("backfill", "f" * 32), ("group", "g")} <= set(server.asked[-1].query)
    run("instance", "list", "--tag", "tier=gold")
    assert ("tag", "tier=gold") in server.asked[-1].query
    ran = run("instance", "list", "--tag", "tier=gold", "--job", "sample")
    assert (ran.code, "use one of both" in ran.err) == (2, True)
    run("job", "list", "--tag", "tier=gold", "--group", "g")
    assert {("tag", "tier=gold"), ("group", "g")} <= set(server.asked[-1].query)
