"""``noonday backfill``: planned, created, watched with a bar, named, cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from cli.backfill_views import backfill_lines, backfill_table, bar, live, plain, plan_lines
from cli.screen import Screen
from cli.text import width
from cli.waiting import Pace
from tests.cli.conftest import Run
from tests.cli.documents import BACKFILL_ID, NOW, a_backfill, a_job, a_plan
from tests.cli.stand_in import Answer, StandIn

CREATE = "POST /jobs/daily-revenue/backfills"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.waiting.Pace", lambda: Pace(pause=lambda _: None, now=lambda: 0.0))


def create(run: Run, *more: str) -> Any:
    times = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-15T00:00:00Z")
    return run("backfill", "create", "daily-revenue", *times, *more)


def test_what_was_said_is_sent_and_nothing_else(run: Run, server: StandIn) -> None:
    server.on(CREATE, a_backfill(), status=201)
    ran = create(run)
    assert ran.code == 0
    assert BACKFILL_ID in ran.out
    assert server.asked[-1].document == {
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-15T00:00:00Z",
    }
    assert "idempotency-key" in server.asked[-1].headers
    words = "--reprocess all --overlap allow --max-active 3 --newest-first --param a=1 --reason why"
    create(run, *words.split())
    said = server.asked[-1].document
    assert {key: said[key] for key in ("reprocess", "overlap", "max_active", "order")} == {
        "reprocess": "all",
        "overlap": "allow",
        "max_active": 3,
        "order": "newest",
    }
    assert (said["parameters"], said["reason"]) == ({"a": 1}, "why")


def test_times_are_the_jobs_or_relative_to_the_servers(run: Run, server: StandIn) -> None:
    server.on(CREATE, a_backfill(), status=201)
    server.on("GET /jobs/daily-revenue", a_job())
    server.on("GET /health", {"now_ms": NOW})
    run("backfill", "create", "daily-revenue", "--from", "2026-11-01", "--to", "1d")
    assert server.asked[-1].document == {
        "from": "2026-10-31T23:00:00Z",
        "to": "2026-11-23T06:00:00Z",
    }


def test_a_plan_is_shown_page_by_page(run: Run, server: StandIn) -> None:
    server.then(
        Answer(200, a_plan("create", "rerun", total=5, next="more")),
        Answer(200, a_plan("exists", total=5, next="yet more")),
    )
    ran = create(run, "--dry-run", "--limit", "3")
    assert ran.code == 0
    assert [dict(asked.query)["limit"] for asked in server.asked] == ["3", "1"]
    assert dict(server.asked[1].query)["next"] == "more"
    lines = ran.out.splitlines()
    assert "5 nominal times" in lines[0]
    assert [line.split()[1] for line in lines[2:5]] == ["create", "rerun", "exists"]
    assert "and 2 more" in lines[-1]


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"state": "COMPLETED", "finished": 20, "instances": {"SUCCEEDED": 20}}, 0),
        ({"state": "COMPLETED", "finished": 20, "instances": {"FAILED": 1}}, 5),
        ({"state": "CANCELLED", "instances": {"SKIPPED": 3}}, 5),
    ],
)
def test_waiting_ends_with_it_and_tells_how_it_was(
    run: Run, server: StandIn, ended: dict[str, Any], code: int
) -> None:
    one = f"/backfills/{BACKFILL_ID}"
    server.then(
        Answer(201, a_backfill()),
        Answer(200, a_backfill()),
        Answer(200, a_backfill(finished=6)),
        Answer(200, a_backfill(waiting_on="the job is suspended")),
        # Cancelled, and what it had begun has not ended.
        Answer(200, a_backfill(state="CANCELLED")),
    )
    server.on(f"GET {one}", a_backfill(**ended))
    ran = create(run, "--wait", "-o", "json")
    assert ran.code == code
    assert ran.document["state"] == ended["state"]
    told = ran.err.splitlines()
    assert told[0] == "daily-revenue RUNNING 25% of 20, 1 failed"
    assert told[1] == "daily-revenue RUNNING 30% of 20, 1 failed"
    assert "waits: the job is suspended" in told[2]


def test_it_is_named_by_its_id_its_beginning_or_its_job(run: Run, server: StandIn) -> None:
    server.on(f"GET /backfills/{BACKFILL_ID}", a_backfill())
    page = {"items": [a_backfill(), a_backfill(id="1" * 32)], "next": None}
    server.on("GET /backfills", page)
    server.on("GET /jobs/daily-revenue/backfills", page)
    server.on("GET /jobs/other/backfills", {"items": [], "next": None})
    for reference in (BACKFILL_ID, BACKFILL_ID[:16], "daily-revenue@latest"):
        ran = run("backfill", "show", reference, "-o", "json")
        assert (ran.code, ran.document["id"]) == (0, BACKFILL_ID)
    assert run("backfill", "show", "f" * 16).code == 3
    assert run("backfill", "show", "other@latest").code == 3
    assert run("backfill", "show", "nonsense").code == 2


def test_it_is_cancelled(run: Run, server: StandIn) -> None:
    server.on(f"POST /backfills/{BACKFILL_ID}/cancel", a_backfill(state="CANCELLED"))
    ran = run("backfill", "cancel", BACKFILL_ID, "--kill", "--reason", "wrong")
    assert ran.code == 0
    assert server.asked[-1].document == {"kill": True, "reason": "wrong"}
    run("backfill", "cancel", BACKFILL_ID)
    assert server.asked[-1].document == {}


def test_a_list_is_narrowed(run: Run, server: StandIn) -> None:
    server.on("GET /backfills", {"items": [a_backfill()], "next": None})
    ran = run("backfill", "list", "--job", "daily-revenue", "--state", "running")
    assert ran.out.splitlines()[1].split()[:5] == [
        BACKFILL_ID,
        "daily-revenue",
        "RUNNING",
        "5/20",
        "1",
    ]
    assert ("state", "RUNNING") in server.asked[-1].query


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_everything_fits_the_terminal(columns: int) -> None:
    screen = Screen(columns=columns, now_ms=NOW)
    shown = [
        *backfill_table({"items": [a_backfill(), a_backfill(name="x" * 90)]}, screen),
        *backfill_lines(a_backfill(reason="why " * 50), screen),
        *plan_lines(a_plan("create", "rerun"), screen),
    ]
    assert max(map(width, shown)) <= columns
    assert any(BACKFILL_ID[:16] in line for line in shown)


def test_the_bar_fills_and_says_when_it_ends() -> None:
    assert bar(a_backfill()) == "[#####---------------]  25%"
    assert bar(a_backfill(total=0, finished=0)).endswith("  0%")
    assert bar(a_backfill(finished=20)) == f"[{'#' * 20}] 100%"
    line = live(a_backfill())
    assert "5 of 20, 3 running, 1 failed, ends " in line
    assert "ends" not in live(a_backfill(eta_ms=None))
    assert plain(a_backfill(finished=7)) == plain(a_backfill(finished=7, eta_ms=None))


def test_a_plan_tells_what_was_purged(run: Run, server: StandIn) -> None:
    plan = a_plan("exists", "create", purged=1)
    plan["items"][0].update(purged=True, state=None, instance_id=None)
    server.on("POST /jobs/daily-revenue/backfills", plan)
    _, purged, _, first, second = create(run, "--dry-run").out.splitlines()
    assert purged == "1 of them may have run: their record was purged"
    assert first.split()[-2:] == ["PURGED", "-"]
    assert second.split()[-2:] == ["-", "-"]
