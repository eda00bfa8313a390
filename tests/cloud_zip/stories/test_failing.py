"""Services that fail: the functions say so in a sentence, and go on as soon as they are back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pymysql
import pytest

from chalicelib.local.context import scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import JSON, Answer, Environ, Gate, refuse
from tests.cloud.offers import StepFunctions
from tests.cloud.service_events import ended
from tests.cloud_zip.account import Account, a_job
from tests.cloud_zip.conftest import PASSWORD, SECRET
from tests.cloud_zip.deploying import PREFIX
from tests.cloud_zip.runtime import Raised
from tests.cloud_zip.stories.line import Line
from tests.cloud_zip.stories.told import complaints, saying

JOB = {"queue": PREFIX.replace("noonday-test-", "orders"), "body": "{}"}
REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/health", None),
    ("GET", "/jobs", None),
    ("GET", "/instances/0123456789abcdef0123456789abcdef", None),
    ("POST", "/jobs", a_job("sqs", JOB)),
    ("POST", "/jobs/nightly/trigger", {}),
)
NOBODY = "0123456789abcdef0123456789abcdef"
SHOWN = f"Bearer noonday1.{NOBODY}.ffffffffff.{'A' * 43}"
"""A callback's credential in the right form: only the keys of the database tell that it is forged."""


def is_unavailable(answer: Any) -> bool:
    """503, in the form of all problems, with when to come again; and no word of how it is inside."""
    assert answer.status == 503, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.body["code"] == "unavailable"
    assert "Traceback" not in answer.body["detail"]
    assert PASSWORD not in answer.body["detail"]
    return True


def test_a_database_that_is_away(story: Account, line: Line) -> None:
    """All functions say so; what was due is done by the first minute after it."""
    machine = StepFunctions(story.amazon)
    run = story.submit("step_functions", machine.spec)
    story.poll("wake")
    end = ended("step_functions", f"{run.id}-1", "arn:x")
    events: Mapping[str, Any] = {
        "minute": scheduled_event(wall_ms()),
        "housekeeping": scheduled_event(wall_ms()),
        "completion": end,
    }
    with line.cut():
        for method, path, body in REQUESTS:
            assert is_unavailable(story.front.call(method, path, body))
        report = "POST", f"/runs/{NOBODY}-1/callback", {"report": "succeeded"}
        shown = {"Authorization": SHOWN}
        assert is_unavailable(story.front.call(*report, caller=None, headers=shown))
        for name, event in events.items():
            with saying(story.functions[name]) as told, pytest.raises(Raised, match="cannot be"):
                story.functions[name].invoke(event)
            assert complaints(told)[0] == "Failed", told
            assert not any("trace" in each for each in told)
        assert story.poll("launch") == 1
    assert len(story.failed) == 1
    assert machine.runs() == 0
    story.discard("launch")  # even if its message was lost
    story.look_again()
    assert run.shown()["state"] == "LAUNCHED"
    assert machine.runs() == 1
    assert len(story.failed) == 1


def test_a_database_that_forgets_its_connections(story: Account, line: Line) -> None:
    """A failover: what was open is closed, and the next question opens anew. Nobody notices."""
    job = story.call("POST", "/jobs", a_job("sqs", JOB))
    story.ring()
    with line.cut():
        pass
    assert story.call("GET", f"/jobs/{job['id']}")["id"] == job["id"]
    story.ring()


def test_a_user_who_is_not_let_in(story: Account, line: Line) -> None:
    """The password was changed and its secret was not: a sentence, and not a word of either."""
    story.call("GET", "/jobs")
    try:
        story.database.execute("ALTER USER noonday IDENTIFIED BY 'changed-meanwhile'")
        with line.cut():
            pass
        assert is_unavailable(story.front.call("GET", "/jobs"))
        secrets = story.amazon.client("secretsmanager")
        secrets.put_secret_value(
            SecretId=SECRET,
            SecretString='{"username": "noonday", "password": "changed-meanwhile"}',
        )
        assert story.front.call("GET", "/jobs").status == 200  # asked for again, and right
    finally:
        story.database.execute(f"ALTER USER noonday IDENTIFIED BY '{PASSWORD}'")
        story.functions["api"].end()
    with closing(story.database.connect()), pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(
            host=story.database.host, port=story.database.port, user="noonday", password="x"
        )


def test_a_secret_that_is_refused(story: Account) -> None:
    for name in ("api", "minute"):
        story.functions[name].end()
    story.amazon.fail("GetSecretValue", *[refuse(400, "AccessDeniedException")] * 20)
    answer = story.front.call("GET", "/jobs")
    assert is_unavailable(answer)
    assert "the database's secret cannot be read" in answer.body["detail"]
    with saying(story.functions["minute"]) as told, pytest.raises(Raised, match="secret"):
        story.ring()
    assert complaints(told)[0] == "Failed"
    assert not any("trace" in line for line in told)
    story.amazon.gate.faults.clear()
    story.ring()  # the next minute, once it may be read
    assert story.front.call("GET", "/jobs").status == 200


def _partly(gate: Gate, environ: Environ, body: bytes) -> Answer:
    """SQS answers 200 with what it did not take inside."""
    del gate, environ, body
    failed = b'{"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": false}]}'
    return "200 OK", [JSON], failed


@pytest.mark.parametrize("denied", [True, False])
def test_a_queue_that_takes_nothing(story: Account, denied: bool) -> None:
    """Commands are acknowledged, for they stand in the database; the next minutes send what is due."""
    machine = StepFunctions(story.amazon)
    no = refuse(403, "AccessDenied") if denied else refuse(500, "InternalError")
    story.amazon.fail("SendMessage", *[no] * 10)
    with saying(story.functions["api"]) as told:
        run = story.submit("step_functions", machine.spec)
    assert set(complaints(told)) == {"Failed"}
    assert story.poll("wake") == 0
    story.amazon.fail("SendMessageBatch", no if denied else _partly)
    with saying(story.functions["minute"]) as told:
        story.ring()  # it hands out, and its message is not taken
    assert set(complaints(told)) == {"Failed"}
    assert story.poll("launch") == 0
    assert machine.runs() == 0
    story.amazon.gate.faults.clear()
    story.look_again()
    assert run.shown()["state"] == "LAUNCHED"
    assert machine.runs() == 1
    assert story.failed == []
