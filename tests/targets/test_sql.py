"""Statements on SQLite: what is bound, written, committed, refused and stopped."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import Dropped, Failed, Outcome, Stopped, Succeeded
from chalicelib.targets import Connection, TargetRegistry, TargetSettings
from tests.targets.hands import TOKEN, FixedClock, Hand, a_request
from tests.targets.test_process import until

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
LOG = f"runs/{TOKEN}/run.log"


def run(registry: TargetRegistry, query: str, hand: Hand | None = None, **more: Any) -> Outcome:
    bindings = more.pop("bindings", {})
    spec = {"connection": "shop", "query": query, **more}
    return registry.run(a_request("sql", spec, bindings=bindings), hand or Hand())


def rows(database: Path, query: str = "SELECT country, amount FROM orders ORDER BY amount") -> Any:
    with sqlite3.connect(database) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def failed(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def test_rows_are_a_csv(registry: TargetRegistry) -> None:
    query = "SELECT country, SUM(amount) AS total FROM orders GROUP BY 1 ORDER BY 1"
    outcome = run(registry, query, result="out/totals.csv")
    assert outcome == Succeeded("out/totals.csv", LOG, {"rows": 2})
    assert registry.read("out/totals.csv") == b"country,total\nde,8\nfr,4\n"


def test_rows_are_json_lines_if_the_format_says_so(registry: TargetRegistry) -> None:
    run(registry, "SELECT 1 AS a, NULL AS b", result="rows.txt", format="jsonl")
    assert json.loads(registry.read("rows.txt")) == {"a": 1, "b": None}


def test_parameters_are_bound_and_never_text(registry: TargetRegistry) -> None:
    query = "SELECT :country AS c, :nominal_date AS d, ':country' AS quoted"
    run(registry, query, result="x.csv", bindings={"country": "'; DROP TABLE orders; --"})
    assert registry.read("x.csv") == b"c,d,quoted\n'; DROP TABLE orders; --,2026-01-31,:country\n"


def test_a_parameter_that_is_not_there_is_refused_before_the_beginning(
    registry: TargetRegistry,
) -> None:
    hand = Hand()
    outcome = failed(run(registry, "SELECT :contry", hand))
    assert not outcome.retry
    assert ":contry is nothing that can be bound" in outcome.error
    assert hand.handle is None


def test_changes_are_committed_once(registry: TargetRegistry, database: Path) -> None:
    outcome = run(registry, "UPDATE orders SET amount = amount + 1")
    assert outcome == Succeeded(log_path=LOG, facts={"affected": 3})
    assert [amount for _, amount in rows(database)] == [4, 5, 6]


def test_a_statement_that_fails_half_way_changes_nothing(
    registry: TargetRegistry, database: Path
) -> None:
    query = "UPDATE orders SET amount = CASE amount WHEN 5 THEN json('{') ELSE 0 END"
    assert failed(run(registry, query)).retry
    assert [amount for _, amount in rows(database)] == [3, 4, 5]


def test_rows_of_a_change_are_a_result_too(registry: TargetRegistry, database: Path) -> None:
    run(registry, "DELETE FROM orders WHERE country = 'de' RETURNING amount", result="gone.csv")
    assert registry.read("gone.csv") == b"amount\n3\n5\n"
    assert rows(database) == [("fr", 4)]


def test_a_change_without_rows_has_no_result_and_is_undone(
    registry: TargetRegistry, database: Path
) -> None:
    outcome = failed(run(registry, "DELETE FROM orders", result="gone.csv"))
    assert "returns no rows" in outcome.error
    assert len(rows(database)) == 3


def test_too_many_rows_are_a_failure_and_leave_the_former_result(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    settings.files.mkdir()
    (settings.files / "x.csv").write_text("former")
    query = f"{ENDLESS} i FROM n LIMIT 5000"
    outcome = failed(run(registry, query, result="x.csv", max_rows=1000))
    assert "max_rows: 1000" in outcome.error
    assert not outcome.retry
    assert [path.name for path in settings.files.iterdir()] == ["x.csv"]
    assert registry.read("x.csv") == b"former"


def test_a_big_answer_is_streamed(registry: TargetRegistry) -> None:
    outcome = run(registry, f"{ENDLESS} i FROM n LIMIT 200000", result="x.csv")
    assert isinstance(outcome, Succeeded)
    assert registry.read("x.csv").count(b"\n") == 200_001


def test_without_a_result_the_log_shows_the_first_rows(registry: TargetRegistry) -> None:
    outcome = run(registry, f"{ENDLESS} i FROM n LIMIT 100")
    assert isinstance(outcome, Succeeded)
    text = registry.read(LOG).decode()
    assert "\n20\n" in text
    assert "\n21\n" not in text


@pytest.mark.parametrize(
    "query",
    ["ATTACH 'other.db' AS o", "VACUUM INTO 'copy.db'", "COMMIT", "SAVEPOINT s",
     "PRAGMA writable_schema = 1"],
)  # fmt: skip
def test_what_reaches_beyond_the_database_is_refused(
    registry: TargetRegistry, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    failed(run(registry, query))
    assert {path.name for path in set(tmp_path.iterdir()) - set(before)} <= {"files", "runs"}


def test_a_missing_file_is_an_error_and_not_a_new_database(
    settings: TargetSettings, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.db"
    registry = with_connection(settings, f"sqlite:///{gone}")
    assert "there is no SQLite file" in failed(run(registry, "SELECT 1")).error
    assert not gone.exists()


def with_connection(settings: TargetSettings, url: str) -> TargetRegistry:
    changed = TargetSettings(
        settings.files, settings.runs, {"shop": Connection("shop", url, "s3cret")}
    )
    return TargetRegistry(changed, FixedClock())


def test_a_connection_for_reading_refuses_changes(settings: TargetSettings, database: Path) -> None:
    registry = with_connection(settings, f"sqlite:///{database}?mode=ro")
    assert isinstance(run(registry, "SELECT 1"), Succeeded)
    assert "readonly" in failed(run(registry, "DELETE FROM orders")).error


def test_a_syntax_error_is_not_tried_again(registry: TargetRegistry) -> None:
    outcome = failed(run(registry, "SELEC 1"))
    assert not outcome.retry
    assert outcome.error.startswith("connection 'shop': ")


def test_secrets_are_never_shown(registry: TargetRegistry, settings: TargetSettings) -> None:
    assert "s3cret" not in repr(settings)
    outcome = failed(run(registry, "SELECT * FROM nowhere"))
    assert "s3cret" not in outcome.error + registry.read(LOG).decode()


def test_text_that_is_not_utf8_is_kept_as_bytes(registry: TargetRegistry) -> None:
    run(registry, "SELECT CAST(x'ff61' AS TEXT) AS t", result="x.csv")
    assert registry.read("x.csv") == b"t\n0xff61\n"


def test_nothing_is_executed_when_the_run_was_taken(
    registry: TargetRegistry, database: Path
) -> None:
    assert run(registry, "DELETE FROM orders", Hand(taken=True)) == Dropped()
    assert len(rows(database)) == 3


@pytest.mark.parametrize("query", [f"{ENDLESS} MAX(i) FROM n", f"{ENDLESS} i FROM n"])
def test_a_stop_interrupts(registry: TargetRegistry, settings: TargetSettings, query: str) -> None:
    hand = Hand()
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(run(registry, query, hand, result="x.csv"))
    )
    thread.start()
    until((settings.runs / TOKEN / "run.log").exists)
    hand.stop()
    thread.join(20)
    assert outcomes == [Stopped(log_path=LOG)]
    assert not settings.files.exists() or list(settings.files.iterdir()) == []


def test_a_stop_does_not_wait_for_somebody_elses_lock(
    registry: TargetRegistry, settings: TargetSettings, database: Path
) -> None:
    """SQLite itself would look at the interrupt only after its patience of half a minute."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hand = Hand()
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(run(registry, "DELETE FROM orders", hand))
    )
    thread.start()
    until((settings.runs / TOKEN / "run.log").exists)
    hand.stop()
    thread.join(10)
    other.close()
    assert outcomes == [Stopped(log_path=LOG)]
    assert len(rows(database)) == 3


def test_who_finds_a_lock_waits_for_it(
    registry: TargetRegistry, settings: TargetSettings, database: Path
) -> None:
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    over = threading.Event()
    outcomes: list[Outcome] = []

    def delete() -> None:
        outcomes.append(run(registry, "DELETE FROM orders"))
        over.set()

    threading.Thread(target=delete).start()
    until((settings.runs / TOKEN / "run.log").exists)
    assert not over.wait(0.5)
    other.execute("COMMIT")
    assert over.wait(10)
    other.close()
    assert outcomes == [Succeeded(log_path=LOG, facts={"affected": 3})]
    assert rows(database) == []


def test_a_repetition_takes_the_place_of_what_a_crash_left(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    settings.files.mkdir()
    (settings.files / f".x.csv.{TOKEN}.part").write_text("half")
    run(registry, "SELECT 1 AS a", result="x.csv")
    assert [path.name for path in settings.files.iterdir()] == ["x.csv"]
