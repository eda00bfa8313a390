"""Documents as the server sends them; a test names only what it is about."""

from __future__ import annotations

from typing import Any

NOW = 1_795_500_000_000  # 2026-11-24T06:00:00Z
JOB_ID = "0badcafe0badcafe0badcafe0badcafe"
BACKFILL_ID = "0a11bacf0a11bacf0a11bacf0a11bacf"
INSTANCE_ID = "01a20c1b3f0099887766554433221100"


def a_job(**changed: Any) -> dict[str, Any]:
    job = {
        "id": JOB_ID,
        "owner": "demo",
        "name": "daily-revenue",
        "state": "SCHEDULED",
        "revision": 3,
        "definition": {
            "name": "daily-revenue",
            "schedule": {"cron": "0 0 6 ? * MON-FRI", "timezone": "Europe/Berlin"},
            "target": {"kind": "sql", "query": "SELECT 1\nFROM orders\n"},
        },
        "next_ms": NOW + 3_600_000,
        "next_time": "2026-11-24T07:00:00Z",
        "suspension": None,
        "group": None,
        "streak": 0,
        "created_ms": NOW - 86_400_000 * 3,
        "created_time": "2026-11-21T06:00:00Z",
        "created_by": "alice",
        "modified_ms": NOW - 60_000,
        "modified_time": "2026-11-24T05:59:00Z",
        "modified_by": "bob",
        "edit": 7,
    }
    return job | changed


def an_instance(**changed: Any) -> dict[str, Any]:
    instance = {
        "id": INSTANCE_ID,
        "job_id": JOB_ID,
        "name": "daily-revenue",
        "owner": "demo",
        "nominal_ms": NOW,
        "nominal_time": "2026-11-24T06:00:00Z",
        "kind": "SCHEDULED",
        "state": "SUCCEEDED",
        "reason": None,
        "revision": 3,
        "run": 1,
        "attempt": 1,
        "launch_attempt": 1,
        "backfill_id": None,
        "overlap": None,
        "group": None,
        "runs": [],
        "parameters": {},
        "waiting_on": None,
        "stop": None,
        "result_path": "results/revenue.csv",
        "error": None,
        "token": f"{INSTANCE_ID}-1",
        "created_ms": NOW,
        "started_ms": NOW + 100,
        "ended_ms": NOW + 12_600,
    }
    return instance | changed


def a_backfill(**changed: Any) -> dict[str, Any]:
    backfill: dict[str, Any] = {
        "id": BACKFILL_ID,
        "job_id": JOB_ID,
        "name": "daily-revenue",
        "owner": "demo",
        "state": "RUNNING",
        "from_ms": NOW - 20 * 86_400_000,
        "from_time": "2026-11-04T06:00:00Z",
        "to_ms": NOW,
        "to_time": "2026-11-24T06:00:00Z",
        "order": "oldest",
        "reprocess": "failed",
        "overlap": "allow",
        "max_active": 3,
        "revision": 3,
        "parameters": {"country": "de"},
        "total": 20,
        "created": 10,
        "rerun": 2,
        "existing": 1,
        "finished": 5,
        "instances": {"SUCCEEDED": 3, "FAILED": 1, "RUNNING": 3, "WAITING": 5},
        "eta_ms": NOW + 3_600_000,
        "eta_time": "2026-11-24T07:00:00Z",
        "waiting_on": None,
        "reason": "the source was repaired",
        "end_reason": None,
        "created_ms": NOW - 60_000,
        "created_time": "2026-11-24T05:59:00Z",
        "created_by": "alice",
        "ended_ms": None,
        "ended_time": None,
    }
    return backfill | changed


def a_plan(*actions: str, **changed: Any) -> dict[str, Any]:
    items = [
        {
            "nominal_ms": NOW - (len(actions) - place) * 86_400_000,
            "nominal_time": "2026-11-23T06:00:00Z",
            "action": action,
            "instance_id": None if action == "create" else INSTANCE_ID,
            "state": None if action == "create" else "FAILED",
            "purged": False,
        }
        for place, action in enumerate(actions)
    ]
    plan = {
        "job_id": JOB_ID,
        "name": "daily-revenue",
        "total": len(actions),
        "create": actions.count("create"),
        "rerun": actions.count("rerun"),
        "exists": actions.count("exists"),
        "purged": 0,
        "items": items,
        "next": None,
    }
    return plan | changed


def an_event(**changed: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": "f" * 32,
        "owner": "demo",
        "job_id": JOB_ID,
        "instance_id": None,
        "at_ms": NOW,
        "at_time": "2026-11-24T06:00:00Z",
        "actor": "alice",
        "verb": "SUSPEND",
        "reason": "source is being repaired until the people of the warehouse say otherwise",
        "detail": {},
    }
    return event | changed


def an_owner(**changed: Any) -> dict[str, Any]:
    return {
        "name": "a",
        "created_ms": NOW,
        "created_time": "2026-11-24T06:00:00Z",
        "limits": {"max_jobs": 7, "max_waiting": 100_000, "max_backfill": 10_000},
        "own_limits": {"max_jobs": 7, "max_waiting": None, "max_backfill": None},
        "used": {"jobs": 5, "waiting": 12},
        **changed,
    }


def a_page(*items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": following}


def a_preview(*locals_: str) -> dict[str, Any]:
    fires = [
        {"nominal_ms": NOW + 60_000 * at, "local": local, "note": None}
        for at, local in enumerate(locals_)
    ]
    return {
        "fires": fires,
        "warnings": [],
        "description": "At 06:00:00, Monday through Friday",
        "next_clock_change": None,
        "eventbridge": None,
        "tzdata": "2026a",
    }


def a_problem(status: int, code: str, detail: str, *problems: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": "Refused",
        "status": status,
        "code": code,
        "detail": detail,
    }
    return document | ({"problems": list(problems)} if problems else {})
