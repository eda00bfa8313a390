"""Inline work in the lane ``work``: a database over TLS, a web server, a function that is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pytest

from noonday.callback import Callback
from tests.cloud.amazon import Answer, Environ, Gate, answered
from tests.cloud.test_accepting_kinds import a_function
from tests.cloud_zip.account import Account, Run
from tests.cloud_zip.stories.receiver import Heard, Receiver
from tests.cloud_zip.stories.told import through

MARK = "INSERT INTO story_marks VALUES (:token)"
SLOW = (
    "INSERT INTO story_marks SELECT CONCAT(:token, SLEEP(IF(IS_FREE_LOCK('story-slow'), 0, 600)))"
)
ONCE: Mapping[str, Any] = {"policies": {"retries": {"max_attempts": 1}}}
BRIEF = "PT5S"
"""When its run's time is over, a process looks whether it is to stop: sooner than at its next renewal."""


@pytest.fixture
def marks(story: Account) -> Callable[[], list[str]]:
    """What statements of runs have left."""
    story.database.execute("CREATE OR REPLACE TABLE story_marks (token TEXT)", story.schema)

    def read() -> list[str]:
        rows = story.database.execute("SELECT token FROM story_marks", story.schema)
        return sorted(str(token) for (token,) in rows)

    return read


def sql(query: str = MARK, connection: str = "warehouse") -> dict[str, Any]:
    return {"connection": connection, "query": query}


@contextmanager
def slowly(account: Account) -> Iterator[None]:
    """Meanwhile ``SLOW`` takes ten minutes."""
    with closing(account.database.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('story-slow', 10)")
        yield


def executing(account: Account) -> int:
    """How many sessions are inside ``SLOW``."""
    query = (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'noonday'"
        " AND info LIKE 'INSERT INTO story_marks SELECT%'"
    )
    return int(account.database.execute(query)[0][0])


@contextmanager
def at_work(account: Account) -> Iterator[None]:
    """Meanwhile the function works in another thread, and is inside ``SLOW``; at the end it has answered."""
    working = threading.Thread(target=account.poll, args=("work",))
    working.start()
    never = threading.Event()
    while working.is_alive() and not executing(account):
        never.wait(0.01)
    try:
        yield
    finally:
        working.join()


def test_work_ends_as_its_server_says(
    story: Account, receiver: Receiver, marks: Callable[[], list[str]]
) -> None:
    receiver.replies = {"/fails": lambda _: 500, "/absent": lambda _: 404}
    well = [
        story.submit("sql", sql()),
        story.submit("sql", sql(connection="vault")),
        story.submit("http", {"method": "POST", "url": f"{receiver.url}/works", "body": {"a": 1}}),
    ]
    badly = [
        story.submit("sql", sql("INSERT INTO no_such_table VALUES (:token)"), **ONCE),
        story.submit("sql", sql("INSERT INTO story_marks VALUES (:token), (1 / 0, 2)"), **ONCE),
        story.submit("http", {"url": f"{receiver.url}/fails"}, **ONCE),
        story.submit("http", {"url": f"{receiver.url}/absent"}, **ONCE),
    ]
    story.drain()
    assert [run.shown()["state"] for run in well] == ["SUCCEEDED"] * len(well)
    assert marks() == sorted(f"{run.id}-1" for run in well[:2])
    [heard] = receiver.at("/works")
    assert heard.headers["idempotency-key"] == f"{well[2].id}-1"
    assert [run.shown()["state"] for run in badly] == ["FAILED"] * len(badly)
    said = [run.shown()["runs"][-1]["error"] for run in badly]
    for words, error in zip(("no_such_table", "", "500", "404"), said, strict=True):
        assert words in error
        assert "no word of the tests" not in error
    assert story.failed == []


def test_messages_that_come_twice_and_retries(
    story: Account, receiver: Receiver, marks: Callable[[], list[str]]
) -> None:
    statuses = iter([503, 200])
    receiver.replies["/second"] = lambda _: next(statuses)
    once = story.submit("sql", sql())
    again = story.submit(
        "http", {"url": f"{receiver.url}/second"},
        policies={"retries": {"max_attempts": 2, "delay": "PT1M"}},
    )  # fmt: skip
    story.poll("wake", times=2)
    while story.poll("work", times=3):
        pass
    assert once.shown()["state"] == "SUCCEEDED"
    assert marks() == [f"{once.id}-1"]
    assert len(receiver.at("/second")) == 1
    story.look_again()
    assert again.shown()["state"] == "SUCCEEDED"
    keys = [one.headers["idempotency-key"] for one in receiver.at("/second")]
    assert keys == [f"{again.id}-1", f"{again.id}-2"]  # another run, and so another token


def test_a_statement_is_killed(story: Account, marks: Callable[[], list[str]]) -> None:
    run = story.submit("sql", sql(SLOW), policies={"timeouts": {"run": BRIEF}})
    story.poll("wake")
    with slowly(story), at_work(story), story.functions["work"].frozen():
        story.call("POST", f"/instances/{run.id}/kill", {"reason": "of no use"})
    assert run.shown()["state"] == "KILLED", run.shown()
    assert executing(story) == 0
    assert marks() == []


def test_a_request_is_killed(story: Account, receiver: Receiver) -> None:
    over = threading.Event()

    def reply(_: Heard) -> int:
        with story.functions["work"].frozen():
            story.call("POST", f"/instances/{run.id}/kill", {"reason": "of no use"})
        over.wait(60)
        return 200

    receiver.replies["/slow"] = reply
    run = story.submit(
        "http", {"url": f"{receiver.url}/slow"}, policies={"timeouts": {"run": BRIEF}}
    )
    story.poll("wake")
    story.poll("work")
    over.set()
    assert run.shown()["state"] == "KILLED", run.shown()
    assert len(receiver.at("/slow")) == 1


def test_a_kill_before_the_work_begins(
    story: Account, receiver: Receiver, marks: Callable[[], list[str]]
) -> None:
    runs = [story.submit("sql", sql()), story.submit("http", {"url": f"{receiver.url}/never"})]
    story.poll("wake")
    for run in runs:
        story.call("POST", f"/instances/{run.id}/kill", {"reason": "of no use"})
    story.drain()
    assert [run.shown()["state"] for run in runs] == ["KILLED", "KILLED"]
    assert marks() == []
    assert receiver.heard == []


def test_work_whose_time_is_over(
    story: Account, receiver: Receiver, marks: Callable[[], list[str]]
) -> None:
    over = threading.Event()
    receiver.replies["/slow"] = lambda _: 200 if over.wait(60) else 500
    soon = {"policies": {"timeouts": {"run": "PT1S"}}}
    runs = [
        story.submit("sql", sql(SLOW), **soon),
        story.submit("http", {"url": f"{receiver.url}/slow"}, **soon),
    ]
    with slowly(story):
        story.drain()
    over.set()
    assert [run.shown()["state"] for run in runs] == ["TIMED_OUT", "TIMED_OUT"]
    assert executing(story) == 0
    assert marks() == []


def test_a_statement_whose_process_dies_is_done_once(
    story: Account, marks: Callable[[], list[str]]
) -> None:
    """Its session goes on in the database; the next claim finds it by its lock, ends it, and begins anew."""
    run = story.submit("sql", sql(SLOW))
    story.poll("wake")
    with slowly(story), at_work(story):
        story.functions["work"].kill()
    assert len(story.failed) == 1
    assert executing(story) == 1
    assert run.shown()["state"] == "RUNNING"
    story.drain()  # the message comes again at once, and whoever holds the lease may live
    assert marks() == []
    story.look_again()
    shown = run.shown()
    assert (shown["state"], shown["run"]) == ("SUCCEEDED", 1)
    assert executing(story) == 0
    assert marks() == [f"{run.id}-10"]  # the token, and what SLEEP returned: once


def test_a_request_whose_process_dies_is_sent_again_under_its_token(
    story: Account, receiver: Receiver
) -> None:
    """Whoever answers tells the repetition by it: that is documented, and cannot be better."""

    def reply(_: Heard) -> int:
        if len(receiver.heard) == 1:
            story.functions["work"].kill()
        return 200

    receiver.replies["/dies"] = reply
    run = story.submit("http", {"url": f"{receiver.url}/dies", "method": "POST"})
    story.drain()
    assert len(story.failed) == 1
    assert len(receiver.heard) == 1
    story.look_again()
    assert run.shown()["state"] == "SUCCEEDED"
    keys = {one.headers["idempotency-key"] for one in receiver.heard}
    assert (len(receiver.heard), keys) == (2, {f"{run.id}-1"})


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_call_whose_process_dies_is_made_again_only_if_that_does_no_harm(
    story: Account, idempotent: bool
) -> None:
    def die(gate: Gate, environ: Environ, body: bytes) -> Answer:
        gate.carry_out(environ, body)
        story.functions["work"].kill()
        return answered(500, "InternalFailure")

    a_function(story.amazon)
    story.amazon.fail("Invoke", die)
    run = story.submit(
        "lambda_sync", {"function": "report", "idempotent": idempotent},
        policies={"retries": {"max_attempts": 3}},
    )  # fmt: skip
    story.drain()
    assert run.shown()["state"] == "RUNNING"
    story.look_again()
    story.look_again()
    calls = story.amazon.gate.calls["Invoke"]
    shown = run.shown()
    if idempotent:
        assert (shown["state"], shown["run"], calls) == ("SUCCEEDED", 1, 2)
    else:
        assert (shown["state"], shown["run"], calls) == ("FAILED", 1, 1), shown
        assert "not known" in shown["runs"][-1]["error"]


def test_a_server_that_reports_itself(story: Account, receiver: Receiver) -> None:
    """It takes the work, its launcher dies before the answer comes, and it goes on as if nothing was."""
    taken: list[Callback] = []

    def reply(heard: Heard) -> int:
        callback = Callback.from_headers(heard.headers, send=through(story))
        callback.running("begun")
        taken.append(callback)
        story.functions["work"].kill()
        return 202

    receiver.replies["/index"] = reply
    target = {"url": f"{receiver.url}/index", "method": "POST", "completion": "callback"}
    run: Run = story.submit("http", target)
    story.drain()
    story.look_again()
    assert run.shown()["state"] == "RUNNING", run.shown()
    assert len(receiver.heard) == 1
    taken[0].heartbeat("half of it")
    taken[0].succeeded()
    taken[0].succeeded()  # its answer was lost
    assert run.shown()["state"] == "SUCCEEDED"
    story.look_again()
    assert len(receiver.heard) == 1
