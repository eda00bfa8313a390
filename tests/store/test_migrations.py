"""Migrations: repeatable, killed anywhere, by several at once, and the right words when they are missing."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, migrate, open_store
from chalicelib.store.migrations import OLDEST_PROGRAM, VERSION, migrations
from chalicelib.store.sqlite import split
from tests.databases import SERVERS, Server
from tests.store.builders import JOB, NOON, a_job, insert_jobs
from tests.store.faulty import Faults, FaultyDriver

SHARED = ("sqlite-file", *SERVERS)


class Killed(BaseException):
    """As if the process had been."""


@pytest.fixture
def bare_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives the URL of a new database without any table."""
    numbers = itertools.count()

    def give() -> str:
        number = next(numbers)
        if kind in SERVERS:
            server: Server = request.getfixturevalue(kind)
            return server.empty_schema(number)
        return "sqlite://" if kind == "sqlite-memory" else f"sqlite:///{tmp_path}/bare-{number}.db"

    return give


def works(store: SqlStore) -> bool:
    insert_jobs(store, a_job())
    return store.read(lambda reader: reader.job(JOB, None)) == a_job()


def set_meta(store: SqlStore, name: str, value: int) -> None:
    def unit(tx: Transaction) -> None:
        session = tx._session  # type: ignore[attr-defined]
        if session.change("update_meta", name=name, value=str(value)) == 0:
            session.change("insert_meta", name=name, value=str(value))

    store.transact(unit)


def test_without_a_schema_the_store_says_what_to_do(bare_url: Callable[[], str]) -> None:
    with closing(open_store(bare_url())) as store:
        advice = r"version 0, .* run: python -m chalicelib.store.migrate"
        with pytest.raises(Unavailable, match=advice):
            store.transact(lambda _: 1)
        with pytest.raises(Unavailable, match=advice):
            store.read(lambda _: 1)
        applied = store.migrate(NOON)
        assert applied[0] == "0001_meta.sql"
        assert store.migrate(NOON) == []
        assert works(store)


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_migrator_that_is_killed_is_repeated(bare_url: Callable[[], str], *, after: bool) -> None:
    for step in (2, 3, 4, 20, 37):
        with closing(open_store(bare_url())) as store:
            faults = Faults(step, Killed, after=after)
            with pytest.raises(Killed):
                SqlStore(FaultyDriver(store._driver, faults)).migrate(NOON)
            store.migrate(NOON)
            assert works(store)


@pytest.mark.parametrize("kind", SHARED)
def test_several_migrate_at_once(bare_url: Callable[[], str]) -> None:
    url = bare_url()

    def run(_: int) -> list[str]:
        with closing(open_store(url)) as store:
            return list(store.migrate(NOON))

    with ThreadPoolExecutor(4) as pool:
        applied = [name for names in pool.map(run, range(4)) for name in names]
    assert len(applied) == len(set(applied)) >= 12
    with closing(open_store(url)) as store:
        assert works(store)


@pytest.mark.parametrize("kind", SHARED)
def test_an_older_schema_is_refused_and_a_newer_one_is_not(
    kind: str, empty_url: Callable[[str], str]
) -> None:
    url = empty_url(kind)
    known = migrations("sqlite")[-1].number
    with closing(open_store(url)) as store:
        try:
            set_meta(store, VERSION, known - 1)
            with (
                closing(open_store(url)) as old,
                pytest.raises(Unavailable, match="run: python -m"),
            ):
                old.transact(lambda _: 1)
            set_meta(store, VERSION, known + 5)
            with closing(open_store(url)) as newer:
                assert newer.migrate(NOON) == []
                assert works(newer)
            set_meta(store, OLDEST_PROGRAM, known + 1)
            with closing(open_store(url)) as older, pytest.raises(Unavailable, match="too old for"):
                older.read(lambda _: 1)
        finally:
            set_meta(store, VERSION, known)
            set_meta(store, OLDEST_PROGRAM, 0)


def test_every_database_has_the_same_numbers() -> None:
    names = [[migration.name for migration in migrations(d)] for d in ("mysql", "sqlite")]
    assert names[0] == names[1]
    assert [migration.number for migration in migrations("mysql")] == [
        number + 1 for number in range(len(names[0]))
    ]


def test_every_file_may_be_repeated() -> None:
    for migration in migrations("mysql"):
        assert len(list(split(migration.sql))) == 1, f"{migration.name}: DDL commits by itself"
    for dialect in ("mysql", "sqlite"):
        for migration in migrations(dialect):
            for statement in split(migration.sql):
                words = (" IF NOT EXISTS ", " ADD COLUMN ", " ADD KEY ", " IGNORE ")
                assert any(one in statement for one in words), migration.name


def test_the_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/noonday.db"

    def run(*arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code = migrate.main(arguments, None, out, err)
        return code, out.getvalue(), err.getvalue()

    code, out, _ = run(url)
    assert (code, out.splitlines()[0]) == (0, "applied 0001_meta.sql")
    assert run(url) == (0, "the schema is up to date\n", "")
    assert run() == (2, "", f"{migrate.USAGE}\n")
    code, _, err = run(f"sqlite:///{tmp_path}/missing/noonday.db")
    assert code == 1
    assert "does its folder exist" in err
    code, _, err = run("mysql://root:s3cret@host/db")
    assert code == 1
    assert "NOONDAY_DATABASE_PASSWORD" in err
    assert "s3cret" not in err
