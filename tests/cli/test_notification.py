"""``noonday notification``: listed, shown, delivered anew, tried."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Run
from tests.cli.documents import NOW
from tests.cli.stand_in import StandIn

ID = "019aad0c9a00d41b5bb1f0c1d2e3f405"


def a_notification(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "daily-revenue",
        "instance_id": "019aad0c9a00d41b5bb1f0c1d2e3f406",
        "event": "instance.failed",
        "channel": {"kind": "webhook", "url": "https://hooks.example.com/on-call"},
        "state": "FAILED",
        "attempts": 33,
        "error": "answered 500 Oops",
        "created_ms": NOW,
        "next_ms": None,
        "give_up_ms": NOW,
        "ended_ms": NOW,
        **changes,
    }


def test_a_list_names_what_failed(run: Run, server: StandIn) -> None:
    server.on("GET /notifications", {"items": [a_notification()], "next": None})
    ran = run("notification", "list", "--job", "daily-revenue", "--state", "failed")
    assert ran.code == 0
    assert [pair for pair in server.asked[-1].query if pair[0] in ("job", "state")] == [
        ("job", "daily-revenue"),
        ("state", "FAILED"),
    ]
    for word in (ID, "instance.failed", "FAILED", "33", "answered 500 Oops"):
        assert word in ran.out


def test_one_is_shown_and_delivered_anew(run: Run, server: StandIn) -> None:
    server.on(f"GET /notifications/{ID}", a_notification())
    ran = run("notification", "show", ID)
    assert ran.code == 0
    assert "https://hooks.example.com/on-call" in ran.out
    pending = a_notification(state="PENDING", next_ms=NOW, ended_ms=None)
    server.on(f"POST /notifications/{ID}/redeliver", pending)
    ran = run("notification", "redeliver", ID, "--reason", "it is back")
    assert ran.code == 0
    assert server.asked[-1].document == {"reason": "it is back"}
    assert "PENDING" in ran.out


def test_channels_are_tried(run: Run, server: StandIn) -> None:
    page = {"items": [a_notification(event="notification.test", state="PENDING")], "next": None}
    server.on("POST /jobs/daily-revenue/notify/test", page)
    ran = run("notification", "test", "--job", "daily-revenue")
    assert ran.code == 0
    assert "notification.test" in ran.out
