"""The parts of the store: SQL files, the fair lock, the pool, SQLite beside another process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, open_store
from chalicelib.store.failures import Repeat
from chalicelib.store.fair_lock import FairLock
from chalicelib.store.mysql import too_old
from chalicelib.store.pool import Pool
from chalicelib.store.statements import Statements, named, pyformat
from tests.store.builders import JOB, NOON, a_job, insert_jobs

WAIT_S = 20


def test_parameters_are_turned_and_literals_are_not() -> None:
    sql = "SELECT ':a %', x % 5 FROM t WHERE a = :a AND b = ':''b' AND c=:c_1 -- :d %"
    assert pyformat(sql) == (
        "SELECT ':a %%', x %% 5 FROM t WHERE a = %(a)s AND b = ':''b' AND c=%(c_1)s -- :d %%"
    )
    assert named(sql) == sql


def test_every_database_has_the_same_statements() -> None:
    mysql, sqlite = Statements("mysql", pyformat), Statements("sqlite", named)
    accounts = {"create_account", "change_account", "create_account_of_iam"}
    accounts |= {"change_account_to_iam", "require_tls", "grants_of"}  # a file has no users
    only_mysql = {"sign_unit", "signed_unit", "lock_migrations"} | accounts
    assert mysql.names - sqlite.names == only_mysql
    assert sqlite.names - mysql.names == set()


def test_a_line_is_there_when_its_parameter_is() -> None:
    statements = Statements("sqlite", named)
    assert ":owner" not in statements.text("jobs", {"owner": None})
    assert "j.owner = :owner" in statements.text("jobs", {"owner": "red"})
    assert "-- if" not in statements.text("jobs", {"owner": "red"})


def test_the_lock_is_given_in_the_order_of_asking() -> None:
    lock, order = FairLock(), list[int]()
    threads = []
    with lock.held(WAIT_S):
        for number in range(8):
            thread = threading.Thread(target=_take, args=(lock, order, number))
            thread.start()
            threads.append(thread)
            while len(lock._waiting) <= number:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(WAIT_S)
    assert order == list(range(8))


def _take(lock: FairLock, order: list[int], number: int) -> None:
    with lock.held(WAIT_S) as had:
        assert had
        order.append(number)


def test_who_waits_too_long_gives_up_the_place() -> None:
    lock = FairLock()
    with lock.held(WAIT_S), lock.held(0.001) as had:
        assert not had
    assert lock.acquire(0.001)
    lock.release()


class Connection:
    def __init__(self) -> None:
        self.usable = True
        self.open = True
        self.living = True

    def alive(self) -> bool:
        return self.living

    def close(self) -> None:
        self.open = False


def test_the_pool_keeps_replaces_and_limits() -> None:
    made: list[Connection] = []

    def make() -> Connection:
        made.append(Connection())
        return made[-1]

    pool = Pool(make, 2, wait_s=0.001, idle_s=0)
    with pool.lend() as first, pool.lend() as second:
        assert first is not second
        with pytest.raises(Unavailable, match="all 2 connections"), pool.lend():
            pass
    with pool.lend() as again:
        assert again in made
    for one in made:
        one.living = False
    with pool.lend() as fresh:
        assert fresh is made[2]
        fresh.usable = False
    assert not any(one.open for one in made)
    with pytest.raises(Repeat), pool.lend():
        raise Repeat("gone", lost=True)
    with pytest.raises(Unavailable), Pool(_fails, 1).lend():
        pass


def _fails() -> Connection:
    raise Unavailable("no")


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


def test_another_process_that_writes_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "noonday.db"
    with closing(open_store(f"sqlite:///{file}")) as store:
        store.migrate(NOON)
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            pauses: list[float] = []

            def pause(seconds: float) -> None:
                """After the first wait in vain the other one ends."""
                pauses.append(seconds)
                other.communicate(b"\n", WAIT_S)

            waiting = SqlStore(store._driver, pause=pause)
            assert waiting.read(lambda reader: reader.owners()) == []
            insert_jobs(waiting, a_job())
        assert pauses == [0]
        assert store.read(lambda reader: reader.job(JOB, None)) == a_job()


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough " * 50, None])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.db"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with closing(open_store(f"sqlite:///{file}")) as store:
        for call in _calls(store):
            with pytest.raises(Unavailable) as caught:
                call()
            assert "x.db" in str(caught.value)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/missing/x.db")
    for call in _calls(store):
        with pytest.raises(Unavailable, match="does its folder exist"):
            call()


def _calls(store: SqlStore) -> tuple[Callable[[], object], ...]:
    return (
        lambda: store.migrate(NOON),
        lambda: store.transact(lambda tx: tx.insert_owner("red", NOON)),
        lambda: store.read(lambda reader: reader.owners()),
    )


def test_a_store_that_is_closed() -> None:
    store = open_store("sqlite://")
    store.migrate(NOON)
    store.close()
    with pytest.raises(Unavailable, match="is closed"):
        store.read(lambda reader: reader.owners())


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        ("9.7.4-2", False),
        ("8.0.16", False),
        ("8.0.15-log", True),
        ("8.4.3", False),
        ("5.7.44", True),
        ("10.11.19-MariaDB-0+deb12u1", False),
        ("10.6.0-MariaDB", False),
        ("10.5.29-MariaDB-log", True),
        ("11.8.2-MariaDB", False),
    ],
)
def test_servers_that_are_too_old(version: str, *, refused: bool) -> None:
    assert too_old(version) is refused
