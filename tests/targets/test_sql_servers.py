"""Statements on MariaDB and MySQL: values, stops, and sessions that outlive the process they served."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import Dropped, Failed, Outcome, Stopped, Succeeded, Unknown
from chalicelib.targets import Connection, TargetRegistry, TargetSettings
from tests.databases import SERVERS, Server
from tests.targets.hands import TOKEN, FixedClock, Hand, a_request
from tests.targets.test_process import until

ROOT = Path(__file__).parents[2]
DATABASE = "noonday_targets"
LOG = f"runs/{TOKEN}/run.log"
GATE = "noonday-test-gate"
# Sleeps while nobody holds the gate; so the first session hangs, and a later one does the work.
GATED = f"INSERT INTO done SELECT 1 + 0 * SLEEP(IF(IS_FREE_LOCK('{GATE}'), 600, 0))"
# What a server does, in a process that can be killed.
VICTIM = """
import sys
from pathlib import Path
from chalicelib.targets import Connection, TargetRegistry, TargetSettings
from tests.targets.hands import FixedClock, Hand, a_request
root, url, query = sys.argv[1:]
settings = TargetSettings(Path(root), Path(root), {"shop": Connection("shop", url)})
TargetRegistry(settings, FixedClock()).run(
    a_request("sql", {"connection": "shop", "query": query}), Hand()
)
"""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    found.create(DATABASE)
    found.execute("CREATE TABLE done (x INT) ENGINE=InnoDB", DATABASE)
    found.execute("CREATE TABLE n (i INT) ENGINE=InnoDB", DATABASE)
    values = ",".join(f"({number})" for number in range(1000))
    found.execute(f"INSERT INTO n VALUES {values}", DATABASE)
    return found


@pytest.fixture
def registry(settings: TargetSettings, server: Server) -> TargetRegistry:
    return a_registry(settings, server.url(DATABASE))


def a_registry(settings: TargetSettings, url: str) -> TargetRegistry:
    connections = {"shop": Connection("shop", url)}
    return TargetRegistry(TargetSettings(settings.files, settings.runs, connections), FixedClock())


def run(registry: TargetRegistry, query: str, hand: Hand | None = None, **more: Any) -> Outcome:
    bindings, handle = more.pop("bindings", {}), more.pop("handle", None)
    spec = {"connection": "shop", "query": query, **more}
    return registry.run(a_request("sql", spec, bindings=bindings, handle=handle), hand or Hand())


def in_background(registry: TargetRegistry, query: str, hand: Hand, **more: Any) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    threading.Thread(
        target=lambda: future.set_result(run(registry, query, hand, **more)), daemon=True
    ).start()
    return future


def sleeping(server: Server, number: int = 1) -> bool:
    """Whether so many sessions are inside a statement that sleeps."""
    query = (
        "SELECT COUNT(*) FROM information_schema.processlist"
        f" WHERE db = '{DATABASE}' AND info LIKE '%SLEEP(%' AND info NOT LIKE '%processlist%'"
    )
    return server.execute(query) == [(number,)]


@contextmanager
def opened_gate(server: Server) -> Iterator[None]:
    with closing(server.connect()) as holder, holder.cursor() as cursor:
        cursor.execute(f"SELECT GET_LOCK('{GATE}', 10)")
        yield


def done(server: Server) -> int:
    return int(server.execute("SELECT COUNT(*) FROM done", DATABASE)[0][0])


def test_values_are_rendered_faithfully(registry: TargetRegistry) -> None:
    query = """
        SELECT CAST(12.10 AS DECIMAL(20, 2)) AS d, CAST('2026-01-31' AS DATE) AS day,
               CAST('2026-01-31 06:00:00.5' AS DATETIME(1)) AS t, CAST('-20:30:00' AS TIME) AS span,
               X'00FF' AS b, NULL AS nothing, '' AS void, 18446744073709551615 AS big, '🍕%s' AS s
    """
    assert isinstance(run(registry, query, result="x.jsonl"), Succeeded)
    assert registry.read("x.jsonl").decode() == (
        '{"d":12.10,"day":"2026-01-31","t":"2026-01-31T06:00:00.500000","span":"-20:30:00",'
        '"b":"0x00ff","nothing":null,"void":"","big":18446744073709551615,"s":"🍕%s"}\n'
    )


@pytest.mark.parametrize("value", ["it's", '"', "\\", "\\'; DROP TABLE done; -- ", "%s :b", "🍕"])
def test_parameters_are_values_whatever_they_contain(registry: TargetRegistry, value: str) -> None:
    query = "SELECT :a AS a, ':a' AS quoted, 7 % 4 AS rest # :c"
    run(registry, query, result="x.jsonl", bindings={"a": value})
    assert json.loads(registry.read("x.jsonl")) == {"a": value, "quoted": ":a", "rest": 3}


def test_changes_are_committed_at_the_end_or_not_at_all(
    registry: TargetRegistry, server: Server
) -> None:
    assert run(registry, "INSERT INTO done SELECT i FROM n") == Succeeded(
        log_path=LOG, facts={"affected": 1000}
    )
    failed = run(registry, "UPDATE done SET x = CASE x WHEN 999 THEN 10000000000 ELSE 0 END")
    assert isinstance(failed, Failed)
    assert server.execute("SELECT COUNT(*) FROM done WHERE x = 0", DATABASE) == [(1,)]


def test_a_big_answer_is_streamed_and_left_when_it_is_too_big(registry: TargetRegistry) -> None:
    assert isinstance(
        run(registry, "SELECT a.i FROM n a, n b LIMIT 50000", result="x.csv"), Succeeded
    )
    assert registry.read("x.csv").count(b"\n") == 50_001
    outcome = run(registry, "SELECT a.i FROM n a, n b, n c", result="y.csv", max_rows=2000)
    assert isinstance(outcome, Failed)
    assert "max_rows" in outcome.error


@pytest.mark.parametrize("query", [GATED, "SELECT a.i FROM n a, n b, n c"])
def test_a_stop_kills_the_statement(
    registry: TargetRegistry, server: Server, settings: TargetSettings, query: str
) -> None:
    hand = Hand()
    future = in_background(registry, query, hand)
    until((settings.runs / TOKEN / "run.log").exists)
    hand.stop()
    assert future.result(20) == Stopped(log_path=LOG)
    assert done(server) == 0
    assert sleeping(server, 0)


def test_a_lost_claim_ends_its_session_and_says_nothing(
    registry: TargetRegistry, server: Server
) -> None:
    hand = Hand()
    future = in_background(registry, GATED, hand)
    until(lambda: sleeping(server))
    hand.lose()
    assert future.result(20) == Dropped()


def test_an_earlier_session_is_ended_before_the_work_is_repeated(
    registry: TargetRegistry, server: Server
) -> None:
    first = Hand()
    former = in_background(registry, GATED, first)
    until(lambda: sleeping(server))
    with opened_gate(server):
        assert isinstance(run(registry, GATED, handle=first.handle), Succeeded)
    assert done(server) == 1
    assert isinstance(former.result(20), Failed)
    assert done(server) == 1


def test_the_session_of_a_process_that_was_killed_is_found_and_ended(
    registry: TargetRegistry, server: Server, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", VICTIM, str(tmp_path), server.url(DATABASE), GATED]
    with subprocess.Popen(command, cwd=ROOT) as victim:
        until(lambda: sleeping(server))
        victim.send_signal(signal.SIGKILL)
    assert sleeping(server)  # the server has not noticed
    with opened_gate(server):
        outcome = run(registry, GATED, handle={"connection": "shop", "connection_id": 1})
    assert isinstance(outcome, Succeeded)
    assert done(server) == 1
    assert sleeping(server, 0)


def test_a_stop_that_finds_an_earlier_session_ends_it(
    registry: TargetRegistry, server: Server
) -> None:
    first, second = Hand(), Hand()
    former = in_background(registry, GATED, first)
    until(lambda: sleeping(server))
    second.stop()
    assert run(registry, GATED, second, handle=first.handle) == Stopped(log_path=LOG)
    assert sleeping(server, 0)
    assert isinstance(former.result(20), Failed)


def test_a_syntax_error_is_not_tried_again(registry: TargetRegistry) -> None:
    outcome = run(registry, "SELEC 1")
    assert isinstance(outcome, Failed)
    assert not outcome.retry


def test_a_server_that_is_down(settings: TargetSettings) -> None:
    registry = a_registry(settings, "mysql://root@127.0.0.1:1/x")
    outcome = run(registry, "SELECT 1")
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert outcome.error.startswith("connection 'shop': ")
    adopted = run(registry, "SELECT 1", handle={"connection": "shop", "connection_id": 1})
    assert isinstance(adopted, Unknown)  # its earlier session may be at work


def test_tls_verifies_the_server(settings: TargetSettings, mariadb: Server) -> None:
    mariadb.create(DATABASE)
    url = mariadb.url(DATABASE)
    query = "SHOW SESSION STATUS LIKE 'Ssl_cipher'"
    known = a_registry(settings, f"{url}?tls_ca={mariadb.ca_file}")
    assert isinstance(run(known, query, result="x.csv"), Succeeded)
    assert known.read("x.csv").decode().splitlines()[1] != "Ssl_cipher,"
    unknown = run(a_registry(settings, f"{url}?tls=verify"), query)
    assert isinstance(unknown, Failed)
    assert "certificate" in unknown.error
