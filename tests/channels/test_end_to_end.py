"""From a definition to a receiver: the real server, a real receiver, signatures checked by other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.channels.receiver import held, receiving, reply, secret
from tests.local.server import Server, serving
from tests.local.test_serving import eventually

A, B = secret("a"), secret("b")
START = "2026-01-01T00:00:00Z"
SOON = {"NOONDAY_GRACE": "1"}  # the receivers that hang are not waited for


def a_job(name: str, url: str, command: list[str], **notify: Any) -> dict[str, Any]:
    return {
        "name": name,
        "schedule": {"every": "PT1M", "start": START, "end": "2026-01-01T00:01:00Z"},
        "target": {"kind": "process", "command": command},
        "policies": {"notify": [{"url": url, **notify}]},
    }


def submit(server: Server, definition: dict[str, Any]) -> None:
    answer = server.call("POST", "/jobs?schedule=true", definition)
    assert answer.status == 201, answer.body


def advance(server: Server, duration: str) -> None:
    answer = server.call("POST", "/clock", {"advance": duration})
    assert answer.status == 200, answer.body


def test_a_failure_arrives_signed_and_is_repeated_until_it_is_taken(tmp_path: Path) -> None:
    environ = {
        "NOONDAY_WEBHOOK_SECRETS": f"{A}, {B}",
        "NOONDAY_URL": "https://noonday.example",
    }
    with receiving() as receiver, serving(tmp_path, "--clock", START, environ=environ) as server:
        receiver.answer = lambda handler: reply(handler, 500 if len(receiver.seen) == 1 else 204)
        submit(server, a_job("breaks", receiver.url(), ["false"], on=["failure"]))
        receiver.wait_for(1)
        eventually(lambda: "NotificationFailed" in server.log)
        advance(server, "PT1M")
        first, second = receiver.wait_for(2)
        assert (first.id, first.body) == (second.id, second.body)
        assert first.is_signed_with(A)
        assert second.is_signed_with(B)
        document = json.loads(first.body)
        assert (document["type"], document["version"]) == ("instance.failed", 1)
        instance = document["data"]["instance_id"]
        assert document["data"]["url"] == f"https://noonday.example/instances/{instance}"
        assert server.call("GET", f"/instances/{instance}").body["state"] == "FAILED"
        eventually(lambda: "NotificationDelivered" in server.log)
        assert A not in server.log


def test_a_receiver_that_hangs_keeps_no_job_from_running(tmp_path: Path) -> None:
    with receiving() as receiver, serving(tmp_path, "--clock", START, environ=SOON) as server:
        receiver.answer = lambda _: held(receiver)
        for number in range(12):
            submit(server, a_job(f"tells-{number}", receiver.url(), ["true"], on=["success"]))
        receiver.wait_for(4)
        submit(server, a_job("quick", receiver.url(), ["true"], on=["failure"]))
        for _ in range(100):
            answer = server.call("GET", "/jobs/quick/instances")
            if [one["state"] for one in answer.body["items"]] == ["SUCCEEDED"]:
                break
            receiver.over.wait(0.1)
        else:
            raise AssertionError(answer.body)
